package admin

import (
	"fmt"

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
	for _, skip := range plan.Skipped {
		s.Skipped = append(s.Skipped, fmt.Sprintf("tier %d: %s", skip.Tier.Index+1, skip.Why))
	}
	z.degraded = z.degraded || s.Degraded || plan.Kept > 0
	return s
}
