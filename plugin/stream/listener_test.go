//go:build linux

package stream

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A scripted listener has the connections that were put into it, and errors.
type scripted struct {
	net.Listener
	next chan any
}

func (l *scripted) Accept() (net.Conn, error) {
	switch v := (<-l.next).(type) {
	case net.Conn:
		return v, nil
	case error:
		return nil, v
	}
	return nil, net.ErrClosed
}

// A plain connection comes from an address and counts how often it was closed.
type plain struct {
	net.Conn
	from   net.Addr
	mu     sync.Mutex
	closed int
}

func (c *plain) RemoteAddr() net.Addr             { return c.from }
func (c *plain) Read(b []byte) (int, error)       { return len(b), nil }
func (c *plain) Write(b []byte) (int, error)      { return len(b), nil }
func (c *plain) SetWriteDeadline(time.Time) error { return nil }

func (c *plain) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed++
	return nil
}

func from(t *testing.T, address string) *plain {
	a, err := net.ResolveTCPAddr("tcp", address+":1024")
	require.NoError(t, err)
	return &plain{from: a}
}

// TestPlaces: who has a place, who makes room, and who gets none.
func TestPlaces(t *testing.T) {
	l := Bound(&scripted{}, Limits{Conns: 4, PerClient: 2})
	now := time.Now()
	enter := func(c *plain, at time.Duration) *Conn { return l.enter(c, now.Add(at)) }
	one, two, three := from(t, "192.0.2.1"), from(t, "192.0.2.1"), from(t, "192.0.2.1")
	a := enter(one, 0)
	require.NotNil(t, a)
	require.NotNil(t, enter(two, 0))
	require.Nil(t, enter(three, 999*time.Millisecond), "nobody has been still for long")
	l.touch(a, now.Add(time.Second))
	require.NotNil(t, enter(three, 1500*time.Millisecond), "the other one of the client makes room")
	require.Equal(t, []int{0, 1, 0}, []int{one.closed, two.closed, three.closed})
	require.Equal(t, Counts{Open: 2, Displaced: 1}, l.Counts())

	require.NotNil(t, enter(from(t, "192.0.2.2"), 2*time.Second))
	require.NotNil(t, enter(from(t, "[2001:db8::1]"), 2*time.Second))
	require.NotNil(t, enter(from(t, "[2001:db8::2:1]"), 2*time.Second), "the stillest of all makes room")
	require.Equal(t, []int{1, 0}, []int{one.closed, three.closed})
	require.Nil(t, enter(from(t, "[2001:db8::3:1]"), 2*time.Second), "one /64 is one client")
	require.NotNil(t, enter(from(t, "[2001:db8:0:1::1]"), 4*time.Second))
	require.Equal(t, 4, l.Counts().Open)
	require.Equal(t, uint64(3), l.Counts().Displaced)

	require.NoError(t, a.Close())
	require.NoError(t, a.Close(), "it gave its place back already")
	require.Equal(t, 4, l.Counts().Open)
	l.SetLimits(Limits{Conns: 1, PerClient: 1})
	require.Equal(t, 4, l.Counts().Open, "who is in stays")
}

func TestLimitsDefault(t *testing.T) {
	l := Limits{}.or()
	assert.GreaterOrEqual(t, l.Conns, minConns)
	assert.LessOrEqual(t, l.Conns, maxConns)
	assert.Equal(t, max(l.Conns/clients, minPerClient), l.PerClient)
	assert.Equal(t, Limits{Conns: 3, PerClient: 3}, Limits{Conns: 3, PerClient: 9}.or())
}

// TestAcceptGoesOn: refused connections and a lack of descriptors are passed over; the end of the listener is not.
func TestAcceptGoesOn(t *testing.T) {
	in := &scripted{next: make(chan any, 8)}
	l := Bound(in, Limits{Conns: 1, PerClient: 1})
	first, second := from(t, "192.0.2.1"), from(t, "192.0.2.2")
	in.next <- &net.OpError{Op: "accept", Err: syscall.EMFILE}
	in.next <- first
	c, err := l.Accept()
	require.NoError(t, err)
	in.next <- second
	in.next <- net.ErrClosed
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	require.Equal(t, 1, second.closed)
	require.Equal(t, Counts{Open: 1, Refused: 1}, l.Counts())
	require.NoError(t, c.Close())
	require.Zero(t, l.Counts().Open)
}

// TestJoin: the kernel gives every connection to the listener that joined, and the other one gets them again when it is gone.
func TestJoin(t *testing.T) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		return control(raw, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
	}}
	core, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0") // as CoreDNS opens it, with MPTCP
	require.NoError(t, err)
	defer core.Close()
	inner, err := Join(core.Addr().String(), 1)
	if err != nil {
		t.Skip(err)
	}
	l := Bound(inner, Limits{Conns: 200, PerClient: 200})
	for range 50 {
		c, err := net.Dial("tcp", core.Addr().String())
		require.NoError(t, err)
		defer c.Close()
		got, err := l.Accept()
		require.NoError(t, err)
		require.Equal(t, c.LocalAddr().String(), got.RemoteAddr().String())
		require.NoError(t, got.Close())
	}
	require.NoError(t, l.Close())
	c, err := net.Dial("tcp", core.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	got, err := core.Accept()
	require.NoError(t, err)
	require.NoError(t, got.Close())
}

// TestStalledWriter: a client that never reads loses its connection, and what the kernel holds for it is little.
func TestStalledWriter(t *testing.T) {
	inner, err := Join("127.0.0.1:0", 0)
	require.NoError(t, err)
	l := Bound(inner, Limits{})
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	got, err := l.Accept()
	require.NoError(t, err)
	written, begin := 0, time.Now()
	for err == nil {
		var n int
		n, err = got.Write(make([]byte, 4<<10))
		written += n
	}
	require.WithinRange(t, time.Now(), begin.Add(writeTimeout), begin.Add(4*writeTimeout))
	require.Less(t, written, 8<<20)
	require.Equal(t, uint64(1), l.Counts().Stalled)
	_, err = got.Read(make([]byte, 1))
	require.True(t, errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF))
}
