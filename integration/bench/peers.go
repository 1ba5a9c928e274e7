package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A peersPlan is the shape of the comparison.
type peersPlan struct {
	names, rounds int
	// seconds is how long one measurement takes.
	seconds float64
	rates   []int
	// only are the beginnings of the names of the servers that take part; empty for all.
	only string
}

// peersWindow is how many questions are under way at saturation.
const peersWindow = 512

// A peerFigure is one measurement of one server.
type peerFigure struct {
	loadReport
	// perCPU is how many thousand answers a second of a processor gives; user is how many microseconds of user time one takes, cpu of
	// both.
	perCPU, user, cpu float64
}

// measurePeers runs all servers on core 0 and asks them in turn from core 1, so that each round has the same machine for all.
func measurePeers(binary string, plan peersPlan) error {
	if abs, err := filepath.Abs(binary); err == nil {
		binary = abs
	}
	dir, err := os.MkdirTemp("", "fairlead-peers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	backend, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		return err
	}
	defer backend.Close()
	go acceptAll(backend)
	var peers []*peer
	defer func() {
		for _, p := range peers {
			p.stop()
		}
	}()
	for i, p := range peersOf(binary, plan.names, backend.Addr().(*net.TCPAddr).Port) {
		if plan.only != "" && !slices.ContainsFunc(strings.Split(plan.only, ","), func(o string) bool { return strings.HasPrefix(p.name, o) }) {
			continue
		}
		if _, err := exec.LookPath(p.args[0]); err != nil {
			return fmt.Errorf("%s: %w: `make bench-peers` installs it", p.name, err)
		}
		peers = append(peers, p)
		if err := p.start(filepath.Join(dir, strconv.Itoa(i))); err != nil {
			return err
		}
	}
	// The first probes of everything, and what loading left behind, are not what is compared.
	time.Sleep(settle)
	fmt.Printf("%d names x 4 endpoints, 40:60 between two AZs, EDNS in half of the questions; servers on core 0, generator on core 1\n", plan.names)
	fmt.Printf("medians of %d rounds of %.1f s each, (least-most); x echo and x gdnsd are medians of the ratios within a round\n", plan.rounds, plan.seconds)
	if err := saturate(peers, plan); err != nil {
		return err
	}
	for _, rate := range plan.rates {
		if err := pace(peers, plan, rate); err != nil {
			return err
		}
	}
	fmt.Printf("\n%-26s %12s %12s %10s\n", "loading", "seconds", "CPU seconds", "RSS MiB")
	for _, p := range peers {
		fmt.Printf("%-26s %12.2f %12.2f %10.0f\n", p.name, p.loaded.Seconds(), p.loadCPU, residentMiB(p.cmd.Process.Pid))
	}
	return nil
}

// measurePeer asks one server.
func measureOnePeer(p *peer, plan peersPlan, rate int) (f peerFigure, err error) {
	order, err := json.Marshal(loadOrder{Server: p.server, Zone: peersZone, Names: plan.names, Rate: rate, Window: peersWindow, Seconds: plan.seconds})
	if err != nil {
		return f, err
	}
	self, err := os.Executable()
	if err != nil {
		return f, err
	}
	user, system, err := cpuOfTree(p.cmd.Process.Pid)
	if err != nil {
		return f, fmt.Errorf("%s: %w: %.2000s", p.name, err, p.log.String())
	}
	cmd := exec.Command("taskset", "-c", "1", self, "-role", "load")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(order), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return f, fmt.Errorf("generator: %w", err)
	}
	if err := json.Unmarshal(out, &f.loadReport); err != nil {
		return f, err
	}
	user2, system2, err := cpuOfTree(p.cmd.Process.Pid)
	if err != nil {
		return f, fmt.Errorf("%s: %w: %.2000s", p.name, err, p.log.String())
	}
	if n := float64(f.Answered); n > 0 {
		f.user, f.cpu = (user2-user)/n*1e6, (user2+system2-user-system)/n*1e6
		f.perCPU = 1000 / f.cpu
	}
	return f, nil
}

// interleave asks all servers in turn, in another order in each round.
func interleave(peers []*peer, plan peersPlan, rate int) (map[*peer][]peerFigure, error) {
	out := make(map[*peer][]peerFigure)
	for round := range plan.rounds {
		for i := range peers {
			p := peers[(i+round)%len(peers)]
			f, err := measureOnePeer(p, plan, rate)
			if err != nil {
				return nil, err
			}
			out[p] = append(out[p], f)
			time.Sleep(50 * time.Millisecond)
		}
	}
	return out, nil
}

// saturate prints how many answers a second of a processor gives.
func saturate(peers []*peer, plan peersPlan) error {
	figures, err := interleave(peers, plan, 0)
	if err != nil {
		return err
	}
	perCPU := func(f peerFigure) float64 { return f.perCPU }
	fmt.Printf("\n%-26s %24s %8s %8s %12s %10s\n", "saturated", "k answers per CPU second", "x echo", "x gdnsd", "user us/q", "k answers/s")
	for _, p := range peers {
		all := column(figures[p], perCPU)
		fmt.Printf("%-26s %24s %8s %8s %12.2f %10.0f\n", p.name, fmt.Sprintf("%.0f (%.0f-%.0f)", median(all), slices.Min(all), slices.Max(all)),
			ratio(peers, figures, p, "echo", perCPU), ratio(peers, figures, p, "gdnsd", perCPU),
			median(column(figures[p], func(f peerFigure) float64 { return f.user })),
			median(column(figures[p], func(f peerFigure) float64 { return float64(f.Answered) / f.Seconds / 1000 })))
	}
	return nil
}

// pace prints what a rate costs and how late and how many answers are.
func pace(peers []*peer, plan peersPlan, rate int) error {
	figures, err := interleave(peers, plan, rate)
	if err != nil {
		return err
	}
	cpu := func(f peerFigure) float64 { return f.cpu }
	fmt.Printf("\n%-26s %10s %8s %8s %22s %22s %10s\n", fmt.Sprintf("%d questions/s", rate), "CPU us/q", "x echo", "x gdnsd", "p50/p99/p99.9 us", "x echo", "lost")
	for _, p := range peers {
		f := figures[p]
		var late, against []string
		for _, of := range []func(peerFigure) float64{
			func(f peerFigure) float64 { return f.P50 }, func(f peerFigure) float64 { return f.P99 }, func(f peerFigure) float64 { return f.P999 },
		} {
			late = append(late, fmt.Sprintf("%.0f", median(column(f, of))))
			against = append(against, ratio(peers, figures, p, "echo", of))
		}
		lost, sent := 0, 0
		for _, f := range f {
			lost, sent = lost+f.Lost, sent+f.Sent
		}
		fmt.Printf("%-26s %10.1f %8s %8s %22s %22s %9.2f%%\n", p.name, median(column(f, cpu)), ratio(peers, figures, p, "echo", cpu), ratio(peers, figures, p, "gdnsd", cpu),
			strings.Join(late, "/"), strings.Join(against, "/"), 100*float64(lost)/float64(max(1, sent)))
	}
	return nil
}

func column(figures []peerFigure, of func(peerFigure) float64) (out []float64) {
	for _, f := range figures {
		out = append(out, of(f))
	}
	return out
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// ratio is the median of p's figures by those of the server whose name begins so, round by round.
func ratio(peers []*peer, figures map[*peer][]peerFigure, p *peer, to string, of func(peerFigure) float64) string {
	i := slices.IndexFunc(peers, func(o *peer) bool { return strings.HasPrefix(o.name, to) })
	if i < 0 {
		return "-"
	}
	var v []float64
	for round, f := range figures[p] {
		v = append(v, of(f)/of(figures[peers[i]][round]))
	}
	return fmt.Sprintf("%.2f", median(v))
}
