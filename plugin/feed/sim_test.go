package feed

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/integration/suite"
)

// simHoldings is how many holdings there are in a simulated world, some of them of one RDATA.
const simHoldings = 6

func simHolding(n int) ledger.Holding {
	return ledger.Holding{Owner: fmt.Sprintf("s%d.example.org.", n%2), RData: fmt.Sprintf("192.0.2.%d", n/2)}
}

// A simSub is a subscriber as it is, beside what the hub knows of it.
type simSub struct {
	sub *subscriber
	// uses is what it uses, until it hears something else or that has expired by until.
	uses  map[ledger.Key]bool
	until time.Time
	// way are messages on their way, acks acknowledgements on theirs.
	way  []simMessage
	acks []uint64
	// lies is set for one that acknowledges what it was not sent, and takes up nothing.
	lies bool
	// making is a message that is being made of a snapshot that may be no more.
	making *simMessage
	gone   bool
}

type simMessage struct {
	version uint64
	keys    map[ledger.Key]bool
	until   time.Time
}

// A simWorld is a hub, what is answered, and everybody who listens.
type simWorld struct {
	r        *rand.Rand
	hub      *Hub
	now      time.Time
	answered map[ledger.Key]bool
	subs     []*simSub
}

func (w *simWorld) step() {
	w.now = w.now.Add(time.Duration(w.r.IntN(80)) * time.Millisecond)
	w.hub.sweep(w.now)
	switch n := w.r.IntN(12); {
	case n == 0:
		w.swap()
	case n == 1 && len(w.subs) < 12:
		w.subs = append(w.subs, &simSub{sub: w.hub.join(kindHTTP), lies: w.r.IntN(5) == 0})
	case len(w.subs) > 0:
		w.move(w.subs[w.r.IntN(len(w.subs))])
	}
}

// swap changes what is answered.
func (w *simWorld) swap() {
	next := maps.Clone(w.answered)
	var left []ledger.Departed
	for i := range simHoldings {
		if w.r.IntN(3) > 0 {
			continue
		}
		h := simHolding(i)
		if next[h.Key()] {
			delete(next, h.Key())
			left = append(left, ledger.Departed{Holding: h})
		} else {
			next[h.Key()] = true
		}
	}
	w.answered = next
	w.hub.Swapped(left, w.now)
}

// move has a subscriber, or its stream, do one thing.
func (w *simWorld) move(s *simSub) {
	if s.gone {
		return
	}
	switch w.r.IntN(7) {
	case 0:
		// The stream looks what there is to give; it will be said later.
		if s.making == nil {
			version, _ := w.hub.now()
			s.making = &simMessage{version, maps.Clone(w.answered), w.now.Add(time.Duration(1+w.r.IntN(15)) * time.Second)}
		}
	case 1, 2:
		w.give(s)
	case 3, 4:
		if len(s.way) > 0 {
			m := s.way[0]
			s.way = s.way[1:]
			if s.lies {
				// It goes on with what it had at first.
				if s.uses == nil {
					s.uses = m.keys
				}
				s.until = ledger.Later(s.until, m.until)
				return
			}
			s.uses, s.until = m.keys, m.until
			s.acks = append(s.acks, m.version)
		}
	case 5:
		switch {
		case s.lies && s.uses != nil:
			w.hub.ack(s.sub, s.sub.sent+1+w.r.Uint64N(3), w.now)
		case len(s.acks) > 0:
			w.hub.ack(s.sub, s.acks[0], w.now)
			s.acks = s.acks[1:]
		}
	case 6:
		if w.r.IntN(4) == 0 {
			// Its stream ends; what is on its way may arrive all the same, or not.
			for _, m := range s.way {
				if w.r.IntN(2) == 0 && !s.lies {
					s.uses, s.until = m.keys, m.until
				}
			}
			s.gone, s.making = true, nil
			w.hub.leave(s.sub, w.now)
		}
	}
}

// give sends what is being made, or finds that it is what was sent last.
func (w *simWorld) give(s *simSub) {
	m := s.making
	if s.making = nil; m == nil {
		return
	}
	if s.sub.sent > 0 && maps.Equal(m.keys, s.sub.last) {
		w.hub.same(s.sub, m.version, w.now)
		return
	}
	w.hub.giving(s.sub, m.version, m.keys, m.until)
	s.way = append(s.way, *m)
}

// false says which sentence of the hub's is false; empty if none is: nobody counts as confirmed, or as none of those who were told, who uses what
// has left.
func (w *simWorld) false() string {
	for _, s := range w.subs {
		if s.uses == nil || s.gone && !w.now.Before(s.until) {
			continue
		}
		for i := range simHoldings {
			k := simHolding(i).Key()
			if !s.uses[k] || w.answered[k] {
				continue
			}
			open := false
			for _, r := range w.hub.rows {
				open = open || r.keys[k] && r.pending[s.sub]
			}
			if !open {
				return fmt.Sprintf("a subscriber (liar %v, gone %v) uses %v, which left, and is not counted among those who have not confirmed", s.lies, s.gone, simHolding(i))
			}
		}
	}
	return ""
}

func runSim(seed uint64, guard func(*Hub)) string {
	w := &simWorld{r: rand.New(rand.NewPCG(seed, 25)), hub: NewHub(), now: time.Unix(1_800_000_000, 0), answered: make(map[ledger.Key]bool)}
	guard(w.hub)
	for i := range simHoldings {
		w.answered[simHolding(i).Key()] = true
	}
	for range 800 {
		w.step()
		if wrong := w.false(); wrong != "" {
			return wrong
		}
	}
	return ""
}

// TestSimListeners: subscribers that lie, fall silent, or hear late never make a false fourth line, in random histories; without each of the rules
// that keep them from it some do.
func TestSimListeners(t *testing.T) {
	const suspects = 30
	seeds := suite.Cases(400, 60)
	for seed := range uint64(seeds) {
		require.Empty(t, runSim(seed, func(*Hub) {}), "seed %d", seed)
	}
	for name, guard := range map[string]func(*Hub){
		"liars are believed":    func(h *Hub) { h.credulous = true },
		"the silent are forgot": func(h *Hub) { h.forgetful = true },
		"nobody is late":        func(h *Hub) { h.prompt = true },
	} {
		broken := 0
		for seed := range uint64(suspects) {
			if runSim(seed, guard) != "" {
				broken++
			}
		}
		t.Logf("%s: %d of %d histories are false", name, broken, suspects)
		require.Positive(t, broken, name)
	}
}
