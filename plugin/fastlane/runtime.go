package fastlane

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// A Runtime owns the lanes of the process. Its zero value is ready. It is safe for concurrent use.
type Runtime struct {
	mu sync.Mutex // guards the rest
	// lanes are by address, as Route.Address writes it. One without sockets says why.
	lanes map[string]*held
	// labels are the counters that there ever were, by the number that entry.id has.
	labels []label
	// gone is what lanes counted that are closed.
	gone counter
}

// A label is the server and the zone of a counter, and the plugin that is said to write the replies.
type label struct{ server, zone, plugin string }

// held is the state of one address.
type held struct {
	// owner is the CoreDNS instance that answers there.
	owner any
	// lane is nil where why says why there is none.
	lane    *lane
	sockets int
	why     string
}

// A State is that of one address.
type State struct {
	// Address is the server's, as CoreDNS writes it.
	Address string
	// Sockets is how many the lane has; 0 for none, and Reason then says why.
	Sockets int
	Reason  string
}

// Attach makes the lane of r.Address answer by r, for the instance owner. It is opened with n sockets, 0 for as many as there are
// processors, if there is none; core is how many sockets CoreDNS has on the address. The error says why there is no lane: then
// CoreDNS answers itself.
func (rt *Runtime) Attach(owner any, r *Route, core, n int) error {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	h := rt.at(r.Address)
	h.owner = owner
	rt.prepareRoute(r)
	if h.lane != nil && h.sockets == n && h.lane.core <= core {
		old := h.lane.swap(r)
		go old.wait(stopWait)
		return nil
	}
	if h.lane != nil && h.lane.core > core {
		// CoreDNS's sockets that are to be closed change the numbers of the others in a way that cannot be foreseen.
		err := fmt.Errorf("multisocket went from %d to %d: the lane is back when the process is started anew", h.lane.core, core)
		rt.closeLocked(h)
		h.why = err.Error()
		return err
	}
	rt.closeLocked(h)
	l, err := openLane(r, core, n, func(l *lane, err error) { rt.failed(r.Address, l, err) })
	if err != nil {
		h.why = err.Error()
		return err
	}
	h.lane, h.sockets, h.why = l, n, ""
	return nil
}

// Has tells whether an address has a lane.
func (rt *Runtime) Has(address string) bool {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	h := rt.lanes[address]
	return h != nil && h.lane != nil
}

// at is the state of an address, made if need be.
func (rt *Runtime) at(address string) *held {
	if rt.lanes == nil {
		rt.lanes = make(map[string]*held)
	}
	h := rt.lanes[address]
	if h == nil {
		h = new(held)
		rt.lanes[address] = h
	}
	return h
}

// Detach closes the lane of an address, for the reason that State then says. changed is set if there was one, or another reason.
func (rt *Runtime) Detach(owner any, address, reason string) (changed bool) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	h := rt.at(address)
	changed = h.lane != nil || h.why != reason
	rt.closeLocked(h)
	h.owner, h.why = owner, reason
	return changed
}

// Release closes the lanes that owner still has: no other instance took them over.
func (rt *Runtime) Release(owner any) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	for address, h := range rt.lanes {
		if h.owner == owner {
			rt.closeLocked(h)
			delete(rt.lanes, address)
		}
	}
}

// closeLocked closes the lane of h and keeps what it counted.
func (rt *Runtime) closeLocked(h *held) {
	if h.lane == nil {
		return
	}
	l := h.lane
	h.lane, h.sockets = nil, 0
	l.close()
	l.sum(&rt.gone)
}

// failed closes the lane of an address one of whose sockets broke: what is steered to it would be lost.
func (rt *Runtime) failed(address string, l *lane, err error) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if h := rt.lanes[address]; h != nil && h.lane == l {
		rt.closeLocked(h)
		h.why = err.Error()
	}
}

// prepareRoute makes r ready for use; the caller holds mu.
func (rt *Runtime) prepareRoute(r *Route) { r.prepare(rt.id) }

// id is the number of the counters of l; the caller holds mu.
func (rt *Runtime) id(l label) int {
	if i := slices.Index(rt.labels, l); i >= 0 {
		return i
	}
	rt.labels = append(rt.labels, l)
	return len(rt.labels) - 1
}

// States are those of all addresses, in their order.
func (rt *Runtime) States() []State {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	out := make([]State, 0, len(rt.lanes))
	for address, h := range rt.lanes {
		out = append(out, State{Address: address, Sockets: h.sockets, Reason: h.why})
	}
	slices.SortFunc(out, func(a, b State) int { return strings.Compare(a.Address, b.Address) })
	return out
}

// sum is what all lanes counted, with the labels of its tallies.
func (rt *Runtime) sum() (*counter, []label) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	c := new(counter)
	rt.gone.addTo(c)
	for _, h := range rt.lanes {
		if h.lane != nil {
			h.lane.sum(c)
		}
	}
	return c, slices.Clone(rt.labels)
}

// Counts are what all lanes did since the process began.
func (rt *Runtime) Counts() Counts {
	c, _ := rt.sum()
	return c.counts
}
