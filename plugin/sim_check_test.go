package fairlead

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// A sim is a cluster of production nodes in a world that the test breaks. Its clock is the bubble's. Whatever an invariant finds
// is in faults: a run that switches a rule off wants some.
type sim struct {
	t    *testing.T
	seed uint64
	net  *gossiptest.Network
	// text is the zone file of zone.
	text    string
	zone    *config.Zone
	model   *config.Model
	nodes   []*simNode
	targets []health.TargetID
	// byHost are the targets by what is dialled.
	byHost  map[string]health.TargetID
	logger  *slog.Logger
	without health.Guards
	// cluster is its name, seeds are strangers that it is pointed at.
	cluster string
	seeds   []string
	// peersAlone has nodes without reference targets.
	peersAlone bool
	// each looks at everything once a second; nil for nothing more than check.
	each func()
	// regions are those of the nodes, in their order; nil for eu and us in turns.
	regions []string
	// boundOnly leaves all but bounds unchecked: the files change.
	boundOnly bool
	// isolateAfter is that of all nodes.
	isolateAfter time.Duration
	// orders are read by caches under mu.
	orders []*simOrder
	// caches are asked all the time; nil where nobody asks.
	caches *simCaches
	// troubles are what is wrong with the cluster now, eased is when the last of it ended.
	troubles map[string]bool
	eased    time.Time
	// spread is the most that the moves of two nodes were apart.
	spread time.Duration

	mu sync.Mutex
	// mu guards the rest. broken are the targets that do not work, moved is when that last changed, blind are the nodes whose
	// probes all fail.
	broken map[health.TargetID]bool
	moved  map[health.TargetID]time.Time
	blind  map[string]bool
	faults []string
	// wrongly are the targets that a node's probes do not reach although they work, by node.
	wrongly map[string]map[health.TargetID]bool
	// mustKnow has acknowledged drains known wherever service names are answered, calm or not.
	mustKnow bool
}

// A simOrder is a drain that a node accepted.
type simOrder struct {
	id    health.IntentID
	scope health.Scope
	by    *simNode
	// acked is when another node had it on disk too, zero before; ended is when somebody ended it.
	acked, ended time.Time
	until        time.Time
	drain        bool
	// known is the end that each node knew last, or has to ask for since it lost its disk.
	known map[*simNode]time.Time
}

// fault notes that an invariant does not hold.
func (s *sim) fault(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) < 20 {
		s.faults = append(s.faults, fmt.Sprintf("at %s: ", time.Since(bubbleBegin).Round(time.Millisecond))+fmt.Sprintf(format, args...))
	}
}

// bubbleBegin is when every bubble begins.
var bubbleBegin = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// works tells whether a probe of the target from the node succeeds.
func (s *sim) works(n *simNode, id health.TargetID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.blind[n.name] && !s.broken[id] && !s.wrongly[n.name][id]
}

// wrong cuts the way from a node to targets that work.
func (s *sim) wrong(node string, ids ...health.TargetID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wrongly == nil {
		s.wrongly = make(map[string]map[health.TargetID]bool)
	}
	if s.wrongly[node] == nil {
		s.wrongly[node] = make(map[health.TargetID]bool)
	}
	for _, id := range ids {
		s.wrongly[node][id] = true
	}
}

// set breaks or mends a target.
func (s *sim) set(id health.TargetID, broken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken[id] != broken {
		s.broken[id], s.moved[id] = broken, time.Now()
	}
}

// lately is how old the cause of a flip may be: fall or rise at the slowest, what others say going stale, and a round.
const lately = 45 * time.Second

// was tells whether the target was in the state, broken or not, within the time before now.
func (s *sim) was(id health.TargetID, broken bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	moved, ever := s.moved[id]
	return s.broken[id] == broken || ever && time.Since(moved) < lately
}

// looked looks at a view that n serves from now on: nothing flips without a cause in the world.
func (s *sim) looked(n *simNode, v *health.View) {
	was := n.last
	n.last = v
	if was == nil || s.boundOnly {
		return
	}
	for zi, zv := range v.Zones {
		for pi, p := range zv.Pools {
			if len(p.Endpoints) != len(was.Zones[zi].Pools[pi].Endpoints) {
				// The file has other endpoints now.
				continue
			}
			for i := range p.Endpoints {
				before, now := was.Zones[zi].Pools[pi].Endpoints[i].Verdict, p.Endpoints[i].Verdict
				if before.Pending() || before.InService() == now.InService() {
					continue
				}
				cfg := zv.Zone.Pools[pi]
				id := s.idOf(health.TargetOf(zv.Zone.Name, zv.Zone.Checks[cfg.Check], cfg.Endpoints[i]))
				name := cfg.Name + "/" + cfg.Endpoints[i].Name
				if now.Lost {
					s.lookedLost(n, name, now)
				} else if !s.was(id, !now.InService()) {
					s.fault("%s: %s became %s without a cause (%s)", n.name, name, now.State, now.Reason)
				}
				if was.Isolated && v.Isolated {
					s.fault("%s: %s became %s while isolated", n.name, name, now.State)
				}
				if was.Frozen && v.Frozen {
					s.fault("%s: %s became %s while frozen", n.name, name, now.State)
				}
			}
		}
	}
}

// lookedLost looks at an endpoint that is out since none of its vantages is heard: each of them is, or was a moment ago, out of reach.
func (s *sim) lookedLost(n *simNode, name string, v health.Verdict) {
	_, who, _ := strings.Cut(v.Reason, ": ")
	for vantage := range strings.SplitSeq(who, ", ") {
		if s.node(vantage).runs && len(s.troubles) == 0 && time.Since(s.eased) > health.HeardFor {
			s.fault("%s: %s is out (%s), and %s runs and is in reach", n.name, name, v.Reason, vantage)
		}
	}
}

// ask is what the node answers now for the addresses of a service: the members of its plan, by one question each turn.
func (n *simNode) ask(service string) (rcode int, address string) {
	var b [512]byte
	name := make([]byte, 255)
	end, err := dns.PackDomainName(service, name, 0, nil, false)
	if err != nil {
		panic(err)
	}
	q := answer.Question{Name: name[:end], Type: dns.TypeA, Class: dns.ClassINET, Shut: n.engine.Shut() != ""}
	lease := n.current.Enter(0)
	defer lease.Leave()
	out, info, _ := lease.Snapshot.Append(b[:0], &q)
	m := new(dns.Msg)
	if err := m.Unpack(out); err != nil {
		panic(err)
	}
	if len(m.Answer) == 0 {
		return info.RCode, ""
	}
	return info.RCode, m.Answer[0].(*dns.A).A.String()
}

// check looks at what every node answers and knows, once what happens at this instant has happened: an order is shown just before the
// answers that follow from it are served.
func (s *sim) check() {
	synctest.Wait()
	if s.each != nil {
		s.each()
	}
	if s.boundOnly {
		return
	}
	for _, n := range s.nodes {
		if !n.answers() {
			continue
		}
		drained := s.drainedAt(n)
		for i, svc := range s.zone.Services {
			rcode, address := n.ask(svc.Name)
			if rcode != dns.RcodeSuccess || address == "" {
				if s.eligible(n, i) {
					s.fault("%s: %s is answered empty, rcode %d", n.name, svc.Name, rcode)
				}
				continue
			}
			s.deadAnswer(n, i, address)
			if id, ok := drained[address]; ok {
				s.fault("%s: %s is answered with %s, which %s drains", n.name, svc.Name, address, id)
			}
		}
		s.limited(n)
		s.forced(n)
		if n.mustFreeze && !n.current.Load().View.Frozen {
			s.fault("%s: is not frozen", n.name)
		}
	}
	s.known()
}

// drainedAt are the addresses that drains keep out, as far as n knows.
func (s *sim) drainedAt(n *simNode) map[string]health.IntentID {
	out := make(map[string]health.IntentID)
	for _, i := range n.engine.Intents() {
		if i.Kind != health.IntentDrain || i.Planned || i.Service != "" || i.Suspended != nil || i.Over(time.Now()) {
			continue
		}
		for _, a := range s.addresses(i.Scope) {
			out[a] = i.ID
		}
	}
	return out
}

// addresses are those of the endpoints in an AZ or behind an endpoint's name.
func (s *sim) addresses(scope health.Scope) (list []string) {
	for _, p := range s.zone.Pools {
		for _, e := range p.Endpoints {
			if scope.Kind == health.ScopeAZ && s.zone.AZs[e.AZ].Name == scope.Name || scope.Pool == p.Name && scope.Endpoint == e.Name {
				list = append(list, e.V4.String())
			}
		}
	}
	return list
}

// eligible tells whether the service has an endpoint, as n believes, that may be answered.
func (s *sim) eligible(n *simNode, service int) bool {
	view := n.current.Load().View.Zones[0]
	for pi, p := range view.Pools {
		for i, e := range p.Endpoints {
			drained := view.Drained(service, health.EndpointRef{Pool: pi, Endpoint: i})
			if slices.Contains(s.zone.Services[service].Pools, pi) && e.InService() && !drained {
				return true
			}
		}
	}
	return false
}

// limited: health alone takes at most one AZ of the service, or a third of its weight, in a minute.
func (s *sim) limited(n *simNode) {
	snap := n.current.Load()
	plan := snap.Plan(s.zone, 0)
	if plan.Source != steer.FromTier {
		return
	}
	gone := 0
	view := snap.View.Zones[0]
	for pi, p := range view.Pools {
		for i, e := range p.Endpoints {
			if p.Leaving(i) && !view.Drained(0, health.EndpointRef{Pool: pi, Endpoint: i}) && e.Forced == health.Unknown {
				gone++
			}
		}
	}
	if left := len(plan.Sets[steer.V4]); gone > 2 && left < 2 && plan.Kept == 0 {
		s.fault("%s: %d of 4 endpoints left within a minute and %d are answered", n.name, gone, left)
	}
}

// knownWithin is how long after it was acknowledged, or ended, an order must be known where it can be.
const knownWithin = 20 * time.Second

// known: a node that hears the majority knows every acknowledged drain; and what was ended does not come back.
func (s *sim) known() {
	for _, o := range s.orders {
		if o.acked.IsZero() || time.Now().After(o.until.Add(-5*time.Second)) {
			continue
		}
		for _, n := range s.nodes {
			if !n.answers() || time.Since(n.since) < knownWithin {
				continue
			}
			has := slices.ContainsFunc(n.engine.Intents(), func(i health.IntentState) bool { return i.ID == o.id })
			calm := s.calmFor() > knownWithin || s.mustKnow
			switch {
			case o.ended.IsZero() && !has && calm && time.Since(o.acked) > knownWithin:
				s.fault("%s: does not know of %s (%s), acknowledged %s ago", n.name, o.id, o.scope, time.Since(o.acked))
			case !o.ended.IsZero() && has && calm && time.Since(o.ended) > knownWithin:
				s.fault("%s: %s (%s) is in force, ended %s ago", n.name, o.id, o.scope, time.Since(o.ended))
			}
		}
	}
}

// drain drains something.
func (s *sim) drain(n *simNode, scope health.Scope, d time.Duration, override ...string) *simOrder {
	return s.give(n, health.Intent{Kind: health.IntentDrain, Scope: scope, Actor: "sim", Reason: "sim", End: time.Now().Add(d), Override: override})
}

// undrain ends an order on a node that knows it.
func (s *sim) undrain(n *simNode, o *simOrder) {
	if err := n.engine.EndIntent([]health.IntentID{o.id}, "sim", "done"); err == nil && o.ended.IsZero() {
		s.note(func() { o.ended = time.Now() })
	}
}

// agree: nodes that answer have the same plans and intents, and agree with the world; the text says what not.
func (s *sim) agree() string {
	var why []string
	var first *simNode
	for _, n := range s.nodes {
		if !n.runs {
			continue
		}
		if !n.answers() {
			why = append(why, n.name+": "+n.engine.Shut())
			continue
		}
		if first == nil {
			first = n
		}
		if a, b := first.current.Load().PlanHash(), n.current.Load().PlanHash(); a != b {
			why = append(why, fmt.Sprintf("%s and %s decide otherwise: %s", first.name, n.name, planDiff(first, n)))
		}
		if a, b := fmt.Sprint(orderIDs(first)), fmt.Sprint(orderIDs(n)); a != b {
			why = append(why, fmt.Sprintf("%s has %s, %s has %s", first.name, a, n.name, b))
		}
		if c := n.engine.Cluster(); c.Heard != len(s.nodes)-s.away() {
			why = append(why, fmt.Sprintf("%s hears %d", n.name, c.Heard))
		}
		why = append(why, s.truth(n)...)
	}
	return strings.Join(why, "; ")
}

func orderIDs(n *simNode) (ids []string) {
	for _, i := range n.engine.Intents() {
		ids = append(ids, i.ID.String())
	}
	return ids
}

// away counts the nodes that do not run.
func (s *sim) away() (away int) {
	for _, n := range s.nodes {
		if !n.runs {
			away++
		}
	}
	return away
}

// truth is where a node's verdicts differ from the world.
func (s *sim) truth(n *simNode) (why []string) {
	v := n.current.Load().View
	k := 0
	for pi, p := range s.zone.Pools {
		for i, e := range p.Endpoints {
			s.mu.Lock()
			broken := s.broken[s.targets[k]]
			s.mu.Unlock()
			if is := v.Zones[0].Pools[pi].Endpoints[i]; is.Verdict.InService() == broken {
				why = append(why, fmt.Sprintf("%s: %s/%s is %s", n.name, p.Name, e.Name, is.State))
			}
			k++
		}
	}
	return why
}
