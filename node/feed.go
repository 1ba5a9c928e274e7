package node

import (
	"time"

	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/feed"
)

// swapped is what tells subscribers of snapshots; nil where there can be none. The hub is there before the first snapshot is.
func (n *Node) swapped() func(left []ledger.Departed) {
	if n.config.Load().Feed == nil {
		return nil
	}
	n.hub = feed.NewHub()
	if n.config.Load().Feed.XDS != "" {
		n.compiler.TellNext()
	}
	return func(left []ledger.Departed) { n.hub.Swapped(left, time.Now()) }
}

// subscribers are those who listen; nil where nobody may. The hub is there.
func (n *Node) subscribers() cluster.Subscribers {
	if n.hub == nil {
		return nil
	}
	return n.hub
}

// Feeds is who listens; nil where nobody can.
func (n *Node) Feeds() *api.Feeds {
	if n.hub == nil {
		return nil
	}
	there, silent, unconfirmed := n.hub.Count()
	return &api.Feeds{Subscribers: there, Silent: silent, Unconfirmed: unconfirmed}
}

// makeFeed opens the listeners for programs that are no resolvers.
func (n *Node) makeFeed() (err error) {
	if n.hub == nil {
		return nil
	}
	cfg := n.config.Load()
	n.feed, err = feed.New(feed.Options{
		Config: cfg.Feed, Source: n, Tokens: n.tokens, Hub: n.hub, Transit: cfg.Caches.Transit, Logger: n.logger, Registerer: n.scope,
	})
	return err
}
