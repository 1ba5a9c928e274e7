package engine

import (
	"context"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/round"
)

const (
	// sharedRetry is the pause before a node is asked again for what is not the same there and here.
	sharedRetry = time.Second
)

// A shareKind is one of the sets that the nodes of a cluster have in common.
type shareKind int

const (
	shareOptions shareKind = iota
	shareDiscovered
	shareKinds
)

// name is that of the part with the set's digest, and of the request for all of it.
func (k shareKind) name() string { return [shareKinds]string{"shared", "discovered"}[k] }

// sharedSet is the set of a kind; nil for none.
func (e *Engine) sharedSet(k shareKind) Shared {
	if k == shareDiscovered {
		return e.opts.Discovered
	}
	return e.opts.Shared
}

// sharedPart is the digest of the set of a kind.
func (e *Engine) sharedPart(k shareKind) cluster.Part {
	part := cluster.Part{Key: k.name(), Take: func(r *gossip.Round, now time.Time) error {
		return e.takeShared(k, e.cluster.peers[r.Node], r.Data, now)
	}}
	if s := e.sharedSet(k); s != nil {
		part.Encode = func(time.Time) ([]byte, any) {
			digest := s.Digest()
			return digest[:], digest
		}
	}
	return part
}

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

// TellShared tells the others at once that Options.Shared or Options.Discovered has changed.
func (e *Engine) TellShared() {
	e.post(func(time.Time) {
		if e.cluster != nil {
			e.cluster.urgent = true
		}
	})
}

// SharedMissing are the configured nodes, this one aside, that were not heard to have the same Shared as this node, by name, once there are
// none or ctx has ended.
func (e *Engine) SharedMissing(ctx context.Context) (missing []string) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := e.command(func(now time.Time) error { missing = e.sharedMissing(now); return nil })
		if err != nil || len(missing) == 0 {
			return missing
		}
		select {
		case <-ctx.Done():
			return missing
		case <-e.ended:
			return missing
		case <-tick.C:
		}
	}
}

func (e *Engine) sharedMissing(now time.Time) (missing []string) {
	if e.opts.Shared == nil || e.cluster.alone() {
		return nil
	}
	own := e.opts.Shared.Digest()
	for _, name := range e.configuredNames(now) {
		p := e.cluster.peers[name]
		if name != e.cluster.self && (p == nil || !p.fresh || p.shared[shareOptions] != own) {
			missing = append(missing, name)
		}
	}
	return missing
}

// takeShared takes in the digest that p tells, and asks p for the set where it is another one.
func (e *Engine) takeShared(k shareKind, p *peer, b []byte, now time.Time) error {
	if len(b) != len(p.shared[k]) {
		return round.ErrMalformed
	}
	copy(p.shared[k][:], b)
	s := e.sharedSet(k)
	if s == nil {
		return nil
	}
	if s.Digest() == p.shared[k] {
		s.Agreed()
		return nil
	}
	if now.Sub(p.sharedAsked[k]) < sharedRetry {
		return nil
	}
	p.sharedAsked[k] = now
	e.shares.Add(1)
	go e.fetchShared(k, p.name)
	return nil
}

// fetchShared asks a node for its set and merges it; the disk is waited for here, and not on the engine's goroutine.
func (e *Engine) fetchShared(k shareKind, from string) {
	defer e.shares.Done()
	ctx, cancel := context.WithTimeout(e.running, pullTimeout)
	defer cancel()
	b, err := e.cluster.peer.Ask(ctx, from, k.name(), nil)
	if err != nil {
		e.opts.Logger.Debug("what nodes share not fetched", "what", k.name(), "node", from, "err", err)
		return
	}
	changed, err := e.sharedSet(k).Merge(b, time.Now())
	if err != nil {
		// It is asked for again every second: the log has one line for each reason.
		if text := err.Error(); e.sharedFault.Swap(text) != text {
			e.opts.Logger.Warn("what nodes share not taken up", "what", k.name(), "node", from, "err", err)
		}
		return
	}
	e.sharedFault.Store("")
	if changed {
		e.opts.Logger.Info("what nodes share taken up", "what", k.name(), "node", from)
		e.TellShared()
	}
}

// handleShared makes the reply to a request for a set.
func (e *Engine) handleShared(k shareKind) gossip.Handler {
	return func(context.Context, string, []byte) ([]byte, error) {
		s := e.sharedSet(k)
		if s == nil {
			return nil, errNoCluster
		}
		b, err := s.Encode()
		return slices.Clone(b), err
	}
}
