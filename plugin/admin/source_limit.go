package admin

import (
	"net"
	"net/netip"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

// maxSourceConns is how many of the maxConns connections one source can have: a single client, however slow, leaves the others room.
const maxSourceConns = 128

// A sourceListener closes connections of a source that has maxSourceConns already.
type sourceListener struct {
	net.Listener
	refused prometheus.Counter

	mu sync.Mutex
	// open counts connections by source; guarded by mu.
	open map[netip.Prefix]int
}

func newSourceListener(l net.Listener, refused prometheus.Counter) *sourceListener {
	return &sourceListener{Listener: l, refused: refused, open: make(map[netip.Prefix]int)}
}

func (l *sourceListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		source := sourceOf(c.RemoteAddr().String())
		if l.enter(source) {
			return &sourceConn{c, sync.OnceFunc(func() { l.leave(source) })}, nil
		}
		l.refused.Inc()
		c.Close()
	}
}

func (l *sourceListener) enter(source netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[source] >= maxSourceConns {
		return false
	}
	l.open[source]++
	return true
}

func (l *sourceListener) leave(source netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[source]--; l.open[source] == 0 {
		delete(l.open, source)
	}
}

// A sourceConn gives its place back when it is closed.
type sourceConn struct {
	net.Conn
	leave func()
}

func (c *sourceConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// connLimit is how many TCP connections there can be.
func connLimit() int {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return maxConns
	}
	return int(max(min(files.Cur/8, maxConns), minConns))
}
