package judge

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/integration/suite"
)

// world is three vantages that look at four endpoints, each through two checks that the pool wants both.
type world struct {
	zone *config.Zone
	pool *config.Pool
	now  time.Time
	// obs is by endpoint, check and vantage.
	obs    [4][2][3]health.Observation
	leaves [4][2]health.Verdict
	view   *health.PoolView
}

func newWorld() *world {
	second := *check
	second.Name = "second"
	w := &world{now: time.Now(), pool: pool()}
	w.zone = &config.Zone{Checks: []*config.Check{check, &second, {Name: "both", Composite: &config.Composite{Op: config.OpAll, Of: []int{0, 1}}}}}
	w.pool.Check = 2
	return w
}

var outcomes = []health.Observation{
	{State: health.Up, Successes: 1}, {State: health.Up, Failures: 1, Reason: "refused"}, {State: health.Down, Failures: 3, Reason: "refused"},
}

// refresh lets every vantage say again what it said, now.
func (w *world) refresh() {
	for e := range w.obs {
		for c := range w.obs[e] {
			for v := range w.obs[e][c] {
				w.obs[e][c][v].At = w.now
			}
		}
	}
}

// judge is the next view; r shuffles the order in which vantages are heard.
func (w *world) judge(r *rand.Rand) *health.PoolView {
	w.view, _ = Pool(PoolInput{
		Zone: w.zone, Pool: w.pool, Prev: w.view, Now: w.now,
		Leaf: func(i int, _ config.Family, c int) health.Verdict {
			heard := append([]health.Observation(nil), w.obs[i][c][:]...)
			r.Shuffle(len(heard), func(a, b int) { heard[a], heard[b] = heard[b], heard[a] })
			w.leaves[i][c] = Target(w.zone.Checks[c], heard, Jury{Vantages: 3}, w.leaves[i][c], w.now)
			return w.leaves[i][c]
		},
	})
	return w.view
}

// TestHistories: no flip without cause, no lost cause, same observations = same verdict, over random histories.
func TestHistories(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range suite.Cases(300, 50) {
		one, other := newWorld(), newWorld()
		other.now = one.now
		for range 60 {
			before := one.view
			moved := -1
			one.now = one.now.Add(time.Duration(r.IntN(3000)) * time.Millisecond)
			if r.IntN(2) == 0 {
				moved = r.IntN(4)
				one.obs[moved][r.IntN(2)][r.IntN(3)] = outcomes[r.IntN(len(outcomes))]
			}
			one.refresh()
			other.now, other.obs = one.now, one.obs
			one.judge(r)
			other.judge(r)
			require.Equal(t, one.view, other.view, "two nodes that hear the same in another order")
			for i, e := range one.view.Endpoints {
				if before != nil && i != moved {
					require.Equal(t, before.Endpoints[i], e, "endpoint %d changed without a cause", i)
				}
			}
		}
		for i, e := range one.view.Endpoints {
			want := oracle(one.obs[i])
			if want == health.Unknown && e.Stale {
				continue // what nobody decides stays as it was, and says so
			}
			require.Equal(t, want, e.State, "endpoint %d: whatever came before, the present decides", i)
		}
	}
}

// oracle is the definition in words: down if for one of the checks a majority says down; who has not decided has no vote, and
// fewer than two decide nothing.
func oracle(obs [2][3]health.Observation) health.State {
	state := health.Up
	for _, vantages := range obs {
		down, decided, failing := 0, 0, false
		for _, o := range vantages {
			if o.State == health.Down {
				down++
			}
			if o.State != health.Unknown {
				decided++
			}
			failing = failing || o.Failures > 0
		}
		switch {
		case down >= 2:
			return health.Down
		case decided < 2:
			state = health.Unknown
		case failing && state != health.Unknown:
			state = health.Suspect
		}
	}
	return state
}
