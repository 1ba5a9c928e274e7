package round

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/ledger"
)

func rdataKey(n int) (k ledger.RDataKey) { binary.BigEndian.PutUint64(k[:], uint64(n)); return k }
func ownerKey(n int) (k ledger.OwnerKey) { binary.BigEndian.PutUint64(k[:], uint64(n)); return k }

// takeWords takes a part in, block by block, as gossip cuts it.
func takeWords(t *testing.T, s *WordsBy, part []byte, at time.Time) (blocks int) {
	t.Helper()
	for b := range slices.Chunk(part, BlockSize) {
		require.NoError(t, s.Take(b, at))
		blocks++
	}
	return blocks
}

func TestWords(t *testing.T) {
	now := time.Now()
	out := func(left, age time.Duration) Word { return Word{Verb: ledger.Out, Left: left, Age: age} }
	said := []RDataWord{
		{RData: rdataKey(2), Word: out(-30*time.Second, 90*time.Second), Own: true},
		{RData: rdataKey(1), Word: Word{Verb: ledger.Answering}, Names: []NameWord{
			{ownerKey(7), out(12*time.Second+time.Millisecond, time.Second)}, {ownerKey(8), Word{Verb: ledger.Leaving}},
		}},
	}
	boot := Boot{1}
	part, untold := EncodeWords(boot, 5*time.Second, said)
	require.Zero(t, untold)
	var s WordsBy
	require.Equal(t, 1, takeWords(t, &s, part, now))

	g, ok := s.RData(rdataKey(2))
	require.True(t, ok)
	require.Equal(t, Given{Word: out(-30*time.Second, 90*time.Second), Boot: boot, Clock: 5 * time.Second, At: now}, g)
	g, ok = s.Holding(ledger.Key{Owner: ownerKey(9), RData: rdataKey(2)})
	require.True(t, ok, "out of all names is out of each")
	require.Equal(t, ledger.Out, g.Verb)
	g, ok = s.Holding(ledger.Key{Owner: ownerKey(7), RData: rdataKey(1)})
	require.True(t, ok)
	require.Equal(t, 12050*time.Millisecond, g.Left, "rounded up, never down")
	g, _ = s.Holding(ledger.Key{Owner: ownerKey(8), RData: rdataKey(1)})
	require.Equal(t, ledger.Leaving, g.Verb)
	_, ok = s.Holding(ledger.Key{Owner: ownerKey(9), RData: rdataKey(1)})
	require.False(t, ok, "what is not named is not out")
	_, ok = s.RData(rdataKey(3))
	require.False(t, ok)
	var own []ledger.RDataKey
	s.EachOwn(now.Add(-time.Second), func(k ledger.RDataKey, _ []ledger.OwnerKey) { own = append(own, k) })
	require.Equal(t, []ledger.RDataKey{rdataKey(2)}, own)

	// A block that was overtaken changes nothing; one of another run does.
	older, _ := EncodeWords(boot, 4*time.Second, []RDataWord{{RData: rdataKey(2), Word: Word{Verb: ledger.Answering}}})
	takeWords(t, &s, older, now)
	g, _ = s.RData(rdataKey(2))
	require.Equal(t, ledger.Out, g.Verb)
	other, _ := EncodeWords(Boot{2}, time.Second, []RDataWord{{RData: rdataKey(2), Word: Word{Verb: ledger.Answering}}})
	takeWords(t, &s, other, now)
	g, _ = s.RData(rdataKey(2))
	require.Equal(t, ledger.Answering, g.Verb)

	// What is not said again is forgotten.
	empty, _ := EncodeWords(Boot{2}, 70*time.Second, nil)
	takeWords(t, &s, empty, now.Add(2*wordsKept))
	_, ok = s.RData(rdataKey(2))
	require.False(t, ok)
}

// Many words are cut into blocks of which each stands for itself, names of one RDATA too; what does not fit is counted.
func TestManyWords(t *testing.T) {
	w := RDataWord{RData: rdataKey(0), Word: Word{Verb: ledger.Answering}}
	for i := range 500 {
		w.Names = append(w.Names, NameWord{ownerKey(i), Word{Verb: ledger.Out, Left: time.Duration(i) * time.Second}})
	}
	all := []RDataWord{w}
	for i := range 1000 {
		all = append(all, RDataWord{RData: rdataKey(i + 1), Word: Word{Verb: ledger.Out}, Own: true})
	}
	part, untold := EncodeWords(Boot{1}, time.Second, all)
	require.Zero(t, untold)
	var s WordsBy
	require.Greater(t, takeWords(t, &s, part, time.Now()), 10)
	for i := range 500 {
		g, ok := s.Holding(ledger.Key{Owner: ownerKey(i), RData: rdataKey(0)})
		require.True(t, ok)
		require.Equal(t, time.Duration(i)*time.Second, g.Left)
	}
	for i := range 1000 {
		_, ok := s.RData(rdataKey(i + 1))
		require.True(t, ok)
	}
	for i := range 40_000 {
		all = append(all, RDataWord{RData: rdataKey(i + 2000), Word: Word{Verb: ledger.Out}})
	}
	part, untold = EncodeWords(Boot{1}, time.Second, all)
	require.Positive(t, untold)
	require.LessOrEqual(t, len(part), maxWords*BlockSize)
}

func TestLives(t *testing.T) {
	l := Lives{
		Self:    Remembered{Life: Life{Boot{3}, 17}, Incarnation: 4, Greatest: time.Minute},
		Joining: true, Rejoined: true, Lives: []Life{{Boot{1}, 5}, {Boot{3}, 17}},
		Others: map[string]Remembered{"n2": {Life: Life{Boot{9}, 2}, Incarnation: 1, Greatest: 30 * time.Second}, "n3": {}},
	}
	got, err := ParseLives(l.Encode([]string{"n2", "n3"}))
	require.NoError(t, err)
	require.Equal(t, l.Self, got.Self)
	require.Equal(t, l.Lives, got.Lives)
	require.True(t, got.Joining && got.Rejoined)
	r, ok := got.Of("n2")
	require.True(t, ok)
	require.Equal(t, l.Others["n2"], r)
	_, ok = got.Of("n3")
	require.False(t, ok, "nothing is remembered of it")

	// Who has all lives with as many writes has nothing less; an older copy of the disk, or another disk, has.
	k := Remembered{Life: Life{Boot{1}, 5}}
	require.False(t, k.Lacks(l.Lives))
	k.Writes = 6
	require.True(t, k.Lacks(l.Lives))
	k.Boot = Boot{7}
	require.True(t, k.Lacks(l.Lives))
	require.False(t, new(Remembered).Lacks(nil))
	require.True(t, (&Remembered{Incarnation: 2}).Newer(&Remembered{Incarnation: 1, Life: Life{Writes: 9}}))

	many := Lives{Others: make(map[string]Remembered)}
	var names []string
	for i := range 200 {
		name := string(rune('a'+i%26)) + string(rune('a'+i/26))
		names = append(names, name)
		many.Others[name] = Remembered{Life: Life{Boot{byte(i + 1)}, uint64(i)}}
	}
	found := 0
	for b := range slices.Chunk(many.Encode(names), BlockSize) {
		one, err := ParseLives(b)
		require.NoError(t, err)
		for _, name := range names {
			if _, ok := one.Of(name); ok {
				found++
			}
		}
	}
	require.Equal(t, 200, found)
}

// FuzzWords: whatever comes, nobody panics, and what is refused changes nothing.
func FuzzWords(f *testing.F) {
	part, _ := EncodeWords(Boot{1}, time.Second, []RDataWord{{RData: rdataKey(1), Word: Word{Verb: ledger.Out, Left: -time.Hour}, Names: []NameWord{{ownerKey(1), Word{Verb: ledger.Leaving}}}}})
	f.Add(part)
	f.Add((&Lives{Self: Remembered{Life: Life{Boot{1}, 1}}, Lives: []Life{{Boot{1}, 1}}, Others: map[string]Remembered{"a": {Life: Life{Boot{2}, 1}}}}).Encode([]string{"a"}))
	f.Add([]byte{version})
	f.Fuzz(func(t *testing.T, b []byte) {
		var s WordsBy
		if err := s.Take(b, time.Now()); err != nil {
			require.Empty(t, s.all)
		}
		if l, err := ParseLives(b); err == nil {
			l.Of("a")
		}
	})
}
