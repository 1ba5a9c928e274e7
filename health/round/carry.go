package round

import (
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// use goes over to another list. What was said of a target goes on with its old times until its block comes. lost are the targets
// of which nothing is said any more.
func (v *Vantage) use(list *Targets) (lost []Prefix) {
	old := *v
	n := list.Len()
	v.targets, v.marks, v.origin = list, make(packedMarks, (n+1)/2), nil
	v.waiting = blocksOf(n)
	v.times = make([]Times, v.waiting)
	if old.targets != nil {
		lost = v.carry(&old)
	}
	v.align()
	return append(lost, v.carryDetails(old.targets)...)
}

// carry takes over what the old list said.
func (v *Vantage) carry(old *Vantage) (lost []Prefix) {
	// index is where times went; what is carried twice in a row brings along those only that something still needs.
	index := make(map[Times]int32)
	join(old.targets, v.targets, func(j, i int) {
		m := old.marks.at(j)
		switch {
		case m == MarkNone:
			return
		case i < 0:
			lost = append(lost, old.targets.list[j])
			return
		case v.origin == nil:
			v.origin = make([]int32, v.targets.Len())
			for k := range v.origin {
				v.origin[k] = int32(k / blockMarks)
			}
		}
		t := old.timesAt(j)
		k, ok := index[t]
		if !ok {
			k = int32(len(v.times))
			index[t], v.times = k, append(v.times, t)
		}
		v.marks.set(i, m)
		v.origin[i] = k
	})
	return lost
}

// join calls each with where every target of a stands in a and in b, -1 for nowhere.
func join(a, b *Targets, each func(i, j int)) {
	j := 0
	for i, p := range a.list {
		for j < len(b.list) && b.list[j] < p {
			j++
		}
		if j < len(b.list) && b.list[j] == p {
			each(i, j)
		} else {
			each(i, -1)
		}
	}
}

// Align makes ObservationAt take indices of this node's own list. It is to be called whenever that becomes another one.
func (v *Vantage) Align(own *Targets) {
	v.own = own
	v.align()
}

func (v *Vantage) align() {
	v.where = nil
	if v.own == nil || v.targets == nil || v.own.Hash == v.targets.Hash {
		return
	}
	v.where = make([]int32, v.own.Len())
	join(v.own, v.targets, func(i, j int) { v.where[i] = int32(j) })
}

// ObservationAt is Observation for the target id at index i of the list that was given to Align; it does not search.
func (v *Vantage) ObservationAt(i int, id health.TargetID, c *config.Check) (o health.Observation, ok bool) {
	if v.own == nil || v.targets == nil {
		return o, false
	}
	if v.where != nil {
		if i = int(v.where[i]); i < 0 {
			return o, false
		}
	}
	return v.observation(i, id, c)
}

// carryDetails takes the details over to the indices of the present list, and takes in what came before its first mark.
func (v *Vantage) carryDetails(old *Targets) (changed []Prefix) {
	d := &v.details
	reasons, reductions := d.reasons, d.reductions
	d.reasons, d.reductions = nil, nil
	move := func(i int32) (int32, bool) {
		j, ok := slices.BinarySearch(v.targets.list, old.list[i])
		return int32(j), ok
	}
	for i, r := range reasons {
		if j, ok := move(i); ok {
			d.setReason(j, r)
		}
	}
	for i, r := range reductions {
		if j, ok := move(i); ok {
			d.setReduction(j, r)
		}
	}
	raw := d.raw
	d.raw = [maxDetail][]byte{}
	for shard, b := range raw {
		// Blocks that were aside have been parsed before.
		if b, err := parseDetails(b); err == nil && b.hash == v.targets.Hash {
			changed = append(changed, v.apply(shard, &b)...)
		}
	}
	return changed
}
