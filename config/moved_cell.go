package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// cellMoves finds out which cells of one service move.
type cellMoves struct {
	was, is       *Zone
	old, now      int
	before, after ShardHome
	// same are pairs of places that answer the same. Cells are many, and places few.
	same map[[2]cellPlace]bool
}

// A cellPlace is where cells are answered from.
type cellPlace struct {
	pool    int
	drained bool
}

func (m *cellMoves) all() (moved []MovedNames) {
	before, after := m.was.Services[m.old], m.is.Services[m.now]
	places := make([][2]cellPlace, min(before.Cells.Shards, after.Cells.Shards))
	var order [][2]cellPlace
	for shard := range places {
		places[shard] = m.places(shard, shard)
		if !m.stays(places[shard]) && !slices.Contains(order, places[shard]) {
			order = append(order, places[shard])
		}
	}
	for _, move := range order {
		shards := ShardsWhere(len(places), func(shard int) bool { return places[shard] == move })
		one := MovedNames{Before: before, Service: after.Name, Why: "they have another home", Shards: shards}
		one.From, one.To, one.FromHome = move[0].name(m.was), move[1].name(m.is), !move[0].drained
		one.What = fmt.Sprintf("cells %s from %s to %s", shards.Short(), one.From, one.To)
		moved = append(moved, one)
	}
	labels := ""
	if before.Cells.Shards != after.Cells.Shards {
		labels = fmt.Sprintf("labels that are hashed, among %d shards instead of %d", after.Cells.Shards, before.Cells.Shards)
	} else if list := m.labels(before.Cells, after.Cells); list != "" {
		labels = "labels " + list
	}
	if labels != "" {
		moved = append(moved, MovedNames{Before: before, Service: after.Name, What: labels, Why: "they have another shard"})
	}
	return moved
}

// places are where a shard was and is.
func (m *cellMoves) places(old, now int) (p [2]cellPlace) {
	p[0].pool, p[0].drained = m.before(m.was, m.old, old)
	p[1].pool, p[1].drained = m.after(m.is, m.now, now)
	return p
}

func (p cellPlace) name(z *Zone) string {
	if p.drained {
		return "what takes over from " + z.Pools[p.pool].Name
	}
	return z.Pools[p.pool].Name
}

// stays tells whether nothing that was answered there has gone for a cell.
func (m *cellMoves) stays(p [2]cellPlace) bool {
	stays, known := m.same[p]
	if !known {
		stays = p[0].drained == p[1].drained && sameHome(m.was.Pools[p[0].pool], m.is.Pools[p[1].pool])
		m.same[p] = stays
	}
	return stays
}

// maxMovedLabels is how many labels a line names; the others are counted.
const maxMovedLabels = 3

// labels names those whose shard is another one by the maps, with another home; empty for none.
func (m *cellMoves) labels(before, after *Cells) string {
	labels := maps.Clone(before.Map)
	if labels == nil {
		labels = make(map[string]int)
	}
	maps.Copy(labels, after.Map)
	var moved []string
	for label := range labels {
		old, now := before.Shard([]byte(label)), after.Shard([]byte(label))
		if old != now && !m.stays(m.places(old, now)) {
			moved = append(moved, label)
		}
	}
	slices.Sort(moved)
	text := strings.Join(moved[:min(len(moved), maxMovedLabels)], ", ")
	if more := len(moved) - maxMovedLabels; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// sameHome tells whether two pools have one name, or all that the first could answer is of the second.
func sameHome(a, b *Pool) bool {
	has := make(map[string]bool)
	for _, e := range b.Endpoints {
		for _, r := range e.RData() {
			has[r] = true
		}
	}
	return a.Name == b.Name || !slices.ContainsFunc(a.Endpoints, func(e *Endpoint) bool {
		return slices.ContainsFunc(e.RData(), func(r string) bool { return !has[r] })
	})
}
