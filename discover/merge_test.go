package discover

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// merge is what a node does with a set that it is told.
func merge(into map[string]*Set, s *Set) {
	if s.Newer(into[s.Cluster]) {
		into[s.Cluster] = s
	}
}

// TestMergeLaws: in whatever order, and however often, sets come, every node ends with the same ones.
func TestMergeLaws(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	for range 500 {
		var told []*Set
		for range 8 {
			told = append(told, &Set{Cluster: pick("eu-1", "eu-2"), Epoch: r.Uint64N(2), Revision: pick("", "9", "10", "x", "010"), Decision: r.Uint64N(3), Node: pick("n1", "n2")})
		}
		a, b := make(map[string]*Set), make(map[string]*Set)
		for _, s := range told {
			merge(a, s)
		}
		for _, i := range append(r.Perm(len(told)), r.Perm(len(told))...) {
			merge(b, told[i])
		}
		for name, s := range a {
			require.Zero(t, s.order(b[name]), "%+v, %+v", s, b[name])
		}
	}
	assert.Negative(t, CompareRevisions("999", "1000"))
	assert.Positive(t, CompareRevisions("100000000000000000000000000000", "99999999999999999999999999999"))
	assert.Positive(t, (&Set{Epoch: 1, Revision: "1"}).order(&Set{Revision: "9"}), "an adopted cluster has revisions of its own")
}

// TestTold: what is told arrives, with instants by the clock of whoever hears it.
func TestTold(t *testing.T) {
	now := time.Now()
	s := &Set{Cluster: "eu-1", UID: "one", Revision: "7", Decision: 3, Node: "n1", Left: []time.Time{now}, Parts: []Part{{
		Key: Key{Zone: "example.org.", Pool: "web", From: "service shop/web"}, Entries: []Entry{{Address: Address{IP: netip.MustParseAddr("192.0.2.1"), AZ: "eu-a"}, Object: "shop/web", Since: now, Joined: now, Probed: true}},
	}}}
	b, err := Encode(map[string]*Set{"eu-1": s}, now)
	require.NoError(t, err)
	got, err := Decode(b, now.Add(5*time.Minute))
	require.NoError(t, err)
	require.Len(t, got, 1)
	assert.Equal(t, Digest(map[string]*Set{"eu-1": s}), Digest(map[string]*Set{"eu-1": got[0]}))
	assert.True(t, got[0].Parts[0].Entries[0].Joined.Equal(now.Add(5*time.Minute)), "a clock that is off moves nothing")
	assert.Equal(t, s.Parts[0].Entries[0].Address, got[0].Parts[0].Entries[0].Address)

	for _, name := range []string{"", "../x", "a/b"} {
		b, err := Encode(map[string]*Set{"x": {Cluster: name}}, now)
		require.NoError(t, err)
		_, err = Decode(b, now)
		assert.Error(t, err, name)
	}
}

func FuzzDecode(f *testing.F) {
	b, _ := Encode(map[string]*Set{"eu-1": {Cluster: "eu-1"}}, time.Now())
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		sets, err := Decode(b, time.Now())
		if err == nil {
			for _, s := range sets {
				assert.NoError(t, s.check())
			}
		}
	})
}
