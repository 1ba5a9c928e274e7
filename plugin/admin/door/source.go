package door

import (
	"net"
	"net/netip"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

// A SourceListener closes connections of a source that has as many as one may have: a single client, however slow, leaves the others room.
type SourceListener struct {
	net.Listener
	most    int
	refused prometheus.Counter

	mu sync.Mutex
	// open counts connections by source; guarded by mu.
	open map[netip.Prefix]int
}

// NewSourceListener lets each source have at most that many connections of l; refused counts those beyond.
func NewSourceListener(l net.Listener, most int, refused prometheus.Counter) *SourceListener {
	return &SourceListener{Listener: l, most: most, refused: refused, open: make(map[netip.Prefix]int)}
}

// Accept is the next connection of a source that may have one more.
func (l *SourceListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		source := SourceOf(c.RemoteAddr().String())
		if l.enter(source) {
			return &sourceConn{c, sync.OnceFunc(func() { l.leave(source) })}, nil
		}
		l.refused.Inc()
		c.Close()
	}
}

func (l *SourceListener) enter(source netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[source] >= l.most {
		return false
	}
	l.open[source]++
	return true
}

func (l *SourceListener) leave(source netip.Prefix) {
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

// Close closes the connection.
func (c *sourceConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// ConnLimit is how many connections there can be: most, or an eighth of the process's limit of open files, if that is less, but least. Further
// ones wait in the kernel, and probes and DNS keep their descriptors.
func ConnLimit(least, most int) int {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return most
	}
	return int(max(min(files.Cur/8, uint64(most)), uint64(least)))
}

// SourceOf is whom to count failures and connections for, by the other end of a connection: an address of IPv4, or a /64 of IPv6, which
// one host can have all to itself.
func SourceOf(remote string) netip.Prefix {
	a, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	addr, bits := a.Addr().Unmap().WithZone(""), 32
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits)
	return p
}
