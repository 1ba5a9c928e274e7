package steer

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// now is the instant of all views here.
var now = time.Now()

// poolOf makes a pool from "name weight@az" words; a trailing "6" on the name gives it an IPv6 address too, a "+" only that.
func poolOf(name string, minHealthy int, azWeights map[int]int, endpoints ...string) *config.Pool {
	p := &config.Pool{Name: name, Check: 0, MinHealthy: config.Amount{N: minHealthy}}
	seen := map[int]bool{}
	for i, text := range endpoints {
		e := &config.Endpoint{}
		if _, err := fmt.Sscanf(text, "%s %d@%d", &e.Name, &e.Weight, &e.AZ); err != nil {
			panic(err)
		}
		if !strings.HasSuffix(e.Name, "+") {
			e.V4 = netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)})
		}
		if strings.HasSuffix(e.Name, "6") || strings.HasSuffix(e.Name, "+") {
			e.V6 = netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i+1))
		}
		if !seen[e.AZ] {
			seen[e.AZ] = true
			w, explicit := azWeights[e.AZ]
			p.Explicit = p.Explicit || explicit
			p.AZWeights = append(p.AZWeights, config.AZWeight{AZ: e.AZ, Weight: w})
		}
		p.Endpoints = append(p.Endpoints, e)
	}
	return p
}

// tiersOf reads "0:70 1:30 | 2:1".
func tiersOf(text string) []config.Tier {
	var tiers []config.Tier
	for t := range strings.SplitSeq(text, "|") {
		var tier config.Tier
		for _, s := range strings.Fields(t) {
			var share config.Share
			if _, err := fmt.Sscanf(s, "%d:%d", &share.Pool, &share.Weight); err != nil {
				panic(err)
			}
			tier = append(tier, share)
		}
		tiers = append(tiers, tier)
	}
	return tiers
}

// viewOf reads a word per pool, a letter per endpoint: U up, S suspect, D down now, O down for an hour, ? pending, ! pending
// and doubted, X drained (and up), x drained and down.
func viewOf(zone *config.Zone, states string) *health.ZoneView {
	zv := &health.ZoneView{Zone: zone}
	for _, word := range strings.Fields(states) {
		p := &health.PoolView{At: now}
		for _, c := range word {
			e := health.EndpointView{Verdict: health.Verdict{State: health.Up, Since: now.Add(-2 * time.Hour)}}
			switch c {
			case 'S':
				e.State = health.Suspect
			case 'D':
				e.State, e.Since = health.Down, now.Add(-3*time.Second)
			case 'O':
				e.State, e.Since = health.Down, now.Add(-time.Hour)
			case '?':
				e.Verdict = health.Verdict{}
			case '!':
				e.Verdict = health.Verdict{Doubted: true}
			case 'X':
				e.Drained = true
			case 'x':
				e.Drained, e.State = true, health.Down
			}
			p.Endpoints = append(p.Endpoints, e)
		}
		zv.Pools = append(zv.Pools, p)
	}
	return zv
}

// planOf is what most clients of svc get.
func planOf(zv *health.ZoneView, svc *config.Service) *Plan { return Decide(zv, svc, -1).Plans[0] }

// text is a plan in one line: source, tier, then members with weights, A before AAAA.
func text(z *config.Zone, p *Plan) string {
	s := fmt.Sprintf("%v %d", p.Source, p.Tier.Index+1)
	for f, set := range p.Sets {
		if len(set) > 0 && Family(f) == V6 {
			s += " | 6"
		}
		for _, m := range set {
			s += fmt.Sprintf(" %s:%d", strings.TrimRight(z.Pools[m.Pool].Endpoints[m.Endpoint].Name, "6+"), m.Weight)
		}
	}
	if p.Floor {
		s += " floor"
	}
	return s
}

// demo is 70:30 between regions, 40:60 between the AZs of one and by endpoint weights in the other, and a sorry pool.
func demo() *config.Zone {
	return &config.Zone{Pools: []*config.Pool{
		poolOf("eu", 1, map[int]int{0: 40, 1: 60}, "a 1@0", "b 1@1"),
		poolOf("us", 1, nil, "c 1@2", "d 3@3"),
		poolOf("sorry", 1, nil, "z 1@2"),
	}}
}

func TestPlans(t *testing.T) {
	const tiers = "0:70 1:30 | 2:1"
	for _, tt := range []struct {
		name   string
		states string
		tiers  string
		svc    config.Service
		want   string
	}{
		{name: "weights multiply", states: "UU UU U", want: "tier 1 a:56 b:84 c:15 d:45"},
		{name: "suspect still answers", states: "SU UU U", want: "tier 1 a:56 b:84 c:15 d:45"},
		{name: "an AZ leaves: the other takes its region's share", states: "DU UU U", want: "tier 1 b:28 c:3 d:9"},
		{name: "a region leaves", states: "DD UU U", want: "tier 1 c:1 d:3"},
		{name: "a tier leaves", states: "DD DD U", want: "tier 2 z:1"},
		{name: "drained is never answered", states: "XU UX U", want: "tier 1 b:7 c:3"},
		{name: "drained and down", states: "xU xx U", want: "tier 1 b:1"},
		{name: "pending shares by weight with who is up, at the floor", states: "?U UU U", want: "tier 1 a:56 b:84 c:15 d:45 floor"},
		{name: "doubted waits while its pool has somebody", states: "!U UU U", want: "tier 1 b:28 c:3 d:9"},
		{name: "doubted waits while its pool has one of whom nothing is known", states: "!? UU U", want: "tier 1 b:28 c:3 d:9 floor"},
		{name: "doubted answers when its pool has nobody, at the floor", states: "!D UU U", want: "tier 1 a:28 c:3 d:9 floor"},
		{name: "pending answers when its pool has nobody, at the floor", states: "?D UU U", want: "tier 1 a:28 c:3 d:9 floor"},
		{name: "cold start", states: "?? ?? ?", want: "pending 1 a:56 b:84 c:15 d:45 floor"},
		{name: "last_good is the last tier that answered", states: "OO OO D", want: "last_good 2 z:1 floor"},
		{name: "last_good is the whole set of one outage", states: "DD DD O", want: "last_good 1 a:56 b:84 c:15 d:45 floor"},
		{name: "last_good leaves out who was gone long before", states: "DO OO O", want: "last_good 1 a:1 floor"},
		{name: "last_good without the drained", states: "xD DD O", want: "last_good 1 b:28 c:3 d:9 floor"},
		{name: "all", states: "OO OD D", svc: config.Service{OnAllDown: config.OnAllDown{Policy: config.AnswerAll}}, want: "all 0 a:56 b:84 c:15 d:45 z:2 floor"},
		{name: "nodata", states: "DD DD D", svc: config.Service{OnAllDown: config.OnAllDown{Policy: config.NoData}}, want: "nodata 0 floor"},
		{name: "fixed", states: "DD DD D", svc: config.Service{OnAllDown: config.OnAllDown{Policy: config.Fixed}}, want: "fixed 0 floor"},
		{name: "everything drained", states: "XX XX X", want: "nodata 0 floor"},
		{name: "panic: the last eligible tier is mostly down", states: "OO UO O", svc: config.Service{Health: config.Limits{PanicBelow: 30}}, want: "panic 1 a:56 b:84 c:15 d:45 floor"},
		{name: "no panic while a later tier could answer", states: "OO UO U", svc: config.Service{Health: config.Limits{PanicBelow: 30}}, want: "tier 1 c:1"},
		{name: "no panic with enough up", states: "OU OO O", svc: config.Service{Health: config.Limits{PanicBelow: 30}}, want: "tier 1 b:1"},
		{name: "weight 0 in a tier never answers", states: "DD UU U", tiers: "0:1 1:0 | 2:1", want: "tier 2 z:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z := demo()
			svc := tt.svc
			svc.Tiers = tiersOf(cmpOr(tt.tiers, tiers))
			svc.Pools = []int{0, 1, 2}
			require.Equal(t, tt.want, text(z, planOf(viewOf(z, tt.states), &svc)))
		})
	}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func TestMinHealthy(t *testing.T) {
	z := &config.Zone{Pools: []*config.Pool{poolOf("eu", 2, nil, "a 1@0", "b 1@0", "c 1@0"), poolOf("us", 1, nil, "d 1@1")}}
	svc := &config.Service{Tiers: tiersOf("0:1 | 1:1"), Pools: []int{0, 1}}
	for states, want := range map[string]string{
		"UUD U": "tier 1 a:1 b:1",
		"UDD U": "tier 2 d:1",
		"UDD D": "below_min_healthy 1 a:1 floor",
	} {
		require.Equal(t, want, text(z, planOf(viewOf(z, states), svc)), states)
	}
	z.Pools[0].MinHealthy = config.Amount{N: 67, Percent: true}
	require.Equal(t, "tier 2 d:1", text(z, planOf(viewOf(z, "UUD U"), svc)), "67 %% of three are three")
}

func TestHold(t *testing.T) {
	z := demo()
	svc := &config.Service{Tiers: tiersOf("0:70 1:30 | 2:1"), Pools: []int{0, 1, 2}, Failback: config.Failback{Hold: 30 * time.Second}}
	zv := viewOf(z, "UU UU U")
	zv.Pools[0].ReturnAZ = []health.Return{{Since: now.Add(-29 * time.Second)}, {}}
	require.Equal(t, "tier 1 b:28 c:3 d:9", text(z, planOf(zv, svc)), "an AZ is held")
	zv.Pools[0].Return = health.Return{Since: now.Add(-29 * time.Second)}
	require.Equal(t, "tier 1 c:1 d:3", text(z, planOf(zv, svc)), "a pool is held")
	zv.Pools[0].At = now.Add(time.Second)
	require.Equal(t, "tier 1 a:56 b:84 c:15 d:45", text(z, planOf(zv, svc)), "the hold has passed")
	zv = viewOf(z, "UU DD D")
	zv.Pools[0].Return = health.Return{Since: now}
	require.Equal(t, "held 1 a:2 b:3 floor", text(z, planOf(zv, svc)), "held is better than nothing")
	other := &config.Service{Tiers: svc.Tiers, Pools: svc.Pools}
	require.Equal(t, "tier 1 a:2 b:3", text(z, planOf(zv, other)), "each service has its own hold")
}

func TestFamilies(t *testing.T) {
	z := &config.Zone{Pools: []*config.Pool{
		poolOf("eu", 1, map[int]int{0: 40, 1: 60}, "a6 1@0", "b 1@1"),
		poolOf("us", 1, nil, "c+ 1@2"),
	}}
	svc := &config.Service{Tiers: tiersOf("0:70 1:30"), Pools: []int{0, 1}}
	require.Equal(t, "tier 1 a:2 b:3 | 6 a:7 c:3", text(z, planOf(viewOf(z, "UU U"), svc)))
	require.Equal(t, "tier 1 b:1 | 6 c:1", text(z, planOf(viewOf(z, "DU U"), svc)), "one tier for both families")
}

// TestFlattenAgreesWithTwin compares flatten with the same sum in rationals, over random models.
func TestFlattenAgreesWithTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		limit := 1 + r.IntN([]int{4, 100, 65535}[r.IntN(3)])
		var pools []offer
		s := &subject{zv: &health.ZoneView{Zone: new(config.Zone)}}
		for i := range 1 + r.IntN(4) {
			weights := map[int]int{}
			var words []string
			for e := range 1 + r.IntN(6) {
				az := r.IntN(3)
				words = append(words, fmt.Sprintf("e%d %d@%d", e, 1+r.IntN(limit), az))
				if i%2 == 0 {
					weights[az] = 1 + r.IntN(limit)
				}
			}
			p := poolOf("p", 1, weights, words...)
			view := &health.PoolView{Endpoints: make([]health.EndpointView, len(p.Endpoints))}
			s.zv.Zone.Pools, s.zv.Pools = append(s.zv.Zone.Pools, p), append(s.zv.Pools, view)
			u := offer{subject: s, pool: i, weight: uint64(1 + r.IntN(limit)), cfg: p, view: view}
			for e := range p.Endpoints {
				if r.IntN(3) > 0 || e == 0 {
					u.members = append(u.members, e)
				}
			}
			pools = append(pools, u)
		}
		requireShares(t, pools)
	}
}

func requireShares(t *testing.T, pools []offer) {
	t.Helper()
	got := flatten(pools, V4)
	sum := new(big.Int)
	for _, m := range got {
		sum.Add(sum, new(big.Int).SetUint64(m.Weight))
	}
	want := twin(pools)
	require.Len(t, got, len(want))
	for i, m := range got {
		share, _ := new(big.Rat).SetFrac(new(big.Int).SetUint64(m.Weight), sum).Float64()
		exact, _ := want[i].Float64()
		require.InDelta(t, exact, share, 1e-9, "member %d of %v", i, got)
	}
}

// twin is the definition: P/ΣP · A/ΣA · E/ΣE.
func twin(pools []offer) []*big.Rat {
	ratio := func(a, b int) *big.Rat { return big.NewRat(int64(a), int64(b)) }
	sumP := 0
	for _, u := range pools {
		sumP += int(u.weight)
	}
	var out []*big.Rat
	for _, u := range pools {
		sumE, sumA := map[int]int{}, 0
		for _, i := range u.members {
			sumE[u.cfg.Endpoints[i].AZ] += u.cfg.Endpoints[i].Weight
		}
		azw := func(az int) int {
			if u.cfg.Explicit {
				return int(u.explicitWeight(az))
			}
			return sumE[az]
		}
		for az := range sumE {
			sumA += azw(az)
		}
		for _, i := range u.members {
			e := u.cfg.Endpoints[i]
			share := ratio(int(u.weight), sumP)
			share.Mul(share, ratio(azw(e.AZ), sumA))
			out = append(out, share.Mul(share, ratio(e.Weight, sumE[e.AZ])))
		}
	}
	return out
}

func TestBound(t *testing.T) {
	z := &config.Zone{
		Checks: []*config.Check{{Name: "ready", Interval: 2 * time.Second, Timeout: time.Second, Fall: 3}, {Name: "slow", Interval: 10 * time.Second, Timeout: time.Second, Fall: 2}},
		Pools:  []*config.Pool{{Check: 0}, {Check: 1}, {Check: -1}},
	}
	a := DefaultAllowances()
	svc := func(mode config.TTLMode, pools ...int) *config.Service {
		return &config.Service{Pools: pools, TTL: config.TTL{Mode: mode, Min: 2, Max: 30}}
	}
	// D = 3 × 2.2 + 1 + 0.2 = 7.8 s, F = 2.2 + 1 = 3.2 s; G + Q + X = 6.25 s.
	require.Equal(t, 7800*time.Millisecond+6250*time.Millisecond+2*time.Second, BoundOf(z, svc(config.Horizon, 0), a).S)
	require.Equal(t, 3200*time.Millisecond+6250*time.Millisecond+30*time.Second, BoundOf(z, svc(config.Ceiling, 0), a).S)
	worst := BoundOf(z, svc(config.Horizon, 0, 1, 2), a)
	require.Equal(t, "slow", worst.Check)
	require.False(t, worst.Monitored, "the death of an unmonitored endpoint moves nothing")
	require.Equal(t, uint32(3), BoundOf(z, svc(config.Horizon, 0), a).PeaceTTL, "two intervals of 1.8 s")
	require.Equal(t, 10.0, BoundOf(z, svc(config.Horizon, 0), a).QueryFactor())
}

// TestSpeedLimit: four AZs of one endpoint each in two pools, a service in which they weigh 28:42:15:15.
func TestSpeedLimit(t *testing.T) {
	z := &config.Zone{Pools: []*config.Pool{
		poolOf("eu", 1, map[int]int{0: 40, 1: 60}, "a 1@0", "b 1@1"),
		poolOf("us", 1, nil, "c 1@2", "d 1@3"),
		poolOf("ap", 1, nil, "e 1@4", "f 1@4", "g 1@5", "h 1@5", "i 1@5", "j 1@5"),
		poolOf("sa", 1, nil, "k 1@6", "l 1@6", "m 1@6", "n 1@6"),
	}}
	left := func(zv *health.ZoneView, seconds ...int) *health.ZoneView {
		for _, s := range seconds {
			e := &zv.Pools[s/100].Endpoints[s/10%10]
			e.Left = now.Add(-time.Duration(s%10) * 10 * time.Second)
		}
		return zv
	}
	svc := &config.Service{Tiers: tiersOf("0:70 1:30"), Pools: []int{0, 1}, Health: config.Limits{MaxRemoval: 34}}
	ap := &config.Service{Tiers: tiersOf("2:1"), Pools: []int{2}, Health: config.Limits{MaxRemoval: 34}}
	sa := &config.Service{Tiers: tiersOf("3:1"), Pools: []int{3}, Health: config.Limits{MaxRemoval: 34}}
	both := &config.Service{Tiers: tiersOf("3:1 | 2:1"), Pools: []int{3, 2}, Health: config.Limits{MaxRemoval: 34}}
	// A departure is pool, endpoint and tens of seconds ago in one number: 012 is pool 0, endpoint 1, 20 s ago.
	for _, tt := range []struct {
		name   string
		svc    *config.Service
		states string
		left   []int
		want   string
		kept   int
	}{
		{"one endpoint per pool goes", svc, "DU DU UUUUUU UUUU", []int{1, 101}, "tier 1 b:7 d:3", 0},
		{"a pool goes while the other stands", svc, "DD UU UUUUUU UUUU", []int{1, 11}, "tier 1 c:1 d:1", 0},
		{"then a second pool begins to go: 34 % is over", svc, "DD DU UUUUUU UUUU", []int{2, 12, 101}, "tier 1 c:1 d:1 floor", 1},
		{"all at once: what left first goes, the rest stays", svc, "DD DD UUUUUU UUUU", []int{3, 12, 102, 111}, "tier 1 b:14 c:3 d:3 floor", 3},
		{"a minute later the limit is open again", svc, "DD DU UUUUUU UUUU", []int{6, 16, 101}, "tier 1 d:1", 0},
		{"one AZ of a lone pool goes, whatever it weighs", ap, "UU UU UUDDDD UUUU", []int{221, 231, 241, 251}, "tier 1 e:1 f:1", 0},
		{"two endpoints in two AZs are within 34 %", ap, "UU UU DUDUUU UUUU", []int{202, 221}, "tier 1 f:1 h:1 i:1 j:1", 0},
		{"the third one stays", ap, "UU UU DUDDUU UUUU", []int{203, 222, 231}, "tier 1 f:1 h:1 i:1 j:1 floor", 1},
		{"the only AZ of a service does not go at once", sa, "UU UU UUUUUU DDDU", []int{301, 312, 323}, "tier 1 k:1 l:1 n:1 floor", 2},
		{"nor all of it", sa, "UU UU UUUUUU DDDD", []int{301, 312, 323, 331}, "tier 1 k:1 l:1 n:1 floor", 3},
		{"it does while another AZ answers", both, "UU UU UUUUUU DDDD", []int{301, 312, 323, 331}, "tier 2 e:1 f:1 g:1 h:1 i:1 j:1", 0},
		{"and not while nobody does there", both, "UU UU DDDDDD DDDD", []int{301, 312, 323, 331}, "tier 1 k:1 n:1 floor", 2},
		{"100 %% is no limit", &config.Service{Tiers: ap.Tiers, Pools: ap.Pools, Health: config.Limits{MaxRemoval: 100}}, "UU UU DUDDUU UUUU", []int{203, 222, 231}, "tier 1 f:1 i:1 j:1", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := planOf(left(viewOf(z, tt.states), tt.left...), tt.svc)
			require.Equal(t, tt.want, text(z, p))
			require.Equal(t, tt.kept, p.Kept)
		})
	}
}

func TestGate(t *testing.T) {
	z := demo()
	svc := &config.Service{Tiers: tiersOf("0:1 | 1:1"), Pools: []int{0, 1}}
	zv := viewOf(z, "UU UU U")
	zv.Pools[0].GateClosed = true
	p := planOf(zv, svc)
	require.Equal(t, "tier 2 c:1 d:3", text(z, p))
	require.Equal(t, []Skip{{Tier: TierRef{Rule: -1, Index: 0}, Why: SkipGate}}, p.Skipped)
}

func TestReduction(t *testing.T) {
	z := demo()
	svc := &config.Service{Tiers: tiersOf("1:1 | 2:1"), Pools: []int{1, 2}}
	zv := viewOf(z, "UU UU U")
	zv.Pools[1].Endpoints[1].Reduction = 50
	require.Equal(t, "tier 1 c:2 d:3", text(z, planOf(zv, svc)), "an endpoint asks for half of its weight")
	zv.Pools[1].Endpoints[1].Reduction = 100
	require.Equal(t, "tier 1 c:1", text(z, planOf(zv, svc)))
	zv.Pools[1].Endpoints[0].Reduction = 100
	require.Equal(t, "tier 2 z:1", text(z, planOf(zv, svc)))
}
