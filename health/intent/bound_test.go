package intent

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
)

// many is a binding of n addresses of each family and as many targets.
func many(n int) health.Binding {
	var addrs []netip.Addr
	var targets []string
	for i := range n {
		addrs = append(addrs, netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i+1)))
		targets = append(targets, fmt.Sprintf("host-%d.example.net.", i))
	}
	return health.NewBinding(addrs, targets)
}

// TestBoundTravels: what an order binds comes through the wire and the disk, however much it is, and a program that knows nothing of bindings
// reads the rest.
func TestBoundTravels(t *testing.T) {
	order := longest(1)
	order.Bound = many(2000)
	small := longest(2)
	small.Bound = health.NewBinding([]netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil)
	s := Set{}.Add(order).Add(small)
	got, err := Decode(s.Encode(begin), begin)
	require.NoError(t, err)
	require.True(t, got.Same(s))
	require.True(t, got.Open(begin)[0].Bound.Equal(order.Bound))
	for _, entry := range appendBound(order.ID, order.Bound) {
		require.LessOrEqual(t, len(entry), BlockSize-1, "it fits a block")
		r := reader{b: entry[1:]}
		i := r.intent(begin)
		require.False(t, r.failed)
		require.Empty(t, r.b, "an older program takes the whole entry for an intent of a kind that it does not know")
		require.False(t, i.Kind.Known())
	}
	require.Less(t, len(s.Encode(begin)), 80<<10, "names that follow each other are short")
	require.Empty(t, s.End(End{Actor: "ada", At: begin}, order.ID).Only(order.ID).bounds, "an end takes what was bound along")
	require.True(t, got.Only(small.ID).Open(begin)[0].Bound.Equal(small.Bound))

	dir := t.TempDir()
	st, err := Open(dir, "n1", 1, begin)
	require.NoError(t, err)
	id, err := put(st, health.Intent{Kind: health.IntentDrain, Scope: health.Scope{Kind: health.ScopeAZ, Name: "a"}, Bound: small.Bound, Start: begin, End: begin.Add(time.Hour)}, begin)
	require.NoError(t, err)
	st, err = Open(dir, "n1", 1, begin)
	require.NoError(t, err)
	require.True(t, st.Set().Open(begin)[0].Bound.Equal(small.Bound))
	require.NoError(t, os.WriteFile(filepath.Join(dir, boundsName), []byte("{"), 0o600))
	st, err = Open(dir, "n1", 1, begin)
	require.NoError(t, err, "a damaged file costs what it held, not the orders")
	require.Error(t, st.Lost())
	require.Equal(t, id, st.Set().Open(begin)[0].ID)
}
