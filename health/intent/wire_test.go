package intent

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
)

// longest is the largest intent that can be made: its names are as long as a zone file allows.
func longest(counter uint64) health.Intent {
	zone := strings.Repeat("z23456789.", 25) + "z."
	return health.Intent{
		ID:   health.IntentID{Node: strings.Repeat("n", 63), Incarnation: 1 << 63, Counter: 1<<63 + counter},
		Kind: health.IntentWeight, Weight: health.MaxWeight, Service: "a." + zone,
		Scope: health.Scope{Kind: health.ScopeEndpoint, Zone: zone, Pool: strings.Repeat("p", 128), Endpoint: strings.Repeat("e", 128)},
		Actor: strings.Repeat("a", health.MaxActor), Reason: strings.Repeat("r", health.MaxReason), Override: health.Rules(),
		Start: begin.Add(-time.Hour), End: begin.Add(10 * 365 * 24 * time.Hour),
	}
}

func TestEncodeFitsBlocks(t *testing.T) {
	var s Set
	for n := range uint64(5) {
		s = s.Add(longest(n))
	}
	b := s.Encode(begin)
	require.Len(t, appendIntent(nil, new(longest(1)), begin), len(b)-4*BlockSize-1, "one for each block")
	got, err := Decode(b, begin)
	require.NoError(t, err)
	require.True(t, got.Same(s))
	for n := range 5 {
		one, err := Decode(b[n*BlockSize:min(len(b), (n+1)*BlockSize)], begin)
		require.NoError(t, err)
		require.Equal(t, 1, one.Len(), "a block stands alone")
	}
	require.Empty(t, Set{}.Encode(begin))
}

func TestEncodeRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		s := random(r).Merge(Set{})
		now := begin.Add(time.Duration(r.IntN(1000)) * time.Hour)
		got, err := Decode(s.Encode(now), now)
		if err != nil {
			// The random sets hold intents that are over before they start, which nobody could have made.
			require.ErrorIs(t, err, health.ErrInvalidIntent)
			continue
		}
		require.True(t, got.Same(s))
		require.Equal(t, s.Digest(), got.Digest())
		later, err := Decode(s.Encode(now), now.Add(snap))
		require.NoError(t, err)
		if again := later.Snap(s, now); !s.Merge(again).Same(s) {
			t.Fatal("the way between two nodes moved an instant")
		}
	}
}

func TestDecodeOfOtherVersions(t *testing.T) {
	good := Set{}.Add(longest(1)).Encode(begin)
	b := append(append([]byte{wireVersion + 1}, make([]byte, BlockSize-1)...), good...)
	s, err := Decode(b, begin)
	require.ErrorIs(t, err, ErrVersion)
	require.Equal(t, 1, s.Len(), "one bad block does not lose the rest")
	for n := 2; n < len(good); n++ {
		if s, err := Decode(good[:n], begin); err == nil {
			require.Zero(t, s.Len(), "cut off after %d octets", n)
		}
	}
}

// TestDecodeOfOtherKinds: what a newer node knows and this one does not takes nothing else with it.
func TestDecodeOfOtherKinds(t *testing.T) {
	one := health.Intent{ID: health.IntentID{Node: "n1", Incarnation: 1, Counter: 1}, Kind: health.IntentForce, State: health.Down,
		Scope: health.Scope{Kind: health.ScopeEndpoint, Zone: "z.", Pool: "p", Endpoint: "e"}, Start: begin, Forever: true}
	two, three, four := one, one, one
	two.ID.Counter, two.Kind = 2, 99
	three.ID.Counter, three.Scope.Kind = 3, 99
	four.ID.Counter, four.State = 4, health.Up
	sent := Set{}.Add(one).Add(two).Add(three).Add(four).End(End{At: begin}, health.IntentID{Node: "n2", Incarnation: 1, Counter: 1})
	got, err := Decode(sent.Encode(begin), begin)
	require.ErrorIs(t, err, ErrKind)
	require.True(t, got.Same(sent.Only(one.ID, four.ID, health.IntentID{Node: "n2", Incarnation: 1, Counter: 1})))
	bad := one
	bad.State = health.Drained
	_, err = Decode(Set{}.Add(two).Add(bad).Encode(begin), begin)
	require.NotErrorIs(t, err, ErrKind)
	require.ErrorIs(t, err, health.ErrInvalidIntent, "a fault goes before what is merely new")
}

// TestCovers: whoever has an intent with an earlier end does not hold its extension.
func TestCovers(t *testing.T) {
	short := drain("eu-a", begin, begin.Add(time.Hour))
	short.ID = health.IntentID{Node: "n1", Incarnation: 1, Counter: 1}
	way, longer, forever := short, short, short
	way.End = way.End.Add(-snap)
	longer.End = longer.End.Add(LeastMove)
	forever.End, forever.Forever = time.Time{}, true
	set := func(i health.Intent) Set { return Set{}.Add(i) }
	ended := Set{}.End(End{At: begin}, short.ID)
	for _, tt := range []struct {
		name       string
		have, want Set
		covers     bool
	}{
		{"the same", set(short), set(short), true},
		{"the way between two nodes", set(way), set(short), true},
		{"extended", set(short), set(longer), false},
		{"extended, and the way", set(way), set(longer), false},
		{"longer than asked for", set(longer), set(short), true},
		{"forever", set(short), set(forever), false},
		{"forever both", set(forever), set(forever), true},
		{"forever covers all", set(forever), set(longer), true},
		{"the end is not known", set(forever), ended, false},
		{"an end is final", ended, set(forever), true},
		{"nothing", Set{}, set(short), false},
	} {
		require.Equal(t, tt.covers, tt.have.Covers(tt.want, short.ID), tt.name)
	}
}

// TestSnap: what is of no use is not taken: an end that all have had, an intent that is over.
func TestSnap(t *testing.T) {
	one, two := health.IntentID{Node: "n1", Incarnation: 1, Counter: 1}, health.IntentID{Node: "n1", Incarnation: 1, Counter: 2}
	heard := Set{}.End(End{At: begin, Seen: true}, one).Add(health.Intent{ID: two, Start: begin, End: begin.Add(time.Second)})
	require.Zero(t, heard.Snap(Set{}, begin.Add(time.Minute)).Len())
	known := Set{}.Add(health.Intent{ID: one, Start: begin, Forever: true}).Add(health.Intent{ID: two, Start: begin, End: begin.Add(time.Second)})
	got := known.Merge(heard.Snap(known, begin.Add(time.Minute)))
	_, ended := got.Holds(one)
	require.True(t, ended)
	longer := Set{}.Add(health.Intent{ID: two, Start: begin, End: begin.Add(time.Hour)}).Snap(known, begin.Add(time.Minute))
	require.Len(t, known.Merge(longer).Open(begin.Add(time.Minute)), 2, "another clock says that it goes on")
}

func FuzzDecode(f *testing.F) {
	f.Add(Set{}.Add(longest(1)).End(End{Actor: "ada", At: begin}, health.IntentID{Node: "n", Incarnation: 1, Counter: 1}).Encode(begin))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, _ := Decode(b, begin)
		again, err := Decode(s.Encode(begin), begin)
		if err != nil {
			t.Fatal(err)
		}
		if !again.Same(s) {
			t.Fatalf("%v became %v", s, again)
		}
	})
}
