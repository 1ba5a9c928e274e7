package round

import (
	"maps"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// maxShards bounds what is kept of a part that is told in many blocks.
const maxShards = MaxTargets/blockMarks + 1

// A Vantage is what another node said of its observations. It belongs to one writer; readers lock.
type Vantage struct {
	name string
	// targets is the list that marks are about; nil before the first.
	targets *Targets
	marks   []Mark
	// direct is when each block of marks was last heard straight from the node, on this process's clock.
	direct []time.Time
	// details are by shard.
	details map[int]Details
	rosters map[int][]string
}

// NewVantage is the node of that name, which has not said anything.
func NewVantage(name string) *Vantage {
	return &Vantage{name: name, details: make(map[int]Details), rosters: make(map[int][]string)}
}

// Take takes in a block of a part: shard of shards, heard at the given instant, through others if it was relayed. lookup finds
// the lists of targets that are known here; nil for others. changed are the targets of which a mark is another. A block that is
// not understood changes nothing.
func (v *Vantage) Take(part string, shard, shards int, b []byte, at time.Time, relayed bool, lookup func(ListHash) *Targets) (changed []Prefix, err error) {
	switch part {
	case PartMarks:
		return v.takeMarks(b, at, relayed, lookup)
	case PartDetail:
		hash, d, err := parseDetails(b)
		if err != nil {
			return nil, err
		}
		if v.targets == nil || hash != v.targets.Hash {
			// The marks of that list are on their way.
			return nil, nil
		}
		maps.DeleteFunc(v.details, func(i int, _ Details) bool { return i >= shards })
		was := v.details[shard]
		v.details[shard] = d
		return v.moved(was, d), nil
	case PartRoster:
		names, err := parseRoster(b)
		if err != nil || shard >= maxShards {
			return nil, err
		}
		maps.DeleteFunc(v.rosters, func(i int, _ []string) bool { return i >= shards })
		v.rosters[shard] = names
	}
	return nil, nil
}

// moved are the targets of which the reduction is another: words alone move nothing.
func (v *Vantage) moved(was, is Details) (changed []Prefix) {
	add := func(i int) {
		if was.Reductions[i] != is.Reductions[i] && i < v.targets.Len() {
			changed = append(changed, v.targets.list[i])
		}
	}
	for i := range is.Reductions {
		add(i)
	}
	for i := range was.Reductions {
		if _, ok := is.Reductions[i]; !ok {
			add(i)
		}
	}
	return changed
}

func (v *Vantage) takeMarks(b []byte, at time.Time, relayed bool, lookup func(ListHash) *Targets) (changed []Prefix, err error) {
	m, err := parseMarks(b)
	if err != nil {
		return nil, err
	}
	if v.targets == nil || m.hash != v.targets.Hash {
		list := lookup(m.hash)
		if list == nil {
			return nil, ErrUnknownTargets
		}
		v.use(list)
	}
	if m.first+m.count > len(v.marks) {
		return nil, ErrMalformed
	}
	if !relayed {
		v.direct[m.first/blockMarks] = at
	}
	for i := range m.count {
		if mark := m.at(i); v.marks[m.first+i] != mark {
			v.marks[m.first+i] = mark
			changed = append(changed, v.targets.list[m.first+i])
		}
	}
	return changed, nil
}

// use goes over to another list. What was said of a target goes on until its block comes, with the oldest of the old times.
func (v *Vantage) use(list *Targets) {
	was, marks := v.targets, v.marks
	var oldest time.Time
	for i, t := range v.direct {
		if i == 0 || t.Before(oldest) {
			oldest = t
		}
	}
	v.targets, v.marks = list, make([]Mark, list.Len())
	v.direct = make([]time.Time, (list.Len()+blockMarks-1)/blockMarks)
	for i := range v.direct {
		v.direct[i] = oldest
	}
	clear(v.details)
	if was == nil {
		return
	}
	for i, p := range list.list {
		if j, ok := was.index[p]; ok {
			v.marks[i] = marks[j]
		}
	}
}

// Observation is what the node said of a target, which a check with the given fall probes. ok is unset when it says nothing.
func (v *Vantage) Observation(id health.TargetID, c *config.Check) (o health.Observation, ok bool) {
	if v.targets == nil {
		return o, false
	}
	i, ok := v.targets.Index(id)
	if !ok || v.marks[i] == MarkNone {
		return o, false
	}
	o = health.Observation{Target: id, Vantage: v.name, At: v.direct[i/blockMarks]}
	o.State, o.Failures, _ = v.marks[i].Observation(c.Fall)
	for _, d := range v.details {
		if reason, ok := d.Reasons[i]; ok && o.Failures > 0 {
			o.Reason = reason
		}
		if r, ok := d.Reductions[i]; ok {
			o.Reduction = r
		}
	}
	return o, !o.At.IsZero()
}

// StaleBlocks counts the blocks of marks that were not heard after the given instant.
func (v *Vantage) StaleBlocks(after time.Time) (stale int) {
	for _, t := range v.direct {
		if !t.After(after) {
			stale++
		}
	}
	return stale
}

// Roster are the names of the nodes that the node is configured with, as far as they have been heard.
func (v *Vantage) Roster() []string {
	var names []string
	for _, list := range v.rosters {
		names = append(names, list...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
