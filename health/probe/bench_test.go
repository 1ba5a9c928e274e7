package probe

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// respond answers every connection on all of 127.0.0.0/8, says where, and ends with its standard input.
func respond() {
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		panic(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	os.Stdout.WriteString(port + "\n")
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(10 * time.Second))
				if b := make([]byte, 2048); read(conn, b) {
					io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
				}
			}()
		}
	}()
	io.Copy(io.Discard, os.Stdin)
}

func read(conn net.Conn, b []byte) bool {
	n, _ := conn.Read(b)
	return n > 0
}

// startResponder runs respond in a process of its own and returns its port.
func startResponder(b testing.TB) string {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), responderEnv+"=1")
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() { in.Close(); cmd.Wait() })
	port, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(b, err)
	return strings.TrimSpace(port)
}

// cpu is the CPU time of this process.
func cpu() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measured runs f b.N times, each in a goroutine of its own as the prober does, and reports the CPU time of one.
func measured(b *testing.B, f func() Result) {
	b.ReportAllocs()
	before := cpu()
	done := make(chan Result)
	for b.Loop() {
		go func() { done <- f() }()
		if r := <-done; !r.OK {
			b.Fatal(r.Reason)
		}
	}
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

func BenchmarkHTTP(b *testing.B) {
	check := httpCheck(func(c *config.Check) { c.HTTP.Body = "ok" })
	target := targetAt(b, check, "127.0.0.1:"+startResponder(b))
	c, err := makeChecker(check, newDialer(Options{}))
	require.NoError(b, err)
	measured(b, func() Result { return probeOnce(b.Context(), c, target) })
}

func BenchmarkTCP(b *testing.B) {
	check := sealed(config.Check{Type: config.CheckTCP, Interval: 10 * time.Second, Timeout: 5 * time.Second})
	target := targetAt(b, check, "127.0.0.1:"+startResponder(b))
	c, err := makeChecker(check, newDialer(Options{}))
	require.NoError(b, err)
	measured(b, func() Result { return probeOnce(b.Context(), c, target) })
}

// BenchmarkTransport is the same probe by http.Transport with httptrace: what http.go was weighed against.
func BenchmarkTransport(b *testing.B) {
	check := httpCheck(nil)
	target := targetAt(b, check, "127.0.0.1:"+startResponder(b))
	d := newDialer(Options{})
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: MaxHeader,
		DialContext: d.net.DialContext}
	measured(b, func() (r Result) {
		ctx, cancel := context.WithTimeout(b.Context(), check.Timeout)
		defer cancel()
		start := time.Now()
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			GotConn:              func(httptrace.GotConnInfo) { r.Phases.Connect = time.Since(start) },
			GotFirstResponseByte: func() { r.Phases.FirstByte = time.Since(start) },
		})
		request, _ := http.NewRequestWithContext(ctx, "GET", "http://"+target.Address()+"/", nil)
		answer, err := transport.RoundTrip(request)
		if err != nil {
			return r
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(answer.Body, MaxBody))
		r.OK = string(body) == "ok"
		return r
	})
}

// BenchmarkSetTargets replaces half of 50,000 targets.
func BenchmarkSetTargets(b *testing.B) {
	p, err := New(Options{Sink: &recorder{}})
	require.NoError(b, err)
	all := targets(httpCheck(nil), 75_000)
	p.ctx = b.Context() // as in Run, but nobody probes
	p.SetTargets(all[:50_000])
	sets := [][]health.Target{all[25_000:], all[:50_000]}
	for i := 0; b.Loop(); i++ {
		p.SetTargets(sets[i%2])
	}
}

// BenchmarkProber probes 20,000 targets every 10 s over all of 127.0.0.0/8 and reports what that costs in steady state.
// One operation is one whole run of 40 s, so: go test -run xxx -bench Prober -benchtime 1x.
func BenchmarkProber(b *testing.B) {
	const n, warm, length = 20_000, 15 * time.Second, 25 * time.Second
	port, err := strconv.ParseUint(startResponder(b), 10, 16)
	require.NoError(b, err)
	check := httpCheck(func(c *config.Check) { c.Interval, c.Timeout, c.HTTP.Body = 10*time.Second, 2*time.Second, "ok" })
	all := make([]health.Target, n)
	for i := range all {
		all[i] = target(check, fmt.Sprintf("127.%d.%d.%d", 1+i%16, i/16%250, 1+i/4000), uint16(port))
	}
	for b.Loop() {
		var seen lags
		p, err := New(Options{Sink: &seen})
		require.NoError(b, err)
		p.SetTargets(all)
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(warm)
		first := seen.take()
		before := cpu()
		time.Sleep(length)
		steady := seen.take()
		used := cpu() - before
		cancel()
		require.NoError(b, <-done)
		b.ReportMetric(float64(used.Microseconds())/float64(len(steady.all)), "cpu-µs/probe")
		b.ReportMetric(used.Seconds()/length.Seconds(), "cores")
		b.ReportMetric(float64(len(steady.all))/length.Seconds(), "probes/s")
		b.ReportMetric(first.p99(), "first-lag-p99-ms")
		b.ReportMetric(steady.p99(), "lag-p99-ms")
		b.ReportMetric(float64(first.failed+steady.failed), "failures")
		var u unix.Rusage
		require.NoError(b, unix.Getrusage(unix.RUSAGE_SELF, &u))
		b.ReportMetric(float64(u.Maxrss)/1024, "peak-rss-MB")
	}
}

// lags is a Sink that measures how late probes started.
type lags struct {
	mu     sync.Mutex
	next   map[health.TargetID]time.Time
	all    []time.Duration
	failed int
}

func (l *lags) Observe(o health.Observation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == nil {
		l.next = map[health.TargetID]time.Time{}
	}
	if due, ok := l.next[o.Target]; ok {
		l.all = append(l.all, o.At.Add(-o.Latency).Sub(due))
	}
	if o.Failures > 0 {
		l.failed++
	}
	l.next[o.Target] = o.Next
}

func (l *lags) take() *lags {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := &lags{all: l.all, failed: l.failed}
	l.all, l.failed = nil, 0
	return taken
}

// p99 is in milliseconds.
func (l *lags) p99() float64 {
	slices.Sort(l.all)
	return float64(l.all[len(l.all)*99/100].Microseconds()) / 1000
}
