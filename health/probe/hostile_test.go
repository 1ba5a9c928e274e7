package probe

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/integration/suite"
)

// TestHostileTargetsDoNotSlipTheSchedule: 1,000 endpoints that cost as much as they can, in every way they can, among 500
// healthy ones. The slots are fewer than the hostile would hold; the schedule of the healthy slips by less than 5 %.
func TestHostileTargetsDoNotSlipTheSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slots, hostile, healthy = 256, 1000, 500
		c := checkerFunc(func(ctx context.Context, target health.Target, r *Result) {
			switch target.Port {
			case 80:
				answerIn(5*time.Millisecond).probe(ctx, target, r)
			case 81: // hangs
				answerIn(time.Hour).probe(ctx, target, r)
			case 82: // fails just before its time
				<-time.After(4900 * time.Millisecond)
				r.fail(because(Closed, "connection reset in body"))
			case 83: // its name does not resolve in time
				<-ctx.Done()
				r.fail(because(NoAddress, "timeout"))
			default:
				panic("a fault of the checker")
			}
		})
		r := newRig(t, slots, c)
		check := httpCheck(func(c *config.Check) { c.Interval, c.Timeout = 10*time.Second, 5*time.Second })
		all := targets(check, hostile)
		for i := range all {
			all[i] = target(check, all[i].Host, uint16(81+i%4))
		}
		good := map[health.TargetID]bool{}
		for i := range healthy {
			h := target(check, fmt.Sprintf("10.9.%d.%d", i>>8, i&255), 80)
			good[h.ID] = true
			all = append(all, h)
		}
		r.SetTargets(all)
		r.run(t)
		time.Sleep(2 * time.Minute)
		r.seen.take()
		const length = 5 * time.Minute
		time.Sleep(length)
		r.stop()
		due := map[health.TargetID]time.Time{}
		var lags []time.Duration
		probes := 0
		for _, o := range r.seen.take() {
			if !good[o.Target] {
				continue
			}
			probes++
			assert.Equal(t, health.Up, o.State)
			if at, ok := due[o.Target]; ok {
				lags = append(lags, o.At.Add(-o.Latency).Sub(at))
			}
			due[o.Target] = o.Next
		}
		slices.Sort(lags)
		assert.InEpsilon(t, healthy*int(length/check.Interval), probes, 0.01)
		assert.Less(t, lags[len(lags)-1], check.Interval/20, "the worst slip")
		assert.Zero(t, lags[len(lags)*99/100], "p99")
	})
}

// TestHostilePeersOverSockets is docs/reliability.md id R21, smaller: slow-loris, endless bodies and resets among healthy peers,
// with few slots.
func TestHostilePeersOverSockets(t *testing.T) {
	suite.Large(t)
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const interval, timeout, slots = time.Second, 500 * time.Millisecond, 64
	loris := listen(t, then("", trickling("HTTP/1.1 200 OK\r\nX-Y: "+strings.Repeat("z", 1000))))
	flood := listen(t, then("HTTP/1.1 200 OK\r\n\r\n", flooding("y")))
	reset := listen(t, then("", func(c net.Conn) { c.(*net.TCPConn).SetLinger(0) }))
	good := listen(t, saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	var all []health.Target
	healthy := map[health.TargetID]bool{}
	add := func(address string, n int) {
		for i := range n {
			check := httpCheck(func(c *config.Check) {
				c.Interval, c.Timeout, c.HTTP.Body, c.HTTP.Path = interval, timeout, "ok", fmt.Sprintf("/%d", i)
			})
			target := targetAt(t, check, address)
			healthy[target.ID] = address == good
			all = append(all, target)
		}
	}
	add(loris, 60)
	add(flood, 20)
	add(reset, 20)
	add(good, 100)
	watch := new(lagWatch)
	watch.healthy = healthy
	p, err := New(Options{Sink: watch, MaxInFlight: slots})
	require.NoError(t, err)
	p.SetTargets(all)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	time.Sleep(2 * time.Second)
	// A busy machine makes probes late for a while; that they wait for each other's timeouts would show in every window.
	var count, failed int
	var p99 time.Duration
	inTime := func() bool { return count > 255 && count < 345 && p99 < 250*time.Millisecond && failed <= 5 }
	for window := 0; window < 6 && !inTime(); window++ {
		watch.take()
		time.Sleep(3 * time.Second)
		var lags []time.Duration
		if lags, failed = watch.take(); len(lags) > 0 {
			count, p99 = len(lags), lags[len(lags)*99/100]
		}
	}
	cancel()
	require.NoError(t, <-done)
	require.True(t, inTime(), "%d probes of about 300, late by %v at p99, %d healthy peers failed", count, p99, failed)
}

// A lagWatch is a Sink that measures how late probes of healthy targets began.
type lagWatch struct {
	healthy map[health.TargetID]bool

	mu     sync.Mutex // guards the rest
	due    map[health.TargetID]time.Time
	lags   []time.Duration
	failed int
}

func (w *lagWatch) Observe(o health.Observation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.healthy[o.Target] {
		return
	}
	if w.due == nil {
		w.due = map[health.TargetID]time.Time{}
	}
	if at, ok := w.due[o.Target]; ok {
		w.lags = append(w.lags, o.At.Add(-o.Latency).Sub(at))
	}
	if o.Failures > 0 {
		w.failed++
	}
	w.due[o.Target] = o.Next
}

// take returns the lags so far, sorted, and forgets them.
func (w *lagWatch) take() (lags []time.Duration, failed int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	lags, failed = w.lags, w.failed
	w.lags, w.failed = nil, 0
	slices.Sort(lags)
	return lags, failed
}

// TestLatencyAverage: the average follows successes only.
func TestLatencyAverage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		took, fails := 100*time.Millisecond, false
		r := newRig(t, 0, checkerFunc(func(_ context.Context, _ health.Target, r *Result) {
			mu.Lock()
			defer mu.Unlock()
			time.Sleep(took)
			if fails {
				r.fail(because(Status, "status 503"))
			}
		}))
		check := httpCheck(func(c *config.Check) { c.Interval, c.Timeout = 10*time.Second, time.Second })
		r.SetTargets(targets(check, 1))
		r.run(t)
		next := func(d time.Duration, fail bool) time.Duration {
			mu.Lock()
			took, fails = d, fail
			mu.Unlock()
			for {
				time.Sleep(time.Second)
				if seen := r.seen.take(); len(seen) > 0 {
					return seen[len(seen)-1].LatencyEWMA
				}
			}
		}
		assert.Equal(t, 100*time.Millisecond, next(100*time.Millisecond, false), "the first stands alone")
		assert.Equal(t, 200*time.Millisecond, next(900*time.Millisecond, false))
		assert.Equal(t, 200*time.Millisecond, next(900*time.Millisecond, true), "a failure says nothing of the latency")
		assert.Equal(t, 175*time.Millisecond, next(0, false))
		r.stop()
	})
}

// TestUnsupportedIsShown: of a target that this node cannot probe, the observation says why and holds no evidence.
func TestUnsupportedIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 0, checkerFunc(func(_ context.Context, _ health.Target, r *Result) {
			r.fail(because(Unsupported, "%v", errNotPermitted))
		}))
		r.SetTargets([]health.Target{target(icmpCheck(), "192.0.2.1", 0)})
		r.run(t)
		time.Sleep(3 * time.Second)
		r.stop()
		seen := r.seen.take()
		require.Len(t, seen, 1)
		assert.Equal(t, health.Unknown, seen[0].State)
		assert.Equal(t, errNotPermitted.Error(), seen[0].Warning)
		assert.True(t, seen[0].At.IsZero())
		assert.Zero(t, seen[0].Failures)
		assert.Contains(t, r.logs.String(), "probes are not made")
	})
}
