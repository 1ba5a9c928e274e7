package ledger

import (
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

// A Verb is what a node says of a holding, or of RDATA under all names.
type Verb uint8

// The verbs.
const (
	// Unnamed: nothing.
	Unnamed Verb = iota
	// Answering: its answers carry it.
	Answering
	// Leaving: no new answer carries it; one that does may still be under way.
	Leaving
	// Out: the last answer that carried it has been written.
	Out
)

// A Word is what a node says, at one instant. It is a value.
type Word struct {
	Verb Verb
	// Until is when the last answer that carried it expires, or expired, in a cache that got it at once; of what expired more than
	// Remembered ago, or was never answered, that instant. Set for Out.
	Until time.Time
	// Since is when it was certain that this answer had been written. Set for Out.
	Since time.Time
}

// Remembered is how long a slot outlives the expiry of what it stamped.
const Remembered = time.Minute

// A Standing is how a holding stands that has left the answers of this node. It is owned by the Book.
type Standing struct {
	Holding
	// Service is the name of the service whose answers carried it.
	Service string
	Label   Label
	// State is Leaving or Out.
	State Verb
	// Left is when the snapshot without it was swapped in; Quiet and Until are Word.Since and Word.Until, set for Out.
	Left, Quiet, Until time.Time

	// slot is held by the Book; 0 once it has been released.
	slot Slot
	// swap is the number of the swap that took it out.
	swap uint64
}

// An Absence is RDATA that has left the answers to some name or to all of them. It is owned by the Book.
type Absence struct {
	Key   RDataKey
	RData string
	Names map[OwnerKey]*Standing
}

// Left is when it left the last of the names.
func (a *Absence) Left() (last time.Time) {
	for _, s := range a.Names {
		last = Later(last, s.Left)
	}
	return last
}

// A Book follows which holdings left the answers of this node. It is owned by one goroutine.
type Book struct {
	ledger *Ledger
	guards health.Guards
	// earlier is until when an answer of an earlier process may live; it may only rise.
	earlier time.Time

	// answered counts the names that answer RDATA; served are the slots in the snapshot in force.
	answered map[RDataKey]int32
	served   []bool
	absent   map[RDataKey]*Absence
	// leaving are the standings that are.
	leaving []*Standing
	// lapsing are those whose slots are to be released, by order of departure.
	lapsing []*Standing
	// swaps counts the snapshots that were replaced; those in pending may still have answers under way, oldest first. quiet is the
	// number of the newest swap before which nothing is under way any more.
	swaps, quiet uint64
	pending      []swap
}

type swap struct {
	number uint64
	quiet  <-chan struct{}
	at     time.Time
}

// uncounted is how long a guard of the simulator gives answers under way.
const uncounted = 250 * time.Millisecond

// over tells whether no answer of the snapshot that was replaced is under way.
func (s *swap) over(now time.Time, guards health.Guards) bool {
	return closed(s.quiet) || guards.Without(health.GuardQuiesce) || guards.Without(health.GuardCounted) && now.Sub(s.at) >= uncounted
}

// NewBook makes the book of a process that begins. earlier is until when answers that an earlier process gave may live.
func NewBook(l *Ledger, earlier time.Time, guards health.Guards) *Book {
	return &Book{ledger: l, earlier: earlier, guards: guards, answered: make(map[RDataKey]int32), absent: make(map[RDataKey]*Absence)}
}

// Raise makes the instant until which answers of an earlier process may live a later one.
func (b *Book) Raise(earlier time.Time) {
	b.earlier = Later(b.earlier, earlier)
	for _, a := range b.absent {
		for _, s := range a.Names {
			if s.State == Out {
				s.Until = Later(s.Until, b.floor())
			}
		}
	}
}

// Lower makes that instant an earlier one: somebody knows better now.
func (b *Book) Lower(earlier time.Time) {
	b.earlier = earlier
	for _, a := range b.absent {
		for _, s := range a.Names {
			if s.State != Out {
				continue
			}
			var last time.Time
			if s.slot != 0 {
				last = b.ledger.Until(s.slot)
			}
			s.Until = Later(Later(last, b.floor()), s.Quiet.Add(-Remembered))
		}
	}
}

// Earlier is until when answers of an earlier process may live.
func (b *Book) Earlier() time.Time { return b.floor() }

func (b *Book) floor() time.Time {
	if b.guards.Without(health.GuardStart) {
		return time.Time{}
	}
	return b.earlier
}

// Published notes that a snapshot took the place of another one. back are the standings that it ended.
func (b *Book) Published(w *Swap, now time.Time) (back []*Standing) {
	b.swaps++
	b.pending = append(b.pending, swap{b.swaps, w.Quiet, now})
	for _, slot := range w.Entered {
		if s := b.enter(slot); s != nil {
			back = append(back, s)
		}
	}
	for i := range w.Left {
		b.leave(&w.Left[i], now)
	}
	return back
}

// enter notes that a holding is answered; it returns how it stood, nil if it never left.
func (b *Book) enter(slot Slot) *Standing {
	if n := int(slot) + 1; n > len(b.served) {
		b.served = append(b.served, make([]bool, n-len(b.served))...)
	}
	if b.served[slot] {
		return nil
	}
	b.served[slot] = true
	k := b.ledger.KeyOf(slot)
	b.answered[k.RData]++
	s := b.Standing(k)
	if s != nil {
		b.drop(k, s)
	}
	return s
}

// leave notes that a holding is not answered any more.
func (b *Book) leave(d *Departed, now time.Time) {
	if int(d.Slot) >= len(b.served) || !b.served[d.Slot] {
		return
	}
	b.served[d.Slot] = false
	k := b.ledger.KeyOf(d.Slot)
	if b.answered[k.RData]--; b.answered[k.RData] == 0 {
		delete(b.answered, k.RData)
	}
	// The compiled answers that had the slot may be gone before what they gave is.
	b.ledger.hold(d.Slot)
	s := &Standing{Holding: d.Holding, Service: d.Service, Label: LabelOf(d.Zone, d.Pool, d.Endpoint), State: Leaving, Left: now, slot: d.Slot, swap: b.swaps}
	if d.Gone && b.guards.Without(health.GuardSlots) {
		b.ledger.Release([]Slot{s.slot})
		s.slot = 0
	}
	b.put(k, s)
	b.leaving = append(b.leaving, s)
}

func (b *Book) put(k Key, s *Standing) {
	a := b.absent[k.RData]
	if a == nil {
		a = &Absence{Key: k.RData, RData: s.RData, Names: make(map[OwnerKey]*Standing)}
		b.absent[k.RData] = a
	}
	a.Names[k.Owner] = s
}

// Claim notes a holding that this process has not answered and an earlier one may have: it stands as if it had left at the start.
// Nothing changes where it is answered or stands already.
func (b *Book) Claim(h Holding, service string, label Label, start time.Time) {
	k := h.Key()
	if b.Standing(k) != nil || b.Answers(k) {
		return
	}
	s := &Standing{Holding: h, Service: service, Label: label, State: Leaving, Left: start}
	b.put(k, s)
	b.leaving = append(b.leaving, s)
}

// Answers tells whether the snapshot in force carries a holding.
func (b *Book) Answers(k Key) bool {
	b.ledger.mu.Lock()
	slot, ok := b.ledger.slots[k]
	b.ledger.mu.Unlock()
	return ok && int(slot) < len(b.served) && b.served[slot]
}

// Poll finds out which holdings are out by now; news is set when one is that was not.
func (b *Book) Poll(now time.Time) (news bool) {
	for len(b.pending) > 0 && b.pending[0].over(now, b.guards) {
		b.quiet, b.pending = b.pending[0].number, b.pending[1:]
	}
	keep := b.leaving[:0]
	for _, s := range b.leaving {
		switch {
		case s.State != Leaving:
		case s.swap > b.quiet:
			keep = append(keep, s)
		default:
			b.settle(s, now)
			news = true
		}
	}
	clear(b.leaving[len(keep):])
	b.leaving = keep
	b.lapse(now)
	return news
}

// settle notes until when the last answer that carried a holding lives. All of them have been written and stamped.
func (b *Book) settle(s *Standing, now time.Time) {
	s.State, s.Quiet = Out, now
	if s.slot != 0 {
		s.Until = b.ledger.Until(s.slot)
	}
	if b.guards.Without(health.GuardStamp) {
		s.Until = time.Time{}
	}
	s.Until = Later(Later(s.Until, b.floor()), now.Add(-Remembered))
	if s.slot != 0 {
		b.lapsing = append(b.lapsing, s)
	}
}

// lapse releases the slots of what expired long enough ago.
func (b *Book) lapse(now time.Time) {
	var done []Slot
	keep := b.lapsing[:0]
	for _, s := range b.lapsing {
		switch {
		case s.slot == 0:
		case now.After(s.Until.Add(Remembered)):
			done, s.slot = append(done, s.slot), 0
		default:
			keep = append(keep, s)
		}
	}
	clear(b.lapsing[len(keep):])
	b.lapsing = keep
	if len(done) > 0 {
		b.ledger.Release(done)
	}
}

// drop ends a standing.
func (b *Book) drop(k Key, s *Standing) {
	if s.slot != 0 {
		b.ledger.Release([]Slot{s.slot})
		s.slot = 0
	}
	s.State = Answering
	a := b.absent[k.RData]
	if delete(a.Names, k.Owner); len(a.Names) == 0 {
		delete(b.absent, k.RData)
	}
}

// Forget ends a standing of which nobody needs to know any more; one whose slot still counts goes on.
func (b *Book) Forget(h Holding) {
	k := h.Key()
	if s := b.Standing(k); s != nil && s.State == Out && s.slot == 0 {
		b.drop(k, s)
	}
}

// Standing is how a holding stands that has left; nil if it is answered, or is not known.
func (b *Book) Standing(k Key) *Standing {
	if a := b.absent[k.RData]; a != nil {
		return a.Names[k.Owner]
	}
	return nil
}

// Absences are all that has left some name. The map is the Book's own.
func (b *Book) Absences() map[RDataKey]*Absence { return b.absent }

// Answered tells whether some name answers RDATA.
func (b *Book) Answered(k RDataKey) bool { return b.answered[k] > 0 }

// Swaps is how many snapshots were replaced, Quiet the number of the newest swap before which nothing is under way any more.
func (b *Book) Swaps() (all, quiet uint64) { return b.swaps, b.quiet }

// Word is what this node says of a holding at now, whether or not it ever had it.
func (b *Book) Word(k Key, now time.Time) Word {
	if b.Answers(k) {
		return Word{Verb: Answering}
	}
	if s := b.Standing(k); s != nil {
		return b.word(s, now)
	}
	return b.never(now)
}

// never is the word of what no slot is kept for: it expired Remembered ago at the latest, or an earlier process answered it.
func (b *Book) never(now time.Time) Word {
	return Word{Verb: Out, Until: Later(b.floor(), now.Add(-Remembered)), Since: now}
}

func (b *Book) word(s *Standing, now time.Time) Word {
	if s.State == Leaving {
		return Word{Verb: Leaving}
	}
	return Word{Verb: Out, Until: Later(s.Until, now.Add(-Remembered)), Since: s.Quiet}
}

// WordOf is what this node says of RDATA under all names at now.
func (b *Book) WordOf(k RDataKey, now time.Time) Word {
	a := b.absent[k]
	if b.answered[k] > 0 && (a == nil || !b.guards.Without(health.GuardNames)) {
		return Word{Verb: Answering}
	}
	if a == nil {
		return b.never(now)
	}
	all := Word{Verb: Out}
	for _, s := range a.Names {
		w := b.word(s, now)
		if w.Verb == Leaving {
			return w
		}
		all.Until, all.Since = Later(all.Until, w.Until), Later(all.Since, w.Since)
	}
	return all
}

// Curve is how many answers of this node that carry a holding may be in caches.
func (b *Book) Curve(s *Standing) Curve {
	if s.slot == 0 {
		return nil
	}
	return b.ledger.Curve(s.slot)
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
