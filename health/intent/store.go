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
	fileName = "intents.json"
	// maxOpen bounds the intents that nobody ended. Each one costs a look at every pool that it names.
	maxOpen = 10_000
)

// A Store is one node's set and its file. It belongs to one goroutine.
type Store struct {
	path string // empty: nothing is kept
	node string
	set  Set
	// incarnation is that of this run, and counter the last that it gave away.
	incarnation, counter uint64
}

// Open reads what an earlier run left in dir; an empty dir keeps nothing. A file that is not understood is an error, which
// names it.
func Open(dir, node string, now time.Time) (*Store, error) {
	s := &Store{node: node, incarnation: 1}
	if dir == "" {
		return s, nil
	}
	s.path = filepath.Join(dir, fileName)
	set, incarnation, back, err := read(s.path, now)
	if err != nil {
		return nil, fmt.Errorf("intents: %w (whoever removes it ends all drains)", err)
	}
	s.set, s.incarnation = set, incarnation+1
	if back {
		// From here on the clock counts from what it says now; else every restart would begin with the same time left.
		if err := write(s.path, s.set, s.incarnation, now); err != nil {
			return nil, fmt.Errorf("intents: %w", err)
		}
	}
	return s, nil
}

// Set is what the store holds.
func (s *Store) Set() Set { return s.set }

// Put gives i an id and keeps it, and ends the intents that it replaces, in one step. On an error nothing has changed.
func (s *Store) Put(i health.Intent, now time.Time, replaces ...health.IntentID) (health.IntentID, error) {
	if n := len(s.set.Open(now)); n >= maxOpen {
		return health.IntentID{}, fmt.Errorf("%w: %d intents are open already", health.ErrInvalidIntent, n)
	}
	i.ID = health.IntentID{Node: s.node, Incarnation: s.incarnation, Counter: s.counter + 1}
	set := s.set.Add(i).End(End{Actor: i.Actor, Reason: "replaced by " + i.ID.String(), At: now}, replaces...)
	if err := s.keep(set, now); err != nil {
		return health.IntentID{}, err
	}
	s.counter++
	return i.ID, nil
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

// keep makes set the store's once it is on disk. A node that is alone is every configured node: it has seen every end.
func (s *Store) keep(set Set, now time.Time) error {
	set = set.Collect(now, func(health.IntentID) bool { return true })
	if s.path != "" {
		if err := write(s.path, set, s.incarnation, now); err != nil {
			// It may have failed after the new file was in place: what was refused must not be there after a restart.
			_ = write(s.path, s.set, s.incarnation, now)
			return err
		}
	}
	s.set = set
	return nil
}
