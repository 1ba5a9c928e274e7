package steer

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// islandZone has a pool in each of three regions, by index: eu and us with two endpoints, ap with one.
func islandZone() *config.Zone {
	z := &config.Zone{Regions: []config.Region{{Name: "eu"}, {Name: "us"}, {Name: "ap"}}, Pools: []*config.Pool{
		poolOf("eu", 1, nil, "a 1@0", "b 1@1"), poolOf("us", 1, nil, "c 1@2", "d 1@3"), poolOf("ap", 1, nil, "e 1@4"),
	}}
	for i, p := range z.Pools {
		p.Region = i
	}
	return z
}

// cutOff has the node of region own see dead what states, as in viewOf, says is down.
func cutOff(zv *health.ZoneView, own int, states string) *health.ZoneView {
	for i, word := range strings.Fields(states) {
		p := zv.Pools[i]
		p.Island = &health.Island{Own: zv.Zone.Pools[i].Region == own, Endpoints: append([]health.EndpointView(nil), p.Endpoints...)}
		for k, c := range word {
			if c == 'D' {
				p.Island.Endpoints[k].Verdict = health.Verdict{State: health.Down}
			}
		}
	}
	return zv
}

// TestIsland: what a node answers that is cut off.
func TestIsland(t *testing.T) {
	for _, tt := range []struct {
		name, tiers string
		// verdicts are those of the cluster, seen is what the region sees: D for dead.
		verdicts, seen string
		own            int
		// stateful pools keep data.
		stateful []int
		want     string
	}{
		{"its own region's pool alone", "0:1 1:1 2:1", "UU UU U", "UU DD D", 0, nil, "island 1 a:1 b:1 floor"},
		{"without what is dead", "0:1 1:1 2:1", "UU UU U", "UD DD D", 0, nil, "island 1 a:1 floor"},
		{"what was down stays out", "0:1 1:1 2:1", "UO UU U", "UU DD D", 0, nil, "island 1 a:1 floor"},
		{"its own region's pool of a later tier", "1:1 2:1 | 0:1", "UU UU U", "UU DD D", 0, nil, "island 2 a:1 b:1 floor"},
		{"its own region is dead: what else it reaches", "0:1 1:1 2:1", "UU UU U", "DD DU D", 0, nil, "island 1 d:1 floor"},
		{"it reaches nothing: its last word", "0:1 1:1", "UU UU U", "DD DD D", 0, nil, "tier 1 a:1 b:1 c:1 d:1 floor"},
		{"never judged", "0:1 1:1", "?? UU U", "UU DD D", 0, nil, "island 1 a:1 b:1 floor"},
		{"the only pool with data, in its turn", "0:1", "UU UU U", "UU DD D", 0, []int{0}, "island 1 a:1 b:1 floor"},
		{"the only pool with data, far away and dead: nobody else has it", "1:1", "UU UU U", "UU DD D", 0, []int{1}, "tier 1 c:1 d:1 floor"},
		{"a standby with data elsewhere may have taken over", "0:1 | 1:1", "UU UU U", "UU DD D", 0, []int{0, 1}, "yielded 0 floor"},
		{"a standby with data here has not its turn", "1:1 | 0:1", "UU UU U", "UU DD D", 0, []int{0, 1}, "yielded 0 floor"},
		{"nor where the primary is reached", "1:1 | 0:1", "UU UU U", "UU UU D", 0, []int{0, 1}, "yielded 0 floor"},
		{"two that share a tier have their turns", "0:1 1:1", "UU UU U", "UU DD D", 0, []int{0, 1}, "island 1 a:1 b:1 floor"},
		{"and one of the two that had not its turn has none", "0:1 1:1", "OO UU U", "UU DD D", 0, []int{0, 1}, "yielded 0 floor"},
		{"a page without data answers in their place", "0:1 | 1:1 | 2:1", "UU UU U", "UU DD U", 2, []int{0, 1}, "island 3 e:1 floor"},
		{"and where it answered before it goes on", "0:1 | 1:1 | 2:1", "OO OO U", "UU DD D", 0, []int{0, 1}, "tier 3 e:1 floor"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z := islandZone()
			for _, p := range tt.stateful {
				z.Pools[p].Stateful = true
			}
			svc := &config.Service{Island: true, Tiers: tiersOf(tt.tiers), Pools: []int{0, 1, 2}}
			zv := cutOff(viewOf(z, tt.verdicts), tt.own, tt.seen)
			require.Equal(t, tt.want, text(z, planOf(zv, svc)))

			// Without the key, and where the node is not cut off, nothing moves.
			plain := *svc
			plain.Island = false
			before := text(z, planOf(viewOf(z, tt.verdicts), &plain))
			require.Equal(t, before, text(z, planOf(zv, &plain)))
			require.Equal(t, before, text(z, planOf(viewOf(z, tt.verdicts), svc)))
		})
	}
}

// TestIslandKeepsNothing: what the speed limit keeps in answers although it is down leaves an island at once.
func TestIslandKeepsNothing(t *testing.T) {
	z := islandZone()
	svc := &config.Service{Island: true, Tiers: tiersOf("0:1 1:1"), Pools: []int{0, 1, 2}, Health: config.Limits{MaxRemoval: 10}}
	zv := viewOf(z, "UD DD U")
	for _, p := range zv.Pools {
		for i := range p.Endpoints {
			if p.Endpoints[i].State == health.Down {
				p.Endpoints[i].Left = now.Add(-3 * time.Second)
			}
		}
	}
	require.Positive(t, planOf(zv, svc).Kept)
	require.Equal(t, "island 1 a:1 floor", text(z, planOf(cutOff(zv, 0, "UD DD D"), svc)))
}

// TestIslandCells: a shard is answered by its home, unless another pool may have taken it.
func TestIslandCells(t *testing.T) {
	z := islandZone()
	svc := &config.Service{
		Island: true, Tiers: tiersOf("0:1 1:1"), Pools: []int{0, 1, 2},
		Cells: &config.Cells{Shards: 6, Home: []config.CellRange{{Pool: 0, First: 0, Last: 1}, {Pool: 1, First: 2, Last: 3}, {Pool: 2, First: 4, Last: 5}},
			Failover: map[int][]int{1: {2}}},
	}
	of := func(zv *health.ZoneView, shard int) string {
		d := Decide(zv, svc, 0)
		return text(z, d.Plans[d.Cell(shard)])
	}
	eu := cutOff(viewOf(z, "UU UU U"), 0, "UD DD D")
	require.Equal(t, "island 1 a:1 floor", of(eu, 0))
	require.Equal(t, "yielded 0 floor", of(eu, 2), "ap may have it now")
	require.Equal(t, "tier 1 e:1 floor", of(eu, 4), "nobody else has it")
	ap := cutOff(viewOf(z, "UU UU U"), 2, "DD DD U")
	require.Equal(t, "yielded 0 floor", of(ap, 2), "us may still have it")
	require.Equal(t, "island 1 e:1 floor", of(ap, 4))
	moved := cutOff(viewOf(z, "UU OO U"), 2, "DD DD U")
	require.Equal(t, "yielded 0 floor", of(moved, 2), "us may have it again")
}

// TestIslandExplains: the trace says which pools are not the island's to answer, and of what is dead there that it is.
func TestIslandExplains(t *testing.T) {
	z := islandZone()
	svc := &config.Service{Island: true, Tiers: tiersOf("1:1 | 0:1 2:1"), Pools: []int{0, 1, 2}}
	trace := Explain(cutOff(viewOf(z, "UU UU U"), 0, "UD DD D"), svc, 0, "", V4)
	require.Equal(t, FromIsland, trace.Plan.Source)
	require.Equal(t, []Skip{{TierRef{-1, 0}, SkipIsland}}, trace.Plan.Skipped)
	require.False(t, trace.Tiers[0].Answers)
	require.True(t, trace.Tiers[1].Answers)
	require.Equal(t, SkipIsland, trace.Tiers[1].Pools[1].Why)
	require.InDelta(t, 1, trace.Tiers[1].Pools[0].Share, 1e-9)
}
