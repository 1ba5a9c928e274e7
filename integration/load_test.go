package integration

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/ipv4"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

// loadEndpoints is how many healthy endpoints stand beside the load.
const loadEndpoints = 40

// endpointsEnv has this program serve endpoints, on the port that it names: they must not wait for the goroutines of the load.
const endpointsEnv = "FAIRLEAD_TEST_ENDPOINTS"

// serveEndpoints answers HTTP on all addresses of loopback until its input ends.
func serveEndpoints(port string) {
	l, err := net.Listen("tcp", "0.0.0.0:"+port)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// startEndpoints starts such a program and returns its port.
func startEndpoints(t *testing.T) int {
	port := suite.FreePort(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", endpointsEnv, port))
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	await(t, "the endpoints", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.9.0.1:%d", port))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return port
}

// A traffic is what comes at a node; FAIRLEAD_LOAD=full has the figures of the second column, for 30 s each.
type traffic struct {
	name string
	// modest and full are connections, or queries per second.
	modest, full int
	run          func(ctx context.Context, server string, n int, query []byte) (done uint64, err error)
}

// TestOwnLoad: traffic of DNS, and clients that misuse TCP, take no healthy endpoint down, and the admin socket goes on answering.
func TestOwnLoad(t *testing.T) {
	p := startLoaded(t)
	seconds, full := 4*time.Second, os.Getenv("FAIRLEAD_LOAD") == "full"
	if full {
		seconds = 30 * time.Second
	}
	query, err := new(dns.Msg).SetQuestion("www.gslb.example.org.", dns.TypeA).Pack()
	require.NoError(t, err)
	for _, l := range []traffic{
		{"stuck TCP clients", 300, 300, stuck},
		{"half-open TCP connections", 600, 600, halfOpen},
		{"TCP queries", 4000, 20_000, overTCP},
		{"UDP queries", 20_000, 100_000, overUDP},
	} {
		t.Run(l.name, func(t *testing.T) {
			n := l.modest
			if full {
				n = l.full
			}
			ctx, cancel := context.WithTimeout(t.Context(), seconds)
			defer cancel()
			before := downs(p)
			slowest := make(chan time.Duration, 1)
			go func() { slowest <- slowestStatus(ctx, p) }()
			done, err := l.run(ctx, p.dns, n, query)
			require.NoError(t, err)
			t.Logf("%d %s for %v: %d done, %d false downs, the slowest status took %v", n, l.name, seconds, done, downs(p)-before, <-slowest)
			require.Zero(t, downs(p)-before, "healthy endpoints went down")
			// What the load left is closed, or has been still for long enough.
			await(t, "room for TCP", func() bool {
				reply, _, err := ask("tcp", p.dns, "www.gslb.example.org.", dns.TypeA)
				return err == nil && len(reply.Answer) == 1
			})
		})
	}
}

// startLoaded runs a node with few descriptors and endpoints that are probed every second.
func startLoaded(t *testing.T) *process {
	bin := binary(t, false)
	port := startEndpoints(t)
	var zone strings.Builder
	zone.WriteString(`zone: gslb.example.org
nameservers: [{name: ns1.gslb.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [a]}}
checks: {h: {type: http, port: ` + strconv.Itoa(port) + `, interval: 1s, timeout: 500ms, fall: 2, rise: 2}}
services: {www: {tiers: [{web: 1}]}}
pools:
  web:
    region: eu
    check: h
    endpoints:
`)
	for i := range loadEndpoints {
		fmt.Fprintf(&zone, "      - {name: e%d, addresses: [127.9.0.%d], az: a}\n", i, i+1)
	}
	corefile := "example.org:PORT {\n bind 127.0.0.1\n errors\n fairlead {\n  zones DIR/zones\n  state DIR/state\n }\n}\n"
	// A limit of 256 descriptors, as of old systems and tight containers.
	wrapper := t.TempDir() + "/limited"
	require.NoError(t, os.WriteFile(wrapper, []byte("#!/bin/sh\nulimit -n 256\nexec "+bin+" \"$@\"\n"), 0o755))
	p := startServeBy(t, wrapper, corefile, map[string]string{"z.yaml": zone.String()})
	p.awaitHealthy()
	return p
}

// downs counts the endpoints that went down until now.
func downs(p *process) int {
	n := 0
	for line := range strings.Lines(p.output()) {
		if strings.Contains(line, "endpoint changed state") && strings.Contains(line, "new=down") {
			n++
		}
	}
	return n
}

// slowestStatus asks for the status until ctx ends; without a reply it is patience.
func slowestStatus(ctx context.Context, p *process) (slowest time.Duration) {
	for ctx.Err() == nil {
		begin := time.Now()
		if p.status() == nil {
			return patience
		}
		slowest = max(slowest, time.Since(begin))
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	return slowest
}

// framed is the query as it goes over TCP.
func framed(query []byte) []byte {
	return append([]byte{byte(len(query) >> 8), byte(len(query))}, query...)
}

// stuck has n clients send queries and never read. Who loses the connection comes again.
func stuck(ctx context.Context, server string, n int, query []byte) (uint64, error) {
	return many(ctx, n, func(done *atomic.Uint64) {
		c, err := dial(ctx, misuser, server)
		if err != nil {
			return
		}
		defer c.Close()
		for b := framed(query); ctx.Err() == nil; {
			if _, err := c.Write(b); err != nil {
				return
			}
			done.Add(1)
		}
	})
}

// halfOpen has n clients connect and say nothing.
func halfOpen(ctx context.Context, server string, n int, _ []byte) (uint64, error) {
	return many(ctx, n, func(done *atomic.Uint64) {
		if c, err := dial(ctx, misuser, server); err == nil {
			defer c.Close()
			done.Add(1)
			_, _ = c.Read(make([]byte, 1))
		}
	})
}

// many calls do on n goroutines, again and again until ctx ends, with a short pause.
func many(ctx context.Context, n int, do func(done *atomic.Uint64)) (uint64, error) {
	var wg sync.WaitGroup
	var done atomic.Uint64
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				do(&done)
				select {
				case <-ctx.Done():
				case <-time.After(100 * time.Millisecond):
				}
			}
		})
	}
	wg.Wait()
	return done.Load(), nil
}

// The clients that misuse TCP, and who looks whether there is room, have one address; who asks as many as a client may have another.
const misuser, asker = "127.0.0.1", "127.0.0.2"

// dial connects from an address, and closes the connection when ctx ends.
func dial(ctx context.Context, from, server string) (net.Conn, error) {
	d := net.Dialer{Timeout: time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.DialContext(ctx, "tcp", server)
	if err == nil {
		context.AfterFunc(ctx, func() { c.Close() })
	}
	return c, err
}

// overTCP asks rate queries a second over 8 connections, by tens.
func overTCP(ctx context.Context, server string, rate int, query []byte) (uint64, error) {
	const conns, batch = 8, 10
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var done atomic.Uint64
	b := []byte(strings.Repeat(string(framed(query)), batch))
	for range conns {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := askBatches(ctx, server, b, batch, time.Second*conns*batch/time.Duration(rate), &done); err != nil && ctx.Err() == nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return done.Load(), err
	}
	return done.Load(), nil
}

// askBatches sends b and reads as many replies, every so often, until the connection ends.
func askBatches(ctx context.Context, server string, b []byte, batch int, every time.Duration, done *atomic.Uint64) error {
	c, err := dial(ctx, asker, server)
	if err != nil {
		return err
	}
	defer c.Close()
	r := bufio.NewReader(c)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if _, err := c.Write(b); err != nil {
			return err
		}
		for range batch {
			var size [2]byte
			if _, err := io.ReadFull(r, size[:]); err != nil {
				return err
			}
			if _, err := r.Discard(int(size[0])<<8 | int(size[1])); err != nil {
				return err
			}
			done.Add(1)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// overUDP sends rate queries a second, whatever becomes of them, and counts the replies. It sends and reads many with one call: the sender must
// leave room on the processors for who answers.
func overUDP(ctx context.Context, server string, rate int, query []byte) (uint64, error) {
	c, err := net.Dial("udp4", server)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	batches := ipv4.NewPacketConn(c.(*net.UDPConn))
	var done atomic.Uint64
	go func() {
		in := make([]ipv4.Message, udpBatch)
		for i := range in {
			in[i].Buffers = [][]byte{make([]byte, 512)}
		}
		for ctx.Err() == nil {
			if n, err := batches.ReadBatch(in, 0); err == nil {
				done.Add(uint64(n))
			}
		}
	}()
	out := make([]ipv4.Message, udpBatch)
	for i := range out {
		out[i].Buffers = [][]byte{query}
	}
	const perTick = 5 * time.Millisecond
	tick := time.NewTicker(perTick)
	defer tick.Stop()
	for {
		for left := rate / int(time.Second/perTick); left > 0; {
			n, err := batches.WriteBatch(out[:min(left, udpBatch)], 0)
			if err != nil {
				break
			}
			left -= n
		}
		select {
		case <-ctx.Done():
			return done.Load(), nil
		case <-tick.C:
		}
	}
}

// udpBatch is how many datagrams overUDP sends or reads with one call.
const udpBatch = 64
