package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

const (
	probeInterval = 10 * time.Second
	probeTimeout  = 2 * time.Second
	probeFall     = 2
	// probeWarm lets the phases of a new set of targets spread; probeLength is what is measured.
	probeWarm   = 30 * time.Second
	probeLength = time.Minute
	// breakAt is when, in the measured time, every 16th healthy responder dies.
	breakAt = 20 * time.Second
	// detection is the D of docs/design.md section 6: fall × (interval + 10 % of jitter) + timeout + lag.
	detection = probeFall*(probeInterval+probeInterval/10) + probeTimeout + 200*time.Millisecond
)

// A probeBed is one measurement: everything of it runs in a network namespace of its own, which ends with it.
type probeBed struct {
	// Healthy targets lie in 127.0.0.0/8; Dead ones in 198.18.0.0/16, where nothing answers.
	Healthy, Dead int
	// Break makes a 16th of the healthy responders die.
	Break bool
	// Peer measures gdnsd in our place.
	Peer bool
}

// A probeFigure is what a measurement gave.
type probeFigure struct {
	// Probes are those of healthy targets, by the prober and by the responders; Scheduled is what the interval asks for.
	Probes, Heard, Scheduled int
	DeadProbes               int
	Distinct                 int
	LagP50, LagP99, LagMax   time.Duration
	CPU, Seconds             float64
	RSSMiB                   float64
	// FalseDowns are healthy targets that were taken for down.
	FalseDowns int
	// Broken responders, how many of them were found, and how long after the break the last one was.
	Broken, Found int
	SlowestFound  time.Duration
}

// measureProbe times the prober on targets, on the same with half of them in a black hole, and gdnsd on both.
func measureProbe(targets int) ([]result, error) {
	fmt.Printf("%d http targets every %v, timeout %v, a new connection for each probe, %v measured after %v\n",
		targets, probeInterval, probeTimeout, probeLength, probeWarm)
	var all []result
	for _, m := range []struct {
		name string
		bed  probeBed
	}{
		{"probe", probeBed{Healthy: targets}},
		{"half dead", probeBed{Healthy: targets / 2, Dead: targets - targets/2, Break: true}},
		{"gdnsd", probeBed{Healthy: targets, Peer: true}},
		{"gdnsd half dead", probeBed{Healthy: targets / 2, Dead: targets - targets/2, Peer: true}},
	} {
		if _, err := exec.LookPath("gdnsd"); m.bed.Peer && err != nil {
			fmt.Println(m.name + ": not measured: apt-get install gdnsd")
			continue
		}
		f, err := m.bed.run()
		if err != nil {
			return all, fmt.Errorf("%s: %w", m.name, err)
		}
		all = append(all, f.results(m.name, m.bed)...)
	}
	return all, nil
}

func (f probeFigure) results(name string, bed probeBed) []result {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	list := []result{
		{name: name + ": CPU", value: f.CPU / f.Seconds, unit: "cores", limit: 1},
		{name: name + ": peak RSS", value: f.RSSMiB, unit: "MiB", limit: 300},
		{name: name + ": responders' count off the schedule", value: off(f.Heard, f.Scheduled), unit: "%", limit: 2,
			explanation: fmt.Sprintf("%d of %d over %d addresses", f.Heard, f.Scheduled, f.Distinct)},
	}
	if bed.Peer {
		for i := range list {
			list[i].limit = 0
		}
		return list
	}
	list = append(list,
		result{name: name + ": probe lag p50", value: ms(f.LagP50), unit: "ms"},
		result{name: name + ": probe lag p99", value: ms(f.LagP99), unit: "ms", limit: 200},
		result{name: name + ": probe lag worst", value: ms(f.LagMax), unit: "ms"},
		result{name: name + ": probes that nobody heard of", value: off(f.Heard, f.Probes), unit: "%", limit: 1},
		result{name: name + ": healthy targets taken for down", value: float64(f.FalseDowns), unit: "", limit: 0.5},
	)
	if bed.Dead > 0 {
		list = append(list, result{name: name + ": dead targets, probes off the schedule",
			value: off(f.DeadProbes, f.Scheduled*bed.Dead/bed.Healthy), unit: "%", limit: 5})
	}
	if bed.Break {
		list = append(list,
			result{name: name + ": broken targets not found", value: float64(f.Broken - f.Found), limit: 0.5,
				explanation: fmt.Sprintf("%d broken", f.Broken)},
			result{name: name + ": slowest detection", value: f.SlowestFound.Seconds(), unit: "s", limit: detection.Seconds()})
	}
	return list
}

// off is by how many percent got strays from want, either way.
func off(got, want int) float64 {
	d := float64(got-want) / float64(max(want, 1)) * 100
	return max(d, -d)
}

// run measures b in a child that has a network namespace of its own.
func (b probeBed) run() (probeFigure, error) {
	var f probeFigure
	cmd := role("stage", b)
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.Output()
	if err != nil {
		return f, fmt.Errorf("the bench needs root or user namespaces: %w", err)
	}
	return f, json.Unmarshal(out, &f)
}

// role is this program as a child with another part; in is written to its standard input first.
func role(name string, in any) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", "-role", name)
	first, _ := json.Marshal(in)
	cmd.Env = append(os.Environ(), roleEnv+"="+string(first))
	cmd.Stderr = os.Stderr
	// A bench that is killed leaves nobody behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// roleEnv holds what a child is to do, in JSON.
const roleEnv = "FAIRLEAD_BENCH_ROLE"

// play is the main of a child.
func play(name string) error {
	var out any
	var err error
	in := []byte(os.Getenv(roleEnv))
	switch name {
	case "load":
		return playLoad()
	case "echo":
		return playEcho()
	case "stage":
		var b probeBed
		if err = json.Unmarshal(in, &b); err == nil {
			out, err = b.stage()
		}
	case "responder":
		return respond(os.Stdin, os.Stdout)
	case "prober":
		var b probeBed
		if err = json.Unmarshal(in, &b); err == nil {
			out, err = b.probeAll(os.Stdin, os.Stdout)
		}
	default:
		err = errors.New("no such role")
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// stage builds the network of b, runs responders and prober in it, and puts their figures together.
func (b probeBed) stage() (f probeFigure, err error) {
	if err := b.network(); err != nil {
		return f, err
	}
	responders, err := startChild(role("responder", nil))
	if err != nil {
		return f, err
	}
	defer responders.end()
	measure := b.measureOwn
	if b.Peer {
		measure = b.measurePeer
	}
	if f, err = measure(responders); err != nil {
		return f, err
	}
	f.Scheduled = int(float64(b.Healthy) * f.Seconds / probeInterval.Seconds())
	return f, nil
}

// network brings loopback up, and sends 198.18.0.0/16 where packets vanish: a link without ARP whose other end has no
// address.
func (b probeBed) network() error {
	for _, line := range [][]string{
		{"link", "set", "lo", "up"},
		{"link", "add", "hole0", "type", "veth", "peer", "name", "hole1"},
		{"link", "set", "hole0", "arp", "off", "up"},
		{"link", "set", "hole1", "up"},
		{"address", "add", "198.18.0.1/16", "dev", "hole0"},
	} {
		if out, err := exec.Command("ip", line...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %v: %w: %s", line, err, out)
		}
	}
	return nil
}

// count asks the responders for what they have answered so far.
func count(responders *child) (n responderCount, err error) {
	if _, err := io.WriteString(responders.in, "count\n"); err != nil {
		return n, err
	}
	return n, responders.out.Decode(&n)
}

// p is the quantile q of sorted durations.
func p(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(float64(len(sorted))*q), len(sorted)-1)]
}

// lagsOf sorts lags and puts them into f.
func (f *probeFigure) lagsOf(lags []time.Duration) {
	slices.Sort(lags)
	f.LagP50, f.LagP99, f.LagMax = p(lags, 0.5), p(lags, 0.99), p(lags, 1)
}
