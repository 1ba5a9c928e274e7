package judge

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// drainZone is two regions of two AZs with a pool of two endpoints per region, one in each AZ, weights 40 and 60 in eu; www
// shares 70 to 30, api has us for standby, and only has nothing but eu.
func drainZone() *config.Zone {
	z := &config.Zone{
		Name:    "example.org.",
		Regions: []config.Region{{Name: "eu"}, {Name: "us"}},
		AZs:     []config.AZ{{Name: "eu-a"}, {Name: "eu-b"}, {Name: "us-a", Region: 1}, {Name: "us-b", Region: 1}},
		Pools: []*config.Pool{
			{Name: "eu", AZWeights: []config.AZWeight{{AZ: 0, Weight: 40}, {AZ: 1, Weight: 60}}, Explicit: true, Services: []int{0, 1, 2}},
			{Name: "us", Region: 1, AZWeights: []config.AZWeight{{AZ: 2}, {AZ: 3}}, Services: []int{0, 1}},
		},
		Services: []*config.Service{
			{Name: "www.example.org.", Tiers: []config.Tier{{{Pool: 0, Weight: 70}, {Pool: 1, Weight: 30}}}, Pools: []int{0, 1}},
			{Name: "api.example.org.", Tiers: []config.Tier{{{Pool: 0, Weight: 1}}, {{Pool: 1, Weight: 1}}}, Pools: []int{0, 1}},
			{Name: "only.example.org.", Tiers: []config.Tier{{{Pool: 0, Weight: 1}}}, Pools: []int{0}},
		},
	}
	for i, az := range z.AZs {
		z.Pools[i/2].Endpoints = append(z.Pools[i/2].Endpoints, &config.Endpoint{Name: az.Name, AZ: i, Weight: 1})
	}
	return z
}

func drainOf(n uint64, kind health.ScopeKind, name string) *health.Intent {
	d := &health.Intent{ID: health.IntentID{Node: "n", Counter: n}, Kind: health.IntentDrain, Scope: health.Scope{Kind: kind, Name: name}}
	switch kind {
	case health.ScopePool:
		d.Scope = health.Scope{Kind: kind, Zone: "example.org.", Pool: name}
	case health.ScopeEndpoint:
		d.Scope = health.Scope{Kind: kind, Zone: "example.org.", Pool: name[:2], Endpoint: name}
	}
	return d
}

func TestDrains(t *testing.T) {
	az, region, pool, endpoint := health.ScopeAZ, health.ScopeRegion, health.ScopePool, health.ScopeEndpoint
	with := func(d *health.Intent, change func(*health.Intent)) *health.Intent { change(d); return d }
	for _, tt := range []struct {
		name   string
		safety config.Safety
		drains []*health.Intent
		// want is the rule and the service of each that is suspended; empty for those that are effective.
		want []string
	}{
		{"one AZ", config.Safety{}, []*health.Intent{drainOf(1, az, "eu-a")}, []string{""}},
		{"a region that one service lives in alone", config.Safety{}, []*health.Intent{drainOf(1, region, "eu")}, []string{"never_empty only"}},
		{"both AZs of it, one after the other", config.Safety{}, []*health.Intent{drainOf(1, az, "eu-a"), drainOf(2, az, "eu-b")}, []string{"", "never_empty only"}},
		{"the lesser id wins", config.Safety{}, []*health.Intent{drainOf(2, az, "eu-a"), drainOf(1, az, "eu-b")}, []string{"never_empty only", ""}},
		{"for one service alone it counts for that one", config.Safety{}, []*health.Intent{
			with(drainOf(1, pool, "eu"), func(d *health.Intent) { d.Service = "www.example.org." }),
			with(drainOf(2, pool, "eu"), func(d *health.Intent) { d.Service = "only.example.org." }),
		}, []string{"", "never_empty only"}},
		{"overridden", config.Safety{}, []*health.Intent{with(drainOf(1, region, "eu"), func(d *health.Intent) { d.Override = []string{"never_empty"} })}, []string{""}},
		{"another rule overridden", config.Safety{}, []*health.Intent{with(drainOf(1, region, "eu"), func(d *health.Intent) { d.Override = []string{"keep_azs"} })}, []string{"never_empty only"}},
		{"confirmed", config.Safety{}, []*health.Intent{with(drainOf(1, region, "eu"), func(d *health.Intent) { d.Confirmed = true })}, []string{""}},
		{"what is drained twice is drained once", config.Safety{}, []*health.Intent{drainOf(1, az, "eu-a"), drainOf(2, endpoint, "eu-a")}, []string{"", ""}},
		{"after an override, a drain of what is out already", config.Safety{}, []*health.Intent{
			with(drainOf(1, region, "eu"), func(d *health.Intent) { d.Override = []string{"never_empty"} }), drainOf(2, az, "eu-a"),
		}, []string{"", ""}},
		{"weight 0 is a drain by another name", config.Safety{}, []*health.Intent{
			drainOf(1, az, "eu-a"), with(drainOf(2, endpoint, "eu-b"), func(d *health.Intent) { d.Kind = health.IntentWeight }),
		}, []string{"", "never_empty only"}},
		{"a weight is none", config.Safety{}, []*health.Intent{
			drainOf(1, az, "eu-a"), with(drainOf(2, endpoint, "eu-b"), func(d *health.Intent) { d.Kind, d.Weight = health.IntentWeight, 1 }),
		}, []string{"", ""}},
		{"keep_regions", config.Safety{KeepRegions: 2}, []*health.Intent{drainOf(1, az, "us-a"), drainOf(2, az, "us-b")}, []string{"", "keep_regions www"}},
		{"keep_azs", config.Safety{KeepAZs: 3}, []*health.Intent{drainOf(1, az, "us-a"), drainOf(2, az, "eu-a")}, []string{"", "keep_azs www"}},
		{"keep_azs that the file does not keep either", config.Safety{KeepAZs: 5}, []*health.Intent{drainOf(1, az, "us-a"), drainOf(2, endpoint, "us-a")}, []string{"keep_azs www", "keep_azs www"}},
		{"max_drained at its edge", config.Safety{MaxDrained: 28}, []*health.Intent{drainOf(1, az, "eu-a")}, []string{""}},
		{"max_drained above it", config.Safety{MaxDrained: 27}, []*health.Intent{drainOf(1, az, "eu-a")}, []string{"max_drained www"}},
		{"max_drained adds up", config.Safety{MaxDrained: 42}, []*health.Intent{drainOf(1, az, "eu-a"), drainOf(2, az, "us-a"), drainOf(3, az, "us-b")}, []string{"", "max_drained www", "max_drained www"}},
		{"a node is nothing to these rules", config.Safety{}, []*health.Intent{drainOf(1, health.ScopeNode, "n1")}, []string{""}},
		{"a name that is not there", config.Safety{}, []*health.Intent{drainOf(1, az, "mars")}, []string{""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z := drainZone()
			z.Services[0].Safety = tt.safety
			var got []string
			for _, f := range Drains([]*config.Zone{z}, tt.drains, nil) {
				text := ""
				if !f.Effective() {
					require.NotEmpty(t, f.Why)
					text = f.Rule + " " + f.Service[:len(f.Service)-len(".example.org.")]
				}
				got = append(got, text)
			}
			require.Equal(t, tt.want, got)
		})
	}
}

func TestWhatNeverAnswersCountsForNothing(t *testing.T) {
	z := drainZone()
	z.Pools[0].Endpoints[1].Weight = 0
	fate := Drains([]*config.Zone{z}, []*health.Intent{drainOf(1, health.ScopeAZ, "eu-a")}, nil)[0]
	require.Equal(t, health.RuleNeverEmpty, fate.Rule)
	z.Pools[0].Endpoints[1].Weight = 1
	z.Pools[0].AZWeights[1].Weight = 0
	require.Equal(t, fate, Drains([]*config.Zone{z}, []*health.Intent{drainOf(1, health.ScopeAZ, "eu-a")}, nil)[0])
}

// randomZone has 1 to 3 pools of 1 to 4 endpoints in 3 regions, and services with random tiers and rules.
func randomZone(r *rand.Rand) *config.Zone {
	z := &config.Zone{Name: "example.org."}
	for i := range 3 {
		z.Regions = append(z.Regions, config.Region{Name: fmt.Sprintf("r%d", i)})
		for j := range 2 {
			z.AZs = append(z.AZs, config.AZ{Name: fmt.Sprintf("r%d-%d", i, j), Region: i})
		}
	}
	for i := range 1 + r.IntN(3) {
		p := &config.Pool{Name: fmt.Sprintf("p%d", i), Region: i, Explicit: r.IntN(2) == 0, AZWeights: []config.AZWeight{{AZ: 2 * i, Weight: r.IntN(4)}, {AZ: 2*i + 1, Weight: r.IntN(4)}}}
		for j := range 1 + r.IntN(4) {
			p.Endpoints = append(p.Endpoints, &config.Endpoint{Name: fmt.Sprintf("e%d", j), AZ: 2*i + r.IntN(2), Weight: r.IntN(4)})
		}
		z.Pools = append(z.Pools, p)
	}
	for i := range 1 + r.IntN(4) {
		s := &config.Service{Name: fmt.Sprintf("s%d.example.org.", i), Safety: config.Safety{KeepRegions: r.IntN(3), KeepAZs: r.IntN(4), MaxDrained: 20 * r.IntN(6)}}
		for pi, p := range z.Pools {
			if pi == 0 || r.IntN(2) == 0 {
				s.Tiers = append(s.Tiers, config.Tier{{Pool: pi, Weight: r.IntN(3)}})
				s.Pools = append(s.Pools, pi)
				p.Services = append(p.Services, i)
			}
		}
		z.Services = append(z.Services, s)
	}
	return z
}

func randomDrain(r *rand.Rand, z *config.Zone, n uint64) *health.Intent {
	p := z.Pools[r.IntN(len(z.Pools))]
	e := p.Endpoints[r.IntN(len(p.Endpoints))]
	d := &health.Intent{ID: health.IntentID{Node: "n", Counter: n}, Kind: health.IntentDrain}
	switch r.IntN(4) {
	case 0:
		d.Scope = health.Scope{Kind: health.ScopeEndpoint, Zone: z.Name, Pool: p.Name, Endpoint: e.Name}
	case 1:
		d.Scope = health.Scope{Kind: health.ScopePool, Zone: z.Name, Pool: p.Name}
	case 2:
		d.Scope = health.Scope{Kind: health.ScopeAZ, Name: z.AZs[e.AZ].Name}
	default:
		d.Scope = health.Scope{Kind: health.ScopeRegion, Name: z.Regions[p.Region].Name}
	}
	if r.IntN(3) == 0 {
		d.Service = z.Services[r.IntN(len(z.Services))].Name
	}
	return d
}

// TestDrainProperties: the order of the input is nothing, a later drain changes no earlier one's fate, and no union of
// effective drains leaves a service that could answer with nothing, nor breaks its other rules.
func TestDrainProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		z := randomZone(r)
		zones := []*config.Zone{z}
		var drains []*health.Intent
		for n := range 1 + r.IntN(6) {
			drains = append(drains, randomDrain(r, z, uint64(n)))
		}
		fates := Drains(zones, drains, nil)
		for n := range drains {
			require.Equal(t, fates[:n], Drains(zones, drains[:n], nil), "a later one changes nothing")
		}
		order := r.Perm(len(drains))
		shuffled := make([]*health.Intent, len(drains))
		for i, j := range order {
			shuffled[i] = drains[j]
		}
		for i, f := range Drains(zones, shuffled, nil) {
			require.Equal(t, fates[order[i]], f, "the order of the input")
		}
		for _, s := range z.Services {
			c := newCoverage(z, s, func(int) string { return "" })
			whole := c.measure(nil)
			for i, d := range drains {
				if fates[i].Effective() && (d.Service == "" || d.Service == s.Name) {
					for _, ref := range Endpoints(z, d) {
						c.drained[ref] = true
					}
				}
			}
			left := c.measure(c.drained)
			require.True(t, left.endpoints > 0 || whole.endpoints == 0)
			require.GreaterOrEqual(t, left.regions, min(whole.regions, s.Safety.KeepRegions))
			require.GreaterOrEqual(t, left.azs, min(whole.azs, s.Safety.KeepAZs))
			if left.drained != nil {
				share, _ := left.drained.Float64()
				require.LessOrEqual(t, share, float64(s.Safety.MaxDrained)/100+1e-9)
			}
		}
	}
}

// BenchmarkDrains settles one order that touches each of 100,000 services over 1,000 pools of four.
func BenchmarkDrains(b *testing.B) {
	z := drainZone()
	z.Pools, z.Services = nil, nil
	for i := range 1000 {
		p := &config.Pool{Name: fmt.Sprintf("p%d", i)}
		for j := range 4 {
			p.Endpoints = append(p.Endpoints, &config.Endpoint{Name: fmt.Sprint(j), AZ: j, Weight: 1})
		}
		for j := range 100 {
			p.Services = append(p.Services, len(z.Services))
			z.Services = append(z.Services, &config.Service{Name: fmt.Sprintf("s%d-%d.example.org.", i, j), Tiers: []config.Tier{{{Pool: i, Weight: 1}}}, Pools: []int{i}, Safety: config.Safety{MaxDrained: 50}})
		}
		z.Pools = append(z.Pools, p)
	}
	for b.Loop() {
		if !Drains([]*config.Zone{z}, []*health.Intent{drainOf(1, health.ScopeAZ, "eu-a")}, nil)[0].Effective() {
			b.Fatal("suspended")
		}
	}
}

// TestDrainsCountGates: what would be left behind a closed gate, or cannot answer for another reason, is nothing; a ready opens a gate
// for the rules as for the answers.
func TestDrainsCountGates(t *testing.T) {
	ready := &health.Intent{ID: health.IntentID{Node: "a", Counter: 1}, Kind: health.IntentReady, Scope: health.Scope{Kind: health.ScopePool, Zone: "example.org.", Pool: "us"}}
	drain := func() *health.Intent {
		d := drainOf(1, health.ScopePool, "eu")
		d.Service = "api.example.org."
		return d
	}
	for _, tt := range []struct {
		name    string
		safety  config.Safety
		manual  bool
		out     string
		intents []*health.Intent
		want    string
	}{
		{"open", config.Safety{}, false, "", []*health.Intent{drain()}, ""},
		{"a closed gate", config.Safety{}, true, "", []*health.Intent{drain()}, "never_empty"},
		{"a ready one", config.Safety{}, true, "", []*health.Intent{ready, drain()}, ""},
		{"it has data and waits", config.Safety{}, false, "it waits", []*health.Intent{drain()}, "never_empty"},
		{"no region is kept behind a gate", config.Safety{KeepRegions: 1}, true, "", []*health.Intent{func() *health.Intent {
			d := drain()
			d.Override = []string{health.RuleNeverEmpty}
			return d
		}()}, "keep_regions"},
		{"what is behind the gate may be drained", config.Safety{KeepRegions: 2}, true, "", []*health.Intent{drainOf(1, health.ScopePool, "us")}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z := drainZone()
			z.Services[1].Safety = tt.safety
			z.Pools[1].Gate.Manual = tt.manual
			fates := Drains([]*config.Zone{z}, tt.intents, func(zone, pool int) string {
				if pool == 1 {
					return tt.out
				}
				return ""
			})
			f := fates[len(fates)-1]
			require.Equal(t, tt.want, f.Rule)
			if tt.want != "" {
				require.Contains(t, f.Why, "pool us does not count, ")
			}
		})
	}
}

// TestDrainsCountAudiences: pools that others may be answered from are of no use to clients of a strict rule, to cells of another home, nor to
// those that no rule names.
func TestDrainsCountAudiences(t *testing.T) {
	tier := func(pools ...int) (t config.Tier) {
		for _, p := range pools {
			t = append(t, config.Share{Pool: p, Weight: 1})
		}
		return t
	}
	for _, tt := range []struct {
		name    string
		service config.Service
		why     string
	}{
		{"own tiers", config.Service{Tiers: []config.Tier{tier(0), tier(1)}}, ""},
		{"a rule that may fall to the tiers of all", config.Service{Tiers: []config.Tier{tier(1)}, Clients: []config.ClientRule{{Tiers: []config.Tier{tier(0)}}}}, ""},
		{"a strict rule", config.Service{Tiers: []config.Tier{tier(1)}, Clients: []config.ClientRule{{Tiers: []config.Tier{tier(1)}, Strict: true}, {Tiers: []config.Tier{tier(0)}, Strict: true}}},
			"nothing would be left to answer clients of rule 2, which is strict"},
		{"a strict rule alone is well", config.Service{Tiers: []config.Tier{tier(0)}, Clients: []config.ClientRule{{Tiers: []config.Tier{tier(1)}, Strict: true}}},
			"nothing would be left to answer clients that no rule names"},
		{"cells", config.Service{Tiers: []config.Tier{tier(0, 1)}, Cells: &config.Cells{Shards: 2, Home: []config.CellRange{{Pool: 1, First: 1, Last: 1}, {Pool: 0}}}},
			"nothing would be left to answer the cells of pool eu"},
		{"cells with a failover", config.Service{Tiers: []config.Tier{tier(0, 1)}, Cells: &config.Cells{Shards: 1, Home: []config.CellRange{{Pool: 0}}, Failover: map[int][]int{0: {1}}}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z := drainZone()
			tt.service.Name, tt.service.Pools = "www.example.org.", []int{0, 1}
			z.Services = []*config.Service{&tt.service}
			for _, p := range z.Pools {
				p.Services = []int{0}
			}
			drain := drainOf(1, health.ScopePool, "eu")
			fates := Drains([]*config.Zone{z}, []*health.Intent{drain}, nil)
			require.Equal(t, tt.why, fates[0].Why)
			drain.Override = []string{health.RuleNeverEmpty}
			require.True(t, Drains([]*config.Zone{z}, []*health.Intent{drain}, nil)[0].Effective())
		})
	}
}
