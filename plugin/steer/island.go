package steer

import (
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// answer is the plan of the class: that of an island where the service has one and this node is cut off.
func (c *chooser) answer() (*chooser, *draft) {
	p := c.plan()
	if !c.svc.Island || !c.zv.IsIsland() {
		return c, p
	}
	return c.island(p)
}

// island is the plan of a node that is cut off, for which before is what it would answer without an island, and the chooser that found it
// (docs/design.md section 4). Health moves nothing there, and before says whose turn it was. The island takes from that what its region sees
// dead, and prefers the pools of its own region; where none of these is left, what others of before's tiers its region sees up; and where
// nothing is, before, which is its last good word.
//
// Pools that keep data are answered in their turn alone, and by nobody who cannot know whose turn it is: where another one than those of before
// could have taken over since, they are left out, and where before has one, the island answers nobody.
func (c *chooser) island(before *draft) (*chooser, *draft) {
	if c.seen == nil {
		c.seen = c.zv.Seen()
	}
	s := *c.subject
	s.zv = c.seen
	// The speed limit keeps what too many probes say is down at once. Here nothing leaves by them but what this region cannot reach.
	s.kept = nil
	data, taken := c.data(before)
	keeps := taken && !c.without()
	for _, own := range []bool{true, false} {
		s.barred = func(pool int) bool {
			return own && !s.zv.Pools[pool].Island.Own || keeps && data[pool]
		}
		i := &chooser{subject: &s, steps: c.steps, cell: c.cell, turn: c.turn, near: c.near}
		if p := i.firstUp(); p != nil {
			return i, p
		}
	}
	if keeps && slices.ContainsFunc(c.everyShare(), func(share config.Share) bool { return data[share.Pool] && before.has(share.Pool) }) {
		return c, &draft{Plan: &Plan{Service: c.svc, Source: FromYielded, Tier: noTier, Floor: true}}
	}
	before.Floor = true
	return c, before
}

// firstUp is the plan of the first step that has somebody who is up; nil where none has.
func (c *chooser) firstUp() *draft {
	c.eldest = c.findEldest()
	for _, l := range []level{ordinary, evenHeld, evenBelowMin} {
		if p, _ := c.firstTier(FromIsland, l); p != nil {
			p.Source, p.Floor = FromIsland, true
			return p
		}
	}
	return nil
}

// data are the pools of the class that keep data; taken tells whether one of them is not in its turn in before: then it could have taken over
// since this node was cut off, or waits for a person. What a cell has is data.
func (c *chooser) data(before *draft) (data map[int]bool, taken bool) {
	data = make(map[int]bool)
	for _, share := range c.everyShare() {
		if c.cell || c.zv.Zone.Pools[share.Pool].KeepsData() {
			data[share.Pool] = true
			taken = taken || !before.has(share.Pool)
		}
	}
	return data, taken
}

// everyShare are the shares of all steps.
func (c *chooser) everyShare() (all []config.Share) {
	for _, st := range c.steps {
		all = append(all, st.tier...)
	}
	return all
}

// without is for simulators.
func (c *chooser) without() bool { return c.zv.Without.Without(health.GuardIsland) }
