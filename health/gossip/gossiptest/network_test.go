package gossiptest

import (
	"io"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/stretchr/testify/require"
)

var _ memberlist.Transport = (*Transport)(nil)

const (
	addrA = "192.0.2.1:1"
	addrB = "192.0.2.2:1"
)

func pair(seed uint64, l Link) (n *Network, a, b *Transport) {
	n = New(seed)
	n.SetLink(l)
	return n, n.Transport(addrA), n.Transport(addrB)
}

// burst sends count packets a millisecond apart and returns the first octets of what came, in order.
func burst(t *testing.T, from, to *Transport, count int) (got []int) {
	for i := range count {
		_, err := from.WriteTo([]byte{byte(i), byte(i >> 8)}, to.addr.String())
		require.NoError(t, err)
		time.Sleep(time.Millisecond)
	}
	time.Sleep(time.Second)
	for len(to.packets) > 0 {
		p := <-to.packets
		got = append(got, int(p.Buf[0])|int(p.Buf[1])<<8)
	}
	return got
}

func TestPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := pair(1, Link{})
		require.Len(t, burst(t, a, b, 1000), 1000)
		_, a, b = pair(1, Link{Loss: .3})
		first := burst(t, a, b, 1000)
		require.InDelta(t, 700, len(first), 60)
		_, a, b = pair(1, Link{Loss: .3})
		require.Equal(t, first, burst(t, a, b, 1000), "the seed says which")
		_, a, b = pair(2, Link{Duplicate: .5})
		require.InDelta(t, 1500, len(burst(t, a, b, 1000)), 80)
		_, a, b = pair(3, Link{Jitter: 20 * time.Millisecond})
		require.False(t, slices.IsSorted(burst(t, a, b, 100)))
		_, a, b = pair(4, Link{})
		_, err := a.WriteTo([]byte("x"), "nowhere")
		require.Error(t, err)
		require.Len(t, burst(t, a, b, 10), 10)
	})
}

func TestCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b := pair(1, Link{})
		at, bt := netip.MustParseAddrPort(addrA), netip.MustParseAddrPort(addrB)
		n.Cut(at, bt)
		require.Empty(t, burst(t, a, b, 10))
		require.Len(t, burst(t, b, a, 10), 10)
		start := time.Now()
		_, err := b.DialTimeout(addrA, 3*time.Second)
		require.Error(t, err, "a handshake needs both ways")
		require.Equal(t, 3*time.Second, time.Since(start))
		n.Heal()
		n.Partition([]netip.AddrPort{at})
		require.Empty(t, burst(t, b, a, 10))
		n.Heal()
		require.Len(t, burst(t, a, b, 10), 10)
		n.Kill(bt)
		require.Empty(t, burst(t, a, b, 10))
		require.Empty(t, burst(t, b, a, 10), "the dead do not send")
		b = n.Transport(addrB)
		require.Len(t, burst(t, a, b, 10), 10)
		require.NoError(t, b.Shutdown())
		_, err = a.DialTimeout(addrB, time.Second)
		require.ErrorContains(t, err, "refused")
		// More than anybody reads.
		n.Transport(addrB)
		for range packetBacklog + 5 {
			_, _ = a.WriteTo([]byte("x"), addrB)
		}
		require.Equal(t, 5, n.Dropped())
	})
}

func TestStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b := pair(1, Link{Delay: 10 * time.Millisecond, Loss: .2})
		go func() {
			c := <-b.StreamCh()
			all, _ := io.ReadAll(c)
			_, _ = c.Write(all)
			c.Close()
		}()
		c, err := a.DialTimeout(addrB, 20*time.Second)
		require.NoError(t, err)
		require.Equal(t, addrB, c.RemoteAddr().String())
		start := time.Now()
		for range 100 {
			_, err = c.Write([]byte("hello "))
			require.NoError(t, err)
		}
		require.Equal(t, start, time.Now(), "Write does not block")
		c.(*conn).put(chunk{end: true})
		require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
		all, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Len(t, all, 600)
		require.Greater(t, time.Since(start), 20*time.Millisecond)
		require.NoError(t, c.Close())

		// Over a cut a stream hangs until its deadline, and stays broken when the cut is mended.
		c, err = a.DialTimeout(addrB, 20*time.Second)
		require.NoError(t, err)
		other := <-b.StreamCh()
		n.Partition([]netip.AddrPort{a.addr})
		_, err = c.Write([]byte("lost"))
		require.NoError(t, err)
		n.Heal()
		_, err = c.Write([]byte("behind it"))
		require.NoError(t, err)
		require.NoError(t, other.SetDeadline(time.Now().Add(5*time.Second)))
		start = time.Now()
		_, err = other.Read(make([]byte, 10))
		require.ErrorContains(t, err, "timeout")
		require.Equal(t, 5*time.Second, time.Since(start))
	})
}
