package cluster

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/loop"
)

const (
	// eachTimeout is how long the nodes have for a reply: who asks is a person, or a program that asks again.
	eachTimeout = 3 * time.Second
	// asksAtOnce bounds how many nodes are asked at the same time.
	asksAtOnce = 16
)

// An Ask asks another node for what its handlers of a kind give.
type Ask func(ctx context.Context, node, kind string, body []byte) ([]byte, error)

// A Reply is what another configured node replied to a request.
type Reply struct {
	Node string
	Body []byte
	// At is when it arrived.
	At time.Time
	// Why says why there is none; empty for one.
	Why string
}

// Asker asks every other node for what that gives. It may be used from any goroutine.
type Asker struct {
	// Members are nil for a node alone, and belong to Loop's owner.
	Members *Members
	Loop    *loop.Loop
	Ask     Ask
	Logger  *slog.Logger
}

// Each asks every other configured node for something that handlers of that node give. A node that is not heard, was declared
// stopped, or has not passed the join barrier is not asked. The replies stand in the order of names.
func (a *Asker) Each(ctx context.Context, kind string, body []byte) ([]Reply, error) {
	if a.Members == nil {
		return nil, nil
	}
	var replies []Reply
	err := a.Loop.Do(func(now time.Time) error {
		for _, name := range a.Members.Configured(now) {
			if name != a.Members.self {
				replies = append(replies, Reply{Node: name, Why: a.Members.mute(name)})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, eachTimeout)
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
			r.Body, err = a.Ask(ctx, r.Node, kind, body)
			r.At = time.Now()
			if remote, ok := errors.AsType[*gossip.RemoteError](err); ok && remote.UnknownKind {
				r.Why = "runs an older version, which does not say"
			} else if err != nil {
				r.Why = "does not reply"
				a.Logger.Debug("another node does not reply", "node", r.Node, "kind", kind, "err", err)
			}
			return nil
		})
	}
	_ = g.Wait()
	return replies, nil
}

// mute says why a configured node is not asked; empty where it is.
func (m *Members) mute(name string) string {
	p := m.peers[name]
	switch {
	case !m.stopped[name].IsZero():
		return "is declared stopped, and has not said what it answered"
	case p == nil || !p.fresh:
		return "is not heard"
	case p.joining || p.older:
		return "joins the cluster, or is being compared"
	}
	return ""
}
