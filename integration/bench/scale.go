package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

const (
	scaleZone = "scale.example.org"
	// probeEvery spreads the probes of 40,000 endpoints: 1,333 a second.
	probeEvery = 30 * time.Second
	patience   = 3 * time.Minute
	// settle is how long after the first answer a node counts as loaded: what loading left behind has been given back.
	settle = 5 * time.Second
)

// A scale is the shape of the big zone.
type scale struct {
	// services share pools evenly; pools has endpoints in each.
	services, pools, endpoints int
	// checks is unset for pools that nobody probes.
	checks bool
}

func (s scale) String() string {
	what := "not monitored"
	if s.checks {
		what = fmt.Sprintf("TCP checks every %v", probeEvery)
	}
	return fmt.Sprintf("%d services over %d pools × %d endpoints, %s", s.services, s.pools, s.endpoints, what)
}

// loadAims are what loading may take, in seconds: of wall time for few pools, of CPU time
// where there are so many pools that only other servers are a measure. 0 is no aim.
func (s scale) loadAims() (wall, cpu float64) {
	const manyPools = 50_000
	if s.pools >= manyPools {
		return 0, 15
	}
	return 5, 0
}

// rssAim is in MiB.
const rssAim = 400

// scaleBed is a node over one big zone, and the one listener that all endpoints are.
type scaleBed struct {
	dir, dns, metrics string
	cmd               *exec.Cmd
	log               bytes.Buffer
	backend           net.Listener
	// toggle is where the first endpoint is probed: open means up.
	toggle string
}

// measureScale loads a zone of shape s and times what a verdict change costs.
func measureScale(binary string, s scale, changes int) ([]result, error) {
	fmt.Println(s)
	b, err := newScaleBed(s)
	if err != nil {
		return nil, err
	}
	defer b.close()
	begin := time.Now()
	if err := b.start(binary); err != nil {
		return nil, err
	}
	if err := b.until(func() bool { return b.answers(0) != "" }); err != nil {
		return nil, fmt.Errorf("first answer: %w", err)
	}
	loaded := time.Since(begin)
	cpu, err := b.cpuSeconds()
	if err != nil {
		return nil, err
	}
	wallAim, cpuAim := s.loadAims()
	results := []result{
		{name: "load: start to first answer", value: loaded.Seconds(), unit: "s", aim: wallAim},
		{name: "load: CPU", value: cpu, unit: "s", aim: cpuAim},
	}
	time.Sleep(settle)
	memory, err := b.memory(fmt.Sprintf("once loaded (%v after)", settle))
	results = append(results, memory...)
	if err != nil || !s.checks {
		return results, err
	}
	more, err := b.timeChanges(s.endpoints, changes)
	if err != nil {
		return append(results, more...), err
	}
	time.Sleep(time.Until(begin.Add(loaded + probeEvery + settle)))
	memory, err = b.memory("after a round of probes")
	return append(append(results, more...), memory...), err
}

func newScaleBed(s scale) (*scaleBed, error) {
	dir, err := os.MkdirTemp("", "fairlead-bench-")
	if err != nil {
		return nil, err
	}
	b := &scaleBed{dir: dir}
	if b.backend, err = net.Listen("tcp4", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	port := b.backend.Addr().(*net.TCPAddr).Port
	b.backend.Close()
	// Bound to all addresses it stands for every endpoint of 127.0.0.0/8.
	if b.backend, err = net.Listen("tcp4", "0.0.0.0:"+strconv.Itoa(port)); err != nil {
		return nil, err
	}
	go acceptAll(b.backend)
	// An address that nobody else has: a port of 127.0.0.1 may be somebody's by the time that it is opened again.
	if b.toggle, err = freeAddressOf("127.98.7.6"); err != nil {
		return nil, err
	}
	if b.dns, err = freeAddress(); err != nil {
		return nil, err
	}
	if b.metrics, err = freeAddress(); err != nil {
		return nil, err
	}
	for _, d := range []string{"zones", "state"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	_, dnsPort, _ := net.SplitHostPort(b.dns)
	corefile := fmt.Sprintf("%s:%s {\n\tbind 127.0.0.1\n\tfairlead {\n\t\tzones %s/zones\n\t\tstate %s/state\n\t}\n\tprometheus %s\n\terrors\n}\n", scaleZone, dnsPort, dir, dir, b.metrics)
	return b, errors.Join(
		os.WriteFile(filepath.Join(dir, "Corefile"), []byte(corefile), 0o644),
		os.WriteFile(filepath.Join(dir, "zones", "scale.yaml"), scaleYAML(s, port, b.toggle), 0o644),
	)
}

func acceptAll(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.Close()
	}
}

func freeAddress() (string, error) { return freeAddressOf("127.0.0.1") }

func freeAddressOf(ip string) (string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// scaleYAML is the zone. The first endpoint of service 0 is probed at toggle, so that it can be made to fail alone.
func scaleYAML(shape scale, port int, toggle string) []byte {
	toggleHost, togglePort, _ := net.SplitHostPort(toggle)
	var y bytes.Buffer
	w := bufio.NewWriter(&y)
	fmt.Fprintf(w, "zone: %s\nnameservers: [{name: ns1.%s, addresses: [127.0.0.1]}]\nregions: {eu: {azs: [eu-a, eu-b]}}\n", scaleZone, scaleZone)
	fmt.Fprintf(w, "checks:\n  up: {type: tcp, port: %d, interval: %v, timeout: 1s, fall: 1, rise: 1}\n", port, probeEvery)
	fmt.Fprintf(w, "  quick: {type: tcp, port: %d, interval: 200ms, timeout: 100ms, fall: 1, rise: 1}\npools:\n", port)
	for p := range shape.pools {
		check := "    check: up\n"
		switch {
		case !shape.checks:
			check = ""
		case p == 0:
			check = "    check: quick\n"
		}
		fmt.Fprintf(w, "  p%d:\n    region: eu\n%s    endpoints:\n", p, check)
		for e := range shape.endpoints {
			probe := ""
			if shape.checks && p == 0 && e == 0 {
				probe = fmt.Sprintf(", probe: {address: %s, port: %s}", toggleHost, togglePort)
			}
			n := p*shape.endpoints + e
			fmt.Fprintf(w, "      - {name: e%d, addresses: [127.%d.%d.%d], az: eu-%c%s}\n", e, 100+n>>16, n>>8&255, n&255, 'a'+rune(e%2), probe)
		}
	}
	fmt.Fprint(w, "services:\n")
	for s := range shape.services {
		fmt.Fprintf(w, "  s%d: {tiers: [{p%d: 1}], failback: {hold: 0s}}\n", s, s%shape.pools)
	}
	w.Flush()
	return y.Bytes()
}

func (b *scaleBed) start(binary string) error {
	b.cmd = exec.Command(binary, "serve", "-conf", filepath.Join(b.dir, "Corefile"))
	b.cmd.Stdout, b.cmd.Stderr = &b.log, &b.log
	return b.cmd.Start()
}

func (b *scaleBed) close() {
	if b.cmd != nil && b.cmd.Process != nil {
		_ = b.cmd.Process.Signal(syscall.SIGTERM)
		_ = b.cmd.Wait()
	}
	b.backend.Close()
	os.RemoveAll(b.dir)
}

// until polls ok.
func (b *scaleBed) until(ok func() bool) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return nil
		}
		if b.cmd.ProcessState != nil {
			break
		}
	}
	return fmt.Errorf("not within %v; the node says:\n%s", patience, b.log.String())
}

// answers are the addresses that service n has now; empty when there is no answer.
func (b *scaleBed) answers(n int) string {
	m := new(dns.Msg).SetQuestion(fmt.Sprintf("s%d.%s.", n, scaleZone), dns.TypeA)
	c := dns.Client{Timeout: time.Second}
	r, _, err := c.Exchange(m, b.dns)
	if err != nil || len(r.Answer) == 0 {
		return ""
	}
	return r.Answer[0].(*dns.A).A.String()
}

// cpuSeconds is the user and system time of the node so far.
func (b *scaleBed) cpuSeconds() (float64, error) { return cpuOf(b.cmd.Process.Pid) }

// cpuOf is the user and system time of a process so far, in seconds.
func cpuOf(pid int) (float64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+2:]))
	user, err1 := strconv.ParseFloat(f[11], 64)
	system, err2 := strconv.ParseFloat(f[12], 64)
	const ticks = 100 // USER_HZ on Linux
	return (user + system) / ticks, errors.Join(err1, err2)
}

// memory is what the node holds now and the most that it ever held.
func (b *scaleBed) memory(when string) ([]result, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.cmd.Process.Pid))
	if err != nil {
		return nil, err
	}
	mib := make(map[string]float64)
	for line := range strings.Lines(string(raw)) {
		if f := strings.Fields(line); len(f) == 3 && f[2] == "kB" {
			kib, err := strconv.ParseFloat(f[1], 64)
			if err != nil {
				return nil, err
			}
			mib[f[0]] = kib / 1024
		}
	}
	return []result{
		{name: "RSS " + when, value: mib["VmRSS:"], unit: "MiB", aim: rssAim},
		{name: "peak RSS until then", value: mib["VmHWM:"], unit: "MiB"},
	}, nil
}

// metric is one series of the node's metrics.
func (b *scaleBed) metric(name string) (float64, error) {
	r, err := http.Get("http://" + b.metrics + "/metrics")
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == name {
			return strconv.ParseFloat(f[1], 64)
		}
	}
	return 0, fmt.Errorf("no metric %s", name)
}

// timeChanges makes the first endpoint fail and return, again and again, and reads from the node's own clock how long each
// publication took: from the observation to the swap.
func (b *scaleBed) timeChanges(endpoints, changes int) ([]result, error) {
	var worst, sum float64
	var l net.Listener
	defer func() {
		if l != nil {
			l.Close()
		}
	}()
	const first = "127.100.0.0"
	// Before it was found to be down it answers, as everything that has not been judged does.
	if err := b.until(func() bool { return !b.given(first, 4*endpoints) }); err != nil {
		return nil, fmt.Errorf("first verdict: %w", err)
	}
	for i := range changes {
		wantUp := i%2 == 0
		before, n, err := b.published()
		if err != nil {
			return nil, err
		}
		if wantUp {
			if l, err = net.Listen("tcp", b.toggle); err != nil {
				return nil, err
			}
			go acceptAll(l)
		} else {
			l.Close()
		}
		if err := b.until(func() bool { return b.given(first, 4*endpoints) == wantUp }); err != nil {
			return nil, fmt.Errorf("change %d: %w", i+1, err)
		}
		after, m, err := b.published()
		if err != nil {
			return nil, err
		}
		if m == n {
			return nil, fmt.Errorf("change %d: the answers moved and nothing was published", i+1)
		}
		took := (after - before) / (m - n) * 1000
		worst, sum = max(worst, took), sum+took
	}
	return []result{
		{name: "verdict change to swap: mean", value: sum / float64(changes), unit: "ms", aim: 5, limit: 20},
		{name: "verdict change to swap: worst", value: worst, unit: "ms", aim: 5, limit: 20, explanation: fmt.Sprintf("%d changes", changes)},
	}, nil
}

// published is how long the publications took so far, in seconds, and how many there were.
func (b *scaleBed) published() (sum, count float64, err error) {
	sum, err1 := b.metric("fairlead_publish_seconds_sum")
	count, err2 := b.metric("fairlead_publish_seconds_count")
	return sum, count, errors.Join(err1, err2)
}

// given tells whether one of the next n answers of service 0 is address.
func (b *scaleBed) given(address string, n int) bool {
	for range n {
		if b.answers(0) == address {
			return true
		}
	}
	return false
}
