package cluster

import (
	"maps"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/intent"
)

// A Holding says which nodes have an order.
type Holding struct {
	// Holders are the nodes that have it on disk, this one included, and Missing the configured ones that are not known to;
	// Stopped are those of Missing that somebody declared stopped. All by name.
	Holders, Missing, Stopped []string
	// Alone is set while no other node is heard.
	Alone bool
}

// Enough tells whether the order would survive the loss of this node, or there is no other one.
func (h *Holding) Enough() bool { return len(h.Holders) > 1 || len(h.Missing) == 0 }

// Complete tells whether every node has it that is not declared stopped.
func (h *Holding) Complete() bool { return len(h.Missing) == len(h.Stopped) }

// Holders are which nodes have which orders on their disks, as far as they said so. They belong to the goroutine of their Members.
type Holders struct {
	members *Members
	by      map[string]*held
}

// held is what one node said that it has. Whoever leaves the roster and is back begins anew.
type held struct {
	by *peer
	// shards are what it holds, by shard of its part; acknowledged what it acknowledged in between.
	shards       map[int]intent.Set
	acknowledged intent.Set
}

// NewHolders are those of nodes that have said nothing.
func NewHolders(m *Members) *Holders { return &Holders{members: m, by: make(map[string]*held)} }

// of is what another node of the roster said; nil for others.
func (h *Holders) of(name string) *held {
	p := h.members.peers[name]
	if p == nil {
		delete(h.by, name)
		return nil
	}
	if k := h.by[name]; k != nil && k.by == p {
		return k
	}
	h.by[name] = &held{by: p, shards: make(map[int]intent.Set)}
	return h.by[name]
}

// holds tells whether the node is known to have on disk what set says of an intent: that it is over, or goes on for so long.
func (k *held) holds(set intent.Set, id health.IntentID) bool {
	if k.acknowledged.Covers(set, id) {
		return true
	}
	for _, s := range k.shards {
		if s.Covers(set, id) {
			return true
		}
	}
	return false
}

// TakeIntents takes in a shard of what another node has of orders on its disk. What was understood counts, beside the error.
func (h *Holders) TakeIntents(r *gossip.Round) (intent.Set, error) {
	s, err := intent.Decode(r.Data, r.At)
	if k := h.of(r.Node); k != nil {
		k.shards[r.Shard] = s
		maps.DeleteFunc(k.shards, func(shard int, _ intent.Set) bool { return shard >= r.Shards })
	}
	return s, err
}

// Held notes that a node has a set of orders on its disk, or is about to: whoever tells one to others holds it.
func (h *Holders) Held(name string, s intent.Set) {
	if k := h.of(name); k != nil {
		k.acknowledged = k.acknowledged.Merge(s)
	}
}

// Collect forgets of what the others hold what is not in set any more.
func (h *Holders) Collect(set intent.Set) {
	for _, name := range h.members.Others() {
		k := h.of(name)
		k.acknowledged = k.acknowledged.Both(set)
	}
}

// Lacking are, for each of open, those of the configured nodes, this one aside, that are not known to hold what set says of it.
func (h *Holders) Lacking(set intent.Set, open []health.Intent, now time.Time) [][]string {
	configured, out := h.members.Configured(now), make([][]string, len(open))
	for n := range open {
		out[n] = h.lacking(configured, set, open[n].ID)
	}
	return out
}

// lacking are those of the configured nodes, this one aside, that are not known to hold what set says of an intent.
func (h *Holders) lacking(configured []string, set intent.Set, id health.IntentID) (lacking []string) {
	for _, name := range configured {
		if name == h.members.self {
			continue
		}
		if k := h.of(name); k == nil || !k.holds(set, id) {
			lacking = append(lacking, name)
		}
	}
	return lacking
}

// Everywhere are those of ids that every configured node holds as set says.
func (h *Holders) Everywhere(set intent.Set, ids []health.IntentID, now time.Time) []health.IntentID {
	configured := h.members.Configured(now)
	return slices.DeleteFunc(slices.Clone(ids), func(id health.IntentID) bool { return len(h.lacking(configured, set, id)) > 0 })
}

// Holding is who has all of ids as set says.
func (h *Holders) Holding(set intent.Set, ids []health.IntentID, now time.Time) (of Holding) {
	m := h.members
	of.Holders, of.Alone = []string{m.self}, m.heard <= 1
	if m.opts.Without.Without(health.GuardSecondCopy) {
		of.Holders = append(of.Holders, m.Others()...)
		return of
	}
	configured := h.members.Configured(now)
	lacks := make(map[string]bool)
	for _, id := range ids {
		for _, name := range h.lacking(configured, set, id) {
			lacks[name] = true
		}
	}
	for _, name := range configured {
		switch {
		case name == m.self:
		case !lacks[name]:
			of.Holders = append(of.Holders, name)
		default:
			of.Missing = append(of.Missing, name)
			if !m.stopped[name].IsZero() {
				of.Stopped = append(of.Stopped, name)
			}
		}
	}
	slices.Sort(of.Holders)
	return of
}
