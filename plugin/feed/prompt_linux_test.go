package feed

import (
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// promptPair is a connection of a promptListener, whose client takes little before it reads.
func promptPair(t *testing.T) (server, client net.Conn) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &promptListener{inner, 10 * time.Second}
	t.Cleanup(func() { l.Close() })
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096) })
	}}
	client, err = d.Dial("tcp", inner.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	require.NoError(t, client.SetDeadline(time.Now().Add(30*time.Second)))
	server, err = l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { server.Close() })
	return server, client
}

// TestPromptConn: what was written arrives although the connection was closed at once, but not what is left of a write that was given up.
func TestPromptConn(t *testing.T) {
	server, client := promptPair(t)
	const size = 60_000
	n, err := server.Write(make([]byte, size))
	require.NoError(t, err)
	require.Equal(t, size, n)
	require.NoError(t, server.Close())
	got, err := io.ReadAll(client)
	require.NoError(t, err)
	require.Len(t, got, size)

	server, client = promptPair(t)
	much := make([]byte, 16<<20)
	require.NoError(t, server.SetWriteDeadline(time.Now().Add(200*time.Millisecond)))
	n, err = server.Write(much)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, server.Close())
	got, err = io.ReadAll(client)
	require.ErrorIs(t, err, unix.ECONNRESET)
	require.Less(t, len(got), n)
}
