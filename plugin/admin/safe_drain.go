package admin

import (
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/gone"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// maxEnds bounds the endpoints whose orders are looked at for the end of the first one.
const maxEnds = 1000

// drainEnds is when the first endpoint has no order any more that keeps it out; nil where that does not end by itself.
func (a *safeAnswer) drainEnds() (first *time.Time) {
	wanted := make(map[ledger.Label]bool)
	for _, i := range a.known.Items {
		if i.Drained && len(wanted) < maxEnds {
			wanted[i.Label] = true
		}
	}
	snap := a.node.Snapshot()
	if snap == nil || len(wanted) == 0 {
		return nil
	}
	drains := drainsOf(a.node)
	for _, zv := range snap.View.Zones {
		for _, p := range zv.Zone.Pools {
			for _, e := range p.Endpoints {
				if !wanted[ledger.LabelFor(zv.Zone, p, e)] {
					continue
				}
				if end := drainedUntil(drains, zv.Zone, p, e); !end.IsZero() && (first == nil || end.Before(*first)) {
					first = instant(end)
				}
			}
		}
	}
	return first
}

// lifeboat tells whether a lifeboat for it, which a drain in force asks for, may stop: once every node has said, after the last honest cache
// forgot, that it does not answer it. What is answered again, or what no lifeboat was asked for, is none of its business: empty.
func (a *safeAnswer) lifeboat() string {
	snap := a.node.Snapshot()
	if snap == nil {
		return ""
	}
	ordered := boatsOrdered(snap, drainsOf(a.node))
	asked, stop := false, true
	for k := range a.known.Items {
		i := &a.known.Items[k]
		if !ordered[i.Label] {
			continue
		}
		asked = true
		stop = stop && i.Bound.Final && !slices.ContainsFunc(a.node.Gone.Of(i.RData), func(g gone.Record) bool { return a.known.At.Before(g.Until) })
	}
	switch {
	case !asked:
		return ""
	case stop:
		return api.LifeboatMayStop
	}
	return api.LifeboatNeeded
}

// drainsOf are the drains in force that hold for all services.
func drainsOf(n Node) (drains []health.Intent) {
	for _, i := range n.Intents() {
		if i.Kind == health.IntentDrain && i.Service == "" && i.Suspended == nil && !i.Planned {
			drains = append(drains, i.Intent)
		}
	}
	return drains
}

// drainedUntil is when the last of the drains that keep an endpoint out ends; zero where one does not.
func drainedUntil(drains []health.Intent, z *config.Zone, p *config.Pool, e *config.Endpoint) (last time.Time) {
	for i := range drains {
		if !judge.Names(z, p, e, &drains[i]) {
			continue
		}
		if drains[i].Forever {
			return time.Time{}
		}
		last = ledger.Later(last, drains[i].End)
	}
	return last
}
