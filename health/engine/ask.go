package engine

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fairlead-dns/fairlead/health/gossip"
)

const (
	// askTimeout is how long the nodes have for a reply: who asks is a person, or a program that asks again.
	askTimeout = 3 * time.Second
	// asksAtOnce bounds how many nodes are asked at the same time.
	asksAtOnce = 16
)

// A Reply is what another configured node replied to a request.
type Reply struct {
	Node string
	Body []byte
	// At is when it arrived.
	At time.Time
	// Why says why there is none; empty for one.
	Why string
}

// AskEach asks every other configured node for something that Options.Handlers of that node give. A node that is not heard, was declared
// stopped, or has not passed the join barrier is not asked. The replies stand in the order of names.
func (e *Engine) AskEach(ctx context.Context, kind string, body []byte) ([]Reply, error) {
	if e.cluster == nil {
		return nil, nil
	}
	var replies []Reply
	err := e.loop.Do(func(now time.Time) error {
		for _, name := range e.configuredNames(now) {
			if name != e.cluster.self {
				replies = append(replies, Reply{Node: name, Why: e.mute(name)})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(asksAtOnce)
	for i := range replies {
		r := &replies[i]
		if r.Why != "" {
			continue
		}
		g.Go(func() error {
			var err error
			r.Body, err = e.cluster.peer.Ask(ctx, r.Node, kind, body)
			r.At = time.Now()
			if remote, ok := errors.AsType[*gossip.RemoteError](err); ok && remote.UnknownKind {
				r.Why = "runs an older version, which does not say"
			} else if err != nil {
				r.Why = "does not reply"
				e.opts.Logger.Debug("another node does not reply", "node", r.Node, "kind", kind, "err", err)
			}
			return nil
		})
	}
	_ = g.Wait()
	return replies, nil
}

// mute says why a configured node is not asked; empty where it is.
func (e *Engine) mute(name string) string {
	p := e.cluster.peers[name]
	switch {
	case !e.cluster.stopped[name].IsZero():
		return "is declared stopped, and has not said what it answered"
	case p == nil || !p.fresh:
		return "is not heard"
	case p.joining || p.older:
		return "joins the cluster, or is being compared"
	}
	return ""
}

// Earlier is until when caches may hold answers of services that earlier processes of this node gave; why says why that is not known.
func (e *Engine) Earlier() (until time.Time, why string) {
	c := e.shownClear.Load()
	if c.own.IsZero() {
		return c.own, "it has just been started"
	}
	return c.own, c.ownWhy
}
