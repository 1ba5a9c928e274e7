package admin

import (
	"fmt"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/explain"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

func (z *zoneStatus) service(i int) api.Service {
	cfg := z.view.Zone.Services[i]
	plan := z.snap.Plan(z.view.Zone, i)
	ttl, _ := z.snap.ServiceTTL(z.view.Zone, i, z.now)
	s := api.Service{
		Name: cfg.Name, Source: plan.Source.String(), Degraded: plan.Source.Degraded(), Tier: plan.Tier.Index + 1, TTLSeconds: ttl,
		BoundSeconds:  steer.BoundOf(z.view.Zone, cfg, z.node.Allowances()).S.Seconds(),
		TargetSeconds: cfg.Staleness.Target.Seconds(), RTOSeconds: cfg.Staleness.RTO.Seconds(),
		Shares: explain.Shares(z.view.Zone, plan),
	}
	s.RPO, s.RPOPolicy = rpoOf(cfg)
	s.Measured = z.measured(cfg.Latency)
	for _, skip := range plan.Skipped {
		s.Skipped = append(s.Skipped, fmt.Sprintf("tier %d: %s", skip.Tier.Index+1, skip.Why))
	}
	s.Lost = z.lost(plan)
	s.Degraded = s.Degraded || slices.Contains(s.Lost, typeA)
	z.worse(&s, i, plan)
	z.degraded = z.degraded || s.Degraded || plan.Kept > 0
	return s
}

// measured is how a table of measurements is; nil without one.
func (z *zoneStatus) measured(l *config.Latency) *api.ServiceMeasured {
	if l == nil {
		return nil
	}
	latest, ahead := l.AsOf(z.now)
	m := &api.ServiceMeasured{Table: l.Table, Expired: z.now.Sub(latest) > l.MaxAge, Ahead: len(ahead)}
	if !latest.IsZero() {
		m.LatestAt = &latest
	}
	if len(ahead) > 0 {
		m.AheadAt = &ahead[len(ahead)-1]
	}
	return m
}

const typeA, typeAAAA = "A", "AAAA"

// lost are the record types that a plan has nothing for because what its members have of it is dead.
func (z *zoneStatus) lost(plan *steer.Plan) (types []string) {
	for _, f := range []struct {
		name       string
		set, other steer.Family
		family     config.Family
	}{{typeA, steer.V4, steer.V6, config.IPv4}, {typeAAAA, steer.V6, steer.V4, config.IPv6}} {
		if len(plan.Sets[f.set]) == 0 && slices.ContainsFunc(plan.Sets[f.other], func(m steer.Member) bool {
			return z.view.Pools[m.Pool].Endpoints[m.Endpoint].Withheld(f.family)
		}) {
			types = append(types, f.name)
		}
	}
	return types
}

// maxWorse is how many classes of clients are named that get something worse than the others.
const maxWorse = 20

// worse names the classes of clients of service i that get something worse than those that no rule names, who get plan.
func (z *zoneStatus) worse(s *api.Service, i int, plan *steer.Plan) {
	for _, p := range z.snap.Decision(z.view.Zone, i).Plans {
		if p.Key == "" || !p.Source.Degraded() || p.Source <= plan.Source {
			continue
		}
		s.Degraded = true
		if len(s.Worse) == maxWorse {
			s.MoreWorse++
			continue
		}
		s.Worse = append(s.Worse, api.WorseClass{Class: p.Key, Source: p.Source.String(), Tier: p.Tier.Index + 1})
	}
}
