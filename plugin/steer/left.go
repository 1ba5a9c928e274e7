package steer

import (
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// Left counts what svc, which is zv.Zone.Services[index], may answer: the endpoints that weights, orders and gates leave to it, without
// those of pools with data that wait for a person, and those of them that are up.
func Left(zv *health.ZoneView, svc *config.Service, index int) (endpoints, up int) {
	s := &subject{zv: zv, svc: svc, index: index}
	for _, share := range s.everyTier() {
		cfg, view := zv.Zone.Pools[share.Pool], zv.Pools[share.Pool]
		if view.GateClosed || zv.PoolWeight(index, share.Pool, share.Weight) == 0 || s.returned(cfg, view, &view.Return, evenBelowMin) == 0 {
			continue
		}
		o := offer{subject: s, pool: share.Pool, cfg: cfg, view: view}
		for i, e := range view.Endpoints {
			if !o.answerable(i) || zv.Drained(index, health.EndpointRef{Pool: share.Pool, Endpoint: i}) || e.Forced == health.Down {
				continue
			}
			endpoints++
			if e.InService() {
				up++
			}
		}
	}
	return endpoints, up
}
