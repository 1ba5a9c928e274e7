package fairlead

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// TestNoLostCause: after any history, once every target has reported a settled state and the holds have passed, a node
// believes and answers what one without a past does. Only last_good and the order of departures are memory.
func TestNoLostCause(t *testing.T) {
	for seed := range suite.Cases(16, 2) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 2))
			z := parseHistoryZone(t)
			old := newHistorian(t, z)
			ids := historyTargets(z)
			for range 60 {
				old.step(r, ids)
				old.disturb(r)
			}
			require.NoError(t, old.engine.Freeze(false, "ada", "history"))
			fresh := newHistorian(t, z)
			settled := settledObservations(r, ids)
			for range int(settleTime / time.Second) {
				for i := range settled {
					settled[i].At, settled[i].Next = time.Now(), time.Now().Add(2*time.Second)
				}
				old.hear(settled, true)
				fresh.hear(settled, true)
				time.Sleep(time.Second) // in a bubble
			}
			synctest.Wait()
			requireSameBelief(t, z, fresh.engine.View(), old.engine.View(), func(*config.Pool) bool { return false })
			for si := range z.Services {
				want, got := fresh.Current.Load().Plan(z, si), old.Current.Load().Plan(z, si)
				require.Equal(t, want.Source, got.Source, z.Services[si].Name)
				if want.Source != steer.FromLastGood {
					require.Equal(t, want.Sets, got.Sets, z.Services[si].Name)
				}
			}
		})
	}
}

// settledObservations is a final word on every target; the reference is up.
func settledObservations(r *rand.Rand, ids []health.TargetID) []health.Observation {
	obs := []health.Observation{{Target: timelineReference.ID, State: health.Up, Successes: 1}}
	for _, id := range ids {
		o := health.Observation{Target: id, State: health.Up, Successes: 9}
		if r.IntN(3) == 0 {
			o = health.Observation{Target: id, State: health.Down, Failures: 9, Reason: "refused"}
		}
		obs = append(obs, o)
	}
	return obs
}

// TestSameObservationsSameVerdict: two nodes that hear the same at every instant, in other orders and other batches, believe
// the same. When an endpoint crossed is the same too where one leaf alone decides.
func TestSameObservationsSameVerdict(t *testing.T) {
	for seed := range suite.Cases(16, 2) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			z := parseHistoryZone(t)
			one, other := newHistorian(t, z), newHistorian(t, z)
			ids := historyTargets(z)
			for step := range 100 {
				time.Sleep(time.Duration(r.IntN(4000)) * time.Millisecond) // in a bubble
				var batch []health.Observation
				for _, id := range ids {
					// Everybody is heard once before the first freeze, which keeps the first word on who was pending.
					if step == 0 || r.IntN(2) == 0 {
						batch = append(batch, randomObservation(r, id))
					}
				}
				one.hear(batch, true)
				r.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
				other.hear(batch, r.IntN(3) == 0)
				if r.IntN(25) == 0 {
					on := !one.engine.Frozen().On
					require.NoError(t, one.engine.Freeze(on, "ada", "history"))
					require.NoError(t, other.engine.Freeze(on, "ada", "history"))
				}
				// On whole seconds both have just looked for what went stale.
				time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // in a bubble
				synctest.Wait()
				requireSameBelief(t, z, one.engine.View(), other.engine.View(), func(p *config.Pool) bool {
					return len(judge.Leaves(z, p)) == 1
				})
			}
		})
	}
}

// requireSameBelief compares what is believed; exact says of which pools the instants are compared too.
func requireSameBelief(t *testing.T, z *config.Zone, want, got *health.View, exact func(*config.Pool) bool) {
	t.Helper()
	require.Equal(t, want.Blind, got.Blind)
	for pi, p := range z.Pools {
		a, b := want.Zones[0].Pools[pi], got.Zones[0].Pools[pi]
		require.Equal(t, a.GateClosed, b.GateClosed, p.Name)
		require.Equal(t, a.Calm, b.Calm, p.Name)
		mine, others := slices.Clone(a.Endpoints), slices.Clone(b.Endpoints)
		for i := range mine {
			if !exact(p) {
				forget(&mine[i])
				forget(&others[i])
			}
		}
		require.Equal(t, mine, others, p.Name)
	}
}

// forget drops what remembers the order inside one instant where several leaves decide: when it was that they did, and what
// was believed last of an endpoint on which they are undecided now.
func forget(e *health.EndpointView) {
	e.Since, e.Left = time.Time{}, time.Time{}
	if e.Stale || e.Pending() {
		e.Verdict = health.Verdict{}
	}
	if e.Each == nil {
		return
	}
	each := *e.Each
	for f := range each {
		each[f].Since, each[f].Left = time.Time{}, time.Time{}
		if each[f].Stale || each[f].Pending() {
			// What is kept of one address shows in the endpoint too.
			each[f], e.Verdict = health.Verdict{}, health.Verdict{}
		}
	}
	e.Each = &each
}
