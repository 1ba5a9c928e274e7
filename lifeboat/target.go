package lifeboat

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// avoidFor is for how long an endpoint that could not be reached is tried last.
const avoidFor = 5 * time.Second

// A target is who is in service.
type target struct {
	addr   netip.Addr
	weight float64
}

// targets are those of one address; the list is swapped, never changed.
type targets struct {
	list atomic.Pointer[[]target]
	mu   sync.Mutex
	// failed is when endpoints could not be reached; guarded by mu.
	failed map[netip.Addr]time.Time
}

// set takes what a node said, without addresses of this machine. It returns how many there are.
func (t *targets) set(said []api.LifeboatTarget, own func(netip.Addr) bool) int {
	list := make([]target, 0, len(said))
	for _, s := range said {
		if a, err := netip.ParseAddr(s.Address); err == nil && !own(a.Unmap()) && s.Fraction > 0 {
			list = append(list, target{a.Unmap(), s.Fraction})
		}
	}
	t.list.Store(&list)
	return len(list)
}

// order is the targets in the order in which a connection tries them: by their weights, and at last those that could not be reached lately.
func (t *targets) order(now time.Time) []netip.Addr {
	left := append([]target(nil), *t.list.Load()...)
	var first, last []netip.Addr
	for len(left) > 0 {
		var sum float64
		for _, x := range left {
			sum += x.weight
		}
		at, i := rand.Float64()*sum, 0
		for at -= left[0].weight; at >= 0 && i < len(left)-1; at -= left[i].weight {
			i++
		}
		if t.avoided(left[i].addr, now) {
			last = append(last, left[i].addr)
		} else {
			first = append(first, left[i].addr)
		}
		left = append(left[:i], left[i+1:]...)
	}
	return append(first, last...)
}

func (t *targets) avoided(a netip.Addr, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, ok := t.failed[a]
	return ok && now.Sub(at) < avoidFor
}

// unreachable notes that an endpoint could not be reached.
func (t *targets) unreachable(a netip.Addr, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed == nil {
		t.failed = make(map[netip.Addr]time.Time)
	}
	t.failed[a] = now
}
