package fairlead

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
)

// force forces an endpoint. The forces on it that the node knows of end with that.
func (s *sim) force(n *simNode, scope health.Scope, state health.State, d time.Duration) *simOrder {
	var replaced []health.IntentID
	for _, i := range n.engine.Intents() {
		if i.Kind == health.IntentForce && i.Scope == scope {
			replaced = append(replaced, i.ID)
		}
	}
	o := s.give(n, health.Intent{Kind: health.IntentForce, State: state, Scope: scope, Actor: "sim", Reason: "sim", End: time.Now().Add(d)})
	for _, was := range s.orders {
		if o != nil && was.ended.IsZero() && slices.Contains(replaced, was.id) {
			s.note(func() { was.ended = time.Now() })
		}
	}
	return o
}

// change forces an endpoint, or does something to an order, by its place among those that were given.
func (s *sim) change(verb string, n *simNode, args []string) string {
	if verb == "force" {
		d, _ := time.ParseDuration(args[2])
		if s.force(n, s.scope(args[0]), map[string]health.State{"up": health.Up, "down": health.Down}[args[1]], d) == nil {
			return "refused"
		}
		return ""
	}
	i, _ := strconv.Atoi(args[0])
	o := s.orders[i-1]
	if verb == "resume" {
		_, err := n.engine.Resume(o.id, args[1:], "sim", "sim")
		if err == nil {
			s.note(func() { o.ended = time.Now() })
		}
		return errorText(err)
	}
	d, _ := time.ParseDuration(args[1])
	if !s.extend(n, o, d) {
		return "refused"
	}
	return ""
}

// note changes what is known of orders, which caches look at any time.
func (s *sim) note(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// give gives an order to a node and notes what came of it.
func (s *sim) give(n *simNode, i health.Intent) *simOrder {
	id, err := n.engine.Intend(i)
	if err != nil {
		return nil
	}
	o := &simOrder{id: id, scope: i.Scope, by: n, until: i.End, drain: i.Kind == health.IntentDrain && i.Service == "", known: make(map[*simNode]time.Time)}
	s.note(func() { s.orders = append(s.orders, o) })
	if s.held(n, id) {
		s.note(func() { o.acked = time.Now() })
	}
	return o
}

// extend moves the end of an order on a node. What was acknowledged is known for as long.
func (s *sim) extend(n *simNode, o *simOrder, d time.Duration) bool {
	end := time.Now().Add(d)
	if err := n.engine.Extend(o.id, end, "sim", "sim"); err != nil {
		return false
	}
	if s.held(n, o.id) {
		s.note(func() {
			o.until = end
			if o.acked.IsZero() {
				o.acked = time.Now()
			}
		})
	}
	return true
}

// held tells whether another node has it on disk too, soon.
func (s *sim) held(n *simNode, id health.IntentID) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	h := n.engine.AwaitHolding(ctx, []health.IntentID{id}, func(h *cluster.Holding) bool { return h.Enough() })
	return h.Enough()
}

// forced: what n counts as forced is what the orders say that it knows.
func (s *sim) forced(n *simNode) {
	want := make(map[health.Scope]health.State)
	for _, i := range n.engine.Intents() {
		if !i.Forever && time.Since(i.End).Abs() < time.Second {
			// Ends are looked for four times a second.
			return
		}
		// By id: the latest one of a node is the last.
		if i.Kind == health.IntentForce && !i.Planned && i.Suspended == nil && !i.Over(time.Now()) {
			want[i.Scope] = i.Intent.State
		}
	}
	for pi, p := range s.zone.Pools {
		for i, e := range p.Endpoints {
			scope := health.Scope{Kind: health.ScopeEndpoint, Zone: s.zone.Name, Pool: p.Name, Endpoint: e.Name}
			v := n.current.Load().View.Zones[0].Pools[pi].Endpoints[i]
			if v.Forced != want[scope] {
				s.fault("%s: %s is forced %s, the orders say %s", n.name, scope, v.Forced, want[scope])
			}
			if v.Forced != health.Unknown && v.InService() != (v.Forced == health.Up) {
				s.fault("%s: %s is forced %s and not in that", n.name, scope, v.Forced)
			}
		}
	}
}
