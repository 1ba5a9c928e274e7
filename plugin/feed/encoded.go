package feed

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// encodedFor is for how long what was encoded for one subscriber is given to others: its expiry is earlier than theirs by no more.
const encodedFor = 50 * time.Millisecond

// An encoder encodes what many subscribers are given at the same time once.
type encoder struct {
	mu sync.Mutex
	// of is what known was made of, at an instant; guarded by mu.
	of    *answer.Snapshot
	at    time.Time
	known map[encodedKey]json.RawMessage
}

// An encodedKey tells apart what is given.
type encodedKey struct {
	name string
	plan *steer.Plan
	ttl  uint32
}

// encode is what is given under a name at an instant, as JSON.
func (e *encoder) encode(s *Server, snap *answer.Snapshot, n name, g *answer.Given, at time.Time) json.RawMessage {
	key := encodedKey{n.text, g.Plan, g.TTL}
	e.mu.Lock()
	if age := at.Sub(e.at); e.of != snap || age < 0 || age > encodedFor {
		e.of, e.at, e.known = snap, at, make(map[encodedKey]json.RawMessage)
	}
	first, known := e.at, e.known
	b, ok := known[key]
	e.mu.Unlock()
	if ok {
		return b
	}
	given := s.given(n, g, first)
	b, err := json.Marshal(&given)
	if err != nil {
		// Our own types encode.
		panic(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	known[key] = b
	return b
}
