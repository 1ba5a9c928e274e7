package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/probe"
)

// probePort is free in a namespace of our own.
const probePort = 8080

// A child is a process that is told lines and answers in JSON.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

func startChild(cmd *exec.Cmd) (*child, error) {
	c := &child{cmd: cmd}
	var err error
	if c.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = json.NewDecoder(out)
	return c, cmd.Start()
}

// end closes the child's input, by which it ends.
func (c *child) end() {
	c.in.Close()
	_ = c.cmd.Wait()
}

// healthyAt is the address of healthy target i; every 16th, which can be broken, lies in 127.16.0.0/16.
func healthyAt(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(1 + i%16), byte(1 + i/16/250), byte(1 + i/16%250)})
}

func deadAt(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, 18, byte(1 + i/250), byte(1 + i%250)})
}

// broken tells whether the responder of a dies in a break.
func broken(a netip.Addr) bool { return a.As4()[1] == 16 }

// A responderCount is what the responders have seen.
type responderCount struct{ Answered, Distinct int }

// respond answers on all of 127.0.0.0/8, tells what it counted when asked, and breaks when told.
func respond(in io.Reader, out io.Writer) error {
	l, err := net.Listen("tcp4", fmt.Sprintf("0.0.0.0:%d", probePort))
	if err != nil {
		return err
	}
	var heard atomic.Int64
	var dead atomic.Bool
	var seen sync.Map
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				heard.Add(1)
				to := conn.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
				if _, ok := seen.Load(to); !ok {
					seen.Store(to, true)
				}
				if dead.Load() && broken(to) {
					return
				}
				answer(conn)
			}()
		}
	}()
	for lines := bufio.NewScanner(in); lines.Scan(); {
		switch lines.Text() {
		case "break":
			dead.Store(true)
		case "count":
			n := responderCount{Answered: int(heard.Load())}
			seen.Range(func(any, any) bool { n.Distinct++; return true })
			if err := json.NewEncoder(out).Encode(n); err != nil {
				return err
			}
		}
	}
	return nil
}

func answer(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, 2048)
	if n, _ := conn.Read(b); n > 0 {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
	}
}

// measureOwn runs our prober in a process of its own, and compares what it says with what the responders heard.
func (b probeBed) measureOwn(responders *child) (f probeFigure, err error) {
	prober, err := startChild(role("prober", b))
	if err != nil {
		return f, err
	}
	defer prober.end()
	var begun bool
	if err := prober.out.Decode(&begun); err != nil {
		return f, err
	}
	before, err := count(responders)
	if err != nil {
		return f, err
	}
	if b.Break {
		time.AfterFunc(breakAt, func() { _, _ = io.WriteString(responders.in, "break\n") })
	}
	if err := prober.out.Decode(&f); err != nil {
		return f, err
	}
	after, err := count(responders)
	f.Heard, f.Distinct = after.Answered-before.Answered, after.Distinct
	return f, err
}

// probeAll is the main of the prober's process: it says true when the measured time begins, and returns the figures.
func (b probeBed) probeAll(_ io.Reader, out io.Writer) (f probeFigure, err error) {
	check := &config.Check{
		Name: "bench", Type: config.CheckHTTP, Port: probePort, Interval: probeInterval, Timeout: probeTimeout,
		Fall: probeFall, Rise: 1, Digest: sha256.Sum256([]byte("bench")),
		HTTP: &config.HTTPCheck{Method: "GET", Path: "/", Body: "ok", Status: []config.StatusRange{{First: 200, Last: 299}}},
	}
	watch := &probeWatch{due: map[health.TargetID]time.Time{}, kind: map[health.TargetID]netip.Addr{}}
	var targets []health.Target
	add := func(a netip.Addr) {
		t := health.TargetOf("", check, &config.Endpoint{ProbeAddr: a})
		targets = append(targets, t)
		watch.kind[t.ID] = a
	}
	for i := range b.Healthy {
		add(healthyAt(i))
	}
	for i := range b.Dead {
		add(deadAt(i))
	}
	p, err := probe.New(probe.Options{Sink: watch})
	if err != nil {
		return f, err
	}
	p.SetTargets(targets)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	time.Sleep(probeWarm)
	before, err := cpuOf(os.Getpid())
	if err != nil {
		return f, err
	}
	watch.begin()
	begin := time.Now()
	if _, err := io.WriteString(out, "true\n"); err != nil {
		return f, err
	}
	time.Sleep(probeLength)
	f = watch.figure(begin)
	f.Seconds = time.Since(begin).Seconds()
	after, err := cpuOf(os.Getpid())
	if err != nil {
		return f, err
	}
	f.CPU = after - before
	f.RSSMiB, err = peakMiB(os.Getpid())
	cancel()
	<-done
	return f, err
}

// A probeWatch is the Sink that measures.
type probeWatch struct {
	kind map[health.TargetID]netip.Addr // not written once the prober runs

	mu    sync.Mutex // guards the rest
	due   map[health.TargetID]time.Time
	lags  []time.Duration
	downs map[netip.Addr]time.Time
	f     probeFigure
}

// Observe notes how late a probe began.
func (w *probeWatch) Observe(o health.Observation) {
	a := w.kind[o.Target]
	w.mu.Lock()
	defer w.mu.Unlock()
	due, known := w.due[o.Target]
	w.due[o.Target] = o.Next
	if !a.IsLoopback() {
		w.f.DeadProbes++
		return
	}
	w.f.Probes++
	if known {
		w.lags = append(w.lags, o.At.Add(-o.Latency).Sub(due))
	}
	if o.State == health.Down && w.downs != nil {
		if _, seen := w.downs[a]; !seen {
			w.downs[a] = o.Since
		}
	}
}

// begin forgets what was measured so far.
func (w *probeWatch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lags, w.f, w.downs = w.lags[:0], probeFigure{}, map[netip.Addr]time.Time{}
}

// figure is what was measured since begin, which was at the time given.
func (w *probeWatch) figure(begin time.Time) probeFigure {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.f
	f.lagsOf(w.lags)
	for a, at := range w.downs {
		if !broken(a) || at.Before(begin.Add(breakAt)) {
			f.FalseDowns++
			continue
		}
		f.Found++
		f.SlowestFound = max(f.SlowestFound, at.Sub(begin.Add(breakAt)))
	}
	for _, a := range w.kind {
		if a.IsLoopback() && broken(a) {
			f.Broken++
		}
	}
	return f
}

// peakMiB is the greatest resident size that a process has had.
func peakMiB(pid int) (float64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			kib, err := strconv.ParseFloat(f[1], 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("no VmHWM of %d", pid)
}
