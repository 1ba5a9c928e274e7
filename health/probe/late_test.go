package probe

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// fixedLateness says the same whenever it is asked.
type fixedLateness struct{ by atomic.Int64 }

func (f *fixedLateness) Late(time.Time, time.Time) time.Duration { return time.Duration(f.by.Load()) }

// TestLateVantage: what times out while this node is late by itself is no evidence; a word that came is, and so is all of it once the
// node is in time.
func TestLateVantage(t *testing.T) {
	refused := func(_ context.Context, _ health.Target, r *Result) { r.fail(because(Refused, "connection refused")) }
	for _, tt := range []struct {
		name  string
		by    time.Duration
		check checkerFunc
		want  health.State
		late  bool
	}{
		{"in time", 125 * time.Millisecond, answerIn(time.Minute), health.Down, false},
		{"late", 126 * time.Millisecond, answerIn(time.Minute), health.Up, true},
		{"late, and refused", time.Second, refused, health.Down, false},
		{"late, and well", time.Second, answerIn(0), health.Up, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seen, lateness, reg := new(recorder), new(fixedLateness), prometheus.NewRegistry()
				p, err := New(Options{Sink: seen, Registerer: reg, Lateness: lateness})
				require.NoError(t, err)
				var now atomic.Pointer[checkerFunc]
				well := answerIn(0)
				now.Store(&well)
				p.make = func(*config.Check, *dialer) (checker, error) {
					return checkerFunc(func(ctx context.Context, target health.Target, r *Result) { (*now.Load())(ctx, target, r) }), nil
				}
				self := target(httpCheck(func(c *config.Check) { c.Interval, c.Timeout = 2*time.Second, time.Second }), "192.0.2.1", 80)
				p.SetTargets([]health.Target{self})
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- p.Run(ctx) }()
				time.Sleep(10 * time.Second)
				now.Store(&tt.check)
				lateness.by.Store(int64(tt.by))
				time.Sleep(20 * time.Second)
				_, late := p.Late(time.Now())
				assert.Equal(t, tt.late, late)
				assert.Equal(t, tt.late, counted(t, reg, "fairlead_probe_late_total") > 0)
				observed := seen.take()
				assert.Equal(t, tt.want, observed[len(observed)-1].State)
				if tt.late {
					assert.Greater(t, time.Since(observed[len(observed)-1].At), 15*time.Second, "nothing is said of what was not judged")
				}
				lateness.by.Store(0)
				time.Sleep(20 * time.Second)
				if _, late := p.Late(time.Now()); tt.late {
					assert.False(t, late)
					observed = seen.take()
					assert.Equal(t, health.Down, observed[len(observed)-1].State)
				}
				cancel()
				require.NoError(t, <-done)
			})
		})
	}
}

// TestEcho: what was late is found for the time in which it was late, what is under way too, and what is long ago is forgotten.
func TestEcho(t *testing.T) {
	e := NewEcho()
	at := func(ms int) time.Time { return e.origin.Add(time.Duration(ms) * time.Millisecond) }
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	e.note(at(1000), at(1001))
	e.note(at(2000), at(2450))
	e.note(at(2460), at(2461))
	assert.Zero(t, e.Late(at(0), at(900)))
	assert.Equal(t, ms(1), e.Late(at(900), at(1100)))
	assert.Equal(t, ms(450), e.Late(at(1000), at(2000)), "it should have been back then")
	assert.Equal(t, ms(450), e.Late(at(2200), at(2300)), "it was under way all the time")
	assert.Equal(t, ms(450), e.Late(at(2450), at(3000)))
	assert.Zero(t, e.Late(at(2600), at(3000)))
	e.await(at(2500))
	assert.Equal(t, ms(400), e.Late(at(2600), at(2900)), "it is under way")
	assert.Zero(t, e.Late(at(2600-200), at(2499))-ms(450), "it was not yet")
	e.await(time.Time{})
	assert.Zero(t, e.Late(at(2600), at(2900)))

	e.note(at(500_000), at(500_001))
	assert.Equal(t, ms(1), e.Late(at(0), at(500_002)), "long ago")
	e.note(at(0), at(600_000))
	assert.Equal(t, ms(600_000), e.Late(at(599_000), at(600_000)), "a process that was stopped")
}

// TestEchoGoesAround: octets go around, and nothing is left when it ends.
func TestEchoGoesAround(t *testing.T) {
	e := NewEcho()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- e.Run(ctx) }()
	require.Eventually(t, func() bool { return e.Late(e.origin, time.Now()) > 0 }, 10*time.Second, time.Millisecond)
	cancel()
	require.NoError(t, <-done)
	near, far, err := loopback(t.Context())
	require.NoError(t, err)
	defer near.Close()
	defer far.Close()
	require.Equal(t, near.LocalAddr().(*net.TCPAddr).String(), far.RemoteAddr().String())
}
