package admin

import (
	"maps"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// lagging says how far the pool is behind, and what that means for its services.
func (z *zoneStatus) lagging(p *api.Pool, cfg *config.Pool, view *health.PoolView) {
	if !cfg.HasLag {
		return
	}
	check := z.view.Zone.Checks[cfg.Lag]
	lag := z.node.Lag(z.view.Zone, cfg, view, z.now)
	p.Lag = &api.PoolLag{Check: check.Name, Unit: check.Lag.Unit.String(), Known: lag.Known() && !lag.Unknown}
	if lag.Known() {
		at := lag.At
		p.Lag.Value, p.Lag.MeasuredAt, p.Lag.Vantage = &lag.Value, &at, lag.Vantage
		if p.Lag.Vantage == "" {
			p.Lag.Vantage = z.node.Name()
		}
	}
	for _, si := range slices.Sorted(maps.Keys(view.RPO)) {
		v, svc := view.RPO[si], z.view.Zone.Services[si]
		z.degraded = z.degraded || v.Held
		p.RPO = append(p.RPO, api.PoolRPO{Service: svc.Name, Max: svc.RPO.Max, State: v.State.String(), Entered: v.Entered, Held: v.Held})
	}
}

// rpoOf shows the declared rpo of a service.
func rpoOf(svc *config.Service) (text, policy string) {
	if !svc.RPO.On() {
		return "", ""
	}
	if policy = "hold"; svc.RPO.Report {
		policy = "enter_and_report"
	}
	return svc.RPO.Text(), policy
}
