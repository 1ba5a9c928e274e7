package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/event"
	"github.com/fairlead-dns/fairlead/health/gone"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/intent"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/round"
	"github.com/fairlead-dns/fairlead/health/table"
)

const (
	// directRoster is the greatest cluster in which every node sends to every other one: relaying costs five times as much, and
	// hides one-way cuts.
	directRoster = 128
	// freshFor is how long a node counts as heard after its latest round (docs/design.md section 4).
	freshFor = health.HeardFor
	// rosterTime is how long a silent node counts where a guard of the simulator lets it leave by time.
	rosterTime = 15 * time.Second
	// tellTicks is how many ticks pass between two tellings while nothing changes: a second, gossip's own pace.
	tellTicks = 4
	// collectTicks is how many ticks pass between two looks for intents that are over for good.
	collectTicks    = 240
	incarnationName = "incarnation"
	// askKeyring has another node change its keyring.
	askKeyring = "keyring"
)

// A Cluster is what an Engine needs to be one of several nodes.
type Cluster struct {
	// Gossip is complete but for Incarnation, Outlive, Deliver and Handlers, which are the engine's, and for what has defaults.
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

// A membership is this node's part in the cluster. But for what locks guard it is owned by Run's goroutine.
type membership struct {
	opts Cluster
	self string
	// What it shares with the engine: when that started, what it believes, whom it tells, and the clock of its lease.
	started  time.Time
	evidence *table.Evidence
	clock    *cluster.Lease
	logger   *slog.Logger
	events   *event.Log
	without  health.Guards
	peer     *gossip.Peer
	// incarnation is the first of this run; gossip may raise its own.
	incarnation uint64
	// nodes is the roster by name, others those of it that are not this node.
	nodes []judge.Node
	peers map[string]*peer
	// heard counts the nodes that are heard, this one included.
	heard    int
	isolated bool
	lease    lease
	// removed and stopped are what intents say about nodes, and since when.
	removed, stopped map[string]time.Time
	// reviving are the words that a node is stopped which are about to be ended.
	reviving map[health.IntentID]bool
	// rounds are what nodes tell each other; its lock is its own.
	rounds cluster.Rounds
	// ordered is set when what a round said of orders was new.
	ordered bool
	// marks are what this node says of its observations.
	marks *cluster.Marks
	// lists are those of targets that the marks of other nodes rest on.
	lists *cluster.Lists
	// memory is what is remembered as of the last second: it is large when much is out, and no news.
	memory *round.Memory
	gate   gate
	// urgent asks for a telling at the end of this turn of the loop.
	urgent bool

	// cutUntil is the end of a rehearsal; zero while there is none.
	cutUntil time.Time

	keyring *cluster.Keyring
	// shares are the sets that nodes have in common besides orders.
	shares []*cluster.Share
}

// peer is what is known of another node.
type peer struct {
	name string
	// said is what it observed; guarded by the evidence's lock.
	said *round.Vantage
	// status is what it said of itself, at statusAt; zero while it said nothing.
	status   round.Status
	statusAt time.Time
	// rosterAt is when it last said with which nodes it is configured.
	rosterAt time.Time
	// direct is when it was last heard straight, and at when at all.
	direct, at time.Time
	fresh      bool
	// patchy is set while some of what it observed is stale although it is heard.
	patchy  bool
	address string
	// intents are what it holds, by shard of its part; held what it acknowledged in between.
	intents map[int]intent.Set
	held    intent.Set
	memory  cluster.HeardMemory
	// entered are the services that it has moved to pools which keep data, by shard of its part.
	entered map[int]map[round.MemoryKey]bool
	// listened is what it last said of those who listen to it.
	listened round.Listened
	// incarnation is the latest that was heard, and born when it first was.
	incarnation uint64
	born        time.Time
	// words is what it said of holdings that left, heard whom it hears; echoes are which of this node's rounds its own had heard, oldest
	// first, in its run echoBoot.
	words    round.WordsBy
	heard    round.HeardBy
	echoes   []echo
	echoBoot round.Boot
	// ofMe is what it remembers of this node. joining is set while its words do not count, older while it is a copy of an older disk.
	ofMe           round.Remembered
	joining, older bool
	// drift and divergent are since when its configuration, or its plans, differ from this node's; zero while they do not.
	drift, divergent time.Time
	// askedLeft is when it was last asked for the names of what left its answers and is not known here.
	askedLeft time.Time
}

// holds tells whether the node is known to have on disk what set says of an intent: that it is over, or goes on for so long.
func (p *peer) holds(set intent.Set, id health.IntentID) bool {
	if p.held.Covers(set, id) {
		return true
	}
	for _, s := range p.intents {
		if s.Covers(set, id) {
			return true
		}
	}
	return false
}

// joinCluster makes this engine's part in the cluster of its options; nil without one.
func (e *Engine) joinCluster() error {
	c := e.opts.Cluster
	if c == nil {
		return nil
	}
	if e.opts.State == "" {
		return errors.New("a cluster needs a state directory")
	}
	path := filepath.Join(e.opts.State, incarnationName)
	incarnation, err := gossip.NextIncarnation(path)
	if errors.Is(err, gossip.ErrDamaged) {
		// Starts are counted from 1: the seconds of the clock are above all that this node has had, and only ever become more.
		e.state.Damage(incarnationName, "its starts are counted on from the clock", err)
		incarnation, err = gossip.RaiseIncarnation(path, uint64(max(0, time.Now().Unix())))
	}
	if err != nil {
		return err
	}
	o := c.Gossip
	o.Incarnation, o.Deliver, o.Logger, o.Registerer = incarnation, e.deliver, e.opts.Logger, e.opts.Registerer
	o.Direct = directRoster
	o.Outlive = func(above uint64) (uint64, error) {
		next, err := gossip.RaiseIncarnation(path, above)
		if err == nil {
			e.loop.Post(func(time.Time) { e.intents.Raise(next) })
		}
		return next, err
	}
	if e.opts.Without.Without(health.GuardOutlive) {
		o.Outlive = nil
	}
	o.Handlers = map[string]gossip.Handler{askIntents: e.handleIntents, askPull: e.handlePull, askMemory: e.handleMemory, askKeyring: e.handleKeyring,
		askLeft: e.handleLeft}
	cl := &membership{
		opts: *c, self: e.opts.Node, started: e.started, evidence: e.evidence, clock: e.lease, logger: e.opts.Logger, events: e.opts.Events, without: e.opts.Without,
		peers: make(map[string]*peer), heard: 1, reviving: make(map[health.IntentID]bool), incarnation: incarnation, memory: new(round.Memory),
	}
	cl.shares = e.newShares(func(ctx context.Context, node, kind string, body []byte) ([]byte, error) {
		return cl.peer.Ask(ctx, node, kind, body)
	})
	cl.lists = &cluster.Lists{Ask: cl.shares[0].Ask, Loop: e.loop, Logger: e.opts.Logger}
	o.Handlers[cluster.AskTargets] = cl.lists.Handle
	for _, s := range cl.shares {
		o.Handlers[s.Name] = s.Handle
	}
	maps.Copy(o.Handlers, e.opts.Handlers)
	cl.gate.mark = joinedFile(e.opts.State)
	cl.marks = cluster.NewMarks(e.evidence)
	cl.lists.Marks = cl.marks
	if cl.peer, err = gossip.New(o); err != nil {
		return err
	}
	if cl.gate.joined, err = readJoined(cl.gate.mark, o.Cluster); errors.Is(err, errDamaged) {
		e.state.Damage(joinedName, "the node joins anew", err)
	} else if err != nil {
		return err
	}
	cl.keyring = cluster.NewKeyring(c.Keyring, cl.peer, askKeyring)
	e.evidence.Listen(time.Now())
	cl.lease.open()
	e.cluster = cl
	e.evidence.SetEntered(cl.enteredElsewhere)
	cl.rounds.Register(e.parts()...)
	cl.setNodes(c.Nodes)
	// Nobody has been heard yet, which is no news.
	cl.isolated = judge.Isolated(1, len(cl.nodes))
	cl.lookAround(time.Now())
	e.shutGate(cl.gate.first(cl.others()))
	return nil
}

// incarnation is that of this run; 0 for a node alone.
func (e *Engine) incarnation() uint64 {
	if e.cluster == nil {
		return 0
	}
	return e.cluster.incarnation
}

// setNodes replaces the roster. What is known of nodes that stay goes on.
func (c *membership) setNodes(nodes []judge.Node) {
	c.nodes = slices.SortedFunc(slices.Values(nodes), func(a, b judge.Node) int { return cmp.Compare(a.Name, b.Name) })
	keep := make(map[string]bool)
	for _, n := range nodes {
		keep[n.Name] = true
		if n.Name != c.self && c.peers[n.Name] == nil {
			c.peers[n.Name] = &peer{name: n.Name, said: round.NewVantage(n.Name), intents: make(map[int]intent.Set)}
		}
	}
	maps.DeleteFunc(c.peers, func(name string, _ *peer) bool { return !keep[name] })
	var peers []table.Vantage
	for _, name := range c.others() {
		peers = append(peers, c.peers[name].said)
	}
	c.evidence.SetVoters(judge.NewBench(c.nodes), peers, c.opts.Allowance)
}

// others are the names of the roster but this node's, sorted.
func (c *membership) others() []string { return slices.Sorted(maps.Keys(c.peers)) }

// alone tells whether this node is every configured node.
func (c *membership) alone() bool { return c == nil || len(c.peers) == 0 }

// configured are the nodes that may be answering, by name: all that any roster ever named, but for those that were declared removed. No name
// leaves by time.
func (e *Engine) configuredNames(now time.Time) []string {
	c := e.cluster
	names := slices.DeleteFunc(slices.Collect(maps.Keys(e.lives.names)), func(name string) bool {
		if name == c.self {
			return false
		}
		_, removed := c.removed[name]
		p := c.peers[name]
		byTime := e.opts.Without.Without(health.GuardRoster) && (p == nil || now.Sub(p.at) > rosterTime)
		return removed || byTime
	})
	slices.Sort(names)
	return names
}

// lacking are those of the configured nodes, this one aside, that are not known to hold what set says of the intent.
func (c *membership) lacking(configured []string, set intent.Set, id health.IntentID) []string {
	var lacking []string
	for _, name := range configured {
		if name == c.self {
			continue
		}
		if p := c.peers[name]; p == nil || !p.holds(set, id) {
			lacking = append(lacking, name)
		}
	}
	return lacking
}

// relays tells whether rounds come through other nodes, so that none comes straight.
func (c *membership) relays() bool { return len(c.nodes) > directRoster }

// lookAround finds out who is heard; changed tells whether that, or what follows from it, is new.
func (c *membership) lookAround(now time.Time) (changed bool) {
	heard := 1
	for _, h := range c.peer.Heard() {
		p := c.peers[h.Node]
		if p == nil {
			continue
		}
		p.at, p.direct, p.address = h.At, h.Direct, ""
		if h.Incarnation != p.incarnation {
			p.incarnation, p.born = h.Incarnation, now
		}
		if h.Address.IsValid() {
			p.address = h.Address.String()
		}
		if c.relays() {
			p.direct = p.at
		}
		fresh := !p.direct.IsZero() && now.Sub(p.direct) < freshFor
		if !p.direct.IsZero() {
			c.evidence.Heard(p.name, p.direct)
		}
		if fresh != p.fresh {
			changed = true
			if fresh {
				c.logger.Info("a node of the cluster is heard", "node", h.Node)
			} else {
				c.logger.Warn("a node of the cluster is not heard any more", "node", h.Node)
			}
			c.events.Add(either(fresh, "node.heard", "node.silent"), h.Node, either(fresh, "is heard", "is not heard any more"), nil)
		}
		if p.fresh = fresh; fresh {
			heard++
		}
	}
	isolated := judge.Isolated(heard, len(c.nodes)) && !c.without.Without(health.GuardIsolation)
	if isolated != c.isolated {
		changed = true
		c.events.Add(either(isolated, "node.isolated", "node.rejoined"), c.self, fmt.Sprintf("hears %d of %d nodes", heard, len(c.nodes)), nil)
		log := c.logger.Info
		if isolated {
			log = c.logger.Warn
		}
		log(either(isolated, "cut off from most of the cluster", "most of the cluster is heard"), "heard", heard, "roster", len(c.nodes))
	}
	c.heard, c.isolated = heard, isolated
	c.evidence.SetHeard(len(c.peers), heard-1, isolated, changed, now)
	return changed
}

// onClusterTick does what time alone brings about the other nodes; changed tells whether a new view is due.
func (e *Engine) onClusterTick(now time.Time) (changed bool) {
	c := e.cluster
	if c == nil {
		if e.ticks%tellTicks == 0 {
			e.showCluster(now)
		}
		return false
	}
	e.endCut(now)
	if c.lookAround(now) {
		changed = true
		e.rejudge()
	}
	e.cur.AwaitLoss(now)
	e.mindGate(now)
	if e.ticks%tellTicks != 0 {
		return changed
	}
	e.markAll(now)
	if c.blocksStale(now) {
		e.rejudge()
	}
	changed = e.remember(now) || changed
	e.nameForeign(now)
	e.gone.Show(c.goneElsewhere(), now)
	c.memory = e.cur.memory.Of(e.gone.Keys(), now)
	e.compare(now)
	e.revive(now)
	e.confirm(now)
	if e.ticks%collectTicks == 0 {
		e.collect(now)
	}
	e.showCluster(now)
	e.tell(now)
	e.cluster.urgent = false
	// What others say moves on with every round, and horizons with it.
	e.cur.AllMoved()
	return changed
}

// goneElsewhere is what the other nodes say of static records that no file of theirs has any more.
func (c *membership) goneElsewhere() gone.Others {
	others := make(gone.Others)
	if c == nil {
		return others
	}
	for name, p := range c.peers {
		for g := range p.memory.Gone() {
			others.Add(name, g)
		}
	}
	return others
}

// blocksStale tells whether a block of marks of a node that is heard has gone stale, or is heard again, since the last call.
func (c *membership) blocksStale(now time.Time) (changed bool) {
	for _, p := range c.peers {
		stale := p.fresh && p.said.StaleBlocks(now.Add(-freshFor)) > 0
		changed = changed || stale != p.patchy
		p.patchy = stale
	}
	return changed
}

// collect forgets what is over for good.
func (e *Engine) collect(now time.Time) {
	e.intents.Collect(now)
	e.kept.Next(now)
	set := e.intents.Set()
	for _, p := range e.cluster.peers {
		p.held = p.held.Both(set)
	}
}

// deliver takes what gossip heard.
func (e *Engine) deliver(r gossip.Round) {
	e.cluster.rounds.Deliver(r)
	e.loop.Wake()
}

// hear takes in what was delivered since the last time. The pools that it concerns are judged by the next judge; changed
// tells whether intents moved.
func (e *Engine) hear(now time.Time) (changed bool) {
	c := e.cluster
	if c == nil {
		return false
	}
	rounds, lost := c.rounds.Waiting()
	e.metrics.cluster.lost.Add(float64(lost))
	c.ordered = false
	for i := range rounds {
		r := &rounds[i]
		if c.peers[r.Node] == nil {
			continue
		}
		if err := c.rounds.Take(r, now); err != nil {
			e.metrics.cluster.refuse(err)
			e.opts.Logger.Debug("round not understood", "node", r.Node, "part", r.Key, "err", err)
		}
	}
	return c.ordered
}

var errNoCluster = fmt.Errorf("%w: this node is not part of a cluster", health.ErrIntentConflict)

// ChangeKeyring carries an order out on every node of the roster, this one last; see cluster.Keyring.
func (e *Engine) ChangeKeyring(ctx context.Context, o cluster.KeyringOrder) (failed map[string]error, err error) {
	if e.cluster == nil {
		return nil, errNoCluster
	}
	if err := e.cluster.keyring.Encrypts(); err != nil {
		return nil, err
	}
	var names []string
	if err := e.loop.Do(func(time.Time) error { names = e.cluster.others(); return nil }); err != nil {
		return nil, err
	}
	return e.cluster.keyring.Change(ctx, o, e.cluster.self, names)
}

// handleKeyring is the reply to askKeyring.
func (e *Engine) handleKeyring(_ context.Context, from string, body []byte) ([]byte, error) {
	o, err := e.cluster.keyring.Handle(body)
	if o.Verb != "" {
		e.opts.Logger.Warn("keyring", "verb", o.Verb, "from", from)
	}
	return nil, err
}
