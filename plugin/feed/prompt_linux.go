package feed

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// A promptListener accepts connections on which nothing that was written arrives later than within.
type promptListener struct {
	net.Listener
	within time.Duration
}

// Accept is the next connection. A peer that takes nothing for so long has lost it (TCP_USER_TIMEOUT), what the kernel still holds included.
func (l *promptListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return c, nil
	}
	if raw, err := tcp.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(l.within/time.Millisecond))
		})
	}
	return &promptConn{tcp, tcp}, nil
}

// A promptConn sends to its end what was written in time; what is left when a write was given up is not sent after all.
type promptConn struct {
	net.Conn
	tcp *net.TCPConn
}

// Write implements net.Conn.
func (c *promptConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err != nil {
		_ = c.tcp.SetLinger(0)
	}
	return n, err
}
