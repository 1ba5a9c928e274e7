package probe

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

func TestSetTargetsKeepsWhatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s starts
		r := newRig(t, 0, s.noting(answerIn(time.Millisecond)))
		check := httpCheck(func(c *config.Check) { c.Interval, c.Timeout = 10*time.Second, time.Second })
		all := targets(check, 30)
		r.SetTargets(all[:20])
		r.run(t)
		time.Sleep(61 * time.Second)
		next, successes := map[health.TargetID]time.Time{}, map[health.TargetID]int{}
		for _, o := range r.seen.take() {
			next[o.Target], successes[o.Target] = o.Next, o.Successes
		}
		at := time.Now()
		r.SetTargets(all[10:])
		assert.Equal(t, 20, counted(t, r.reg, "fairlead_probe_targets"))
		time.Sleep(11 * time.Second)
		r.stop()

		got := map[health.TargetID]health.Observation{}
		for _, o := range r.seen.take() {
			if _, ok := got[o.Target]; !ok {
				got[o.Target] = o
			}
		}
		for i, target := range all {
			o, probed := got[target.ID]
			switch {
			case i < 10:
				assert.False(t, probed, "removed target %d was probed", i)
			case i < 20:
				assert.Equal(t, next[target.ID], o.At.Add(-o.Latency), "phase of target %d", i)
				assert.Equal(t, successes[target.ID]+1, o.Successes, "counter of target %d", i)
			default:
				assert.Less(t, o.At.Sub(at), quickWindow+time.Millisecond, "new target %d", i)
				assert.Equal(t, 1, o.Successes)
			}
		}
	})
}

func TestRemovedInFlight(t *testing.T) {
	for _, test := range []struct {
		name string
		back bool
	}{{"gone", false}, {"back before its probe ended", true}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s starts
				r := newRig(t, 0, s.noting(answerIn(4*time.Second)))
				check := httpCheck(func(c *config.Check) { c.Interval, c.Timeout = 10*time.Second, 5*time.Second })
				all := targets(check, 1)
				r.SetTargets(all)
				r.run(t)
				time.Sleep(3 * time.Second) // in flight
				require.Len(t, s.of(all[0].ID), 1)
				r.SetTargets(nil)
				if test.back {
					r.SetTargets(all)
					assert.False(t, r.Restore(all[0].ID, health.Down, time.Now()), "it is in flight")
				}
				time.Sleep(6 * time.Second)
				assert.Empty(t, r.seen.take(), "the result is discarded")
				assert.Equal(t, 1, counted(t, r.reg, "fairlead_probe_discarded_total"))
				time.Sleep(10 * time.Second)
				at := s.of(all[0].ID)
				r.stop()
				if !test.back {
					assert.Len(t, at, 1)
					assert.Empty(t, r.leaving)
					return
				}
				require.Len(t, at, 2)
				assert.GreaterOrEqual(t, at[1].Sub(at[0]), 9*time.Second, "no overlap, no haste")
				seen := r.seen.take()
				require.Len(t, seen, 1)
				assert.Equal(t, 1, seen[0].Successes, "a new life, a new counter")
			})
		})
	}
}

func TestWaitingTargetCanBeRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s starts
		r := newRig(t, 1, s.noting(answerIn(4*time.Second)))
		check := httpCheck(func(c *config.Check) { c.Interval, c.Timeout = 10*time.Second, 5*time.Second })
		all := targets(check, 50)
		r.SetTargets(all)
		r.run(t)
		time.Sleep(3 * time.Second) // one in flight, the others wait
		r.SetTargets(all[:0])
		time.Sleep(time.Minute)
		probed := 0
		for _, target := range all {
			probed += len(s.of(target.ID))
		}
		assert.Equal(t, 1, probed)
		r.SetTargets(all[:1])
		time.Sleep(time.Minute)
		assert.GreaterOrEqual(t, len(s.of(all[0].ID)), 5)
		r.stop()
		assert.Zero(t, r.inFlight)
		assert.Zero(t, r.slowInFlight)
	})
}

func TestRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 0, answerIn(0))
		check := httpCheck(func(c *config.Check) { c.Interval, c.Timeout, c.Rise = 10*time.Second, time.Second, 2 })
		all := targets(check, 4)
		since := time.Now().Add(-time.Hour)
		assert.False(t, r.Restore(all[0].ID, health.Down, since), "not a target")
		r.SetTargets(all)
		assert.True(t, r.Restore(all[0].ID, health.Down, since))
		assert.True(t, r.Restore(all[1].ID, health.Up, since))
		assert.True(t, r.Restore(all[2].ID, health.Suspect, since))
		assert.False(t, r.Restore(all[3].ID, health.Drained, since))
		r.run(t)
		time.Sleep(quickWindow)
		assert.False(t, r.Restore(all[1].ID, health.Down, since), "probed before")
		r.stop()
		got := map[health.TargetID]health.Observation{}
		for _, o := range r.seen.take() {
			got[o.Target] = o
		}
		want := []health.State{health.Down, health.Up, health.Up, health.Up}
		for i, target := range all {
			assert.Equal(t, want[i], got[target.ID].State, "target %d", i)
			assert.Equal(t, i < 3, got[target.ID].Since.Equal(since), "target %d", i)
		}
	})
}

func TestUnknownTypesAreLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 0, answerIn(0))
		ping := httpCheck(func(c *config.Check) { c.Name, c.Type = "ping", "carrier-pigeon" })
		site := httpCheck(func(c *config.Check) { c.Name, c.Type = "site", config.CheckComposite })
		rash := httpCheck(func(c *config.Check) { c.Name, c.Timeout = "rash", c.Interval })
		var all []health.Target
		for _, check := range []*config.Check{ping, site, rash, httpCheck(nil)} {
			all = append(all, targets(check, 2)...)
		}
		r.SetTargets(all)
		r.SetTargets(all)
		r.run(t)
		time.Sleep(10 * time.Second)
		r.stop()
		assert.Len(t, r.seen.take(), 2)
		assert.Equal(t, 6, counted(t, r.reg, "fairlead_probe_ignored_targets"))
		assert.Equal(t, 1, strings.Count(r.logs.String(), `check=ping type=carrier-pigeon err="check type carrier-pigeon is not probed"`))
		assert.Equal(t, 1, strings.Count(r.logs.String(), "timeout 20s is not between 0 and the interval 20s"))
		assert.NotContains(t, r.logs.String(), "site", "composites are nothing to dial")
	})
}

// TestEditKeepsCounters: whatever parameter of a check is another one now, the target goes on from what was counted, keeps its phase
// where the interval stays, and a result that the old parameters brought does not count.
func TestEditKeepsCounters(t *testing.T) {
	const interval, timeout = 10 * time.Second, 4 * time.Second
	base := func(c *config.Check) { c.Interval, c.Timeout = interval, timeout }
	for name, change := range map[string]func(*config.Check){
		"timeout":  func(c *config.Check) { c.Timeout = 5 * time.Second },
		"fall":     func(c *config.Check) { c.Fall = 5 },
		"rise":     func(c *config.Check) { c.Rise = 4 },
		"interval": func(c *config.Check) { c.Interval = 6 * time.Second },
		"path":     func(c *config.Check) { c.HTTP.Path = "/other" },
		"header":   func(c *config.Check) { c.HTTP.Headers = []config.Header{{Name: "A", Value: "b"}} },
		"expect":   func(c *config.Check) { c.HTTP.Body = "ok" },
		"flap":     func(c *config.Check) { c.Flap = &config.Flap{Transitions: 3, Window: time.Minute, Hold: time.Minute} },
		"type":     func(c *config.Check) { c.Type, c.HTTP, c.TCP = config.CheckTCP, nil, new(config.TCPCheck) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s starts
				refuse := checkerFunc(func(_ context.Context, target health.Target, r *Result) {
					time.Sleep(3 * time.Second)
					r.fail(because(Refused, "connection refused"))
				})
				r := newRig(t, 0, s.noting(refuse))
				all := targets(httpCheck(base), 20)
				r.SetTargets(all)
				r.run(t)
				time.Sleep(61 * time.Second)
				last := map[health.TargetID]health.Observation{}
				for _, o := range r.seen.take() {
					last[o.Target] = o
				}
				edited := targets(httpCheck(func(c *config.Check) { base(c); change(c) }), 20)
				at := time.Now()
				r.SetTargets(edited)
				time.Sleep(3 * time.Second)
				assert.Empty(t, r.seen.take(), "what the old parameters brought was counted")
				time.Sleep(20 * time.Second)
				r.stop()
				first := map[health.TargetID]health.Observation{}
				for _, o := range r.seen.take() {
					if _, ok := first[o.Target]; !ok {
						first[o.Target] = o
					}
				}
				for _, target := range edited {
					was, is := last[target.ID], first[target.ID]
					require.Equal(t, was.State, is.State)
					assert.Equal(t, was.Since, is.Since)
					assert.Equal(t, was.Failures+1, is.Failures)
					begun := is.At.Add(-is.Latency)
					if name != "interval" && !was.Next.Before(at) {
						assert.Equal(t, was.Next, begun, "its phase")
					}
					assert.Less(t, begun.Sub(at), edited[0].Check.Interval*11/10+3*time.Second)
				}
			})
		})
	}
}

// TestSharedDial: what several targets dial alike is dialled once and told to each; when the check of one is edited, they part, and
// both go on from what was counted.
func TestSharedDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s starts
		r := newRig(t, 0, s.noting(answerIn(time.Millisecond)))
		base := func(c *config.Check) { c.Interval, c.Timeout = 10*time.Second, time.Second }
		at := func(zone string, c *config.Check) health.Target {
			return health.TargetOf(zone, c, &config.Endpoint{Target: "www.example.org."})
		}
		one, two := at("one.", httpCheck(base)), at("two.", httpCheck(base))
		require.NotEqual(t, one.ID, two.ID)
		r.SetTargets([]health.Target{one, two})
		r.run(t)
		time.Sleep(time.Minute)
		probes := len(s.of(one.ID)) + len(s.of(two.ID))
		assert.InDelta(t, 6, probes, 1)
		told := map[health.TargetID]int{}
		for _, o := range r.seen.take() {
			told[o.Target] = o.Successes
		}
		assert.Equal(t, map[health.TargetID]int{one.ID: probes, two.ID: probes}, told)

		edited := at("two.", httpCheck(func(c *config.Check) { base(c); c.Rise = 5 }))
		require.Equal(t, two.ID, edited.ID)
		r.SetTargets([]health.Target{one, edited})
		assert.Equal(t, 2, counted(t, r.reg, "fairlead_probe_targets"))
		time.Sleep(11 * time.Second)
		r.stop()
		for _, o := range r.seen.take() {
			assert.Greater(t, o.Successes, told[o.Target])
			told[o.Target] = o.Successes
		}
		assert.Greater(t, told[one.ID], probes)
		assert.Greater(t, told[two.ID], probes)
	})
}

// TestFirstTiersFirst: of more new targets than can be probed at once, those of first tiers go first.
func TestFirstTiersFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s starts
		r := newRig(t, 4, s.noting(answerIn(100*time.Millisecond)))
		check := httpCheck(func(c *config.Check) { c.Interval, c.Timeout = 10*time.Second, time.Second })
		all := targets(check, 100)
		for i := range all {
			all[i].Tier = i % 2
		}
		r.SetTargets(all)
		r.run(t)
		time.Sleep(4 * time.Second)
		r.stop()
		var first, last time.Time
		for i, target := range all {
			at := s.of(target.ID)
			require.NotEmpty(t, at)
			if i%2 == 0 && at[0].After(last) {
				last = at[0]
			}
			if i%2 == 1 && (first.IsZero() || at[0].Before(first)) {
				first = at[0]
			}
		}
		assert.False(t, first.Before(last), "a second tier was probed %v before a first one", last.Sub(first))
	})
}

// TestHasten: what failed is probed again within the window of first probes, and what is well at its own time.
func TestHasten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s starts
		check := httpCheck(func(c *config.Check) { c.Interval, c.Timeout = time.Minute, time.Second })
		all := targets(check, 20)
		bad := map[health.TargetID]bool{}
		for i := range all {
			bad[all[i].ID] = i%2 == 0
		}
		r := newRig(t, 4, s.noting(checkerFunc(func(_ context.Context, target health.Target, r *Result) {
			if bad[target.ID] {
				r.fail(because(Refused, "refused"))
			}
		})))
		r.SetTargets(all)
		r.run(t)
		time.Sleep(2 * time.Second)
		begin := time.Now()
		r.Hasten()
		time.Sleep(2 * time.Second)
		r.stop()
		for _, target := range all {
			at := s.of(target.ID)
			require.NotEmpty(t, at)
			again := at[len(at)-1].After(begin)
			require.Equal(t, bad[target.ID], again)
		}
	})
}

// TestHastenInFlight: a probe that is in flight when failures are to be looked at anew began too early; if it fails, another one follows at
// once, and else none does.
func TestHastenInFlight(t *testing.T) {
	for _, fails := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var s starts
			check := httpCheck(func(c *config.Check) { c.Interval, c.Timeout = time.Minute, 10*time.Second })
			all := targets(check, 1)
			r := newRig(t, 4, s.noting(checkerFunc(func(_ context.Context, _ health.Target, r *Result) {
				time.Sleep(5 * time.Second) // in a bubble
				if fails {
					r.fail(because(Refused, "refused"))
				}
			})))
			r.SetTargets(all)
			r.run(t)
			time.Sleep(2 * time.Second)
			require.Len(t, s.of(all[0].ID), 1, "it is in flight")
			r.Hasten()
			time.Sleep(6 * time.Second)
			require.Equal(t, fails, len(s.of(all[0].ID)) == 2)
			time.Sleep(10 * time.Second)
			require.Equal(t, fails, len(s.of(all[0].ID)) == 2, "once")
			r.stop()
		})
	}
}
