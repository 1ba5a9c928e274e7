package judge

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A Fate is what the safety rules make of a drain: the zero Fate is effective, the other is suspended.
type Fate struct {
	health.Suspension
	// Why says in words what would be left.
	Why string
}

// Effective tells whether no rule holds the drain back.
func (f Fate) Effective() bool { return f.Rule == "" }

// Drains settles which of the drains are effective, in any order: the result is by index. Those that contradict each other
// by a safety rule of some service are decided by their ids: the lesser one is effective, the other is suspended as a whole.
// It reads nothing but the model and the intents, so that every node says the same; in particular, it knows no health. A pool behind a
// manual gate counts as nothing unless a ready among the intents opens it. out says in words why a further pool, by zone and pool,
// answers nobody now, or nothing: who judges a new order knows that, and for orders that were taken out is nil.
//
// A rule suspends a drain only if the drain makes worse what the rule is about, and if the drain neither overrides it nor is
// confirmed. A later drain never changes the fate of an earlier one. Intents that take nothing out are effective.
func Drains(zones []*config.Zone, drains []*health.Intent, out func(zone, pool int) string) []Fate {
	order := make([]int, len(drains))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return drains[a].ID.Compare(drains[b].ID) })
	fates := make([]Fate, len(drains))
	if !slices.ContainsFunc(drains, func(d *health.Intent) bool { return d.TakesOut() && !d.Confirmed }) {
		// Nothing can be suspended. On a node that is alone it is always so.
		return fates
	}
	s := settlement{zones: zones, intents: drains, out: out, resolved: Resolve(zones, drains), services: make(map[serviceRef]*coverage)}
	for _, i := range order {
		switch {
		case drains[i].Scope.Kind == health.ScopeShards:
			fates[i] = s.settleShards(i)
		case drains[i].TakesOut():
			fates[i] = s.settle(i)
		}
	}
	return fates
}

type serviceRef struct{ zone, service int }

// A settlement is one call of Drains.
type settlement struct {
	zones   []*config.Zone
	intents []*health.Intent
	out     func(zone, pool int) string
	// resolved are the endpoints of the intents.
	resolved Resolved
	// services are those that a drain touched.
	services map[serviceRef]*coverage
}

// closed says why a pool answers nobody whatever is drained; empty if it may.
func (l *settlement) closed(zone, pool int) string {
	z := l.zones[zone]
	p := z.Pools[pool]
	if l.out != nil {
		if why := l.out(zone, pool); why != "" {
			return why
		}
	}
	if p.Gate.Manual && !slices.ContainsFunc(l.intents, func(i *health.Intent) bool {
		return i.Kind == health.IntentReady && i.Scope.Zone == z.Name && i.Scope.Pool == p.Name
	}) {
		return GateClosed
	}
	return ""
}

// GateClosed is why a pool behind a closed gate answers nobody.
const GateClosed = "its gate is closed"

// settle applies intent n to the services unless a rule suspends it.
func (l *settlement) settle(n int) Fate {
	zones, services, d := l.zones, l.services, l.intents[n]
	hits := make(map[serviceRef][]health.EndpointRef)
	for zi, z := range zones {
		for _, ref := range l.resolved[n][zi] {
			for _, si := range z.Pools[ref.Pool].Services {
				if d.Service == "" || d.Service == z.Services[si].Name {
					s := serviceRef{zi, si}
					hits[s] = append(hits[s], ref)
				}
			}
		}
	}
	// In the order of the files, so that the same service is named everywhere.
	order := slices.SortedFunc(maps.Keys(hits), func(a, b serviceRef) int {
		if a.zone != b.zone {
			return a.zone - b.zone
		}
		return a.service - b.service
	})
	for _, s := range order {
		l.cover(s)
	}
	rules := slices.DeleteFunc(health.Rules(), d.Overrides)
	moves := make([]move, len(order))
	for i, s := range order {
		if len(rules) > 0 {
			moves[i] = services[s].move(hits[s])
		}
	}
	for _, rule := range rules {
		for i, s := range order {
			if why := moves[i].breaks(rule, services[s].service.Safety); why != "" {
				return Fate{Suspension: health.Suspension{Rule: rule, Service: services[s].service.Name}, Why: why + services[s].shut()}
			}
		}
	}
	for _, s := range order {
		for _, ref := range hits[s] {
			services[s].drained[ref] = true
		}
	}
	return Fate{}
}

// cover finds out what a service has, once.
func (l *settlement) cover(s serviceRef) {
	if l.services[s] == nil {
		l.services[s] = newCoverage(l.zones[s.zone], l.zones[s.zone].Services[s.service], func(pool int) string { return l.closed(s.zone, pool) })
	}
}

// mayName tells whether the scope may name an endpoint of the pool.
func mayName(z *config.Zone, p *config.Pool, scope health.Scope) bool {
	switch scope.Kind {
	case health.ScopeEndpoint, health.ScopePool:
		return z.Name == scope.Zone && p.Name == scope.Pool
	case health.ScopeRegion, health.ScopeAZ, health.ScopeKubernetes:
		return true
	}
	return false
}

// namesIn tells whether the scope, which may name endpoints of the pool, names e.
func namesIn(z *config.Zone, p *config.Pool, e *config.Endpoint, scope health.Scope) bool {
	switch scope.Kind {
	case health.ScopeEndpoint:
		return e.Name == scope.Endpoint || e.Of == scope.Endpoint
	case health.ScopeAZ:
		return z.AZs[e.AZ].Name == scope.Name
	case health.ScopeRegion:
		return regionOf(z, p, e) == scope.Name
	case health.ScopeKubernetes:
		return e.Cluster == scope.Name
	}
	return true
}

// regionOf is the region in which the endpoint stands: its AZ's.
func regionOf(z *config.Zone, p *config.Pool, e *config.Endpoint) string {
	region := p.Region
	if e.AZ < len(z.AZs) {
		region = z.AZs[e.AZ].Region
	}
	if region >= len(z.Regions) {
		return ""
	}
	return z.Regions[region].Name
}

// coverage is what a service could answer, and how much of it drains have taken out.
type coverage struct {
	zone    *config.Zone
	service *config.Service
	// endpoints are those that weights let answer. shares are their parts of the service's weight, with all tiers taken as
	// one; nil where no rule asks for them.
	endpoints []health.EndpointRef
	shares    []*big.Rat
	drained   map[health.EndpointRef]bool
	// closed are the pools that answer nobody, with the reason: no rule counts their endpoints as left.
	closed map[int]string
	// moved are the shards that orders take away from their homes.
	moved []audience
}

func newCoverage(z *config.Zone, s *config.Service, closed func(pool int) string) *coverage {
	c := &coverage{zone: z, service: s, drained: make(map[health.EndpointRef]bool), closed: make(map[int]string)}
	weights := poolWeights(s)
	total := new(big.Rat)
	for _, pi := range s.Pools {
		weight, ok := weights[pi]
		if !ok {
			continue
		}
		if why := closed(pi); why != "" {
			c.closed[pi] = why
		}
		in := PoolInput{Pool: z.Pools[pi]}
		for i := range in.Pool.Endpoints {
			if in.answerable(i) {
				c.endpoints = append(c.endpoints, health.EndpointRef{Pool: pi, Endpoint: i})
			}
		}
		if s.Safety.MaxDrained > 0 {
			c.addShares(pi, weight)
		}
	}
	for _, share := range c.shares {
		total.Add(total, share)
	}
	for _, share := range c.shares {
		if total.Sign() > 0 {
			share.Quo(share, total)
		}
	}
	return c
}

// shut names the pools that no rule counts, with the reasons.
func (c *coverage) shut() string {
	var words []string
	for _, pool := range slices.Sorted(maps.Keys(c.closed)) {
		words = append(words, fmt.Sprintf("pool %s does not count, %s", c.zone.Pools[pool].Name, c.closed[pool]))
	}
	if words == nil {
		return ""
	}
	return " (" + strings.Join(words, "; ") + ")"
}

// poolWeights are the weights of the pools that the service may answer from, the first tier that names a pool deciding, as
// the speed limit has it. Pools that stand in no tier of the service's own count without weight.
func poolWeights(s *config.Service) map[int]int {
	weights := make(map[int]int)
	for _, tier := range s.Tiers {
		for _, share := range tier {
			if _, ok := weights[share.Pool]; !ok && share.Weight > 0 {
				weights[share.Pool] = share.Weight
			}
		}
	}
	also := func(pool int) {
		if _, ok := weights[pool]; !ok {
			weights[pool] = 0
		}
	}
	for _, rule := range s.Clients {
		for _, tier := range rule.Tiers {
			for _, share := range tier {
				if share.Weight > 0 {
					also(share.Pool)
				}
			}
		}
	}
	if s.Cells != nil {
		for _, p := range s.Cells.Pools() {
			also(p)
		}
	}
	return weights
}

// addShares adds those of a pool's endpoints: pool weight × AZ weight × endpoint weight, each level over its sum.
func (c *coverage) addShares(pi, weight int) {
	p := c.zone.Pools[pi]
	in := PoolInput{Pool: p}
	sums, azTotal := make(map[int]int64), int64(0)
	for i, e := range p.Endpoints {
		if !in.answerable(i) {
			continue
		}
		if p.Explicit && sums[e.AZ] == 0 {
			azTotal += int64(azWeight(p, e.AZ))
		} else if !p.Explicit {
			azTotal += int64(e.Weight)
		}
		sums[e.AZ] += int64(e.Weight)
	}
	for i, e := range p.Endpoints {
		if !in.answerable(i) {
			continue
		}
		share := new(big.Rat).Mul(big.NewRat(int64(weight), 1), big.NewRat(int64(e.Weight), azTotal))
		if p.Explicit {
			share.Mul(share, big.NewRat(int64(azWeight(p, e.AZ)), sums[e.AZ]))
		}
		c.shares = append(c.shares, share)
	}
}

func azWeight(p *config.Pool, az int) int {
	for _, w := range p.AZWeights {
		if w.AZ == az {
			return w.Weight
		}
	}
	return 0
}

// A move is what a service has left before a drain and after it.
type move struct {
	was, is measures
	// deserted are clients whom nothing is left for, though something is for others.
	deserted string
}

// move is what draining more does.
func (c *coverage) move(more []health.EndpointRef) move {
	after := maps.Clone(c.drained)
	for _, ref := range more {
		after[ref] = true
	}
	return move{was: c.measure(c.drained), is: c.measure(after), deserted: c.deserted(c.drained, after)}
}

// breaks says what would be left, or nothing when the rule allows it.
func (s move) breaks(rule string, safety config.Safety) (why string) {
	was, is := s.was, s.is
	switch rule {
	case health.RuleNeverEmpty:
		if is.endpoints == 0 && was.endpoints > 0 {
			return "nothing would be left to answer with"
		}
		if s.deserted != "" {
			return "nothing would be left to answer " + s.deserted
		}
	case health.RuleKeepRegions:
		if is.regions < safety.KeepRegions && is.regions < was.regions {
			return fmt.Sprintf("endpoints would be left in %d regions, and %d must keep some", is.regions, safety.KeepRegions)
		}
	case health.RuleKeepAZs:
		if is.azs < safety.KeepAZs && is.azs < was.azs {
			return fmt.Sprintf("endpoints would be left in %d AZs, and %d must keep some", is.azs, safety.KeepAZs)
		}
	case health.RuleMaxDrained:
		if is.drained != nil && is.drained.Cmp(big.NewRat(int64(safety.MaxDrained), 100)) > 0 && is.drained.Cmp(was.drained) > 0 {
			percent := new(big.Rat).Mul(is.drained, big.NewRat(100, 1))
			return fmt.Sprintf("%s %% of its weight would be drained, and at most %d %% may be", percent.FloatString(1), safety.MaxDrained)
		}
	}
	return ""
}

// measures is what the rules look at.
type measures struct {
	endpoints, regions, azs int
	// drained is the part of the weight; nil where no rule asks for it.
	drained *big.Rat
}

func (c *coverage) measure(drained map[health.EndpointRef]bool) measures {
	var m measures
	if c.shares != nil {
		m.drained = new(big.Rat)
	}
	var azs []int
	var regions []string
	for i, ref := range c.endpoints {
		if drained[ref] {
			if m.drained != nil {
				m.drained.Add(m.drained, c.shares[i])
			}
			continue
		}
		if c.closed[ref.Pool] != "" {
			continue
		}
		m.endpoints++
		p := c.zone.Pools[ref.Pool]
		e := p.Endpoints[ref.Endpoint]
		if !slices.Contains(azs, e.AZ) {
			azs = append(azs, e.AZ)
		}
		if r := regionOf(c.zone, p, e); !slices.Contains(regions, r) {
			regions = append(regions, r)
		}
	}
	m.azs, m.regions = len(azs), len(regions)
	return m
}
