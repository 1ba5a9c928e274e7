package cluster

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/event"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/loop"
	"github.com/fairlead-dns/fairlead/health/state"
	"github.com/fairlead-dns/fairlead/health/table"
)

const (
	incarnationName = "incarnation"
	// askKeyring has another node change its keyring.
	askKeyring = "keyring"
)

// Options are what a node needs to be one of several.
type Options struct {
	// Gossip is complete but for Incarnation, Outlive, Deliver and Handlers, which are set here, and for what has defaults.
	Gossip gossip.Options
	// Nodes are where the nodes of Gossip.Roster stand, by name.
	Nodes []judge.Node
	// Allowance is how late a peer may learn of an observation (G of docs/design.md section 6).
	Allowance time.Duration
	// IsolateAfter is how long the node answers without a majority; 0 means for ever.
	IsolateAfter time.Duration
	// Version is the program's, shown to the other nodes.
	Version string
	// Keyring is the path of the file behind Gossip.Keyring; empty when gossip is in clear.
	Keyring string
}

// Around is what a node that joins has around it.
type Around struct {
	// Node is its name, Dir its state directory and State what is kept there, Started when it was started.
	Node    string
	Dir     string
	State   *state.File
	Started time.Time
	// Shared, Discovered and Runs are what nodes share besides orders; nil for nothing.
	Shared, Discovered, Runs Shared
	// Handlers are those of others, by kind.
	Handlers map[string]gossip.Handler
	Words    *Words
	Evidence *table.Evidence
	Rounds   *Rounds
	Loop     *loop.Loop
	Metrics  *Metrics
	Events   *event.Log
	Without  health.Guards
	Logger   *slog.Logger

	Registerer prometheus.Registerer
}

// A Membership is this node's part in a cluster, put together: its parts have owners of their own.
type Membership struct {
	Options
	Members *Members
	Barrier *Barrier
	Holders *Holders
	Marks   *Marks
	Pull    *Pull
	*Exchange
	// Ask asks another node.
	Ask Ask
	// Shares are what nodes have in common besides orders: Around's Shared, Discovered and Runs.
	Shares []*Share
	// Incarnation is the first of this run; gossip may raise its own.
	Incarnation uint64

	node    string
	peer    *gossip.Peer
	keyring *Keyring
	logger  *slog.Logger
	// cutUntil is the end of a rehearsal; zero while there is none.
	cutUntil time.Time
}

// runsShared is where Shares has Around.Runs.
const runsShared = 2

// Join makes this node's part in a cluster. What has its orders and its lives is set before anything runs.
func Join(c Options, a Around) (*Membership, error) {
	if a.Dir == "" {
		return nil, errors.New("a cluster needs a state directory")
	}
	m := &Membership{Options: c, node: a.Node, logger: a.Logger, Marks: NewMarks(a.Evidence)}
	o, err := m.gossip(&a)
	if err != nil {
		return nil, err
	}
	m.Ask = func(ctx context.Context, node, kind string, body []byte) ([]byte, error) {
		return m.peer.Ask(ctx, node, kind, body)
	}
	lists := &Lists{Marks: m.Marks, Ask: m.Ask, Loop: a.Loop, Logger: a.Logger}
	m.Pull = (&Pull{Ask: m.Ask, Loop: a.Loop, Logger: a.Logger}).Init()
	o.Handlers = map[string]gossip.Handler{AskPull: m.Pull.Handle, AskMemory: m.Pull.HandleMemory, askKeyring: m.handleKeyring, AskLeft: a.Words.HandleLeft, AskTargets: lists.Handle}
	for _, s := range []struct {
		name string
		set  Shared
	}{{"shared", a.Shared}, {"discovered", a.Discovered}, {"runs", a.Runs}} {
		changed := func() { a.Loop.Post(func(time.Time) { a.Rounds.Urge() }) }
		share := &Share{Name: s.name, Set: s.set, Ask: m.Ask, Loop: a.Loop, Changed: changed, Logger: a.Logger}
		m.Shares = append(m.Shares, share)
		o.Handlers[s.name] = share.Handle
	}
	maps.Copy(o.Handlers, a.Handlers)
	if m.peer, err = gossip.New(o); err != nil {
		return nil, err
	}
	m.Members = NewMembers(MembersOptions{
		Self: a.Node, Started: a.Started, Nodes: c.Nodes, Allowance: c.Allowance, Evidence: a.Evidence, Events: a.Events, Logger: a.Logger, Without: a.Without,
	})
	if m.Barrier, err = OpenBarrier(a.Dir, o.Cluster, m.Members, a.Without, a.Logger); errors.Is(err, ErrDamaged) {
		a.State.Damage(JoinedName, "the node joins anew", err)
	} else if err != nil {
		return nil, err
	}
	m.keyring = NewKeyring(c.Keyring, m.peer, askKeyring)
	m.Holders = NewHolders(m.Members)
	m.Pull.Holders, m.Pull.Barrier = m.Holders, m.Barrier
	a.Words.Members, a.Words.Barrier, a.Words.Ask = m.Members, m.Barrier, m.Ask
	m.Exchange = &Exchange{
		Rounds: a.Rounds, Members: m.Members, Words: a.Words, Evidence: a.Evidence, Marks: m.Marks, Lists: lists, Lease: c.IsolateAfter, To: m.peer, Metrics: a.Metrics, Logger: a.Logger,
	}
	m.LookAround(time.Now())
	return m, nil
}

// gossip are the options of this node's peer, and begins its incarnation.
func (m *Membership) gossip(a *Around) (o gossip.Options, err error) {
	path := filepath.Join(a.Dir, incarnationName)
	m.Incarnation, err = gossip.NextIncarnation(path)
	if errors.Is(err, gossip.ErrDamaged) {
		// Starts are counted from 1: the seconds of the clock are above all that this node has had, and only ever become more.
		a.State.Damage(incarnationName, "its starts are counted on from the clock", err)
		m.Incarnation, err = gossip.RaiseIncarnation(path, uint64(max(0, time.Now().Unix())))
	}
	if err != nil {
		return o, err
	}
	o = m.Gossip
	o.Incarnation, o.Logger, o.Registerer, o.Direct = m.Incarnation, a.Logger, a.Registerer, DirectRoster
	o.Deliver = func(r gossip.Round) {
		a.Rounds.Deliver(r)
		a.Loop.Wake()
	}
	o.Outlive = func(above uint64) (uint64, error) {
		next, err := gossip.RaiseIncarnation(path, above)
		if err == nil {
			a.Loop.Post(func(time.Time) { m.Pull.Orders.Raise(next) })
		}
		return next, err
	}
	if a.Without.Without(health.GuardOutlive) {
		o.Outlive = nil
	}
	return o, nil
}

// Run runs this node's part until ctx ends.
func (m *Membership) Run(ctx context.Context, beside func(func() error)) {
	m.Pull.Begin()
	beside(func() error { return m.peer.Run(ctx) })
	beside(func() error { return m.Pull.Run(ctx) })
	beside(func() error { return m.Barrier.Run(ctx) })
}

// LookAround finds out who is heard; changed tells whether that, or what follows from it, is new.
func (m *Membership) LookAround(now time.Time) (changed bool) {
	return m.Members.LookAround(m.peer.Heard(), now)
}

// SetRoster replaces the nodes of the cluster, this one among them.
func (m *Membership) SetRoster(members []gossip.Member, nodes []judge.Node, now time.Time) error {
	if err := m.peer.SetRoster(members); err != nil {
		return err
	}
	m.Members.SetNodes(nodes)
	m.LookAround(now)
	return nil
}

// View is what is known of the nodes; own is this one, and shut why it does not answer service names.
func (m *Membership) View(own NodeView, shut string, now time.Time) *View {
	own.Version, own.Joined, own.Lease = m.Version, m.Barrier.Joined(), m.IsolateAfter
	of := View{Name: m.Gossip.Cluster, Shut: shut, Keys: m.peer.Keys(), CutUntil: m.cutUntil, KeysChanged: m.keyring.ChangedAt()}
	if !m.Barrier.Open() {
		of.Missing = m.Barrier.Missing(now)
	}
	if a := m.peer.Addr(); a.IsValid() {
		own.Address = a.String()
	}
	view := m.Members.View(of, own, now)
	m.Metrics.show(view)
	return view
}

// handleKeyring is the reply to askKeyring.
func (m *Membership) handleKeyring(_ context.Context, from string, body []byte) ([]byte, error) {
	o, err := m.keyring.Handle(body)
	if o.Verb != "" {
		m.logger.Warn("keyring", "verb", o.Verb, "from", from)
	}
	return nil, err
}

// EndCut ends a rehearsal whose time is over.
func (m *Membership) EndCut(now time.Time) {
	if !m.cutUntil.IsZero() && !now.Before(m.cutUntil) {
		m.cutUntil = time.Time{}
		m.peer.Cut(false)
		m.logger.Info("rehearsal: this node is no longer cut off")
	}
}
