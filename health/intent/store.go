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

// errDamaged is for a file that is there and is not what it should be.
var errDamaged = errors.New("damaged")

// A Store is one node's set and its file. It belongs to one goroutine.
type Store struct {
	path string // empty: nothing is kept
	node string
	// set is what is in force; kept is what is on disk of it. They differ while the disk fails.
	set, kept Set
	// lost is what is wrong with the file of what intents bind.
	lost error
	// damaged is what was wrong with the file of the intents themselves.
	damaged error
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

// Put gives i an id and keeps it, and ends the intents that it replaces, in one step. On an error nothing has changed.
func (s *Store) Put(i health.Intent, now time.Time, replaces ...health.IntentID) (health.IntentID, error) {
	if n := len(s.set.Open(now)); n >= MaxOpen || s.full(s.set, now) {
		return health.IntentID{}, fmt.Errorf("%w: %d intents are open already", ErrFull, n)
	}
	i.ID = health.IntentID{Node: s.node, Incarnation: s.incarnation, Counter: s.counter + 1}
	if s.set.Bound()+i.Bound.Len() > health.MaxBound {
		// The order is what matters; its names hold.
		i.Bound = health.Binding{}
	}
	set := s.set.Add(i).End(End{Actor: i.Actor, Reason: "replaced by " + i.ID.String(), At: now}, replaces...)
	if err := s.keep(set, now); err != nil {
		return health.IntentID{}, err
	}
	s.counter++
	return i.ID, nil
}

// Extend moves the end of an intent that is open; a zero end is forever. On an error nothing has changed.
func (s *Store) Extend(id health.IntentID, end, now time.Time) error {
	i, ok := s.set.intents[id]
	if !ok || i.Over(now) {
		return fmt.Errorf("%w: %s", health.ErrNoIntent, id)
	}
	i.End, i.Forever = end, end.IsZero()
	return s.keep(s.set.Add(i), now)
}

// End ends intents that are open. On an error nothing has changed.
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
	return s.keep(s.set.End(e, ids...), e.At)
}

// Merge takes in what another node says, in Snap's terms. It is in force whatever the error, which tells why it is not on
// disk; changed tells whether anything is new.
func (s *Store) Merge(from Set, now time.Time) (changed bool, err error) {
	merged := s.set.Merge(from)
	if s.without.Without(health.GuardAddWins) {
		merged = merged.endAlike(s.set, from)
	}
	if merged.Same(s.set) {
		return false, s.Flush(now)
	}
	if merged.Len() > s.set.Len() && s.full(merged, now) {
		return false, fmt.Errorf("%w: %d, with those of another node %d", ErrFull, s.set.Len(), merged.Len())
	}
	s.set = merged
	return true, s.Flush(now)
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
func (s *Store) Everywhere(ids []health.IntentID, now time.Time) error {
	s.set = s.set.Everywhere(ids)
	return s.Flush(now)
}

// Collect forgets what is over for good.
func (s *Store) Collect(now time.Time) error {
	s.set = s.set.Collect(now)
	if s.without.Without(health.GuardEnds) {
		s.set = s.set.Everywhere(s.set.Unseen()).Collect(now).Collect(now.Add(keepEnds))
	}
	return s.Flush(now)
}

// Flush writes what is not on disk.
func (s *Store) Flush(now time.Time) error {
	if s.set.Same(s.kept) {
		return nil
	}
	if s.path != "" {
		if err := s.write(s.set, now); err != nil {
			return err
		}
	}
	s.kept = s.set
	return nil
}

// keep makes set the store's once it is on disk.
func (s *Store) keep(set Set, now time.Time) error {
	if s.alone {
		set = set.Everywhere(slices.Concat(set.Unconfirmed(), set.Unseen()))
	}
	set = set.Collect(now)
	if s.path != "" {
		if err := s.write(set, now); err != nil {
			// It may have failed after the new file was in place: what was refused must not be there after a restart.
			_ = write(s.path, s.kept, s.incarnation, now)
			return err
		}
	}
	s.set, s.kept = set, set
	return nil
}

// write writes what set binds, if that is news, and then set: what is bound for an order that is not there does no harm.
func (s *Store) write(set Set, now time.Time) error {
	if !set.sameBounds(s.kept) {
		if err := writeBounds(filepath.Dir(s.path), set); err != nil {
			return err
		}
	}
	return write(s.path, set, s.incarnation, now)
}
