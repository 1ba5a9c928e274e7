package stream

import (
	"container/list"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"time"
)

// A Conn is one accepted connection.
type Conn struct {
	net.Conn
	listener *Listener
	client   netip.Addr
	// at is when it last moved, inAll and inOwn are its places in the lists; nil once it has left. The listener's mu guards them.
	at           time.Time
	inAll, inOwn *list.Element
}

// Read reads, and notes that the client said something.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.listener.touch(c, time.Now())
	}
	return n, err
}

// Write writes all of b in time, or ends the connection: the server would go on to the next query, and wait again.
//
// Then it lets others run. A client that sends queries without a pause keeps its goroutine runnable for 10 ms at a time; with some
// hundred such clients a probe would wait for seconds.
func (c *Conn) Write(b []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(writeTimeout))
	n, err := c.Conn.Write(b)
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.listener.stalled.Add(1)
		}
		reset(c.Conn)
		return n, err
	}
	c.listener.touch(c, time.Now())
	runtime.Gosched()
	return n, nil
}

// Close gives the place back.
func (c *Conn) Close() error {
	c.listener.mu.Lock()
	c.listener.leaveLocked(c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}
