package steer

import (
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// An eldest is the pool of a class that has been eligible for longest, its AZs with it. Failback holds back who comes later, so that
// it does not take over from the eldest too early; who came first has nobody to wait for, and answers at once and in full. It gives
// way to a tier before its own once the hold there is over, and to nobody else: a service never leaves it for a standby that came
// later and merely left its own hold earlier. This follows from when pools and AZs came back, and from nothing else, so that nodes which
// agree about that choose alike.
type eldest struct{ pool int }

// nobody is free from failback.
var nobody = eldest{-1}

// findEldest finds the eldest of the class; nobody where none of its pools is on its way back, since it is then held back by nothing.
func (c *chooser) findEldest() eldest {
	found, since := nobody, time.Time{}
	for _, st := range c.steps {
		for _, share := range st.tier {
			if c.zv.PoolWeight(c.index, share.Pool, share.Weight) == 0 {
				continue
			}
			at, ok := c.eligibleSince(share.Pool)
			if ok && (found == nobody || at.Before(since)) {
				found, since = eldest{share.Pool}, at
			}
		}
	}
	if since.IsZero() {
		return nobody
	}
	return found
}

// eligibleSince is since when the pool has had an eligible member without a break: the zero time for ever. It is not ok if the pool has none,
// too few, or waits for a person with its data.
func (s *subject) eligibleSince(pool int) (since time.Time, ok bool) {
	cfg, view := s.zv.Zone.Pools[pool], s.zv.Pools[pool]
	if s.barred != nil && s.barred(pool) || view.GateClosed || view.RPO[s.index].Held || s.returned(cfg, view, &view.Return, evenBelowMin) == 0 {
		return since, false
	}
	o := offer{subject: s, pool: pool, cfg: cfg, view: view}
	up, members, held := 0, 0, true
	for i, e := range view.Endpoints {
		az := cfg.Endpoints[i].AZ
		if !e.InService() || s.zv.Drained(s.index, health.EndpointRef{Pool: pool, Endpoint: i}) || s.heldAZ(cfg, view, az, evenBelowMin) {
			continue
		}
		up++
		if !o.answerable(i) {
			continue
		}
		held = held && s.heldAZ(cfg, view, az, ordinary)
		if at := backAZ(cfg, view, az); members == 0 || at.Before(since) {
			since = at
		}
		members++
	}
	switch {
	case members == 0 || up < cfg.MinHealthy.Of(len(cfg.Endpoints)):
		return time.Time{}, false
	case view.Return.On():
		return view.Return.Since, true
	case held:
		return since, true
	}
	return time.Time{}, true
}

// backAZ is when an AZ of the pool came back; zero for one that is not on its way back.
func backAZ(cfg *config.Pool, view *health.PoolView, az int) time.Time {
	for i := range view.ReturnAZ {
		if cfg.AZWeights[i].AZ == az {
			return view.ReturnAZ[i].Since
		}
	}
	return time.Time{}
}
