package fairlead

import (
	"net/netip"
	"slices"
	"testing/synctest"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

const (
	// steadyEvery is how often a steady history looks.
	steadyEvery = 250 * time.Millisecond
	// steadyDead is for how long a member may answer that a quorum sees fail: fall, interval and timeout of the slowest of simChecks, what an
	// ended node said going stale, a round, and quiesce.
	steadyDead = 35 * time.Second
	// steadyDelay is how much later than its cause a service moves at most: detection, rise, hold, and the minute of the speed limit.
	steadyDelay = 2 * time.Minute
	// steadyTold is how long an order may take to every node that runs.
	steadyTold = 3 * time.Second
	// steadyAlike is for how long the files must have been alike, and the nodes up, until they agree on instants.
	steadyAlike = 30 * time.Second
)

// A tierTrack is when a node's answers for api went to another tier.
type tierTrack struct {
	tier  int
	moves []time.Time
	to    []int
}

// pass lets time pass and looks at everything four times a second.
func (h *steady) pass(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(min(steadyEvery, time.Until(end))) // in a bubble
		synctest.Wait()
		for _, n := range h.nodes {
			if n.answers() {
				h.dead(n)
				h.drained(n)
				h.track(n)
			}
		}
		h.together()
	}
}

// inPool are the endpoints that stand in a pool of the file, by place in the file.
func (h *steady) inPool(pool int) (list []int) {
	for i, e := range h.file.endpoints {
		if e.pool == pool && !e.dropped {
			list = append(list, i)
		}
	}
	return list
}

// answered are the IPv4 addresses of a service's members on a node.
func (h *steady) answered(n *simNode, service int) []netip.Addr {
	return h.members(n, service, steer.V4)
}

// members are the addresses of a family that the node answers for a service.
func (h *steady) members(n *simNode, service int, family steer.Family) (list []netip.Addr) {
	snap := n.current.Load()
	z := snap.View.Model.Zones[0]
	for _, m := range snap.Plan(z, service).Sets[family] {
		e := z.Pools[m.Pool].Endpoints[m.Endpoint]
		if family == steer.V6 {
			list = append(list, e.V6)
		} else {
			list = append(list, e.V4)
		}
	}
	return list
}

// dead: no member of a plan that goes by health has been dead for longer than its detection takes, nor for longer than the first probes after
// a start.
func (h *steady) dead(n *simNode) {
	if time.Since(n.since) < startWithin {
		return
	}
	snap := n.current.Load()
	for i, svc := range snap.View.Model.Zones[0].Services {
		plan := snap.Plan(snap.View.Model.Zones[0], i)
		if plan.Kept > 0 || !slices.Contains([]steer.Source{steer.FromTier, steer.FromPending, steer.FromHeld, steer.FromBelowMin}, plan.Source) {
			continue
		}
		for _, family := range []steer.Family{steer.V4, steer.V6} {
			for _, a := range h.members(n, i, family) {
				id := h.byHost[a.String()]
				h.mu.Lock()
				broken, moved := h.broken[id], h.moved[id]
				h.mu.Unlock()
				if broken && time.Since(moved) > steadyDead {
					h.fault("%s: %s is answered with %s, which has been dead for %s (%s)", n.name, svc.Name, a, time.Since(moved).Round(time.Second), plan.Source)
				}
			}
		}
	}
}

// drained: who knows of a drain answers none of the addresses that stood behind its names, under whatever name they stand there now.
func (h *steady) drained(n *simNode) {
	for _, i := range n.engine.Intents() {
		if i.Kind != health.IntentDrain || i.Planned || i.Suspended != nil || i.Over(time.Now()) {
			continue
		}
		at := slices.IndexFunc(h.orders, func(o *simOrder) bool { return o.id == i.ID })
		if at < 0 || time.Since(h.said[h.orders[at]]) < steadyTold || time.Since(n.since) < startWithin {
			continue
		}
		for service, svc := range n.current.Load().View.Model.Zones[0].Services {
			for _, family := range []steer.Family{steer.V4, steer.V6} {
				for _, a := range h.members(n, service, family) {
					if slices.Contains(h.bound[h.orders[at]], a) {
						h.fault("%s: %s is answered with %s, which %s (%s) drained", n.name, svc.Name, a, i.ID, i.Scope)
					}
				}
			}
		}
	}
}

// track notes to which tier the node answers api: a last resort leaves it where it was. Within any time there are no more moves than causes in
// it and shortly before.
func (h *steady) track(n *simNode) {
	snap := n.current.Load()
	plan := snap.Plan(snap.View.Model.Zones[0], 0)
	if plan.Source != steer.FromTier && plan.Source != steer.FromHeld {
		return
	}
	t := h.tracks[n]
	if t == nil {
		h.tracks[n] = &tierTrack{tier: plan.Tier.Index}
		return
	}
	if t.tier == plan.Tier.Index {
		return
	}
	now := time.Now()
	t.tier, t.moves, t.to = plan.Tier.Index, append(t.moves, now), append(t.to, plan.Tier.Index)
	for i, first := range t.moves {
		causes := 0
		for _, c := range slices.Concat(h.causes, h.ends()) {
			if !c.Before(first.Add(-steadyDelay)) && !c.After(now) {
				causes++
			}
		}
		if moves := len(t.moves) - i; moves > causes {
			h.fault("%s: api moved %d times in %s, to %v, by %d causes", n.name, moves, now.Sub(first), t.to[i:], causes)
			return
		}
	}
}

// ends are when orders came to their end by themselves.
func (h *steady) ends() (list []time.Time) {
	for _, o := range h.orders {
		if o.ended.IsZero() && o.until.Before(time.Now()) {
			list = append(list, o.until)
		}
	}
	return list
}

// together: nodes with the same file that have run for a while are in the same tier of api but for a second.
func (h *steady) together() {
	tier, apart := -1, false
	for _, n := range h.nodes {
		t := h.tracks[n]
		if !n.answers() || t == nil || time.Since(n.since) < steadyAlike || h.checks[n] != h.checks[h.nodes[0]] {
			h.apart = time.Time{}
			return
		}
		apart = apart || tier >= 0 && tier != t.tier
		tier = t.tier
	}
	switch {
	case !apart || time.Since(h.steadied) < steadyAlike:
		h.apart = time.Time{}
	case h.apart.IsZero():
		h.apart = time.Now()
	case time.Since(h.apart) > time.Second:
		h.fault("the nodes have been apart for %s: %s", time.Since(h.apart), planDiff(h.nodes[0], h.nodes[1]))
		h.apart = time.Now().Add(time.Hour)
	}
}
