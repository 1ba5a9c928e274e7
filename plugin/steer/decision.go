package steer

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A Decision is everything that one service answers: a plan for each class of clients, for each cell and for each place. It
// is immutable.
type Decision struct {
	Service *config.Service
	// Plans are those of the owner name and of its cells, each with another Key; the first is the default.
	Plans []*Plan
	// Default is for clients that no rule names; Rules stand in the order of Service.Clients.
	Default *Class
	Rules   []*Class
	// Cells stand in the order of Cells.Homes: shards with the same home share plans. Behind them are those of Ordered: what orders take away
	// from its home. Nil without cells.
	Cells   [][]CellPlan
	Ordered []ShardClass
	// homes are Cells.Homes.
	homes []int
	// Places stand in the order of Service.Places: the `also` names.
	Places []*Plan
	// Floor forces the TTL of the owner name to ttl.min: one class at least rests on no good evidence, and a name has one
	// TTL (RFC 2181 section 5.2).
	Floor bool
}

// PlanOf is the plan of the clients that key names: without one of its own, that of the class which they are a part of.
func (d *Decision) PlanOf(key string) *Plan {
	for {
		for _, p := range d.Plans {
			if p.Key == key {
				return p
			}
		}
		key = strings.TrimSpace(key[:max(0, strings.LastIndex(key, "near "), strings.LastIndex(key, " from "), strings.LastIndex(key, " shards "))])
	}
}

// Hash is the same for two decisions about one service that answer the same to everybody. It is an FNV-1a.
func (d *Decision) Hash() uint64 {
	h := fnv.New64a()
	var b []byte
	for _, plans := range [][]*Plan{d.Plans, d.Places} {
		for _, p := range plans {
			b = append(b[:0], d.Service.Name...)
			b = append(append(append(b, 0), p.Key...), 0, byte(p.Source))
			for f := range p.Sets {
				b = binary.AppendUvarint(b, uint64(len(p.Sets[f])))
				for _, m := range p.Sets[f] {
					b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(m.Pool)), uint64(m.Endpoint))
					b = binary.AppendUvarint(b, m.Weight)
				}
			}
			// An FNV does not fail.
			_, _ = h.Write(b)
		}
	}
	return h.Sum64()
}

// A Class is what the clients get that one rule names, or that none does: a plan for those whose location is not known or
// plays no part and, with `order: nearest`, one for each region that could be the nearest.
type Class struct {
	// Plan indexes Decision.Plans.
	Plan int
	// Near are the regions among which the client's distance decides; nil where it plays no part.
	Near []Near
}

// Near is the class of clients to which Region, an index of Zone.Regions, is nearest among those of its siblings.
type Near struct {
	Region int
	Class  *Class
}

// Decide makes the decision for svc, which is zv.Zone.Services[index]. The order is docs/design.md section 5: drains, health,
// panic, on_all_down, NODATA.
func Decide(zv *health.ZoneView, svc *config.Service, index int) *Decision {
	return decide(zv, svc, index, func(*chooser, *draft, string) {})
}

// decide is Decide; observe sees each plan but those of places.
func decide(zv *health.ZoneView, svc *config.Service, index int, observe func(c *chooser, p *draft, key string)) *Decision {
	s := &subject{zv: zv, svc: svc, index: index, observe: observe}
	s.kept = s.keep()
	d := &Decision{Service: svc}
	d.Default = d.class(s, s.steps(-1), "")
	for r := range svc.Clients {
		d.Rules = append(d.Rules, d.class(s, s.steps(r), "rule "+strconv.Itoa(r+1)))
	}
	if svc.Cells != nil {
		d.cells(s)
	}
	for _, place := range svc.Places {
		d.Places = append(d.Places, s.place(place, d.Plans[0]))
	}
	return d
}

// add adds a plan of the owner name and returns its index.
func (d *Decision) add(c *chooser, p *draft, key string) int {
	c.observe(c, p, key)
	p.Key = key
	d.Floor = d.Floor || p.Floor
	d.Plans = append(d.Plans, p.Plan)
	return len(d.Plans) - 1
}

// maxNear bounds the classes that distance makes of one rule: past it what is left goes by weights.
const maxNear = 256

// class makes the class of a rule from its steps.
func (d *Decision) class(s *subject, steps []step, key string) *Class {
	budget := maxNear
	return d.near(s, steps, key, nil, &budget)
}

// near makes the class of clients to which the regions of nearest are the nearest ones, in that order. It splits only where
// distance can make a difference: a region that has nothing to give now needs no class.
func (d *Decision) near(s *subject, steps []step, key string, nearest []int, budget *int) *Class {
	c := &chooser{subject: s, steps: steps, near: len(nearest) > 0}
	if s.svc.Nearest {
		c.steps = s.byDistance(steps, nearest)
	}
	c, p := c.answer()
	regions := s.undecided(p)
	class := &Class{Plan: d.add(c, p, key)}
	for _, region := range regions {
		if *budget--; *budget < 0 {
			break
		}
		below := strings.TrimSpace(key + " near " + s.zv.Zone.Regions[region].Name)
		class.Near = append(class.Near, Near{region, d.near(s, steps, below, append(slices.Clone(nearest), region), budget)})
	}
	return class
}

// A subject is the service of one Decide, and what is found out about it once for all classes.
type subject struct {
	zv    *health.ZoneView
	svc   *config.Service
	index int
	// kept are the endpoints that the speed limit keeps; nil while it is being found out.
	kept map[health.EndpointRef]bool
	// seen is zv as the node's own region sees it; nil before somebody asked.
	seen *health.ZoneView
	// barred tells whether a pool does not answer on this island; nil for none.
	barred func(pool int) bool
	// observe sees each plan.
	observe func(c *chooser, p *draft, key string)
}

// A step is one tier as one class of clients sees it, in the order in which they are tried.
type step struct {
	ref  TierRef
	tier config.Tier
	// rest is set for what `order: nearest` has not split by distance yet.
	rest bool
}

// steps are the tiers of a client rule, followed by the service's own unless the rule is strict; only the latter for -1.
func (s *subject) steps(rule int) []step {
	var steps []step
	add := func(rule int, tiers []config.Tier) {
		for i, t := range tiers {
			steps = append(steps, step{ref: TierRef{Rule: rule, Index: i}, tier: t})
		}
	}
	if rule >= 0 {
		add(rule, s.svc.Clients[rule].Tiers)
		if s.svc.Clients[rule].Strict {
			return steps
		}
	}
	add(-1, s.svc.Tiers)
	return steps
}

// cellSteps are the pool at which a cell is at home and those that may take over. The shards of a fenced pool never leave it: config allows
// no failover from it or to it.
func (s *subject) cellSteps(pool int) []step {
	steps := []step{{ref: TierRef{Rule: -1}, tier: config.Tier{{Pool: pool, Weight: 1}}}}
	for i, p := range s.svc.Cells.Failover[pool] {
		steps = append(steps, step{ref: TierRef{Rule: -1, Index: i + 1}, tier: config.Tier{{Pool: p, Weight: 1}}})
	}
	return steps
}

// everyTier joins all tiers of the service and of its rules and cells; where a pool stands in several, the first counts.
func (s *subject) everyTier() config.Tier {
	var all config.Tier
	add := func(t config.Tier) {
		for _, share := range t {
			if !slices.ContainsFunc(all, func(known config.Share) bool { return known.Pool == share.Pool }) {
				all = append(all, share)
			}
		}
	}
	for _, t := range s.svc.Tiers {
		add(t)
	}
	for _, c := range s.svc.Clients {
		for _, t := range c.Tiers {
			add(t)
		}
	}
	for _, pool := range s.svc.Pools {
		add(config.Tier{{Pool: pool, Weight: 1}})
	}
	return all
}

// byDistance splits each step into one for each of the regions, in that order, and one for all others.
func (s *subject) byDistance(steps []step, nearest []int) []step {
	var out []step
	for _, st := range steps {
		rest := slices.Clone(st.tier)
		for _, region := range nearest {
			var in config.Tier
			rest = slices.DeleteFunc(rest, func(share config.Share) bool {
				if s.zv.Zone.Pools[share.Pool].Region != region {
					return false
				}
				in = append(in, share)
				return true
			})
			if in != nil {
				out = append(out, step{ref: st.ref, tier: in})
			}
		}
		if len(rest) > 0 {
			out = append(out, step{ref: st.ref, tier: rest, rest: true})
		}
	}
	return out
}

// undecided are the regions of which more than one answers in the same unsplit step of p, in the order of the file. Last
// resorts go by weights: distance is no reason to prefer what is down. So do regions without a location, after all others.
func (s *subject) undecided(p *draft) []int {
	if !s.svc.Nearest || p.Source == FromIsland || p.Source.lastResort() {
		return nil
	}
	byStep := make(map[TierRef][]int)
	var all []int
	for _, o := range p.offers {
		if o.rest && !slices.Contains(byStep[o.ref], o.cfg.Region) {
			byStep[o.ref] = append(byStep[o.ref], o.cfg.Region)
		}
	}
	for _, regions := range byStep {
		if len(regions) < 2 {
			continue
		}
		for _, r := range regions {
			if (s.zv.Zone.Regions[r].HasLocation || s.svc.Latency != nil && s.svc.Latency.Measured[r]) && !slices.Contains(all, r) {
				all = append(all, r)
			}
		}
	}
	slices.Sort(all)
	return all
}
