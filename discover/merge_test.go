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
			part := Part{Key: Key{Pool: pick("web", "api")}}
			told = append(told, &Set{Parts: []Part{part}, Cluster: pick("eu-1", "eu-2"), Epoch: r.Uint64N(2), Revision: pick("", "9", "10", "x", "010"), Decision: r.Uint64N(3), Node: pick("n1", "n2")})
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
	order := Order{Cluster: "eu-1", Kind: Accept, Number: 4, At: now}
	b, err := Encode(map[string]*Set{"eu-1": s}, Orders{order}, now)
	require.NoError(t, err)
	got, orders, err := Decode(b, now.Add(5*time.Minute))
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Len(t, orders, 1)
	assert.True(t, orders[0].At.Equal(now.Add(5*time.Minute)))
	assert.Equal(t, Digest(map[string]*Set{"eu-1": s}, Orders{order}), Digest(map[string]*Set{"eu-1": got[0]}, orders))
	assert.True(t, got[0].Parts[0].Entries[0].Joined.Equal(now.Add(5*time.Minute)), "a clock that is off moves nothing")
	assert.Equal(t, s.Parts[0].Entries[0].Address, got[0].Parts[0].Entries[0].Address)

	for _, name := range []string{"", "../x", "a/b"} {
		b, err := Encode(map[string]*Set{"x": {Cluster: name}}, nil, now)
		require.NoError(t, err)
		_, _, err = Decode(b, now)
		assert.Error(t, err, name)
	}
}

func FuzzDecode(f *testing.F) {
	b, _ := Encode(map[string]*Set{"eu-1": {Cluster: "eu-1"}}, nil, time.Now())
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		sets, _, err := Decode(b, time.Now())
		if err == nil {
			for _, s := range sets {
				assert.NoError(t, s.check())
			}
		}
	})
}

// TestOrders: an order that is given on any node is carried out once, wherever it is heard first; one that nobody heard in time is not.
func TestOrders(t *testing.T) {
	now := time.Now()
	s := &Set{Cluster: "eu-1", Accepted: 7}
	one := Orders(nil).Next(s, Accept, now)
	assert.EqualValues(t, 8, one.Number)
	orders, changed := Orders(nil).With(one)
	assert.True(t, changed)
	_, changed = orders.With(one)
	assert.False(t, changed, "at two nodes at once it is one order")
	assert.EqualValues(t, 9, orders.Next(s, Accept, now).Number)
	assert.EqualValues(t, 8, orders.Due(s, Accept, now))
	assert.Zero(t, orders.Due(s, Adopt, now))
	assert.Zero(t, orders.Due(&Set{Cluster: "eu-1", Accepted: 8}, Accept, now))
	assert.Zero(t, orders.Due(s, Accept, now.Add(OrderLife)))
	assert.Empty(t, orders.Live(now.Add(OrderLife)))
	orders, _ = orders.With(Orders(nil).Next(&Set{Cluster: "eu-0"}, Adopt, now))
	assert.Len(t, orders, 2)
	assert.Equal(t, "eu-0", orders[0].Cluster)
}
