package resolve

import (
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/feed/wire"
)

// avoidFor is for how long an endpoint that took no connection is tried last.
const avoidFor = 5 * time.Second

// A State is what is given under a name. It is never changed, but for who uses it and what could not be reached.
type State struct {
	// Given is the node's word, Node the one that gave it.
	Given wire.Given
	Node  string
	// ExpiresAt is until when it holds, by this machine's clock.
	ExpiresAt time.Time
	// shared is what all states of one name share.
	shared *shared
	// use counts who chose by it and has not sent its request yet.
	use *use
	// told counts who is still to be told of it by Watch.
	told *use
}

// A use counts who goes by a word.
type use struct {
	mu   sync.Mutex
	n    int           // guarded by mu
	idle chan struct{} // closed while n is 0; guarded by mu
}

func newUse() *use {
	u := &use{idle: make(chan struct{})}
	close(u.idle)
	return u
}

func (u *use) begin() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.n++; u.n == 1 {
		u.idle = make(chan struct{})
	}
}

func (u *use) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.n--; u.n == 0 {
		close(u.idle)
	}
}

// quiet is closed once nobody goes by it who has not sent its request.
func (u *use) quiet() <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.idle
}

// shared is what is known of a name's endpoints whoever gave them.
type shared struct {
	mu sync.Mutex
	// failed is when endpoints took no connection, stays the one that this program stays with (sticky); guarded by mu.
	failed map[string]time.Time
	stays  string
}

// avoid notes that an endpoint took no connection.
func (s *State) avoid(data string, now time.Time) {
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	if s.shared.failed == nil {
		s.shared.failed = make(map[string]time.Time)
	}
	s.shared.failed[data] = now
}

// Expired tells whether it holds no more: who goes on with it does so at its own risk.
func (s *State) Expired(now time.Time) bool { return now.After(s.ExpiresAt) }

// Members are the endpoints in service for a network: ip4, tcp4 and the like are IPv4's, ip6 and the like IPv6's, any other both, IPv4 first;
// host names where the service answers with CNAMEs.
func (s *State) Members(network string) (list []wire.Member) {
	types := []string{"A", "AAAA", "CNAME"}
	switch {
	case strings.HasSuffix(network, "4"):
		types = []string{"A", "CNAME"}
	case strings.HasSuffix(network, "6"):
		types = []string{"AAAA", "CNAME"}
	}
	for _, t := range types {
		for _, m := range s.Given.Sets[t] {
			if m.Weight > 0 {
				list = append(list, m)
			}
		}
	}
	return list
}

// Order is Members in the order in which they are to be tried: each is the first as often as its weight says, those that took no connection
// within the last seconds stand last. A client of a sticky service stays with one for as long as it is there.
func (s *State) Order(network string) []wire.Member {
	left, now := s.Members(network), time.Now()
	var first, last []wire.Member
	for len(left) > 0 {
		var sum uint64
		for i := range left {
			sum += left[i].Weight
		}
		i := 0
		for at := rand.Uint64N(sum); at >= left[i].Weight; i++ {
			at -= left[i].Weight
		}
		if s.avoided(left[i].Data, now) {
			last = append(last, left[i])
		} else {
			first = append(first, left[i])
		}
		left = append(left[:i], left[i+1:]...)
	}
	order := append(first, last...)
	if s.Given.Sticky && len(order) > 0 {
		s.stay(order)
	}
	return order
}

func (s *State) avoided(data string, now time.Time) bool {
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	at, ok := s.shared.failed[data]
	return ok && now.Sub(at) < avoidFor
}

// stay puts the endpoint first that this program stays with; where that is gone, the first one becomes it.
func (s *State) stay(order []wire.Member) {
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	for i := range order {
		if order[i].Data == s.shared.stays {
			m := order[i]
			copy(order[1:i+1], order[:i])
			order[0] = m
			return
		}
	}
	s.shared.stays = order[0].Data
}
