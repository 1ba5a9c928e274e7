package probe

import (
	"context"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// rig is a Prober in a bubble, with a fake checker for every check.
type rig struct {
	*Prober
	seen recorder
	logs strings.Builder
	reg  *prometheus.Registry
	stop context.CancelFunc
}

// newRig makes a rig that does not run yet.
func newRig(t *testing.T, slots int, c checker) *rig {
	t.Helper()
	r := &rig{reg: prometheus.NewPedanticRegistry()}
	var err error
	r.Prober, err = New(Options{
		Sink: &r.seen, MaxInFlight: slots, Seed: 1, Registerer: r.reg,
		Logger: slog.New(slog.NewTextHandler(&r.logs, nil)),
	})
	require.NoError(t, err)
	r.make = func(check *config.Check, d *dialer) (checker, error) {
		if _, err := makeChecker(check, d); err != nil {
			return nil, err
		}
		return c, nil
	}
	return r
}

// run starts r; it ends with the bubble's function, and must leave no goroutine.
func (r *rig) run(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(r.stop)
	synctest.Wait()
}

// starts collects when each target was probed.
type starts struct {
	mu sync.Mutex
	at map[health.TargetID][]time.Time
}

// noting is c with each start noted in s.
func (s *starts) noting(c checker) checkerFunc {
	s.at = map[health.TargetID][]time.Time{}
	return func(ctx context.Context, target health.Target, r *Result) {
		s.mu.Lock()
		s.at[target.ID] = append(s.at[target.ID], time.Now())
		s.mu.Unlock()
		c.probe(ctx, target, r)
	}
}

// of is when the target was probed so far.
func (s *starts) of(id health.TargetID) []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.at[id])
}

func TestScheduleIsStartToStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s starts
		r := newRig(t, 0, s.noting(answerIn(300*time.Millisecond)))
		begin := time.Now()
		check := httpCheck(func(c *config.Check) { c.Interval, c.Timeout = 10*time.Second, 2*time.Second })
		r.SetTargets(targets(check, 50))
		time.Sleep(time.Minute) // not running: nothing is probed, and nothing is overdue afterwards
		r.run(t)
		begin = begin.Add(time.Minute)
		time.Sleep(10 * time.Minute)
		r.stop()

		next := map[health.TargetID]time.Time{}
		for _, o := range r.seen.take() {
			start := o.At.Add(-o.Latency)
			if due, ok := next[o.Target]; ok {
				require.Equal(t, due, start, "Next is the true start of the next probe")
			}
			next[o.Target] = o.Next
			require.Equal(t, 300*time.Millisecond, o.Latency)
			require.Equal(t, health.Up, o.State)
		}
		require.Len(t, s.at, 50)
		for _, at := range s.at {
			require.Less(t, at[0].Sub(begin), quickWindow)
			for i := range at[1:] {
				gap := at[i+1].Sub(at[i])
				require.GreaterOrEqual(t, gap, 9*time.Second)
				require.LessOrEqual(t, gap, 11*time.Second)
			}
		}
	})
}

func TestPhasesSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s starts
		r := newRig(t, 0, s.noting(answerIn(0)))
		check := httpCheck(func(c *config.Check) { c.Interval, c.Timeout = 10*time.Second, time.Second })
		const n = 2000
		r.SetTargets(targets(check, n))
		begin := time.Now()
		r.run(t)
		time.Sleep(160 * time.Second)
		r.stop()

		var first, settled [10]int
		for _, at := range s.at {
			first[int(at[0].Sub(begin)*10/quickWindow)]++
			for _, start := range at {
				if age := start.Sub(begin); age >= 140*time.Second && age < 150*time.Second {
					settled[int(age/time.Second)-140]++
				}
			}
		}
		for i := range 10 {
			assert.InDelta(t, n/10, first[i], 60, "first round, tenth %d", i)
			assert.InDelta(t, n/10, settled[i], 60, "after settling, second %d", i)
		}
	})
}

func TestSlowTargetsDoNotDelayTheHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slots = 16
		var mu sync.Mutex
		var inFlight, hanging, most, mostHanging int
		count := func(dead bool, n int) {
			mu.Lock()
			defer mu.Unlock()
			inFlight += n
			if dead {
				hanging += n
			}
			most, mostHanging = max(most, inFlight), max(mostHanging, hanging)
		}
		// 100 dead targets that hold a slot for 5 s of each 10 s need 50 slots; there are 16.
		c := checkerFunc(func(ctx context.Context, target health.Target, r *Result) {
			dead := target.Port == 81
			count(dead, 1)
			defer count(dead, -1)
			if dead {
				answerIn(time.Hour).probe(ctx, target, r)
				return
			}
			answerIn(10*time.Millisecond).probe(ctx, target, r)
		})
		r := newRig(t, slots, c)
		check := httpCheck(func(c *config.Check) { c.Interval, c.Timeout = 10*time.Second, 5*time.Second })
		all := targets(check, 100)
		dead := map[health.TargetID]bool{}
		for i := range 100 {
			d := target(check, all[i].Host, 81)
			dead[d.ID] = true
			all = append(all, d)
		}
		r.SetTargets(all)
		r.run(t)
		time.Sleep(2 * time.Minute) // each dead target is known to be slow
		mu.Lock()
		mostHanging = 0
		mu.Unlock()
		r.seen.take()
		time.Sleep(2 * time.Minute)
		r.stop()

		var lag time.Duration
		due, probed := map[health.TargetID]time.Time{}, map[bool]map[health.TargetID]bool{true: {}, false: {}}
		for _, o := range r.seen.take() {
			probed[dead[o.Target]][o.Target] = true
			if at, ok := due[o.Target]; ok && !dead[o.Target] {
				lag = max(lag, o.At.Add(-o.Latency).Sub(at))
			}
			due[o.Target] = o.Next
		}
		assert.Equal(t, slots, most)
		assert.Equal(t, slots*3/4, mostHanging)
		assert.Less(t, lag, 50*time.Millisecond, "worst lag of a healthy target")
		assert.Len(t, probed[false], 100)
		assert.Len(t, probed[true], 100, "slow targets are late, but probed")
	})
}

func TestLagIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, answerIn(900*time.Millisecond))
		check := httpCheck(func(c *config.Check) { c.Interval, c.Timeout = 2*time.Second, time.Second })
		r.SetTargets(targets(check, 3)) // they need 2.7 s of each 2 s
		r.run(t)
		time.Sleep(time.Minute)
		r.stop()
		count, sum := gathered(t, r.reg, "fairlead_probe_lag_seconds")
		// 60 s of one slot are 67 probes; two of three wait for most of a second.
		assert.InDelta(t, 67, count, 2)
		assert.InDelta(t, 0.7, sum/count, 0.3)
	})
}

func TestFailuresAreCountedAndPanicsRecovered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 0, checkerFunc(func(context.Context, health.Target, *Result) { panic("oh") }))
		check := httpCheck(func(c *config.Check) { c.Interval, c.Timeout, c.Fall = 2*time.Second, time.Second, 3 })
		r.SetTargets(targets(check, 1))
		r.run(t)
		time.Sleep(7 * time.Second)
		r.stop()
		seen := r.seen.take()
		require.GreaterOrEqual(t, len(seen), 3)
		for i, o := range seen[:3] {
			assert.Equal(t, i+1, o.Failures)
			assert.Equal(t, "internal fault of the prober: oh", o.Reason)
			assert.Equal(t, health.Down, o.State)
		}
		assert.Equal(t, len(seen), counted(t, r.reg, "fairlead_probe_panics_total"))
		assert.Contains(t, r.logs.String(), "prober_test.go", "the log has the stack")
	})
}

func TestShortageOfThisNodeIsNoEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var short atomic.Bool
		r := newRig(t, 0, checkerFunc(func(_ context.Context, _ health.Target, r *Result) {
			if short.Load() {
				r.fail(because(Resource, "not probed"))
			}
		}))
		check := httpCheck(func(c *config.Check) { c.Interval, c.Timeout, c.Fall = 2*time.Second, time.Second, 1 })
		r.SetTargets(targets(check, 1))
		r.run(t)
		time.Sleep(3 * time.Second)
		require.NotEmpty(t, r.seen.take())
		short.Store(true)
		time.Sleep(time.Minute)
		assert.Empty(t, r.seen.take())
		assert.InDelta(t, 30, counted(t, r.reg, "fairlead_probe_not_made_total"), 4)
		assert.Equal(t, 6, strings.Count(r.logs.String(), "probes are not made"), "logged every 10 s at the most")
		short.Store(false)
		time.Sleep(3 * time.Second)
		r.stop()
		seen := r.seen.take()
		require.NotEmpty(t, seen)
		assert.Equal(t, health.Up, seen[0].State)
	})
}

func TestAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 0, answerIn(0))
		block := make(chan struct{})
		var stop atomic.Bool
		r.onTurn = func() {
			if stop.Load() {
				<-block
			}
		}
		lag := func() float64 {
			seconds, _ := gathered(t, r.reg, "fairlead_probe_loop_lag_seconds")
			return seconds
		}
		assert.EqualError(t, r.Alive(), "probe loop does not run")
		assert.Equal(t, math.Inf(1), lag())
		r.run(t)
		time.Sleep(time.Minute + beat/2)
		assert.NoError(t, r.Alive(), "without targets")
		assert.Zero(t, lag())
		stop.Store(true)
		time.Sleep(8 * beat)
		assert.EqualError(t, r.Alive(), "probe loop stuck for 8s")
		assert.InDelta(t, 7, lag(), 1)
		stop.Store(false)
		close(block)
		time.Sleep(2 * time.Second)
		assert.NoError(t, r.Alive())
		assert.Zero(t, lag())
		r.stop()
		assert.EqualError(t, r.Alive(), "probe loop does not run")
		assert.Equal(t, math.Inf(1), lag())
	})
}

func TestRunEndsWithProbesInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 0, answerIn(time.Hour))
		r.SetTargets(targets(httpCheck(nil), 100))
		r.run(t)
		time.Sleep(3 * time.Second)
		begin := time.Now()
		r.stop()
		assert.Zero(t, time.Since(begin))
		assert.Empty(t, r.seen.take(), "what was cut short is no evidence")
		assert.ErrorContains(t, r.Run(t.Context()), "Run was called before")
	})
}

func TestMetricsAreClean(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	p, err := New(Options{Sink: &recorder{}, Registerer: reg})
	require.NoError(t, err)
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		assert.NotEqual(t, "fairlead_probe_results_total", f.GetName(), "no series of types that nothing is probed by")
	}
	for range 2 {
		p.metrics.byType[config.CheckTCP].count(None)
		p.metrics.byType[config.CheckTCP].took(0.02)
	}
	families, err = reg.Gather()
	require.NoError(t, err)
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	require.NoError(t, err)
	assert.Empty(t, problems)
	for _, f := range families {
		if f.GetName() == "fairlead_probe_results_total" {
			assert.Len(t, f.GetMetric(), 1)
			assert.EqualValues(t, 2, f.GetMetric()[0].GetCounter().GetValue())
		}
	}
	_, err = New(Options{Sink: &recorder{}, Registerer: reg})
	assert.ErrorContains(t, err, "metrics: ")
}

func TestOptions(t *testing.T) {
	_, err := New(Options{})
	assert.EqualError(t, err, "probe: no sink")
	_, err = New(Options{Sink: &recorder{}, MaxInFlight: -1})
	assert.EqualError(t, err, "probe: max in flight -1: want at least 1, or 0 for the default")
	_, err = New(Options{Sink: &recorder{}, Source: Source{V4: netip.MustParseAddr("::1")}})
	assert.EqualError(t, err, "probe: source ::1 is no IPv4 address")
	_, err = New(Options{Sink: &recorder{}, Source: Source{V6: netip.MustParseAddr("::ffff:127.0.0.1")}})
	assert.EqualError(t, err, "probe: source ::ffff:127.0.0.1 is no IPv6 address")
	p, err := New(Options{Sink: &recorder{}})
	require.NoError(t, err)
	assert.GreaterOrEqual(t, p.opts.MaxInFlight, minSlots)
	assert.LessOrEqual(t, p.opts.MaxInFlight, maxSlots)
}
