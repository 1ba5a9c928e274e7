package ledger

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

// A twin is the book as one would keep it with unbounded memory: every answer that was ever given, by snapshot.
type twin struct {
	// served are the holdings of the snapshot in force, gave the last expiry of any answer that carried each.
	served map[Holding]bool
	gave   map[Holding]time.Time
	// flying are answers that were begun and not written: what each carries.
	flying map[int][]flight
}

type flight struct {
	h    Holding
	slot Slot
	ttl  uint32
}

// TestBookAgainstTwin: whatever enters, leaves, is answered late, claimed and forgotten, a book never says out while an answer is under
// way, never names an instant before the last answer has expired, and not one after it by more than the ledger's grain where it
// knows; and all slots come back.
func TestBookAgainstTwin(t *testing.T) {
	for seed := range suite.Cases(60, 10) {
		r := rand.New(rand.NewPCG(seed, 77))
		b := newBench(t, r.IntN(40), 0)
		earlier := b.earlier
		tw := &twin{served: make(map[Holding]bool), gave: make(map[Holding]time.Time), flying: make(map[int][]flight)}
		var all []Holding
		for _, owner := range []string{"www", "api", "a.eu"} {
			for i := range 3 {
				all = append(all, holding(owner, fmt.Sprintf("192.0.2.%d", i+1)))
			}
		}
		// quiets are those of the snapshots that still have answers under way: by the number of the snapshot that an answer was begun from.
		quiets := make(map[int]chan struct{})
		snapshot := 0
		quiets[0] = make(chan struct{})
		for s := 1; s < 400; s++ {
			switch r.IntN(6) {
			case 0, 1: // another snapshot
				var left, entered []Holding
				for _, h := range all {
					if r.IntN(4) != 0 {
						continue
					}
					if tw.served[h] {
						left = append(left, h)
					} else {
						entered = append(entered, h)
					}
				}
				old := snapshot
				b.swap(s, quiets[old], left, entered)
				snapshot++
				quiets[snapshot] = make(chan struct{})
				if len(tw.flying[old]) == 0 {
					close(quiets[old])
				}
				for _, h := range left {
					delete(tw.served, h)
				}
				for _, h := range entered {
					tw.served[h] = true
				}
			case 2, 3: // an answer is begun
				for _, h := range all {
					if tw.served[h] && r.IntN(3) == 0 {
						// An answer holds its snapshot, and so the slots of it.
						tw.flying[snapshot] = append(tw.flying[snapshot], flight{h, b.ledger.Acquire(h.Key()), uint32(1 + r.IntN(30))})
					}
				}
			default: // all answers of one snapshot are written
				for k, list := range tw.flying {
					for _, f := range list {
						b.stamp(f.slot, s, f.ttl)
						if at := b.at(s + int(f.ttl)); at.After(tw.gave[f.h]) {
							tw.gave[f.h] = at
						}
						b.ledger.Release([]Slot{f.slot})
					}
					if delete(tw.flying, k); k != snapshot {
						close(quiets[k])
					}
					break
				}
			}
			if r.IntN(8) == 0 {
				b.Forget(all[r.IntN(len(all))])
			}
			if h := all[r.IntN(len(all))]; r.IntN(20) == 0 && !tw.served[h] {
				b.Claim(h, h.Owner, Label{}, b.at(0))
			}
			b.Poll(b.at(s))
			tw.hold(t, b, all, earlier, s, seed)
		}
		for k, list := range tw.flying {
			for _, f := range list {
				b.ledger.Release([]Slot{f.slot})
			}
			if k != snapshot {
				close(quiets[k])
			}
		}
		var left []Holding
		for h := range tw.served {
			left = append(left, h)
		}
		close(quiets[snapshot])
		b.swap(400, closedNow(), left, nil)
		b.Poll(b.at(401))
		b.Poll(b.at(401 + 31 + 61))
		require.Zero(t, b.ledger.Slots(), "seed %d", seed)
	}
}

// hold compares what the book says at a second with what was given.
func (tw *twin) hold(t *testing.T, b *bench, all []Holding, earlier time.Time, s int, seed uint64) {
	now := b.at(s)
	underWay := func(h Holding) bool {
		for _, list := range tw.flying {
			for _, f := range list {
				if f.h == h {
					return true
				}
			}
		}
		return false
	}
	for _, h := range all {
		w := b.Word(h.Key(), now)
		where := fmt.Sprintf("seed %d, second %d, %v: %+v", seed, s, h, w)
		require.Equal(t, tw.served[h], w.Verb == Answering, where)
		if w.Verb != Out {
			continue
		}
		require.False(t, underWay(h), where)
		require.False(t, w.Until.Before(tw.gave[h]), where)
		require.False(t, w.Until.Before(earlier), where)
		// It is late by the ledger's grain, or by what it keeps nothing of.
		latest := Later(Later(tw.gave[h].Add(grain), earlier), now.Add(-Remembered))
		if st := b.Standing(h.Key()); st != nil && !st.Quiet.IsZero() {
			latest = Later(latest, st.Quiet.Add(-Remembered))
		}
		require.False(t, w.Until.After(latest), where)
		require.False(t, w.Since.After(now), where)
	}
	for i := range 3 {
		k := RDataKeyOf(fmt.Sprintf("192.0.2.%d", i+1))
		w := b.WordOf(k, now)
		for _, h := range all {
			if h.Key().RData != k {
				continue
			}
			one := b.Word(h.Key(), now)
			where := fmt.Sprintf("seed %d, second %d, %v: %+v and %+v", seed, s, h, w, one)
			require.False(t, one.Verb == Answering && w.Verb != Answering, where)
			require.False(t, one.Verb == Leaving && w.Verb == Out, where)
			if w.Verb == Out && b.Standing(h.Key()) != nil {
				require.False(t, w.Until.Before(one.Until), where)
			}
		}
	}
}
