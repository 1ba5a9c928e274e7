package table

import (
	"iter"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A Dropped is an endpoint that a file has no more, under any name, with the last view of it and the verdicts on what is dialled for it.
type Dropped struct {
	Zone     *config.Zone
	Pool     *config.Pool
	Endpoint int
	View     *health.EndpointView
	Leaves   map[health.TargetID]health.Verdict
}

// Dropped are the endpoints of t, which may be nil, that next has no more.
func (t *Table) Dropped(next *Table) iter.Seq[Dropped] {
	return func(yield func(Dropped) bool) {
		if t == nil {
			return
		}
		nexts := make(map[string]*config.Zone, len(next.Model.Zones))
		for _, z := range next.Model.Zones {
			nexts[z.Name] = z
		}
		for zi, z := range t.Model.Zones {
			is := nexts[z.Name]
			if is == z {
				continue
			}
			stays := make(map[address]bool)
			if is != nil {
				for _, p := range is.Pools {
					for _, e := range p.Endpoints {
						stays[addressOf(e)] = true
					}
				}
			}
			if !t.droppedOf(zi, stays, yield) {
				return
			}
		}
	}
}

// droppedOf yields the endpoints of a zone whose addresses are not in stays.
func (t *Table) droppedOf(zone int, stays map[address]bool, yield func(Dropped) bool) bool {
	z := t.Model.Zones[zone]
	for pi, p := range z.Pools {
		pt := &t.zones[zone].pools[pi]
		if pt.view == nil || len(pt.leaves) == 0 {
			continue
		}
		for i, e := range p.Endpoints {
			if stays[addressOf(e)] {
				continue
			}
			d := Dropped{z, p, i, &pt.view.Endpoints[i], make(map[health.TargetID]health.Verdict)}
			for _, id := range pt.dialled(i) {
				d.Leaves[id] = t.leaves[id]
			}
			if !yield(d) {
				return false
			}
		}
	}
	return true
}
