package fairlead

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/engine"
	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

const (
	// simTransit is how late the simulator's resolvers accept an answer at most: X as the engine has it by default.
	simTransit = 5 * time.Second
	// simStall is how long a write may take at most.
	simStall = 10 * time.Second
	// asksPerSecond is how often each node is asked: enough to have every endpoint in some cache all the time.
	asksPerSecond = 6
)

// simCaches are honest caches: they take an answer up to simTransit after it was written, keep it for its TTL from then on, and
// not a moment longer. What every node prints of bounds is held against what is in them.
type simCaches struct {
	sim *sim
	r   *rand.Rand
	// stalls is how many of a thousand writes take long.
	stalls int
	// held are the answers that somebody may still hold, by address.
	held map[string][]cached
	// printed are the bounds that nodes have printed in the last minutes, by address.
	printed map[string][]statement
	// entered is when a node began to answer with an address, by both.
	entered map[string][]entry
	checked int
	// shut are the nodes that answered no service names when they were last asked.
	shut map[*simNode]bool
	// only is the one node that is asked; nil for all.
	only *simNode
	// looked is when learn last looked.
	looked time.Time
}

// cached is an answer in a cache.
type cached struct {
	node             *simNode
	service          string
	written, expires time.Time
	ttl              time.Duration
}

// statement is a bound that a node printed.
type statement struct {
	by *simNode
	// service is the one that it is about; empty for all.
	service string
	at      time.Time
	since   time.Time
	safeAt  time.Time
	confirm []ledger.Confirmation
}

func newCaches(s *sim) *simCaches {
	return &simCaches{sim: s, r: rand.New(rand.NewPCG(s.seed, 11)), stalls: 20, held: make(map[string][]cached),
		printed: make(map[string][]statement), entered: make(map[string][]entry), shut: make(map[*simNode]bool)}
}

// A simClient is the connection of one query.
type simClient struct {
	nullWriter
	caches  *simCaches
	node    *simNode
	process int64
	// stall is how long the write takes, late how long after it the resolver accepts the answer.
	stall, late time.Duration
}

func (c *simClient) Write(b []byte) (int, error) {
	if c.stall > 0 {
		time.Sleep(c.stall) // in a bubble
	}
	if c.process == c.node.process.Load() {
		c.caches.take(c, b)
	}
	return len(b), nil
}

// take puts an answer into a cache.
func (c *simCaches) take(from *simClient, b []byte) {
	m := new(dns.Msg)
	if err := m.Unpack(b); err != nil {
		panic(err)
	}
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	for _, rr := range m.Answer {
		now := time.Now()
		ttl := time.Duration(rr.Header().Ttl) * time.Second
		a := cached{from.node, rr.Header().Name, now, now.Add(from.late + ttl), ttl}
		address := rr.(*dns.A).A.String()
		c.held[address] = append(c.held[address], a)
		for _, p := range c.printed[address] {
			c.hold(address, &a, &p)
		}
	}
}

// hold is where an answer in a cache and a printed bound meet. The caller holds sim.mu.
func (c *simCaches) hold(address string, a *cached, p *statement) {
	if p.service != "" && p.service != a.service {
		return
	}
	c.checked++
	if !a.expires.After(p.safeAt) {
		return
	}
	// Who has not confirmed has not left it since then either.
	quiet := p.since
	if i := slices.IndexFunc(p.confirm, func(f ledger.Confirmation) bool { return f.Node == a.node.name }); i >= 0 {
		quiet = p.confirm[i].Quiet
		if p.confirm[i].Fenced {
			// It was shut before, so that what was under way has that long.
			quiet = quiet.Add(-simStall)
		}
	}
	for _, e := range c.entered[a.node.name+address+p.service] {
		// Instants are told in whole seconds, rounded to what is later.
		if e.at.After(quiet.Add(-time.Second)) && !e.at.After(a.written) && !(e.at.Before(c.looked) && e.wrong()) {
			return
		}
	}
	if len(c.sim.faults) < 20 {
		c.sim.faults = append(c.sim.faults, fmt.Sprintf(
			"at %s: %s printed at %s that %s, which left %q at %s, is forgotten at %s; an answer of %s, written at %s, lives until %s (it confirmed %s)",
			elapsed(time.Now()), p.by.name, elapsed(p.at), address, p.service, elapsed(p.since), elapsed(p.safeAt), a.node.name, elapsed(a.written), elapsed(a.expires), elapsed(quiet)))
	}
}

// An entry is that a node began to answer with an address, and the drains of it that were acknowledged and in force then as far as the
// node knew, or had to learn: with one of them it had no right to.
type entry struct {
	at     time.Time
	drains []*simOrder
}

// enter notes an entry. The caller holds sim.mu.
func (c *simCaches) enter(n *simNode, address, service string) {
	e := entry{at: time.Now()}
	for _, o := range c.sim.orders {
		if o.drain && !o.acked.IsZero() && e.at.Before(o.known[n].Add(-5*time.Second)) && slices.Contains(c.sim.addresses(o.scope), address) {
			e.drains = append(e.drains, o)
		}
	}
	c.entered[n.name+address+service] = append(c.entered[n.name+address+service], e)
}

// wrong tells whether none of the drains was ended or suspended: the one is said when it is over, and the other seen by learn.
func (e *entry) wrong() bool {
	return slices.ContainsFunc(e.drains, func(o *simOrder) bool { return o.ended.IsZero() && !o.suspended })
}

// learn notes which nodes know of an order, and whether a rule suspends it.
func (c *simCaches) learn() {
	c.looked = time.Now()
	for _, n := range c.sim.nodes {
		if !n.runs {
			continue
		}
		for _, i := range n.engine.Intents() {
			for _, o := range c.sim.orders {
				if o.id == i.ID {
					o.known[n] = i.End
				}
				o.suspended = o.suspended || o.id == i.ID && i.Suspended != nil
			}
		}
	}
}

func elapsed(t time.Time) string { return t.Sub(bubbleBegin).Round(time.Millisecond).String() }

// served notes what a snapshot answers that the one before did not.
func (c *simCaches) served(n *simNode, entered []ledger.Endpoint, was, is *answer.Snapshot) {
	if c == nil {
		return
	}
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	for _, e := range entered {
		c.enter(n, c.sim.zone.Pools[e.Pool].Endpoints[e.Endpoint].V4.String(), "")
	}
	for i, svc := range c.sim.zone.Services {
		var before []steer.Member
		if was != nil {
			before = was.Plan(c.sim.zone, i).Sets[steer.V4]
		}
		for _, m := range is.Plan(c.sim.zone, i).Sets[steer.V4] {
			same := func(o steer.Member) bool { return o.Pool == m.Pool && o.Endpoint == m.Endpoint }
			if !slices.ContainsFunc(before, same) {
				c.enter(n, c.sim.zone.Pools[m.Pool].Endpoints[m.Endpoint].V4.String(), svc.Name)
			}
		}
	}
}

// reopened notes that a node answers again, with whatever it has.
func (c *simCaches) reopened(n *simNode) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	for _, p := range c.sim.zone.Pools {
		for _, e := range p.Endpoints {
			c.enter(n, e.V4.String(), "")
			for _, svc := range c.sim.zone.Services {
				c.enter(n, e.V4.String(), svc.Name)
			}
		}
	}
}

// second has resolvers ask every node through a second, and then looks at what the nodes print.
func (c *simCaches) second(until time.Time) {
	step := time.Until(until) / asksPerSecond
	for range asksPerSecond {
		time.Sleep(step) // in a bubble
		for _, n := range c.sim.nodes {
			if n.runs && (c.only == nil || c.only == n) {
				c.ask(n)
			}
		}
	}
	c.look()
}

// ask has one resolver ask a node.
func (c *simCaches) ask(n *simNode) {
	svc := c.sim.zone.Services[c.r.IntN(len(c.sim.zone.Services))]
	client := &simClient{nullWriter: nullWriter{remote: &net.UDPAddr{IP: net.IPv4(192, 0, 2, 200), Port: c.r.IntN(60_000)}}, caches: c, node: n, process: n.process.Load()}
	if c.r.IntN(4) == 0 {
		client.late = time.Duration(c.r.Int64N(int64(simTransit)))
	}
	if c.r.IntN(1000) < c.stalls {
		client.stall = time.Duration(c.r.Int64N(int64(simStall)))
	}
	if shut := !n.answers(); shut != c.shut[n] {
		if c.shut[n] = shut; !shut {
			c.reopened(n)
		}
	}
	q := new(dns.Msg).SetQuestion(svc.Name, dns.TypeA)
	serve := func() {
		if _, err := n.handler.ServeDNS(context.Background(), client, q); err != nil {
			c.sim.fault("%s: %s", n.name, err)
		}
	}
	if client.stall > 0 {
		go serve()
	} else {
		serve()
	}
}

// look holds what every node prints against what is in the caches.
func (c *simCaches) look() {
	now := time.Now()
	type printed struct {
		node *simNode
		left []engine.Departure
	}
	var all []printed
	for _, n := range c.sim.nodes {
		if n.runs {
			all = append(all, printed{n, n.engine.Departures()})
		}
	}
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	c.learn()
	for address, list := range c.held {
		c.held[address] = slices.DeleteFunc(list, func(a cached) bool { return !a.expires.After(now) })
	}
	for address, list := range c.printed {
		c.printed[address] = slices.DeleteFunc(list, func(p statement) bool { return now.Sub(p.at) > 3*time.Minute })
	}
	for _, p := range all {
		for _, d := range p.left {
			if !d.Bound.Known {
				continue
			}
			service := ""
			if d.Service != nil {
				service = d.Service.Name
			}
			c.print(d.Zone.Pools[d.Pool].Endpoints[d.Endpoint].V4.String(), statement{
				by: p.node, service: service, at: now, since: d.Since, safeAt: d.Bound.SafeAt, confirm: d.Bound.Confirmed,
			})
		}
	}
}

// print holds a new statement against what is held. The caller holds sim.mu.
func (c *simCaches) print(address string, p statement) {
	same := func(o statement) bool {
		return o.by == p.by && o.service == p.service && o.since.Equal(p.since) && o.safeAt.Equal(p.safeAt) && slices.Equal(o.confirm, p.confirm)
	}
	if i := slices.IndexFunc(c.printed[address], same); i >= 0 {
		c.printed[address][i].at = p.at
	} else {
		c.printed[address] = append(c.printed[address], p)
	}
	for i := range c.held[address] {
		c.hold(address, &c.held[address][i], &p)
	}
}

// calmSim is three nodes that run, with honest caches, where nothing is lost and no write stalls.
func calmSim(t *testing.T, seed uint64, root string) *sim {
	s := newSim(t, seed, 3, root)
	s.caches = newCaches(s)
	s.caches.stalls = 0
	s.net.SetLink(gossiptest.Link{Delay: time.Millisecond, Jitter: time.Millisecond})
	s.startAll()
	return s
}

// TestBoundIsTight: without faults the bound is known within 3 s of the last node's confirmation, and close to what caches
// really hold: X and two seconds in the middle.
func TestBoundIsTight(t *testing.T) {
	var slack []time.Duration
	for seed := range suite.Cases(20, 2) {
		root := simRoot(t)
		synctest.Test(t, func(t *testing.T) {
			s := calmSim(t, seed, root)
			s.wait(25*time.Second + time.Duration(seed)*370*time.Millisecond)
			if seed%2 == 0 {
				s.drain(s.nodes[0], health.Scope{Kind: health.ScopeEndpoint, Zone: "example.org.", Pool: "eu", Endpoint: "a"}, time.Hour)
			} else {
				s.set(s.targets[0], true)
			}
			slack = append(slack, s.caches.tight("192.0.2.1"))
			require.Empty(t, s.end())
		})
	}
	slices.Sort(slack)
	t.Logf("bound - last honest expiry: median %s, worst %s", slack[len(slack)/2], slack[len(slack)-1])
	require.LessOrEqual(t, slack[len(slack)/2], simTransit+2*time.Second)
	require.GreaterOrEqual(t, slack[0], time.Duration(0))
}

// tight waits until every node prints a bound for the address; it returns how much later the latest one is than the last answer
// that a cache, which got it at once, holds.
func (c *simCaches) tight(address string) (slack time.Duration) {
	t := c.sim.t
	deadline := time.Now().Add(30 * time.Second)
	for {
		var quiet, safe time.Time
		known := 0
		for _, n := range c.sim.nodes {
			for _, d := range n.engine.Departures() {
				if d.Zone.Pools[d.Pool].Endpoints[d.Endpoint].V4.String() == address && d.Bound.Known {
					known++
					quiet, safe = latest(quiet, d.Bound.Quiet), latest(safe, d.Bound.SafeAt)
				}
			}
		}
		if known == len(c.sim.nodes) {
			require.LessOrEqual(t, time.Since(quiet), 3*time.Second, "known so long after the last node confirmed")
			var last time.Time
			c.sim.mu.Lock()
			for _, a := range c.held[address] {
				last = latest(last, a.written.Add(a.ttl))
			}
			c.sim.mu.Unlock()
			require.False(t, last.IsZero(), "somebody was told of it")
			return safe.Sub(last)
		}
		require.True(t, time.Now().Before(deadline), "a clean run ends unknown")
		c.sim.wait(250 * time.Millisecond)
	}
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// TestPlannedDrain: of a drain that is planned early enough, no honest cache holds the endpoint later than G + floor + X after the
// beginning, in either mode; and at the beginning nobody is told of it with more than the floor.
func TestPlannedDrain(t *testing.T) {
	root := simRoot(t)
	synctest.Test(t, func(t *testing.T) {
		s := calmSim(t, 3, root)
		s.wait(60 * time.Second)
		begin := time.Now().Add(60 * time.Second)
		_, err := s.nodes[1].engine.Intend(health.Intent{
			Kind: health.IntentDrain, Scope: health.Scope{Kind: health.ScopeEndpoint, Zone: "example.org.", Pool: "eu", Endpoint: "a"},
			Actor: "sim", Reason: "sim", Start: begin, End: begin.Add(time.Hour),
		})
		require.NoError(t, err)
		s.wait(40 * time.Second)
		require.NotEmpty(t, s.caches.held["192.0.2.1"], "until then it is answered")
		s.wait(time.Until(begin) + time.Second)
		var last time.Time
		for _, a := range s.caches.held["192.0.2.1"] {
			last = latest(last, a.expires)
		}
		for _, svc := range s.zone.Services {
			require.LessOrEqual(t, last.Sub(begin), time.Second+time.Duration(svc.TTL.Min)*time.Second+simTransit)
		}
		t.Logf("the last cache forgets %s after the beginning", last.Sub(begin))
		require.Empty(t, s.end())
	})
}
