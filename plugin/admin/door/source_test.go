package door

import (
	"net"
	"net/netip"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A scriptedListener has a connection from each of some addresses, then none.
type scriptedListener struct {
	net.Listener
	from []string
}

type scriptedConn struct {
	net.Conn
	from   string
	closed int
}

func (c *scriptedConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.from))
}

func (c *scriptedConn) Close() error {
	c.closed++
	return nil
}

func (l *scriptedListener) Accept() (net.Conn, error) {
	if len(l.from) == 0 {
		return nil, net.ErrClosed
	}
	c := &scriptedConn{from: l.from[0]}
	l.from = l.from[1:]
	return c, nil
}

func TestSourceListener(t *testing.T) {
	const maxSourceConns = 128
	inner := new(scriptedListener)
	for i := range maxSourceConns + 2 {
		inner.from = append(inner.from, netip.AddrPortFrom(netip.MustParseAddr("2001:db8::1"), uint16(i+1)).String())
	}
	inner.from = append(inner.from, "[2001:db8::ffff]:1", "192.0.2.1:1")
	refused := prometheus.NewCounter(prometheus.CounterOpts{Name: "refused"})
	l := NewSourceListener(inner, maxSourceConns, refused)
	var conns []net.Conn
	for range maxSourceConns {
		c, err := l.Accept()
		require.NoError(t, err)
		conns = append(conns, c)
	}
	// Two more of the same address, and one of its /64, are closed; another source gets in.
	c, err := l.Accept()
	require.NoError(t, err)
	require.Equal(t, "192.0.2.1:1", c.RemoteAddr().String())
	require.Equal(t, 3.0, testutil.ToFloat64(refused))
	require.NoError(t, c.Close())

	// A place is given back once, however often a connection is closed.
	require.NoError(t, conns[0].Close())
	require.NoError(t, conns[0].Close())
	inner.from = []string{"[2001:db8::1]:9", "[2001:db8::1]:10"}
	_, err = l.Accept()
	require.NoError(t, err)
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	require.Equal(t, 4.0, testutil.ToFloat64(refused))

	for _, c := range conns[1:] {
		require.NoError(t, c.Close())
	}
	require.Len(t, l.open, 1, "no source is remembered that has left")
}

// TestConnLimit: the listener leaves most of the open files to probes and DNS.
func TestConnLimit(t *testing.T) {
	const minConns, maxConns = 8, 512
	var files unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &files))
	t.Cleanup(func() { require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &files)) })
	for cur, want := range map[uint64]int{16: minConns, 256: 32, 4095: 511, 4096: maxConns} {
		limited := files
		limited.Cur = min(cur, files.Max)
		require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limited))
		require.Equal(t, want, ConnLimit(minConns, maxConns), cur)
	}
}
