package cluster

import (
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/round"
	"github.com/fairlead-dns/fairlead/health/table"
)

const (
	// maxLists bounds the lists of targets of others that are remembered.
	maxLists = 64
	// listRetry is the pause before a list is asked for again.
	listRetry = 2 * time.Second
)

// Marks are what this node says of its observations, one mark for each target of the table in force, and the lists of targets that the marks of
// other nodes are about. Make them with NewMarks; they belong to the goroutine of the table.
type Marks struct {
	evidence *table.Evidence
	table    *table.Table
	// targets are those of the table, with the marks in their order; ids are the whole names behind the list, and failing those of which there
	// is more to say, by index.
	targets *round.Targets
	marks   []round.Mark
	ids     map[round.Prefix]health.TargetID
	failing map[int]health.TargetID
	// others are the lists of other nodes, and those that this one had; asked is when one was last asked for.
	others map[round.ListHash]*round.Targets
	asked  map[round.ListHash]time.Time
}

// NewMarks are those of a node that has no table yet.
func NewMarks(e *table.Evidence) *Marks {
	return &Marks{
		evidence: e, failing: make(map[int]health.TargetID),
		others: make(map[round.ListHash]*round.Targets), asked: make(map[round.ListHash]time.Time),
	}
}

// All reckons all marks anew, those of t from now on; moved tells whether the others are to hear that at once.
func (m *Marks) All(t *table.Table, now time.Time) (moved bool) {
	if m.table != t {
		if m.targets != nil {
			// Others go on with it until they have the configuration too.
			m.others[m.targets.Hash] = m.targets
		}
		ids := slices.Collect(t.Targets())
		m.table, m.targets, moved = t, round.NewTargets(ids), true
		m.ids = make(map[round.Prefix]health.TargetID, len(ids))
		for _, id := range ids {
			m.ids[round.PrefixOf(id)] = id
		}
		m.marks = make([]round.Mark, m.targets.Len())
		clear(m.failing)
	}
	for id := range t.Targets() {
		moved = m.One(id, now) || moved
	}
	return moved
}

// One reckons the mark of one target anew; moved tells whether it is another one.
func (m *Marks) One(id health.TargetID, now time.Time) (moved bool) {
	i, ok := m.targets.Index(id)
	target, known := m.table.Target(id)
	if !ok || !known {
		return false
	}
	o, known := m.evidence.Own(id)
	mark := round.MarkNone
	check := target.Check
	if known && now.Before(judge.FreshUntil(check, o)) && m.evidence.Trusts(id, check, o) {
		if m.evidence.Restored(id) {
			o.State = health.Unknown
		}
		mark = round.MarkOf(o, check.Fall)
	}
	if mark != round.MarkNone && (o.Reduction > 0 || o.Reason != "" && (o.Failures > 0 || o.State == health.Down)) {
		m.failing[i] = id
	} else {
		delete(m.failing, i)
	}
	moved = m.marks[i] != mark
	m.marks[i] = mark
	return moved
}

// Encode are the marks as they are told, and EncodeDetails what marks cannot say, with how much of that found no room.
func (m *Marks) Encode() []byte { return round.EncodeMarks(m.targets, m.marks) }

// EncodeDetails is what marks cannot say; left is how much of it found no room.
func (m *Marks) EncodeDetails() (b []byte, left int) {
	d := round.Details{Reasons: make(map[int]string), Reductions: make(map[int]int)}
	for i, id := range m.failing {
		o, ok := m.evidence.Own(id)
		if !ok {
			continue
		}
		if o.Reason != "" {
			d.Reasons[i] = o.Reason
		}
		if o.Reduction > 0 {
			d.Reductions[i] = o.Reduction
		}
	}
	return round.EncodeDetails(m.targets, d)
}

// Hash is that of the list which the marks are about.
func (m *Marks) Hash() round.ListHash { return m.targets.Hash }

// ID is the whole name of a target of the list.
func (m *Marks) ID(prefix round.Prefix) (id health.TargetID, ok bool) {
	id, ok = m.ids[prefix]
	return id, ok
}

// List is a list that is known here; nil for others.
func (m *Marks) List(hash round.ListHash) *round.Targets {
	if m.targets != nil && m.targets.Hash == hash {
		return m.targets
	}
	return m.others[hash]
}

// Asks tells whether another node is to be asked for a list now, and notes that it is.
func (m *Marks) Asks(hash round.ListHash, now time.Time) bool {
	if now.Sub(m.asked[hash]) < listRetry {
		return false
	}
	if len(m.asked) >= maxLists {
		clear(m.asked)
	}
	m.asked[hash] = now
	return true
}

// Learn remembers a list of another node.
func (m *Marks) Learn(list *round.Targets) {
	if len(m.others) >= maxLists {
		clear(m.others)
	}
	m.others[list.Hash] = list
}
