package cluster

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/loop"
	"github.com/fairlead-dns/fairlead/health/round"
)

// askTimeout bounds one request to another node: a lost packet of TCP's handshake costs a second, two cost three.
const askTimeout = 4 * time.Second

// shareRetry is the pause before a node is asked again for what is not the same there and here.
const shareRetry = time.Second

// errNoShare is what a node says that has no such set.
var errNoShare = errors.New("nothing of that kind is shared here")

// Shared is what the nodes of a cluster have in common besides orders, and what is opaque here: a set that merges, kept by its owner. Every
// round tells its digest; who hears another one than its own asks for the set. All methods are safe for concurrent use.
type Shared interface {
	// Digest is the same for the same set on every node. It waits for nothing.
	Digest() [16]byte
	// Encode is all of it, at most gossip.MaxAsk octets, and Merge takes another node's in; it is on disk when the error is nil.
	Encode() ([]byte, error)
	Merge(b []byte, now time.Time) (changed bool, err error)
	// Agreed is told that another node has the same. It waits for no disk.
	Agreed()
}

// A Share brings one set to all nodes. Its owner is the goroutine that takes rounds in.
type Share struct {
	// Name is that of the part with the set's digest, and of the request for all of it.
	Name string
	// Set is nil for none.
	Set Shared
	// Ask asks another node. Loop is the owner's. Changed is told that the set has become another one.
	Ask     Ask
	Loop    *loop.Loop
	Changed func()
	Logger  *slog.Logger

	// told are the digests that other nodes last told, asked when each was last asked.
	told  map[string][16]byte
	asked map[string]time.Time
	// fault is why the set last took nothing up, as text.
	fault atomic.Value
}

// Part is the digest of the set.
func (s *Share) Part() Part {
	part := Part{Key: s.Name, Take: s.take}
	if s.Set != nil {
		part.Encode = func(time.Time) ([]byte, any) {
			digest := s.Set.Digest()
			return digest[:], digest
		}
	}
	return part
}

// Has tells whether a node last told the same digest as this node has now.
func (s *Share) Has(node string) bool {
	digest, ok := s.told[node]
	return ok && digest == s.Set.Digest()
}

// take takes in the digest that a node tells, and asks it for the set where it is another one.
func (s *Share) take(r *gossip.Round, now time.Time) error {
	var digest [16]byte
	if len(r.Data) != len(digest) {
		return round.ErrMalformed
	}
	copy(digest[:], r.Data)
	if s.told == nil {
		s.told, s.asked = make(map[string][16]byte), make(map[string]time.Time)
	}
	s.told[r.Node] = digest
	switch {
	case s.Set == nil:
	case s.Set.Digest() == digest:
		s.Set.Agreed()
	case now.Sub(s.asked[r.Node]) >= shareRetry:
		s.asked[r.Node] = now
		from := r.Node
		s.Loop.Beside(askTimeout, func(ctx context.Context) { s.fetch(ctx, from) })
	}
	return nil
}

// fetch asks a node for its set and merges it; the disk is waited for here, and not on the owner's goroutine.
func (s *Share) fetch(ctx context.Context, from string) {
	b, err := s.Ask(ctx, from, s.Name, nil)
	if err != nil {
		s.Logger.Debug("what nodes share not fetched", "what", s.Name, "node", from, "err", err)
		return
	}
	changed, err := s.Set.Merge(b, time.Now())
	if err != nil {
		// It is asked for again every second: the log has one line for each reason.
		if text := err.Error(); s.fault.Swap(text) != text {
			s.Logger.Warn("what nodes share not taken up", "what", s.Name, "node", from, "err", err)
		}
		return
	}
	s.fault.Store("")
	if changed {
		s.Logger.Info("what nodes share taken up", "what", s.Name, "node", from)
		s.Changed()
	}
}

// Handle makes the reply to a request for the set.
func (s *Share) Handle(context.Context, string, []byte) ([]byte, error) {
	if s.Set == nil {
		return nil, errNoShare
	}
	b, err := s.Set.Encode()
	return slices.Clone(b), err
}
