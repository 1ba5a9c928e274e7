package intent

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

const (
	// FileName is that of the orders in a state directory.
	FileName = "intents.json"
	// MaxOpen bounds the intents that nobody ended. Each one costs a look at every pool that it names, and some 150 octets of
	// every round of gossip.
	MaxOpen = 1000
	// maxEncoded bounds what a node sends of them once a second, in octets: half of what gossip takes.
	maxEncoded = 256 << 10
)

// ErrFull says that there are so many intents and ends that no more are taken.
var ErrFull = errors.New("too many intents")

// errBusy says that another order waits for the disk.
var errBusy = errors.New("another order is being written")

// errDamaged is for a file that is there and is not what it should be.
var errDamaged = errors.New("damaged")

// A Store is one node's set and its file. It belongs to one goroutine, which waits for no disk: what is to be written is a Job, and whoever
// wrote it says so by Done. What other nodes say is in force at once; an order of this node is in force once it is on disk.
type Store struct {
	path string // empty: nothing is kept
	node string
	// set is what is in force; kept is what is on disk of it. They differ while the disk fails.
	set, kept Set
	// order makes the order that waits for the disk of a set; nil while none does. It belongs to the next Job.
	order func(Set) Set
	// writing is set while a Job is not done, stale while the disk has what is over for good.
	writing, stale bool
	// lost is what is wrong with the file of what intents bind.
	lost error
	// damaged is what was wrong with the file of the intents themselves.
	damaged error
	// lapsed is what Lapsed tells.
	lapsed []health.Intent
	// alone is set when this node is every configured node.
	alone bool
	// without is for simulators.
	without health.Guards
	// incarnation is that of this run, and counter the last that it gave away.
	incarnation, counter uint64
}

// Open reads what an earlier run left in dir; an empty dir keeps nothing. A file that is damaged costs what it held, which Damaged tells;
// one that cannot be read is an error. The ids of the Store begin at the given incarnation, or at one above the file's if that is greater.
func Open(dir, node string, incarnation uint64, now time.Time) (*Store, error) {
	s := &Store{node: node, incarnation: max(incarnation, 1), alone: true}
	if dir == "" {
		return s, nil
	}
	s.path = filepath.Join(dir, FileName)
	set, last, back, err := read(s.path, now)
	if errors.Is(err, errDamaged) {
		s.damaged, err = err, nil
		// Its ids are not to come again.
		last = uint64(max(0, now.Unix()))
	}
	if err != nil {
		return nil, fmt.Errorf("intents: %w", err)
	}
	bounds, err := readBounds(dir)
	if err != nil {
		s.lost = err
	}
	set.bounds = bounds
	s.lapsed = set.Over(now)
	set = set.Merge(Set{}).Collect(now)
	s.set, s.kept, s.incarnation = set, set, max(incarnation, last+1)
	if back {
		// From here on the clock counts from what it says now; else every restart would begin with the same time left.
		if err := write(s.path, s.set, s.incarnation, now); err != nil {
			return nil, fmt.Errorf("intents: %w", err)
		}
	}
	return s, nil
}

// Damaged is what was wrong with the file of orders, none of which is known any more; nil where nothing was.
func (s *Store) Damaged() error { return s.damaged }

// Lapsed are the intents that the file had and whose time had passed when it was read, by id.
func (s *Store) Lapsed() []health.Intent { return s.lapsed }

// Lost is what was wrong with what intents bind, so that they hold for names alone; nil where nothing was.
func (s *Store) Lost() error { return s.lost }

// Set is what is in force.
func (s *Store) Set() Set { return s.set }

// Kept is what is on disk: only that may be told to others as held.
func (s *Store) Kept() Set { return s.kept }

// SetAlone says whether this node is every configured node: then whatever it knows is known everywhere.
func (s *Store) SetAlone(alone bool) { s.alone = alone }

// SetWithout switches rules off, for simulators.
func (s *Store) SetWithout(g health.Guards) { s.without = g }

// Raise makes the ids that are given from now on those of the incarnation, if it is a later one.
func (s *Store) Raise(incarnation uint64) { s.incarnation = max(s.incarnation, incarnation) }

// Put gives i an id and has it kept, and ends the intents that it replaces, in one step. One order at a time waits for the disk.
func (s *Store) Put(i health.Intent, now time.Time, replaces ...health.IntentID) (health.IntentID, error) {
	i.ID = health.IntentID{Node: s.node, Incarnation: s.incarnation, Counter: s.counter + 1}
	if err := s.PutAs(i, now, replaces...); err != nil {
		return health.IntentID{}, err
	}
	s.counter++
	return i.ID, nil
}

// PutAs is Put of an intent that has an id already, which no node gives by itself.
func (s *Store) PutAs(i health.Intent, now time.Time, replaces ...health.IntentID) error {
	if n := len(s.set.Open(now)); n >= MaxOpen || s.full(s.set, now) {
		return fmt.Errorf("%w: %d intents are open already", ErrFull, n)
	}
	if s.set.Bound()+i.Bound.Len() > health.MaxBound {
		// The order is what matters; its names hold.
		i.Bound = health.Binding{}
	}
	end := End{Actor: i.Actor, Reason: "replaced by " + i.ID.String(), At: now}
	return s.await(func(set Set) Set { return set.Add(i).End(end, replaces...) }, now)
}

// EndAs has ids ended as Put has one kept, those included that nothing is known of.
func (s *Store) EndAs(e End, ids ...health.IntentID) error {
	return s.await(func(set Set) Set { return set.End(e, ids...) }, e.At)
}

// await has an order wait for the disk.
func (s *Store) await(order func(Set) Set, now time.Time) error {
	if s.order != nil {
		return errBusy
	}
	s.order = func(set Set) Set {
		set = order(set)
		if s.alone {
			set = set.Everywhere(slices.Concat(set.Unconfirmed(), set.Unseen()))
		}
		return set.Collect(now)
	}
	return nil
}

// Waits tells whether an order waits for the disk.
func (s *Store) Waits() bool { return s.order != nil }

// Writing tells whether a Job is not done.
func (s *Store) Writing() bool { return s.writing }

// Extend has the end of an intent that is open moved, as Put has one kept; a zero end is forever.
func (s *Store) Extend(id health.IntentID, end, now time.Time) error {
	i, ok := s.set.intents[id]
	if !ok || i.Over(now) {
		return fmt.Errorf("%w: %s", health.ErrNoIntent, id)
	}
	i.End, i.Forever = end, end.IsZero()
	return s.await(func(set Set) Set { return set.Add(i) }, now)
}

// End has intents that are open ended, as Put has one kept.
func (s *Store) End(e End, ids ...health.IntentID) error {
	open := s.set.Open(e.At)
	for _, id := range ids {
		if !slices.ContainsFunc(open, func(i health.Intent) bool { return i.ID == id }) {
			return fmt.Errorf("%w: %s", health.ErrNoIntent, id)
		}
	}
	if len(ids) == 0 {
		return errors.New("no intent is named")
	}
	return s.await(func(set Set) Set { return set.End(e, ids...) }, e.At)
}

// Merge takes in what another node says, in Snap's terms. It is in force at once, and on disk by the next Job; changed tells whether
// anything is new.
func (s *Store) Merge(from Set, now time.Time) (changed bool, err error) {
	merged := s.set.Merge(from)
	if s.without.Without(health.GuardAddWins) {
		merged = merged.endAlike(s.set, from)
	}
	if merged.Same(s.set) {
		return false, nil
	}
	if merged.Len() > s.set.Len() && s.full(merged, now) {
		return false, fmt.Errorf("%w: %d, with those of another node %d", ErrFull, s.set.Len(), merged.Len())
	}
	s.set = merged
	return true, nil
}

// fewEntries are never too many: the largest one fills a block.
const fewEntries = maxEncoded / BlockSize

// boundPerEntry is how many addresses an entry holds at least.
const boundPerEntry = boundRoom / 48

// full tells whether set is as large as one may be.
func (s *Store) full(set Set, now time.Time) bool {
	return set.Len()+set.Bound()/boundPerEntry > fewEntries && len(set.Encode(now)) > maxEncoded
}

// Everywhere notes that every configured node has the ids as this one has them.
func (s *Store) Everywhere(ids []health.IntentID) { s.set = s.set.Everywhere(ids) }

// Collect forgets what is over for good, and tells nobody of it from now on, though the disk has it until the next Job.
func (s *Store) Collect(now time.Time) {
	collected := func(set Set) Set {
		set = set.Collect(now)
		if s.without.Without(health.GuardEnds) {
			set = set.Everywhere(set.Unseen()).Collect(now).Collect(now.Add(keepEnds))
		}
		return set
	}
	kept := collected(s.kept)
	s.stale = s.stale || !kept.Same(s.kept)
	s.set, s.kept = collected(s.set), kept
}

// A Job is a set that is to be on disk. It may be written on any goroutine.
type Job struct {
	path        string // empty: nothing is kept
	set, was    Set
	incarnation uint64
	now         time.Time
	order       func(Set) Set
}

// Job is what is to be written as of now, with the order that waits; nil while nothing is, and until the Job before is done.
func (s *Store) Job(now time.Time) *Job {
	if s.writing || s.order == nil && !s.stale && s.set.Same(s.kept) {
		return nil
	}
	j := &Job{path: s.path, set: s.set, was: s.kept, incarnation: s.incarnation, now: now, order: s.order}
	if j.order != nil {
		j.set = j.order(s.set)
	}
	s.writing, s.stale = true, false
	return j
}

// Waits tells whether Write waits for a disk.
func (j *Job) Waits() bool { return j.path != "" }

// Order tells whether the Job carries an order.
func (j *Job) Order() bool { return j.order != nil }

// Write writes it: what is bound first, if that is news, and then the set: what is bound for an order that is not there does no harm.
func (j *Job) Write() (err error) {
	if j.path == "" {
		return nil
	}
	if !j.set.sameBounds(j.was) {
		err = writeBounds(filepath.Dir(j.path), j.set)
	}
	if err == nil {
		err = write(j.path, j.set, j.incarnation, j.now)
	}
	if err != nil && j.order != nil {
		// It may have failed after the new file was in place: what was refused must not be there after a restart.
		_ = write(j.path, j.was, j.incarnation, j.now)
	}
	return err
}

// Done takes what came of writing a Job. Without an error its order is in force; with one nothing has changed.
func (s *Store) Done(j *Job, err error) {
	s.writing = false
	if j.order != nil {
		s.order = nil
	}
	if err != nil {
		s.stale = true
		return
	}
	if s.kept = j.set; j.order != nil {
		// Others may have said something meanwhile.
		s.set = j.order(s.set)
	}
}

// Keep writes what is to be written, and waits for the disk.
func (s *Store) Keep(now time.Time) error {
	j := s.Job(now)
	if j == nil {
		return nil
	}
	err := j.Write()
	s.Done(j, err)
	return err
}
