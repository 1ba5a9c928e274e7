package fairlead

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
)

// The kinds of trouble that end by themselves or at heal.
const (
	troubleNet    = "network"
	troubleBlind  = "blind"
	troubleDisk   = "disk"
	troubleNode   = "node"
	troubleFreeze = "freeze"
)

// trouble notes that something is wrong with the cluster, as opposed to the world, until ease of the same name.
func (s *sim) trouble(name string) {
	if s.troubles == nil {
		s.troubles = make(map[string]bool)
	}
	s.troubles[name] = true
}

func (s *sim) ease(name string) {
	delete(s.troubles, name)
	s.eased = time.Now()
}

// calmFor is for how long nothing has been wrong with the cluster.
func (s *sim) calmFor() time.Duration {
	if len(s.troubles) > 0 {
		return 0
	}
	return time.Since(s.eased)
}

// wait lets time pass and looks at everything once a second.
func (s *sim) wait(d time.Duration) {
	end := time.Now().Add(d)
	for time.Now().Before(end) {
		next := time.Now().Add(min(time.Second, time.Until(end)))
		if s.caches != nil {
			s.caches.second(next)
		}
		time.Sleep(time.Until(next)) // in a bubble
		s.check()
	}
}

func (s *sim) startAll() {
	for _, n := range s.nodes {
		n.start()
	}
	s.eased = time.Now()
}

// end stops all nodes and returns what the invariants found.
func (s *sim) end() []string {
	for _, n := range s.nodes {
		if n.runs {
			n.stop()
		}
	}
	// memberlist's probes end some time after it was shut down, and the bubble waits for them.
	time.Sleep(time.Minute)
	return s.faults
}

func (s *sim) node(name string) *simNode {
	return s.nodes[slices.IndexFunc(s.nodes, func(n *simNode) bool { return n.name == name })]
}

// partition cuts the first k of a random order of the nodes off from the rest.
func (s *sim) partition(groups ...[]*simNode) {
	var list [][]netip.AddrPort
	for _, g := range groups {
		var addrs []netip.AddrPort
		for _, n := range g {
			addrs = append(addrs, n.addr)
		}
		list = append(list, addrs)
	}
	s.net.Partition(list...)
	s.trouble(troubleNet)
}

func (s *sim) healNet() {
	s.net.Heal()
	s.net.SetLink(gossiptest.Link{Delay: time.Millisecond, Jitter: time.Millisecond})
	s.ease(troubleNet)
}

func (s *sim) setBlind(n *simNode, blind bool) {
	s.mu.Lock()
	s.blind[n.name] = blind
	s.mu.Unlock()
	if blind {
		s.trouble(troubleBlind + n.name)
	} else {
		s.ease(troubleBlind + n.name)
	}
}

func (s *sim) down(n *simNode, end func()) {
	end()
	s.trouble(troubleNode + n.name)
}

func (s *sim) up(n *simNode) {
	n.start()
	s.ease(troubleNode + n.name)
}

// setFreeze gives the order on a node.
func (s *sim) setFreeze(n *simNode, on bool) {
	if n.engine.Freeze(on, "sim", "sim") != nil {
		return
	}
	if on {
		s.trouble(troubleFreeze)
	} else {
		s.ease(troubleFreeze)
	}
}

// fullDisk makes every write of the node fail until the second call.
func (s *sim) fullDisk(n *simNode, full bool) {
	aside := n.dir + ".aside"
	from, to := n.dir, aside
	if !full {
		from, to = aside, n.dir
	}
	if err := os.Rename(from, to); err != nil {
		panic(err)
	}
	if full {
		s.trouble(troubleDisk + n.name)
	} else {
		s.ease(troubleDisk + n.name)
	}
}

// az breaks or mends all endpoints of an AZ.
func (s *sim) az(name string, broken bool) {
	k := 0
	for _, p := range s.zone.Pools {
		for _, e := range p.Endpoints {
			if s.zone.AZs[e.AZ].Name == name {
				s.set(s.targets[k], broken)
			}
			k++
		}
	}
}

// A wreck is a random history. Its faults come one after the other, and several may last at once.
type wreck struct {
	*sim
	r *rand.Rand
	// wiped is a node that lost its disk and may not have joined again; full is one whose disk is full.
	wiped, full *simNode
	count       int
}

// any is a random node that want wants; nil if there is none.
func (w *wreck) any(want func(*simNode) bool) *simNode {
	var list []*simNode
	for _, n := range w.nodes {
		if want(n) {
			list = append(list, n)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[w.r.IntN(len(list))]
}

func runs(n *simNode) bool { return n.runs }

// step does one random thing.
func (w *wreck) step() {
	w.count++
	switch w.r.IntN(15) {
	case 0, 1, 2:
		w.set(w.targets[w.r.IntN(len(w.targets))], w.r.IntN(2) == 0)
	case 3:
		w.az([]string{"eu-a", "eu-b", "us-a", "us-b"}[w.r.IntN(4)], w.r.IntN(2) == 0)
	case 4:
		order := w.r.Perm(len(w.nodes))
		k := 1 + w.r.IntN(len(w.nodes)-1)
		var a, b []*simNode
		for i, at := range order {
			if i < k {
				a = append(a, w.nodes[at])
			} else {
				b = append(b, w.nodes[at])
			}
		}
		w.partition(a, b)
	case 5:
		from, to := w.nodes[w.r.IntN(len(w.nodes))], w.nodes[w.r.IntN(len(w.nodes))]
		w.net.Cut(from.addr, to.addr)
		w.trouble(troubleNet)
	case 6:
		w.net.SetLink(gossiptest.Link{Loss: 0.3, Duplicate: 0.1, Delay: 20 * time.Millisecond, Jitter: 300 * time.Millisecond})
		w.trouble(troubleNet)
	case 7, 8:
		w.healNet()
	case 9:
		w.bounce()
	case 10:
		if n := w.any(runs); n != nil {
			w.setBlind(n, w.r.IntN(2) == 0)
		}
	case 11, 12:
		w.order()
	case 13:
		w.odd()
	case 14:
		w.editSome()
	}
}

// bounce kills or stops a node, perhaps with its disk, or starts one that does not run.
func (w *wreck) bounce() {
	if n := w.any(func(n *simNode) bool { return !n.runs }); n != nil {
		w.up(n)
		return
	}
	n := w.any(func(n *simNode) bool { return n.runs && n != w.full })
	switch kind := w.r.IntN(3); {
	case n == nil:
	case kind == 0:
		w.down(n, n.stop)
	case kind == 1:
		w.down(n, n.kill)
	case w.joinedAll() && w.calmFor() > knownWithin:
		// A disk is lost only while the others have what was on it: the promise is two disks.
		w.down(n, n.kill)
		n.wipe()
		w.wiped = n
		w.up(n)
	}
}

// joinedAll tells whether all nodes run and answer.
func (w *wreck) joinedAll() bool {
	return !slices.ContainsFunc(w.nodes, func(n *simNode) bool { return !n.answers() })
}

// order drains or forces something, or extends or ends an order.
func (w *wreck) order() {
	n := w.any(func(n *simNode) bool { return n.answers() })
	if n == nil {
		return
	}
	d := time.Duration(1+w.r.IntN(20)) * time.Minute
	if w.r.IntN(3) == 0 && len(w.orders) > 0 {
		o := w.orders[w.r.IntN(len(w.orders))]
		if w.r.IntN(2) == 0 {
			w.extend(n, o, d)
		} else {
			w.undrain(n, o)
		}
		return
	}
	scope := health.Scope{Kind: health.ScopeAZ, Name: []string{"eu-a", "eu-b", "us-a", "us-b"}[w.r.IntN(4)]}
	if w.r.IntN(2) == 0 {
		scope = health.Scope{Kind: health.ScopeEndpoint, Zone: "example.org.", Pool: []string{"eu", "us"}[w.r.IntN(2)], Endpoint: []string{"a", "b"}[w.r.IntN(2)]}
	}
	if scope.Kind == health.ScopeEndpoint && w.r.IntN(2) == 0 {
		w.force(n, scope, []health.State{health.Up, health.Down}[w.r.IntN(2)], d)
		return
	}
	if w.r.IntN(3) == 0 {
		service := w.zone.Services[w.r.IntN(len(w.zone.Services))].Name
		w.give(n, health.Intent{Kind: health.IntentDrain, Scope: scope, Service: service, Actor: "sim", Reason: "sim", End: time.Now().Add(d)})
		return
	}
	w.drain(n, scope, d)
}

// odd freezes, or fills a disk, or ends that.
func (w *wreck) odd() {
	if w.full != nil {
		w.fullDisk(w.full, false)
		w.full = nil
		return
	}
	n := w.any(func(n *simNode) bool { return n.answers() })
	switch {
	case n == nil:
	case w.r.IntN(2) == 0:
		w.setFreeze(n, !n.engine.Frozen().On)
	default:
		w.full = n
		w.fullDisk(n, true)
	}
}

// mend ends all trouble with the cluster, and leaves the world as it is.
func (w *wreck) mend() {
	if w.full != nil {
		w.fullDisk(w.full, false)
		w.full = nil
	}
	w.healNet()
	for _, n := range w.nodes {
		w.setBlind(n, false)
		if !n.runs {
			w.up(n)
		}
		w.editOn(n, 0)
	}
}

const (
	// agreeWithin is how long a healed cluster may take to agree (issue 5); believeWithin, to agree with the world: two probes to
	// rise, the hold, and what was heard going stale.
	agreeWithin   = 15 * time.Second
	believeWithin = 45 * time.Second
)

// settle mends the cluster and waits for it to agree, then for it to believe what is true.
func (w *wreck) settle() {
	w.mend()
	w.wait(3 * time.Second)
	for _, n := range w.nodes {
		if n.answers() {
			w.setFreeze(n, false)
		}
	}
	w.wait(agreeWithin)
	if w.differ() != "" {
		// An endpoint may just have been seen to go, by one node after the other.
		w.wait(3 * time.Second)
	}
	if why := w.differ(); why != "" {
		w.fault("%s after the heal the nodes differ: %s", agreeWithin, why)
	}
	w.wait(believeWithin)
	if w.agree() != "" {
		// A minute since a departure may just be over on one node, and not on the other.
		w.wait(3 * time.Second)
	}
	if why := w.agree(); why != "" {
		w.fault("%s after the heal: %s", agreeWithin+believeWithin, why)
	}
	for _, o := range w.orders {
		if o.acked.IsZero() || !o.ended.IsZero() || time.Now().After(o.until.Add(-time.Minute)) {
			continue
		}
		for _, n := range w.nodes {
			if !slices.ContainsFunc(n.engine.Intents(), func(i health.IntentState) bool { return i.ID == o.id }) {
				w.fault("%s: lost %s (%s), which %s acknowledged", n.name, o.id, o.scope, o.by.name)
			}
		}
	}
}

// differ is what nodes do not agree about, whatever the world is.
func (s *sim) differ() string {
	first := s.nodes[0]
	why := ""
	for _, n := range s.nodes {
		if !n.answers() {
			why += fmt.Sprintf("%s: %q; ", n.name, n.engine.Shut())
			continue
		}
		if a, b := fmt.Sprint(orderIDs(first)), fmt.Sprint(orderIDs(n)); a != b {
			why += fmt.Sprintf("%s has %s, %s has %s; ", first.name, a, n.name, b)
		}
		if a, b := first.current.Load().PlanHash(), n.current.Load().PlanHash(); a != b {
			why += fmt.Sprintf("%s and %s decide otherwise: %s", first.name, n.name, planDiff(first, n))
		}
	}
	return why
}

// await waits until all nodes answer and agree.
func (s *sim) await(d time.Duration) bool {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) { // in a bubble
		if s.agree() == "" {
			return true
		}
	}
	s.fault("the nodes do not agree within %s: %s", d, s.agree())
	return false
}

// planDiff is where two nodes decide otherwise, and on what ground.
func planDiff(a, b *simNode) (why string) {
	for i, svc := range a.sim.zone.Services {
		p, q := a.current.Load().Plan(a.sim.zone, i), b.current.Load().Plan(a.sim.zone, i)
		if !p.Equal(q) {
			why += fmt.Sprintf("%s: %s %v kept %d, %s %v kept %d; ", svc.Name, p.Source, p.Sets[0], p.Kept, q.Source, q.Sets[0], q.Kept)
		}
	}
	for pi, p := range a.sim.zone.Pools {
		for _, n := range []*simNode{a, b} {
			v := n.current.Load().View.Zones[0].Pools[pi]
			why += fmt.Sprintf("%s %s return %+v az %+v", n.name, p.Name, v.Return, v.ReturnAZ)
			for _, e := range v.Endpoints {
				why += fmt.Sprintf(" %s left %s", e.State, time.Since(e.Left))
			}
			why += "; "
		}
	}
	return why
}
