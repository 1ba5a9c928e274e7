package table

import (
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
)

// island is what the vantages of this node's region that it hears make of p, of which view is the view, while the node is isolated; nil
// where the node's region is none of z's. It takes away what they see dead, and gives nothing.
// A freeze has it stand still like every verdict.
func (t *Table) island(z *config.Zone, p *config.Pool, pt *poolTable, view *health.PoolView, now time.Time) *health.Island {
	region := t.e.region()
	if region == "" || !slices.ContainsFunc(z.Regions, func(r config.Region) bool { return r.Name == region }) {
		return nil
	}
	if t.e.Frozen && pt.view != nil {
		return pt.view.Island
	}
	island := &health.Island{Own: z.Regions[p.Region].Name == region}
	if len(p.Watched()) == 0 {
		return island
	}
	for i := range view.Endpoints {
		if e, dead := t.seenHere(z, p, pt, view, i, now); dead {
			if island.Endpoints == nil {
				island.Endpoints = slices.Clone(view.Endpoints)
			}
			island.Endpoints[i] = e
		}
	}
	return island
}

// seenHere is endpoint i of p as the region sees it; dead is unset where that takes nothing away.
func (t *Table) seenHere(z *config.Zone, p *config.Pool, pt *poolTable, view *health.PoolView, i int, now time.Time) (e health.EndpointView, dead bool) {
	e = view.Endpoints[i]
	down := func(f config.Family, was health.Verdict) health.Verdict {
		v := judge.Combine(z, p, func(check int) health.Verdict { return t.leafHere(z, pt, t.at(i, f), check, now) })
		if v.State != health.Down || was.State == health.Down {
			return was
		}
		dead = true
		return health.Verdict{State: health.Down, Since: was.Since, Reason: "as its region sees it: " + v.Reason}
	}
	if e.Each == nil {
		e.Verdict = down(config.IPv4, e.Verdict)
		return e, dead
	}
	each := health.Each{down(config.IPv4, e.Each[config.IPv4]), down(config.IPv6, e.Each[config.IPv6])}
	if dead {
		e.Each = &each
		e.Verdict = health.Best(p.Endpoints[i], &each, view.Endpoints[i].Verdict, now)
		// Nobody left by the judgement of the cluster: the speed limit has nothing to count.
		e.Left = view.Endpoints[i].Left
	}
	return e, dead
}

// leafHere judges what check dials at a point by what the vantages of this node's region say that it hears; its own word counts even where it is
// blind: what a region that is cut off sees is most of all that the others are out of reach.
func (t *Table) leafHere(z *config.Zone, pt *poolTable, at point, check int, now time.Time) health.Verdict {
	id, c := t.target(pt, at, check), z.Checks[check]
	var buf [4]health.Observation
	obs := slices.DeleteFunc(t.reported(id, c, buf[:0]), func(o health.Observation) bool {
		return o.Vantage != "" && !t.e.voters.InRegion(o.Vantage, t.e.region()) || !now.Before(judge.FreshUntil(c, o))
	})
	return judge.Target(c, obs, judge.Jury{Vantages: len(obs), Self: t.e.self, Without: t.e.without}, health.Verdict{}, now)
}

// region is that of this node; empty for a node alone.
func (e *Evidence) region() string {
	if e.voters == nil {
		return ""
	}
	return e.voters.RegionOf(e.self)
}
