package steer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

func TestMaxShare(t *testing.T) {
	for _, tt := range []struct {
		name, tiers, states string
		limits              [3]int
		want                string
	}{
		{"the rest goes to the next tier", "0:1 | 2:1", "UU UU U", [3]int{80, 0, 0}, "tier 1 a:8 b:12 z:5"},
		{"and to the one after that", "0:1 | 2:1 | 1:1", "UU UU U", [3]int{50, 0, 25}, "tier 1 a:16 b:24 z:20 c:5 d:15"},
		{"a later tier that is down takes nothing", "0:1 | 2:1 | 1:1", "UU UU D", [3]int{80, 0, 0}, "tier 1 a:32 b:48 c:5 d:15"},
		{"nobody else: all of it", "0:1", "UU UU U", [3]int{80, 0, 0}, "tier 1 a:2 b:3"},
		{"nobody else but one in the tier that has room", "0:70 1:30", "UU UU U", [3]int{50, 0, 0}, "tier 1 a:8 b:12 c:5 d:15"},
		{"nobody has room: in proportion", "0:70 1:30", "UU UU U", [3]int{40, 20, 0}, "tier 1 a:16 b:24 c:5 d:15"},
		{"a pool of both tiers is capped once", "0:1 | 0:1 1:1", "UU UU U", [3]int{80, 0, 0}, "tier 1 a:32 b:48 c:5 d:15"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z := demo()
			for i, limit := range tt.limits {
				z.Pools[i].MaxShare = limit
			}
			svc := &config.Service{Tiers: tiersOf(tt.tiers), Pools: []int{0, 1, 2}}
			require.Equal(t, tt.want, text(z, planOf(viewOf(z, tt.states), svc)))
		})
	}
}

// TestRampOfAPoolInTwoTiers: what a pool on its way back may not have yet does not come to it by a later tier.
func TestRampOfAPoolInTwoTiers(t *testing.T) {
	z := demo()
	svc := &config.Service{Tiers: tiersOf("0:1 | 0:1 1:1"), Pools: []int{0, 1}, Failback: config.Failback{Ramp: []int{10, 100}, Step: time.Minute}}
	zv := viewOf(z, "UU UU U")
	zv.Pools[0].Return = health.Return{Since: now}
	require.Equal(t, "tier 1 a:8 b:12 c:45 d:135", text(z, planOf(zv, svc)))
}

func TestTrickleIsNotForCells(t *testing.T) {
	z := demo()
	svc := &config.Service{
		Tiers: tiersOf("0:1 | 1:1"), Pools: []int{0, 1}, Standby: config.Standby{Trickle: 100},
		Cells: &config.Cells{Shards: 2, Home: []config.CellRange{{Pool: 0, First: 0, Last: 1}}, Failover: map[int][]int{0: {1}}},
	}
	d := Decide(viewOf(z, "UU UU U"), svc, 0)
	require.Equal(t, "tier 1 a:792 b:1188 c:5 d:15", text(z, d.Plans[0]))
	require.Equal(t, "tier 1 a:2 b:3", text(z, d.Plans[d.Cells[0][0].Plan]), "a shard is at home")
}

func TestTrickleIsForTheStandby(t *testing.T) {
	z := demo()
	svc := &config.Service{Tiers: tiersOf("0:1 | 0:1 1:1"), Pools: []int{0, 1}, Standby: config.Standby{Trickle: 1000}}
	require.Equal(t, "tier 1 a:72 b:108 c:5 d:15", text(z, planOf(viewOf(z, "UU UU U"), svc)), "eu has its share")
}

// TestLastResortsKnowNoRamp: `also` names, panic and on_all_down overlook failback, so an AZ on its way back counts in full.
func TestLastResortsKnowNoRamp(t *testing.T) {
	z := demo()
	svc := &config.Service{
		Tiers: tiersOf("0:1"), Pools: []int{0}, Failback: config.Failback{Ramp: []int{10, 100}, Step: time.Minute},
		Places: []config.Place{{Region: 0, AZ: -1}}, OnAllDown: config.OnAllDown{Policy: config.AnswerAll},
	}
	zv := viewOf(z, "UU UU U")
	zv.Pools[0].ReturnAZ = []health.Return{{Since: now}, {}}
	d := Decide(zv, svc, 0)
	require.Equal(t, "tier 1 a:1 b:24", text(z, d.Plans[0]), "10 %% of 40:60")
	require.Equal(t, "tier 1 a:2 b:3", text(z, d.Places[0]))
	for i := range zv.Pools[0].Endpoints {
		zv.Pools[0].Endpoints[i].State = health.Down
	}
	require.Equal(t, "all 0 a:2 b:3 floor", text(z, planOf(zv, svc)))
}

// TestRampOfManyHeavyEndpoints: products of the greatest weights that the file allows do not overflow.
func TestRampOfManyHeavyEndpoints(t *testing.T) {
	var words []string
	for i := range 600 {
		words = append(words, fmt.Sprintf("e%d %d@%d", i, 65535-i%7, i%2))
	}
	z := &config.Zone{Pools: []*config.Pool{poolOf("eu", 1, nil, words...)}}
	svc := &config.Service{Tiers: tiersOf("0:1"), Pools: []int{0}, Failback: config.Failback{Ramp: []int{10, 100}, Step: time.Minute}}
	zv := viewOf(z, strings.Repeat("U", 600))
	zv.Pools[0].ReturnAZ = []health.Return{{Since: now}, {}}
	sum, back := 0.0, 0.0
	for _, m := range planOf(zv, svc).Sets[V4] {
		sum += float64(m.Weight)
		if m.Endpoint%2 == 0 {
			back += float64(m.Weight)
		}
	}
	require.InDelta(t, 0.05, back/sum, 1e-4, "10 %% of about half")
}
