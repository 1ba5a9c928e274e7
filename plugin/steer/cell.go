package steer

import (
	"slices"
	"strconv"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// Shard is the shard that a label stands for: the number itself if it is one below c.Shards, else the hash of the lower-case
// label (FNV-1a 64) modulo c.Shards.
func Shard(c *config.Cells, label []byte) int {
	number, digits := 0, len(label) > 0
	for _, b := range label {
		if b < '0' || b > '9' || number >= c.Shards {
			digits = false
			break
		}
		number = number*10 + int(b-'0')
	}
	if digits && number < c.Shards {
		return number
	}
	h := uint64(14695981039346656037)
	for _, b := range label {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return int(h % uint64(c.Shards))
}

// Home is the index of c.Home that has a shard.
func Home(c *config.Cells, shard int) int {
	for i, r := range c.Home {
		if r.First <= shard && shard <= r.Last {
			return i
		}
	}
	return 0
}

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
		plans = append(plans, CellPlan{Below: end, Plan: d.add(c, c.plan(), part)})
		turn = end
	}
	return plans
}

// Cell indexes Plans: what a shard gets. The service must have cells.
func (d *Decision) Cell(shard int) int {
	plans := d.Cells[Home(d.Service.Cells, shard)]
	turn := int(Mix(uint64(shard)) % health.Whole)
	for _, p := range plans {
		if turn < p.Below {
			return p.Plan
		}
	}
	return plans[len(plans)-1].Plan
}

// wholly is the offer of a pool to a shard: all or nothing while it is on its way back.
func (c *chooser) wholly(o offer) (offer, SkipReason) {
	if c.turn >= o.percent {
		return offer{}, SkipHeld
	}
	o.percent = health.Whole
	return o, 0
}
