package table

import (
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// Loss is what a service may have lost that leaves pool p at now for one of a later tier which keeps data: what had been written until failed and
// had not reached that pool. nil where nothing measures it.
func (t *Table) Loss(z *config.Zone, p *config.Pool, svc *config.Service, failed, now time.Time) *ledger.Loss {
	to := -1
	own := tierOf(svc, p, z)
	for n, tier := range svc.Tiers {
		for _, share := range tier {
			if next := z.Pools[share.Pool]; to < 0 && n > own && own >= 0 && next.KeepsData() && next.HasLag {
				to = share.Pool
			}
		}
	}
	if to < 0 || !p.KeepsData() {
		return nil
	}
	next := z.Pools[to]
	var view *health.PoolView
	for zi, of := range t.Model.Zones {
		if of == z {
			view = t.Pool(Ref{Zone: zi, Pool: to})
		}
	}
	if failed.IsZero() {
		failed = now
	}
	lag := t.e.Lags.Of(z, next, view, failed, t.e.Allowance(), now)
	l := &ledger.Loss{Pool: next.Name, From: p.Name, Unit: z.Checks[next.Lag].Lag.Unit.String(), RPO: svc.RPO.Max, Until: failed}
	if lag.Known() && !lag.Unknown {
		l.Lag, l.MeasuredAt = &lag.Value, lag.At
	}
	return l
}

// tierOf is the first tier of a service in which a pool stands; -1 for none.
func tierOf(svc *config.Service, p *config.Pool, z *config.Zone) int {
	return slices.IndexFunc(svc.Tiers, func(tier config.Tier) bool {
		return slices.ContainsFunc(tier, func(s config.Share) bool { return z.Pools[s.Pool] == p })
	})
}
