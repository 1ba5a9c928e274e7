package engine

import (
	"context"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health/round"
)

const (
	// partShared is the digest of a node's Shared, and askShared asks for all of it.
	partShared = "shared"
	askShared  = "shared"
	// sharedRetry is the pause before a node is asked again for what is not the same there and here.
	sharedRetry = time.Second
)

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

// TellShared tells the others at once that Options.Shared has changed.
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
		if name != e.cluster.self && (p == nil || !p.fresh || p.shared != own) {
			missing = append(missing, name)
		}
	}
	return missing
}

// takeShared takes in the digest that p tells, and asks p for the set where it is another one.
func (e *Engine) takeShared(p *peer, b []byte, now time.Time) error {
	if len(b) != len(p.shared) {
		return round.ErrMalformed
	}
	copy(p.shared[:], b)
	s := e.opts.Shared
	if s == nil {
		return nil
	}
	if s.Digest() == p.shared {
		s.Agreed()
		return nil
	}
	if now.Sub(p.sharedAsked) < sharedRetry {
		return nil
	}
	p.sharedAsked = now
	e.shares.Add(1)
	go e.fetchShared(p.name)
	return nil
}

// fetchShared asks a node for its Shared and merges it; the disk is waited for here, and not on the engine's goroutine.
func (e *Engine) fetchShared(from string) {
	defer e.shares.Done()
	ctx, cancel := context.WithTimeout(e.running, pullTimeout)
	defer cancel()
	b, err := e.cluster.peer.Ask(ctx, from, askShared, nil)
	if err != nil {
		e.opts.Logger.Debug("what nodes share not fetched", "node", from, "err", err)
		return
	}
	changed, err := e.opts.Shared.Merge(b, time.Now())
	if err != nil {
		// It is asked for again every second: the log has one line for each reason.
		if text := err.Error(); e.sharedFault.Swap(text) != text {
			e.opts.Logger.Warn("what nodes share not taken up", "node", from, "err", err)
		}
		return
	}
	e.sharedFault.Store("")
	if changed {
		e.opts.Logger.Info("what nodes share taken up", "node", from)
		e.TellShared()
	}
}

// handleShared is the reply to askShared.
func (e *Engine) handleShared(context.Context, string, []byte) ([]byte, error) {
	if e.opts.Shared == nil {
		return nil, errNoCluster
	}
	b, err := e.opts.Shared.Encode()
	return slices.Clone(b), err
}
