package cluster

import (
	"maps"
	"sync"
	"time"

	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/round"
)

// maxWaiting bounds the shards that wait to be taken: some ten seconds of what 20 nodes with 10,000 endpoints say.
const maxWaiting = 8192

// A Part is one part of a round. Its owner says what is in it, and takes in what the other nodes say of theirs.
type Part struct {
	// Key names the part, in every round of every node.
	Key string
	// Spare is set for a part that is left out of a round which would be too large with it.
	Spare bool
	// Encode is what this node says at now; a nil Encode says nothing. news is what of that the others are to hear at once: a value that can
	// be compared, and is another one whenever there is some. A part that only counts time has no news, which is nil.
	Encode func(now time.Time) (b []byte, news any)
	// Take takes in one shard of what another node of the roster says; a nil Take drops it. A shard that is not understood changes nothing.
	Take func(r *gossip.Round, now time.Time) error
}

// A Teller brings rounds to the other nodes. A *gossip.Peer is one.
type Teller interface {
	// Publish tells parts at once, Refresh with the round of the second.
	Publish(parts map[string][]byte) error
	Refresh(parts map[string][]byte) error
}

// Rounds are what this node tells the others, part by part, and what waits of what they told. The zero value has no parts.
type Rounds struct {
	parts []Part
	// told is the news of each part as it was told last, by key.
	told map[string]any
	// urgent asks for a telling at the end of the owner's turn.
	urgent bool

	mu      sync.Mutex
	waiting []gossip.Round // guarded by mu: delivered since the last Waiting
	lost    uint64         // guarded by mu: those of them that found waiting full
}

// Register adds parts, each key once, before the first round.
func (r *Rounds) Register(parts ...Part) {
	for _, p := range parts {
		if r.part(p.Key) != nil {
			panic("cluster: two parts of rounds with the key " + p.Key)
		}
		r.parts = append(r.parts, p)
	}
}

// part is the part with a key; nil for none. They are few.
func (r *Rounds) part(key string) *Part {
	for i := range r.parts {
		if r.parts[i].Key == key {
			return &r.parts[i]
		}
	}
	return nil
}

// Urge asks for a telling at the end of this turn of the owner.
func (r *Rounds) Urge() { r.urgent = true }

// Urgent tells whether one was asked for since the last call.
func (r *Rounds) Urgent() (urgent bool) {
	urgent, r.urgent = r.urgent, false
	return urgent
}

// Deliver has a shard wait. It may be called from any goroutine.
func (r *Rounds) Deliver(shard gossip.Round) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) < maxWaiting {
		r.waiting = append(r.waiting, shard)
	} else {
		r.lost++
	}
}

// Waiting are the shards that were delivered since the last call, in their order, and how many more found no room.
func (r *Rounds) Waiting() (shards []gossip.Round, lost uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	shards, lost = r.waiting, r.lost
	r.waiting, r.lost = nil, 0
	return shards, lost
}

// Take has the owner of a shard's part take it in. A part that nobody registered is round.ErrUnknownPart.
func (r *Rounds) Take(shard *gossip.Round, now time.Time) error {
	p := r.part(shard.Key)
	switch {
	case p == nil:
		return round.ErrUnknownPart
	case p.Take == nil:
		return nil
	}
	return p.Take(shard, now)
}

// Tell tells what all parts say: at once where one of them has news, else with the round of the second. Where that is too much spare parts
// are left out, and tooMuch is why; err is why nothing was told at all.
func (r *Rounds) Tell(to Teller, now time.Time) (tooMuch, err error) {
	parts, news := make(map[string][]byte, len(r.parts)), make(map[string]any, len(r.parts))
	for _, p := range r.parts {
		if p.Encode != nil {
			parts[p.Key], news[p.Key] = p.Encode(now)
		}
	}
	send := to.Refresh
	if !maps.Equal(news, r.told) {
		send, r.told = to.Publish, news
	}
	if err = send(parts); err == nil {
		return nil, nil
	}
	for _, p := range r.parts {
		if p.Spare {
			delete(parts, p.Key)
		}
	}
	return err, send(parts)
}
