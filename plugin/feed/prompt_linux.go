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
	if tcp, ok := c.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) {
				_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(l.within/time.Millisecond))
			})
		}
		// What is left when a stream is given up is not sent after all.
		_ = tcp.SetLinger(0)
	}
	return c, nil
}
