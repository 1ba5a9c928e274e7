package incident

import (
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// loss is what the service may have lost with the pool, once none of its endpoints may be answered any more: what was written until the last of
// them failed, or until the order, and had not reached the pool that comes next.
func (h *happening) loss(z *config.Zone, p *config.Pool, svc *config.Service, kind string) *ledger.Loss {
	if h.w.answers.Loss == nil || !h.gone(z, p) {
		return nil
	}
	var failed time.Time
	if kind == ledger.ByHealth && p.Check >= 0 {
		for _, e := range p.Endpoints {
			for _, target := range health.TargetsOf(z.Name, z.Checks[p.Check], e) {
				failed = ledger.Later(failed, h.w.trouble[target.ID].failed)
			}
		}
	}
	l := h.w.answers.Loss(z, p, svc, failed, h.now)
	if l != nil && h.w.answers.Serves(z.Name, svc.Name) {
		l.SwitchAt = h.now
	}
	return l
}

// gone tells whether none of the endpoints of the pool may be answered in what was published.
func (h *happening) gone(z *config.Zone, p *config.Pool) bool {
	for _, e := range p.Endpoints {
		at, ok := h.where.Find(ledger.LabelFor(z, p, e))
		if !ok {
			continue
		}
		zv, _ := h.where.At(at)
		return !slices.ContainsFunc(zv.Pools[at.Pool].Endpoints, health.EndpointView.Eligible)
	}
	return true
}
