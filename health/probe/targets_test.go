package probe

import (
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
