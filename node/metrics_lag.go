package node

import (
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/health"
)

// collectLags tells how far the pools of a zone are behind that have a check of that, and how they stand to the rpo of their services.
func (m *nodeMetrics) collectLags(gauge func(d *prometheus.Desc, v float64, labels ...string), zv *health.ZoneView) {
	if m.node.engine == nil {
		return
	}
	for pi, p := range zv.Zone.Pools {
		if !p.HasLag {
			continue
		}
		view := zv.Pools[pi]
		if lag := m.node.engine.Lag(zv.Zone, p, view, time.Now()); lag.Known() && !lag.Unknown {
			gauge(lagDesc, lag.Value, zv.Zone.Name, p.Name, zv.Zone.Checks[p.Lag].Lag.Unit.String())
		}
		for _, si := range slices.Sorted(maps.Keys(view.RPO)) {
			v := view.RPO[si]
			for _, s := range health.LagStates() {
				gauge(rpoDesc, number(v.State == s), zv.Zone.Name, p.Name, zv.Zone.Services[si].Name, s.String())
			}
			gauge(rpoDesc, number(v.Held), zv.Zone.Name, p.Name, zv.Zone.Services[si].Name, "held")
		}
	}
}
