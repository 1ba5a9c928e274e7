package steer

import (
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// place is the plan of an `also` name: what the service has in one region or AZ alone. It follows drains and health and
// nothing else: failback, gates, min_healthy, the speed limit, panic and on_all_down protect the traffic of the service, and
// this name is for a look at one place. Pools that keep data are in it only while they answer for the service itself.
func (s *subject) place(place config.Place, served *Plan) *Plan {
	p := &draft{Plan: &Plan{Service: s.svc, Source: FromNothing, Tier: noTier, Floor: true}}
	up := func(e health.EndpointView) bool { return e.InService() }
	for _, grade := range []struct {
		source Source
		admit  func(health.EndpointView) bool
	}{{FromTier, up}, {FromPending, health.EndpointView.Pending}} {
		for _, st := range s.everyStep() {
			tier := s.allowed(st.tier, served)
			if len(s.local(s.everyone(tier, grade.admit), place)) == 0 {
				continue
			}
			p.Source, p.Tier, p.Floor = grade.source, st.ref, grade.source == FromPending
			if !p.Floor {
				grade.admit = func(e health.EndpointView) bool { return e.InService() || e.Untried() }
			}
			offers := s.local(s.everyone(tier, grade.admit), place)
			for _, o := range offers {
				some, _ := o.pendings()
				p.Floor = p.Floor || some
			}
			p.fill(offers)
			return p.Plan
		}
	}
	return p.Plan
}

// everyStep are the tiers of the service, then those of its rules.
func (s *subject) everyStep() []step {
	steps := s.steps(-1)
	for r, rule := range s.svc.Clients {
		for i, t := range rule.Tiers {
			steps = append(steps, step{ref: TierRef{Rule: r, Index: i}, tier: t})
		}
	}
	return steps
}

// allowed is tier without the pools that keep data and do not answer in served.
func (s *subject) allowed(tier config.Tier, served *Plan) config.Tier {
	return slices.DeleteFunc(slices.Clone(tier), func(share config.Share) bool {
		return s.zv.Zone.Pools[share.Pool].KeepsData() && !served.has(share.Pool)
	})
}

// has tells whether a pool answers in p.
func (p *Plan) has(pool int) bool {
	for _, set := range p.Sets {
		if slices.ContainsFunc(set, func(m Member) bool { return int(m.Pool) == pool }) {
			return true
		}
	}
	return false
}

// local leaves of the offers what lies in place.
func (s *subject) local(offers []offer, place config.Place) []offer {
	var out []offer
	for _, o := range offers {
		if o.cfg.Region != place.Region {
			continue
		}
		if place.AZ >= 0 {
			o.members = slices.DeleteFunc(o.members, func(i int) bool { return o.cfg.Endpoints[i].AZ != place.AZ })
		}
		if len(o.members) > 0 {
			out = append(out, o)
		}
	}
	return out
}
