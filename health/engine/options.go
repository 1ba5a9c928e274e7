package engine

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/event"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/reload"
	"github.com/fairlead-dns/fairlead/health/vantage"
)

// A Publisher makes what is served from views. All calls but Prepare come from Run's goroutine, one at a time.
type Publisher interface {
	// Prepare compiles a view of a new model, beside the views that go on being published, so that the Publish of that
	// model is cheap. It runs on a goroutine of its own.
	Prepare(*health.View)
	// Publish serves v from now on. The horizons in lower, by v's indices, hold before v does: they only move flips to an
	// earlier time.
	Publish(v *health.View, lower []health.PoolHorizon) ledger.Swap
	// MoveHorizons moves the earliest flips of pools of the view that was published last.
	MoveHorizons([]health.PoolHorizon)
	// Serves tells whether a service of a zone, both by name, answers with something that is up.
	Serves(zone, service string) bool
	// PlanHash is the same on two nodes that answer the same from the same model.
	PlanHash() uint64
}

// A Prober probes targets and reports to Engine.Observe.
type Prober interface {
	vantage.Prober
	Run(context.Context) error
	// Alive is nil while the schedule turns.
	Alive() error
}

// Options are what an Engine works with. Publisher, Prober and Model are required.
type Options struct {
	Publisher Publisher
	Prober    Prober
	// Model is what is served from the start.
	Model *config.Model
	// Source may be nil: then only SetModel changes the model.
	Source reload.Source
	// Node names this node in the ids of intents; DefaultNode when empty.
	Node string
	// State is the directory for intents and the last verdicts; empty for none. StateMaxAge is DefaultStateMaxAge when 0.
	State       string
	StateMaxAge time.Duration
	// Ledger is what the Publisher's answers are stamped in; nil means that nobody asks.
	Ledger *ledger.Ledger
	// Events is told what happens; nil means nobody. Hooks is set when this node has webhooks, which the others are told.
	Events *event.Log
	Hooks  bool
	// Subscribers are those who listen to this node's feeds; nil where it has none.
	Subscribers cluster.Subscribers
	// Transit is how late a resolver may still accept an answer (X of docs/design.md section 6); config.DefaultTransit when 0.
	Transit time.Duration
	// Shared is what the nodes share besides orders; nil for nothing.
	Shared cluster.Shared
	// Discovered is what clusters give, which nodes tell each other; nil for nothing.
	Discovered cluster.Shared
	// Handlers reply to what other nodes ask for by AskEach, by kind; nil for nothing.
	Handlers map[string]gossip.Handler
	// Runs are those of plans; nil for none.
	Runs cluster.Shared
	// References are probed only to tell a broken vantage from a broken world; none means that it never abstains.
	References []health.Target
	// MaxTTL is an operator's word for the greatest TTL that an earlier process of this node gave; nil for none. Restored, where it is not
	// empty, says why State may be an older copy.
	MaxTTL   *time.Duration
	Restored string
	// Without is for simulators, and so is Skew: how far this node's clock is ahead, where instants are told by it.
	Without health.Guards
	Skew    time.Duration
	// Suspended is for how long the machine has been suspended since it was started; nil asks the kernel. It is for simulators.
	Suspended func() time.Duration
	// Cluster is nil for a node alone. With it, Node is its name in the roster and State is required.
	Cluster    *cluster.Options
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

func (o *Options) validate() error {
	if o.Publisher == nil || o.Prober == nil || o.Model == nil {
		return errors.New("engine: Publisher, Prober and Model are required")
	}
	if o.Node == "" {
		o.Node = DefaultNode
	}
	if o.Ledger == nil {
		o.Ledger = ledger.New(time.Now())
	}
	if o.Transit == 0 {
		o.Transit = config.DefaultTransit
	}
	if o.StateMaxAge == 0 {
		o.StateMaxAge = DefaultStateMaxAge
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	return nil
}
