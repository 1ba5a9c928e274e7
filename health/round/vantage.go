package round

import (
	"bytes"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A Vantage is what another node said of its observations and its roster. It belongs to one writer, who calls Take and Align;
// whoever else reads it locks.
type Vantage struct {
	name string
	// targets is the list that marks are about; nil before the first block.
	targets *Targets
	marks   packedMarks
	// times are when each block of marks was heard, and behind those when what is carried over from earlier lists was.
	times []Times
	// origin is which of times holds for each target, while some block of the list has not come straight from the node; nil for
	// the block's own.
	origin []int32
	// waiting is how many blocks have not come straight from the node.
	waiting int
	// own is the list of this node, and where what it has stands in targets, -1 for nowhere; nil while they are the same list.
	own     *Targets
	where   []int32
	details detailStore
	roster  rosterStore
}

// Times are when an observation was heard, on this process's clock; zero for never.
type Times struct {
	// Direct is when it came straight from the node, Heard when it came at all.
	Direct, Heard time.Time
}

// NewVantage is the node of that name, which has not said anything.
func NewVantage(name string) *Vantage { return &Vantage{name: name} }

// Take takes in a block of a part: shard of shards, heard at the given instant, through others if it was relayed. What was
// relayed is news, but no sign that the node itself is heard. lookup finds the lists of targets that are known here; nil for
// others, then the error is an UnknownTargetsError.
//
// changed are the targets of which the observation became another, each once; words alone change nothing. A block that is not
// understood changes nothing either.
func (v *Vantage) Take(part string, shard, shards int, b []byte, at time.Time, relayed bool, lookup func(ListHash) *Targets) (changed []Prefix, err error) {
	switch part {
	case PartMarks:
		changed, err = v.takeMarks(b, at, relayed, lookup)
	case PartDetail:
		changed, err = v.takeDetails(shard, shards, b)
	case PartRoster:
		err = v.roster.take(b)
	default:
		err = ErrUnknownPart
	}
	// A target may have moved for two reasons, as another list and another mark.
	slices.Sort(changed)
	return slices.Compact(changed), err
}

func (v *Vantage) takeMarks(b []byte, at time.Time, relayed bool, lookup func(ListHash) *Targets) (changed []Prefix, err error) {
	m, err := parseMarks(b)
	if err != nil {
		return nil, err
	}
	list := v.targets
	if list == nil || m.hash != list.Hash {
		if list = lookup(m.hash); list == nil {
			return nil, &UnknownTargetsError{m.hash}
		}
	}
	if !m.covers(list.Len()) {
		return nil, ErrMalformed
	}
	if list != v.targets && (v.targets == nil || list.Hash != v.targets.Hash) {
		changed = v.use(list)
	}
	changed = v.write(&m, changed)
	if !relayed && !at.IsZero() {
		changed = v.settle(&m, changed)
	}
	t := &v.times[m.first/blockMarks]
	if at.After(t.Heard) {
		t.Heard = at
	}
	if !relayed && at.After(t.Direct) {
		t.Direct = at
	}
	return changed, nil
}

// write takes over the marks of a block and appends the targets that have another one.
func (v *Vantage) write(m *marksBlock, changed []Prefix) []Prefix {
	stored := v.marks[m.first/2 : m.first/2+len(m.packed)]
	if bytes.Equal(stored, m.packed) {
		return changed
	}
	for i, is := range m.packed {
		moved := stored[i] ^ is
		if moved == 0 {
			continue
		}
		stored[i] = is
		if moved&0xf0 != 0 {
			changed = append(changed, v.targets.list[m.first+2*i])
		}
		if moved&15 != 0 {
			changed = append(changed, v.targets.list[m.first+2*i+1])
		}
	}
	return changed
}

// settle makes a block that came straight from the node what holds for its targets, and appends those that had been heard only
// through others and count from now on.
func (v *Vantage) settle(m *marksBlock, changed []Prefix) []Prefix {
	block := m.first / blockMarks
	if !v.times[block].Direct.IsZero() {
		return changed
	}
	for i := m.first; i < m.first+m.count; i++ {
		if v.marks.at(i) != MarkNone && v.times[v.from(i)].Direct.IsZero() {
			changed = append(changed, v.targets.list[i])
		}
		if v.origin != nil {
			v.origin[i] = int32(block)
		}
	}
	if v.waiting--; v.waiting == 0 {
		v.origin, v.times = nil, slices.Clone(v.times[:blocksOf(v.targets.Len())])
	}
	return changed
}

// from is which of times holds for the target at i.
func (v *Vantage) from(i int) int {
	if v.origin != nil {
		return int(v.origin[i])
	}
	return i / blockMarks
}

// Observation is what the node said of a target, which a check with the given fall probes. ok is unset when it says nothing, or
// has never said it straight.
func (v *Vantage) Observation(id health.TargetID, c *config.Check) (o health.Observation, ok bool) {
	if v.targets == nil {
		return o, false
	}
	i, ok := v.targets.Index(id)
	if !ok {
		return o, false
	}
	return v.observation(i, id, c)
}

func (v *Vantage) observation(i int, id health.TargetID, c *config.Check) (o health.Observation, ok bool) {
	state, failures, ok := v.marks.at(i).Observation(c.Fall)
	at := v.times[v.from(i)].Direct
	if !ok || at.IsZero() {
		return o, false
	}
	o = health.Observation{Target: id, Vantage: v.name, At: at, State: state, Failures: failures}
	if failures > 0 {
		o.Reason = v.details.reasons[int32(i)].text
	}
	o.Reduction = int(v.details.reductions[int32(i)])
	return o, true
}

// Times are when what Observation says was heard; ok is unset when the node says nothing of the target.
func (v *Vantage) Times(id health.TargetID) (t Times, ok bool) {
	if v.targets == nil {
		return t, false
	}
	i, ok := v.targets.Index(id)
	if !ok || v.marks.at(i) == MarkNone {
		return t, false
	}
	return v.timesAt(i), true
}

func (v *Vantage) timesAt(i int) Times {
	t := v.times[v.from(i)]
	// What relays brought of a block is news to what is carried over, and does not settle it.
	if own := v.times[i/blockMarks].Heard; own.After(t.Heard) {
		t.Heard = own
	}
	return t
}

// StaleBlocks counts the blocks of marks that were not heard straight from the node after the given instant.
func (v *Vantage) StaleBlocks(after time.Time) (stale int) {
	if v.targets == nil {
		return 0
	}
	for _, t := range v.times[:blocksOf(v.targets.Len())] {
		if !t.Direct.After(after) {
			stale++
		}
	}
	return stale
}
