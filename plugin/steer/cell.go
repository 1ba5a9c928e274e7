package steer

import (
	"slices"
	"strconv"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A CellPlan is what a part of the shards of one home get. While a pool ramps, each shard is wholly with it or wholly
// elsewhere: the data of a shard is in one place.
type CellPlan struct {
	// Below is where the part ends: it has the shards whose turn is below it and not below that of the part before.
	Below int
	// Plan indexes Decision.Plans.
	Plan int
}

// cell makes the plans of the shards of one home.
func (d *Decision) cell(s *subject, steps []step, key string) []CellPlan {
	var ends []int
	for _, st := range steps {
		for _, share := range st.tier {
			cfg, view := s.zv.Zone.Pools[share.Pool], s.zv.Pools[share.Pool]
			if p := s.returned(cfg, view, &view.Return, ordinary); p > 0 && p < health.Whole && !slices.Contains(ends, p) {
				ends = append(ends, p)
			}
		}
	}
	slices.Sort(ends)
	var plans []CellPlan
	turn := 0
	for i, end := range append(ends, health.Whole) {
		c := &chooser{subject: s, steps: steps, cell: true, turn: turn}
		part := key
		if i > 0 {
			part += " from " + strconv.Itoa(turn) + " %"
		}
		c, p := c.answer()
		plans = append(plans, CellPlan{Below: end, Plan: d.add(c, p, part)})
		turn = end
	}
	return plans
}

// A ShardClass is what orders make of some shards.
type ShardClass struct {
	Shards config.Shards
	// Cell indexes Decision.Cells.
	Cell int
}

// cells makes the plans of all shards: those of each home, and of what orders take away from there.
func (d *Decision) cells(s *subject) {
	zone, cells := s.zv.Zone, s.svc.Cells
	d.homes = cells.Homes()
	for _, home := range d.homes {
		d.Cells = append(d.Cells, d.cell(s, s.cellSteps(home), "cell "+zone.Pools[home].Name))
	}
	for _, group := range s.zv.Scoped[s.index].ShardGroups(cells) {
		key := "cell " + zone.Pools[group.Home].Name + " shards " + group.Shards.String()
		steps := s.cellSteps(group.Pool)
		if group.Drained {
			key += " drained"
			steps = steps[1:]
		} else {
			key += " to " + zone.Pools[group.Pool].Name
		}
		d.Ordered = append(d.Ordered, ShardClass{group.Shards, len(d.Cells)})
		d.Cells = append(d.Cells, d.cell(s, steps, key))
	}
}

// Cell indexes Plans: what a shard gets. The service must have cells.
func (d *Decision) Cell(shard int) int {
	plans := d.cellOf(shard)
	turn := int(Mix(uint64(shard)) % health.Whole)
	for _, p := range plans {
		if turn < p.Below {
			return p.Plan
		}
	}
	return plans[len(plans)-1].Plan
}

// EachCell calls f for all shards, in their order, with what Cell is for those from first to last. The service must have cells.
func (d *Decision) EachCell(f func(first, last, plan int)) {
	for _, r := range d.Service.Cells.Home {
		plans := d.Cells[slices.Index(d.homes, r.Pool)]
		whole := config.Shards{{First: r.First, Last: r.Last}}
		if len(plans) == 1 && !slices.ContainsFunc(d.Ordered, func(c ShardClass) bool { return c.Shards.Meets(whole) }) {
			f(r.First, r.Last, plans[0].Plan)
			continue
		}
		for shard := r.First; shard <= r.Last; shard++ {
			f(shard, shard, d.Cell(shard))
		}
	}
}

func (d *Decision) cellOf(shard int) []CellPlan {
	for i := range d.Ordered {
		if d.Ordered[i].Shards.Has(shard) {
			return d.Cells[d.Ordered[i].Cell]
		}
	}
	return d.Cells[slices.Index(d.homes, d.Service.Cells.HomeOf(shard))]
}

// wholly is the offer of a pool to a shard: all or nothing while it is on its way back.
func (c *chooser) wholly(o offer) (offer, SkipReason) {
	if c.turn >= o.percent {
		return offer{}, SkipHeld
	}
	o.percent = health.Whole
	return o, 0
}
