package door

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLockoutTable(t *testing.T) {
	l, now := NewLockout(), time.Now()
	one, other := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")
	for i := range MaxFailures - 1 {
		require.False(t, l.Failed(one, now.Add(time.Duration(i)*time.Second)))
	}
	require.Zero(t, l.Wait(one, now))
	require.False(t, l.Failed(one, now.Add(Window)), "the window of the first failure is over")
	for i := range MaxFailures - 1 {
		require.Equal(t, i == MaxFailures-2, l.Failed(one, now.Add(Window)))
	}
	require.Equal(t, Window, l.Wait(one, now.Add(Window)))
	require.Equal(t, time.Nanosecond, l.Wait(one, now.Add(2*Window-1)))
	require.Zero(t, l.Wait(one, now.Add(2*Window)))
	require.Zero(t, l.Wait(other, now))
	// A flood of addresses.
	for i := range 3 * maxSources {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		l.Failed(netip.PrefixFrom(a, 32), now)
	}
	require.Equal(t, maxSources, l.sources.Len())
}

func TestSourceOf(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:1": "192.0.2.1/32", "[::ffff:192.0.2.1]:1": "192.0.2.1/32", "[2001:db8::1]:1": "2001:db8::/64", "[fe80::1%eth0]:1": "fe80::/64",
	} {
		require.Equal(t, want, SourceOf(remote).String())
	}
}
