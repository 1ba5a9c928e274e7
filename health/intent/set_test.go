package intent

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
)

var begin = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// random is a set that some node might have: few ids, so that sets overlap.
func random(r *rand.Rand) Set {
	var s Set
	for range r.IntN(8) {
		id := health.IntentID{Node: []string{"n1", "n2"}[r.IntN(2)], Incarnation: 1, Counter: uint64(r.IntN(4))}
		i := health.Intent{
			ID: id, Kind: health.IntentDrain, Scope: health.Scope{Kind: health.ScopeAZ, Name: []string{"a", "b"}[r.IntN(2)]},
			Start: begin.Add(time.Duration(r.IntN(5)) * time.Second), Confirmed: r.IntN(4) == 0, Lifeboat: r.IntN(4) == 0,
		}
		if i.Forever = r.IntN(4) == 0; !i.Forever {
			i.End = i.Start.Add(time.Duration(r.IntN(9)) * time.Second)
		}
		s = s.Add(i)
	}
	for range r.IntN(3) {
		s = s.End(End{Actor: []string{"ada", "bob"}[r.IntN(2)], At: begin.Add(time.Duration(r.IntN(5)) * time.Second), Seen: r.IntN(3) == 0},
			health.IntentID{Node: "n1", Incarnation: 1, Counter: uint64(r.IntN(4))})
	}
	return s
}

// TestMergeLaws: merge is idempotent, commutative and associative, and loses nothing.
func TestMergeLaws(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		a, b, c := random(r).Merge(Set{}), random(r).Merge(Set{}), random(r).Merge(Set{})
		require.Equal(t, a, a.Merge(a))
		require.Equal(t, a.Merge(b), b.Merge(a))
		require.Equal(t, a.Merge(b).Merge(c), a.Merge(b.Merge(c)))
		both := a.Merge(b)
		for _, s := range []Set{a, b} {
			for id, i := range s.intents {
				got, ok := both.intents[id]
				if !ok {
					require.Contains(t, both.ends, id)
					continue
				}
				require.False(t, got.Start.After(i.Start))
				require.True(t, got.Forever || !got.End.Before(i.End))
				require.True(t, got.Confirmed || !i.Confirmed)
				require.True(t, got.Lifeboat || !i.Lifeboat)
			}
			for id := range s.ends {
				require.Contains(t, both.ends, id)
			}
		}
	}
}

// TestAddWins: an end ends what it has seen; what was made at the same time elsewhere survives.
func TestAddWins(t *testing.T) {
	drain := func(node string) health.Intent {
		return health.Intent{ID: health.IntentID{Node: node, Incarnation: 1, Counter: 1}, Kind: health.IntentDrain,
			Scope: health.Scope{Kind: health.ScopeAZ, Name: "a"}, Start: begin, Forever: true}
	}
	one, two := Set{}.Add(drain("n1")), Set{}.Add(drain("n2"))
	one = one.End(End{Actor: "ada", At: begin}, drain("n1").ID)
	open := two.Merge(one).Open(begin)
	require.Len(t, open, 1)
	require.Equal(t, "n2", open[0].ID.Node)
	late := Set{}.End(End{At: begin}, drain("n1").ID).Add(drain("n1"))
	require.Empty(t, late.Open(begin), "an end that came before its intent ends it too")
}

// TestCollect: an end stays until every configured node has had it for some time.
func TestCollect(t *testing.T) {
	id := health.IntentID{Node: "n1", Incarnation: 1, Counter: 1}
	s := Set{}.End(End{At: begin}, id)
	require.Equal(t, []health.IntentID{id}, s.Unseen())
	require.Equal(t, 1, s.Collect(begin.Add(240*time.Hour)).Len(), "somebody may still bring the intent")
	s = s.Everywhere(s.Unseen()).Collect(begin)
	require.Empty(t, s.Unseen())
	require.Equal(t, 1, s.Collect(begin.Add(keepEnds-1)).Len())
	require.Zero(t, s.Collect(begin.Add(keepEnds)).Len())
	over := Set{}.Add(health.Intent{ID: id, Start: begin, End: begin.Add(time.Minute)})
	require.Equal(t, 1, over.Collect(begin.Add(keepOver)).Len(), "another clock may say that it is not over")
	require.Zero(t, over.Collect(begin.Add(time.Minute+keepOver)).Len())
}

func TestNext(t *testing.T) {
	s := Set{}.Add(health.Intent{ID: health.IntentID{Node: "n", Counter: 1}, Start: begin.Add(time.Minute), End: begin.Add(time.Hour)})
	require.Equal(t, begin.Add(time.Minute), s.Next(begin))
	require.Equal(t, begin.Add(time.Hour), s.Next(begin.Add(time.Minute)))
	require.Zero(t, s.Next(begin.Add(time.Hour)))
}
