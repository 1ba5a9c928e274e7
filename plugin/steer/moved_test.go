package steer

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// movedKeys is how many client prefixes the moved-keys tests follow.
const movedKeys = 50_000

// movedZone has a pool with AZ weights, one without, and a third: 16 endpoints in 6 AZs.
func movedZone() *config.Zone {
	return nameAZs(&config.Zone{Name: "example.org.", Pools: []*config.Pool{
		poolOf("eu", 1, map[int]int{0: 40, 1: 60}, "a 1@0", "b 2@0", "c 3@0", "d 1@1", "e 1@1", "f 4@1"),
		poolOf("us", 1, nil, "g 1@2", "h 2@2", "i 3@3", "j 4@3", "k 5@3", "l 6@3"),
		poolOf("ap", 1, nil, "m 1@4", "n 1@4", "o 1@5", "p 1@5"),
	}})
}

const (
	movedAllUp = "UUUUUU UUUUUU UUUU"
	movedTiers = "0:50 1:30 2:20"
)

func movedService() *config.Service {
	return &config.Service{
		Name: "www.example.org.", Tiers: tiersOf(movedTiers), Pools: []int{0, 1, 2}, Sticky: &config.Sticky{V4: 24, V6: 56},
		Failback: config.Failback{Ramp: []int{10, 30, 60, 100}, Step: time.Minute},
	}
}

// homes is the endpoint of each key in a view.
func homes(zv *health.ZoneView) []health.EndpointRef {
	svc := movedService()
	members := planOf(zv, svc).Sets[V4]
	r, out := NewRendezvous(zv.Zone, members), make([]health.EndpointRef, movedKeys)
	for n := range out {
		key, _ := StickyKey(svc, StickySeed(svc), prefixAddr(n, false))
		m := members[r.Pick(key)]
		out[n] = health.EndpointRef{Pool: int(m.Pool), Endpoint: int(m.Endpoint)}
	}
	return out
}

// A move is a key that changed its endpoint.
type move struct{ from, to health.EndpointRef }

func moves(before, after []health.EndpointRef) []move {
	var out []move
	for n := range before {
		if before[n] != after[n] {
			out = append(out, move{before[n], after[n]})
		}
	}
	return out
}

func count(keys []health.EndpointRef, in func(health.EndpointRef) bool) int {
	n := 0
	for _, k := range keys {
		if in(k) {
			n++
		}
	}
	return n
}

// TestRemovedMembersMoveTheirOwnKeys: an endpoint, an AZ or a pool leaves, and exactly its keys move, into its AZ before its pool
// before the others; they return when it does.
func TestRemovedMembersMoveTheirOwnKeys(t *testing.T) {
	z := movedZone()
	before := homes(viewOf(z, movedAllUp))
	type removal struct {
		name string
		gone func(health.EndpointRef) bool
		// near is where the keys may go.
		near func(health.EndpointRef) bool
	}
	var removals []removal
	for p, pool := range z.Pools {
		for e, endpoint := range pool.Endpoints {
			removals = append(removals, removal{
				"endpoint " + endpoint.Name, func(r health.EndpointRef) bool { return r.Pool == p && r.Endpoint == e },
				// Without AZ weights a pool is flat: AZs are the sums of who is there.
				func(r health.EndpointRef) bool {
					return r.Pool == p && (!pool.Explicit || pool.Endpoints[r.Endpoint].AZ == endpoint.AZ)
				},
			})
		}
		for _, az := range pool.AZWeights {
			removals = append(removals, removal{
				"AZ " + z.AZs[az.AZ].Name, func(r health.EndpointRef) bool { return r.Pool == p && pool.Endpoints[r.Endpoint].AZ == az.AZ },
				func(r health.EndpointRef) bool { return r.Pool == p },
			})
		}
		removals = append(removals, removal{
			"pool " + pool.Name, func(r health.EndpointRef) bool { return r.Pool == p }, func(r health.EndpointRef) bool { return true },
		})
	}
	for _, tt := range removals {
		t.Run(tt.name, func(t *testing.T) {
			zv := viewOf(z, movedAllUp)
			for p, pv := range zv.Pools {
				for e := range pv.Endpoints {
					if tt.gone(health.EndpointRef{Pool: p, Endpoint: e}) {
						pv.Endpoints[e].State = health.Down
					}
				}
			}
			after := homes(zv)
			moved := moves(before, after)
			require.Len(t, moved, count(before, tt.gone), "as many as it had")
			for _, m := range moved {
				require.True(t, tt.gone(m.from), "%v moved from one that is there", m)
				require.True(t, tt.near(m.to) && !tt.gone(m.to), "%v moved too far", m)
			}
			require.Equal(t, before, homes(viewOf(z, movedAllUp)), "they return")
			t.Logf("%d of %d keys moved", len(moved), movedKeys)
		})
	}
}

// TestWeightsMoveTheDifference: a new weight moves keys only to the member or only from it, about as many as its share changed.
func TestWeightsMoveTheDifference(t *testing.T) {
	z := movedZone()
	before := homes(viewOf(z, movedAllUp))
	for _, tt := range []struct {
		name    string
		pool    int
		weights map[int]int
		weight  int
		changed func(health.EndpointRef) bool
	}{
		{"an endpoint of a flat pool gets more", 1, map[int]int{0: 7}, -1, func(r health.EndpointRef) bool { return r == health.EndpointRef{Pool: 1} }},
		{"an endpoint of a flat pool gets less", 1, map[int]int{5: 1}, -1, func(r health.EndpointRef) bool { return r == health.EndpointRef{Pool: 1, Endpoint: 5} }},
		{"an endpoint of an AZ gets more", 0, map[int]int{0: 9}, -1, func(r health.EndpointRef) bool { return r == health.EndpointRef{} }},
		{"an endpoint of an AZ gets nothing", 0, map[int]int{5: 0}, -1, func(r health.EndpointRef) bool { return r == health.EndpointRef{Endpoint: 5} }},
		{"a pool gets more", 2, nil, 60, func(r health.EndpointRef) bool { return r.Pool == 2 }},
		{"a pool gets less", 0, nil, 10, func(r health.EndpointRef) bool { return r.Pool == 0 }},
		{"a pool gets nothing", 1, nil, 0, func(r health.EndpointRef) bool { return r.Pool == 1 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			zv := viewOf(z, movedAllUp)
			zv.Pools[tt.pool].EndpointWeights = tt.weights
			if tt.weight >= 0 {
				zv.Pools[tt.pool].Weight = &tt.weight
			}
			moved := moves(before, homes(zv))
			requireDifference(t, moved, viewOf(z, movedAllUp), zv, tt.changed)
		})
	}
}

// requireDifference checks that all moves go one way, to or from who changed, and that there are as many as the plans differ by, give or
// take four standard deviations.
func requireDifference(t *testing.T, moved []move, was, is *health.ZoneView, changed func(health.EndpointRef) bool) {
	t.Helper()
	share := func(zv *health.ZoneView) float64 {
		sum, part := 0.0, 0.0
		for _, m := range planOf(zv, movedService()).Sets[V4] {
			sum += float64(m.Weight)
			if changed(health.EndpointRef{Pool: int(m.Pool), Endpoint: int(m.Endpoint)}) {
				part += float64(m.Weight)
			}
		}
		return part / sum
	}
	difference := share(is) - share(was)
	for _, m := range moved {
		require.NotEqual(t, changed(m.from), changed(m.to), "%v moved between bystanders", m)
		require.Equal(t, difference > 0, changed(m.to), "%v moved the wrong way", m)
	}
	ideal := movedKeys * max(difference, -difference)
	t.Logf("%d keys moved, ideal %.0f", len(moved), ideal)
	require.InDelta(t, ideal, len(moved), 4*math.Sqrt(ideal)+1)
}

// TestRampMovesTowardsTheReturning: each step of a ramp brings keys to who returns, and takes none away; in the end all are as they were.
func TestRampMovesTowardsTheReturning(t *testing.T) {
	z := movedZone()
	whole := homes(viewOf(z, movedAllUp))
	for _, tt := range []struct {
		name string
		set  func(zv *health.ZoneView, r health.Return)
		back func(health.EndpointRef) bool
	}{
		{"a pool", func(zv *health.ZoneView, r health.Return) { zv.Pools[0].Return = r }, func(r health.EndpointRef) bool { return r.Pool == 0 }},
		{"an AZ with a weight", func(zv *health.ZoneView, r health.Return) { zv.Pools[0].ReturnAZ = []health.Return{r, {}} },
			func(r health.EndpointRef) bool { return r.Pool == 0 && r.Endpoint < 3 }},
		{"an AZ without", func(zv *health.ZoneView, r health.Return) { zv.Pools[1].ReturnAZ = []health.Return{r, {}} },
			func(r health.EndpointRef) bool { return r.Pool == 1 && r.Endpoint < 2 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before []health.EndpointRef
			var last *health.ZoneView
			for step := range 4 {
				zv := viewOf(z, movedAllUp)
				tt.set(zv, health.Return{Since: now.Add(-time.Duration(step)*time.Minute - time.Second)})
				after := homes(zv)
				if before != nil {
					requireDifference(t, moves(before, after), last, zv, tt.back)
				}
				before, last = after, zv
			}
			require.Equal(t, whole, before, "the ramp has ended")
		})
	}
}

// TestCellsMoveTheirOwnShards: the failure of a home moves its shards to the failover pool, none else, and they return.
func TestCellsMoveTheirOwnShards(t *testing.T) {
	z := movedZone()
	svc := movedService()
	svc.Sticky = nil
	svc.Cells = &config.Cells{
		Shards: 1024, Failover: map[int][]int{0: {1, 2}, 1: {0}},
		Home: []config.CellRange{{Pool: 0, First: 0, Last: 511}, {Pool: 1, First: 512, Last: 767}, {Pool: 2, First: 768, Last: 1023}},
	}
	// pools is the one pool that answers each shard; -1 for none.
	pools := func(states string) []int {
		d := Decide(viewOf(z, states), svc, 0)
		out := make([]int, svc.Cells.Shards)
		for shard := range out {
			members := d.Plans[d.Cell(svc.Cells.Shard(fmt.Append(nil, shard)))].Sets[V4]
			out[shard] = -1
			for _, m := range members {
				require.True(t, out[shard] < 0 || out[shard] == int(m.Pool), "shard %d has two pools", shard)
				out[shard] = int(m.Pool)
			}
		}
		return out
	}
	svc.OnAllDown.Policy = config.NoData
	whole := pools(movedAllUp)
	for _, tt := range []struct {
		name, states string
		to           [3]int
	}{
		{"the first home is down", "OOOOOO UUUUUU UUUU", [3]int{1, 1, 2}},
		{"half of it is not", "OOOUUU UUUUUU UUUU", [3]int{0, 1, 2}},
		{"its first failover is down too", "OOOOOO OOOOOO UUUU", [3]int{2, -1, 2}},
		{"one without failover", "UUUUUU UUUUUU OOOO", [3]int{0, 1, -1}},
		{"drained like down", "XXXXXX UUUUUU UUUU", [3]int{1, 1, 2}},
		{"all", "OOOOOO OOOOOO OOOO", [3]int{-1, -1, -1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for shard, pool := range pools(tt.states) {
				require.Equal(t, tt.to[whole[shard]], pool, "shard %d", shard)
			}
			require.Equal(t, whole, pools(movedAllUp), "they return")
		})
	}
}
