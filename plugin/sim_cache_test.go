package fairlead

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/integration/suite"
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
// not a moment longer. What every node prints of bounds is held against what was in them.
type simCaches struct {
	sim *sim
	r   *rand.Rand
	// stalls is how many of a thousand writes take long.
	stalls int
	// held are the answers of the last minutes, by what they carried.
	held map[ledger.Holding][]cached
	// answered is when a node was last seen to answer something.
	answered map[ledger.Holding]time.Time
	checked  int
	// only is the one node that is asked; nil for all.
	only *simNode
	// questions are what is asked for.
	questions []simQuestion
}

type simQuestion struct {
	name string
	typ  uint16
}

// cached is an answer in a cache.
type cached struct {
	node             *simNode
	process          int64
	written, expires time.Time
	ttl              time.Duration
}

func newCaches(s *sim) *simCaches {
	c := &simCaches{sim: s, r: rand.New(rand.NewPCG(s.seed, 11)), stalls: 20, held: make(map[ledger.Holding][]cached), answered: make(map[ledger.Holding]time.Time)}
	for _, svc := range s.zone.Services {
		c.questions = append(c.questions, simQuestion{svc.Name, dns.TypeA})
	}
	return c
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
		for _, rdata := range carriedBy(rr) {
			h := ledger.Holding{Owner: simOwner(rr.Header().Name), RData: rdata}
			c.held[h] = append(c.held[h], cached{from.node, from.process, now, now.Add(from.late + ttl), ttl})
		}
	}
}

// carriedBy is what a cache can hold of a record, as ledger.Holding has it.
func carriedBy(rr dns.RR) (all []string) {
	switch r := rr.(type) {
	case *dns.A:
		return []string{r.A.String()}
	case *dns.AAAA:
		return []string{r.AAAA.String()}
	case *dns.CNAME:
		return []string{r.Target}
	case *dns.SRV:
		return []string{r.Target}
	case *dns.HTTPS:
		for _, v := range r.Value {
			switch hint := v.(type) {
			case *dns.SVCBIPv4Hint:
				for _, ip := range hint.Hint {
					all = append(all, ip.String())
				}
			case *dns.SVCBIPv6Hint:
				for _, ip := range hint.Hint {
					all = append(all, ip.String())
				}
			}
		}
	}
	return all
}

func elapsed(t time.Time) string { return t.Sub(bubbleBegin).Round(time.Millisecond).String() }

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
	question := c.questions[c.r.IntN(len(c.questions))]
	client := &simClient{nullWriter: nullWriter{remote: &net.UDPAddr{IP: net.IPv4(192, 0, 2, 200), Port: c.r.IntN(60_000)}}, caches: c, node: n, process: n.process.Load()}
	if c.r.IntN(4) == 0 {
		client.late = time.Duration(c.r.Int64N(int64(simTransit)))
	}
	if c.r.IntN(1000) < c.stalls {
		client.stall = time.Duration(c.r.Int64N(int64(simStall)))
	}
	q := new(dns.Msg).SetQuestion(question.name, question.typ)
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

// keptAnswers is how long an answer is remembered after it expired: statements may be of instants that have passed.
const keptAnswers = 2 * time.Minute

// look holds what every node prints against what was in the caches.
func (c *simCaches) look() {
	type printed struct {
		node *simNode
		left []departure.Departure
	}
	var all []printed
	for _, n := range c.sim.nodes {
		if n.runs {
			all = append(all, printed{n, n.engine.Departures()})
		}
	}
	now := time.Now()
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	for h, list := range c.held {
		if list = slices.DeleteFunc(list, func(a cached) bool { return now.Sub(a.expires) > keptAnswers }); len(list) > 0 {
			c.held[h] = list
		} else {
			delete(c.held, h)
		}
	}
	c.noteAnswered(now)
	for _, p := range all {
		for i := range p.left {
			c.hold(p.node, &p.left[i])
		}
		c.missed(now, p.node, p.left)
		c.incidents(p.node)
	}
}

// hold is where answers in caches and a printed bound meet. Known: what any node answered before its word has expired by then. Final:
// what was answered until then, and since by nobody before its word, which was given after it. The caller holds sim.mu.
func (c *simCaches) hold(by *simNode, d *departure.Departure) {
	if !d.Bound.Known {
		return
	}
	for h, list := range c.held {
		if d.Moved && !c.movedFrom(by, d, h) || !d.Moved && (h.RData != d.RData || d.Owner != "" && h.Owner != d.Owner) {
			continue
		}
		for i := range list {
			a := &list[i]
			c.checked++
			if !a.expires.After(d.Bound.SafeAt) || a.written.After(wordOf(&d.Bound, a.node.name)) {
				continue
			}
			if len(c.sim.faults) < 20 {
				c.sim.faults = append(c.sim.faults, fmt.Sprintf(
					"at %s: %s prints (final %v) that %s %q, which left at %s, is forgotten at %s; %s wrote an answer at %s that lives until %s, before its word of %s",
					elapsed(time.Now()), by.name, d.Bound.Final, d.RData, d.Owner, elapsed(d.Since), elapsed(d.Bound.SafeAt), a.node.name, elapsed(a.written),
					elapsed(a.expires), elapsed(wordOf(&d.Bound, a.node.name))))
			}
		}
	}
}

// askedShard is the label of a service with cells that is asked for.
const askedShard = "x"

// movedFrom tells whether a holding is of the shards of d, and of the pool that they left.
func (c *simCaches) movedFrom(by *simNode, d *departure.Departure, h ledger.Holding) bool {
	zone := by.engine.View().Model.Zones[0]
	at := slices.IndexFunc(zone.Services, func(svc *config.Service) bool { return svc.Name == d.Service && svc.Cells != nil })
	if len(d.Shards) == 0 || at < 0 || h.Owner != d.Service || !d.Shards.Has(zone.Services[at].Cells.Shard([]byte(askedShard))) {
		return false
	}
	_, way, _ := strings.Cut(d.RData, " from ")
	from, _, _ := strings.Cut(way, " to ")
	return slices.ContainsFunc(zone.Pools, func(p *config.Pool) bool {
		return p.Name == from && slices.ContainsFunc(p.Endpoints, func(e *config.Endpoint) bool { return slices.Contains(e.RData(), h.RData) })
	})
}

// wordOf is the instant up to which a bound speaks of a node's answers: that after which its word was given, and the bound itself where it
// is final. Of a node that is not configured it speaks for ever.
func wordOf(b *ledger.Bound, node string) time.Time {
	for _, w := range b.Confirmed {
		if w.Node != node {
			continue
		}
		if b.Final {
			return latest(w.Given, b.SafeAt)
		}
		return w.Given
	}
	return time.Now()
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

// TestBoundIsTight: without faults the bound is known within 3 s of the last node's confirmation, final within 3 s of its instant, and
// close to what caches really hold: X and two seconds in the middle.
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

// tight waits until every node prints a bound for the address, and calls it final; it returns how much later the latest one is than the last answer
// that a cache, which got it at once, holds.
func (c *simCaches) tight(address string) (slack time.Duration) {
	t := c.sim.t
	deadline := time.Now().Add(30 * time.Second)
	for {
		var quiet, safe time.Time
		known := 0
		for _, n := range c.sim.nodes {
			for _, d := range n.engine.Departures() {
				if d.RData == address && d.Owner == "" && d.Bound.Known {
					known++
					quiet, safe = latest(quiet, d.Bound.Quiet), latest(safe, d.Bound.SafeAt)
				}
			}
		}
		if known == len(c.sim.nodes) {
			require.LessOrEqual(t, time.Since(quiet), 3*time.Second, "known so long after the last node confirmed")
			var last time.Time
			c.sim.mu.Lock()
			for h, list := range c.held {
				for _, a := range list {
					if h.RData == address {
						last = latest(last, a.written.Add(a.ttl))
					}
				}
			}
			c.sim.mu.Unlock()
			require.False(t, last.IsZero(), "somebody was told of it")
			for _, n := range c.sim.nodes {
				for d := n.departed(address); !d.Bound.Final; d = n.departed(address) {
					require.Less(t, time.Since(d.Bound.SafeAt), 3*time.Second, "%s does not call it final: %+v", n.name, d)
					c.sim.wait(250 * time.Millisecond)
				}
			}
			return safe.Sub(last)
		}
		require.True(t, time.Now().Before(deadline), "a clean run ends unknown: %s", c.unknown(address))
		c.sim.wait(250 * time.Millisecond)
	}
}

// unknown says what each node prints of an address.
func (c *simCaches) unknown(address string) (all string) {
	for _, n := range c.sim.nodes {
		for _, d := range n.engine.Departures() {
			if d.RData == address {
				all += fmt.Sprintf("%s: owner %q, known %t, void %t, %+v; ", n.name, d.Owner, d.Bound.Known, d.Bound.Void, d.Bound.Unknown)
			}
		}
	}
	return all
}

// of are the answers with an address, under any name.
func (c *simCaches) of(address string) (all []cached) {
	for h, list := range c.held {
		if h.RData == address {
			all = append(all, list...)
		}
	}
	return all
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
		require.NotEmpty(t, s.caches.of("192.0.2.1"), "until then it is answered")
		s.wait(time.Until(begin) + time.Second)
		var last time.Time
		for _, a := range s.caches.of("192.0.2.1") {
			last = latest(last, a.expires)
		}
		for _, svc := range s.zone.Services {
			require.LessOrEqual(t, last.Sub(begin), time.Second+time.Duration(svc.TTL.Min)*time.Second+simTransit)
		}
		t.Logf("the last cache forgets %s after the beginning", last.Sub(begin))
		require.Empty(t, s.end())
	})
}
