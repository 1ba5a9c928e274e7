package cluster

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config/durable"
	"github.com/fairlead-dns/fairlead/health"
)

// JoinedName is the file with the mark that a node has joined its cluster.
const JoinedName = "joined.json"

// ErrDamaged is for a file that is there and is not what it should be.
var ErrDamaged = errors.New("damaged")

// A Nonce is of one start: an answer that does not carry it is to an earlier one.
type Nonce [16]byte

// A Barrier keeps service names from being answered while this node may not know of a drain: the join barrier (docs/design.md section
// 8), the moment after a restart, and the time after it was alone for too long. It knows who has to answer and who did; its owner asks, and lets
// be answered. It belongs to the goroutine of its Members, but for Run and Nonce.
type Barrier struct {
	members *Members
	cluster string
	without health.Guards
	logger  *slog.Logger
	// joined is the durable mark that this node once had answers from every configured node, mark is its file, and marking is set while it is
	// being written.
	joined, marking bool
	mark            *durable.File[joinedMark]
	nonce           Nonce
	// answered are the nodes that answered it, and waived those that an operator lets it do without.
	answered, waived map[string]bool
	open             bool
	// blank are the nodes that answered and can't know what this one answered in earlier lives: they lost their state too, or are of a version
	// that remembers nothing of others.
	blank map[string]bool
	// maxTTL is an operator's word for what this node gave before, with a waiver; nil for none.
	maxTTL *time.Duration
	// ended is set while the lease does not run.
	ended bool
}

// The mark, on disk. It is of one cluster.
type joinedMark struct {
	Cluster string `json:"cluster"`
}

// OpenBarrier reads the mark of a node of a cluster from its state directory. A mark that is not readable is ErrDamaged, beside a barrier of a node
// that has not joined.
func OpenBarrier(dir, cluster string, m *Members, without health.Guards, logger *slog.Logger) (b *Barrier, err error) {
	b = &Barrier{members: m, cluster: cluster, without: without, logger: logger, mark: durable.NewFile[joinedMark](filepath.Join(dir, JoinedName), 0, 0)}
	b.answered, b.waived, b.blank = make(map[string]bool), make(map[string]bool), make(map[string]bool)
	// rand.Read does not fail.
	_, _ = rand.Read(b.nonce[:])
	b.open = m.Alone()
	b.joined, err = readJoined(b.mark, cluster)
	return b, err
}

func readJoined(file *durable.File[joinedMark], cluster string) (bool, error) {
	m, err := file.Load()
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case errors.As(err, &syntax), errors.As(err, &kind):
		return false, fmt.Errorf("mark of the cluster: %s: %w: %w", file.Path(), ErrDamaged, err)
	case err != nil:
		return false, fmt.Errorf("mark of the cluster: %w", err)
	case m.Cluster != cluster:
		return false, fmt.Errorf("mark of the cluster: %s is of cluster %q, the node file says %q: use another state directory", file.Path(), m.Cluster, cluster)
	}
	return true, nil
}

// Run keeps the mark until ctx ends.
func (b *Barrier) Run(ctx context.Context) error { return b.mark.Run(ctx) }

// Nonce is of this start.
func (b *Barrier) Nonce() Nonce { return b.nonce }

// Open tells whether service names may be answered, as far as others have to be asked.
func (b *Barrier) Open() bool { return b.open }

// Joined tells whether this node once had answers from every configured node, and that is on disk.
func (b *Barrier) Joined() bool { return b.joined }

// Ended tells whether the lease has ended.
func (b *Barrier) Ended() bool { return b.ended }

// Reason says why service names are not answered while it waits for the nodes that are missing.
func (b *Barrier) Reason(missing []string) string {
	if b.joined {
		return "asks the other nodes what it missed"
	}
	return "joins the cluster: waits for " + strings.Join(missing, ", ")
}

// Missing are the nodes whose answers the barrier still waits for.
func (b *Barrier) Missing(now time.Time) []string {
	m := b.members
	return slices.DeleteFunc(m.Configured(now), func(name string) bool {
		passive := b.without.Without(health.GuardNonce) && m.Fresh(name)
		return name == m.self || b.answered[name] || b.waived[name] || passive
	})
}

// ToAsk are those of Missing that can be asked.
func (b *Barrier) ToAsk(now time.Time) []string {
	return slices.DeleteFunc(b.Missing(now), func(name string) bool { return b.members.peers[name] == nil })
}

// Passed tells whether nothing is left to wait for.
func (b *Barrier) Passed(now time.Time) bool {
	return len(b.Missing(now)) == 0 || b.without.Without(health.GuardBarrier)
}

// Answered notes that a node answered; blank is set where it can't know what this one answered in earlier lives.
func (b *Barrier) Answered(name string, blank bool) {
	b.answered[name] = true
	if blank {
		b.blank[name] = true
	}
}

// Let opens it.
func (b *Barrier) Let() { b.open = true }

// LeaseEnds notes whether the lease runs; back is set where it does again: then this node missed what was ordered meanwhile, and asks before it
// answers.
func (b *Barrier) LeaseEnds(over bool) (back bool) {
	back = b.ended && !over
	if b.ended = over; back {
		b.open = false
		b.answered = make(map[string]bool)
	}
	return back
}

// Absent is a node that could not say what this one answered before; empty for none. named is an operator's word for that; nil for none.
func (b *Barrier) Absent(now time.Time) (name string, named *time.Duration) {
	for _, configured := range b.members.Configured(now) {
		if configured != b.members.self && (!b.answered[configured] || b.blank[configured]) {
			name = configured
		}
	}
	return name, b.maxTTL
}

// Unjoin has it be as if this node had never joined, before anything is answered.
func (b *Barrier) Unjoin() { b.joined = false }

// Rejoin shuts it again: this node came back with less than it had.
func (b *Barrier) Rejoin() {
	b.mark.Remove(func(err error) {
		if err != nil {
			b.logger.Error("mark of the cluster", "err", err)
		}
	})
	b.joined, b.open = false, false
	b.answered, b.blank = make(map[string]bool), make(map[string]bool)
}

// Mark brings the mark to disk, unless that is under way, and calls done from another goroutine.
func (b *Barrier) Mark(done func(error)) {
	if !b.marking {
		b.marking = true
		b.mark.Save(joinedMark{Cluster: b.cluster}, done)
	}
}

// Marked takes up what came of Mark.
func (b *Barrier) Marked(err error) {
	b.marking = false
	if err == nil {
		b.joined = true
	}
}

// Waive lets this node join without the answers of the nodes named; without names, of all. before is the greatest TTL that it may have
// given in an earlier life, 0 for none; nil leaves that unknown.
func (b *Barrier) Waive(before *time.Duration, names []string, now time.Time) error {
	if b.open || b.joined {
		return fmt.Errorf("%w: this node has joined", health.ErrIntentConflict)
	}
	missing := b.Missing(now)
	if len(names) == 0 {
		names = missing
	}
	for _, name := range names {
		if !slices.Contains(missing, name) {
			return fmt.Errorf("%w: this node does not wait for node %s", health.ErrNothingNamed, name)
		}
	}
	for _, name := range names {
		b.waived[name] = true
	}
	if before != nil {
		b.maxTTL = before
	}
	b.logger.Warn("joins without answers", "nodes", strings.Join(names, " "))
	return nil
}
