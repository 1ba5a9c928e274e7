package probe

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// sealed gives check the digest that config would give it: equal for equal content.
func sealed(check config.Check) *config.Check {
	content, err := json.Marshal(check)
	if err != nil {
		panic(err)
	}
	check.Digest = sha256.Sum256(content)
	return &check
}

// httpCheck is GET / with status 200, patient unless change says otherwise.
func httpCheck(change func(*config.Check)) *config.Check {
	check := config.Check{
		Name: "web", Type: config.CheckHTTP, Interval: 20 * time.Second, Timeout: 10 * time.Second, Fall: 3, Rise: 2,
		HTTP: &config.HTTPCheck{Method: "GET", Path: "/", Status: []config.StatusRange{{First: 200, Last: 299}}},
	}
	if change != nil {
		change(&check)
	}
	return sealed(check)
}

// targetAt is check at address, which is host:port.
func targetAt(t testing.TB, check *config.Check, address string) health.Target {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	n, err := strconv.ParseUint(port, 10, 16)
	require.NoError(t, err)
	return target(check, host, uint16(n))
}

func target(check *config.Check, host string, port uint16) health.Target {
	e := &config.Endpoint{ProbePort: port}
	if addr, err := netip.ParseAddr(host); err == nil {
		e.ProbeAddr = addr
	} else {
		e.Target = host
	}
	return health.TargetOf("", check, e)
}

// targets are n targets of check with addresses of their own.
func targets(check *config.Check, n int) []health.Target {
	list := make([]health.Target, n)
	for i := range list {
		list[i] = target(check, fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&0xff, i&0xff), 80)
	}
	return list
}

// listen serves each connection by serve, in a goroutine of its own, until the test ends.
func listen(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	quit := make(chan struct{})
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				wg.Go(func() { <-quit; conn.Close() })
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		close(quit)
		wg.Wait()
	})
	return l.Addr().String()
}

// hang keeps a connection open until the peer or the test ends it.
func hang(conn net.Conn) {
	for b := make([]byte, 1024); ; {
		if _, err := conn.Read(b); err != nil {
			return
		}
	}
}

// wantFailure probes target and compares the reason word for word.
func wantFailure(t *testing.T, target health.Target, kind Kind, text string) Result {
	t.Helper()
	got := probeTimed(t, target)
	require.Equal(t, Reason{Kind: kind, Text: text}, got.Reason)
	require.False(t, got.OK)
	return got
}

// probeTimed probes target and sees to it that this costs no more than the check's timeout; the machine may be slow by
// a second.
func probeTimed(t *testing.T, target health.Target) Result {
	t.Helper()
	start := time.Now()
	got := Once(t.Context(), target, Options{})
	require.LessOrEqual(t, time.Since(start), target.Check.Timeout+time.Second)
	return got
}

// recorder is a Sink that remembers.
type recorder struct {
	mu   sync.Mutex
	seen []health.Observation
}

func (r *recorder) Observe(o health.Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, o)
}

// take returns what was observed since the last call.
func (r *recorder) take() []health.Observation {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.seen
	r.seen = nil
	return seen
}

// checkerFunc is a fake checker.
type checkerFunc func(ctx context.Context, target health.Target, r *Result)

func (f checkerFunc) probe(ctx context.Context, target health.Target, r *Result) { f(ctx, target, r) }

// answerIn is a checker that succeeds after d, or times out.
func answerIn(d time.Duration) checkerFunc {
	return func(ctx context.Context, _ health.Target, r *Result) {
		if d == 0 {
			// Timers that are due at once, of many goroutines in one bubble, crash the race detector (golang/go#78156).
			return
		}
		select {
		case <-time.After(d):
		case <-ctx.Done():
			r.fail(because(ConnectTimeout, "timeout"))
		}
	}
}

// dribble is a reader that gives one octet at a time.
type dribble struct{ text string }

func (d *dribble) Read(b []byte) (int, error) {
	if d.text == "" {
		return 0, io.EOF
	}
	b[0] = d.text[0]
	d.text = d.text[1:]
	return 1, nil
}

// gathered is the one metric of the family name: the value of a counter or gauge, or the count and the sum of a
// histogram.
func gathered(t *testing.T, reg *prometheus.Registry, name string) (value, sum float64) {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		require.Len(t, f.GetMetric(), 1)
		m := f.GetMetric()[0]
		if h := m.GetHistogram(); h != nil {
			return float64(h.GetSampleCount()), h.GetSampleSum()
		}
		return m.GetCounter().GetValue() + m.GetGauge().GetValue(), 0
	}
	t.Fatalf("no metric %s", name)
	return 0, 0
}

// counted is the value of a counter or gauge.
func counted(t *testing.T, reg *prometheus.Registry, name string) int {
	t.Helper()
	value, _ := gathered(t, reg, name)
	return int(value)
}
