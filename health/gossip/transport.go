package gossip

import (
	"bytes"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// meter counts the octets of a transport and gives every connection a deadline, which memberlist leaves out when it streams
// user messages.
type meter struct {
	memberlist.Transport
	metrics *metrics
	timeout time.Duration
	packets chan *memberlist.Packet
	done    chan struct{}
	once    sync.Once
}

func newMeter(t memberlist.Transport, m *metrics, timeout time.Duration) *meter {
	w := &meter{Transport: t, metrics: m, timeout: timeout, packets: make(chan *memberlist.Packet), done: make(chan struct{})}
	go w.pump()
	return w
}

// pump ends after Shutdown: until then memberlist reads, and the transport may wait for both.
func (w *meter) pump() {
	in := w.Transport.PacketCh()
	for {
		select {
		case p := <-in:
			w.metrics.octets[packetIn].Add(float64(len(p.Buf)))
			select {
			case w.packets <- p:
			case <-w.done:
				return
			}
		case <-w.done:
			return
		}
	}
}

func (w *meter) PacketCh() <-chan *memberlist.Packet { return w.packets }

func (w *meter) WriteTo(b []byte, addr string) (time.Time, error) {
	w.metrics.octets[packetOut].Add(float64(len(b)))
	return w.Transport.WriteTo(b, addr)
}

func (w *meter) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	start := time.Now()
	c, err := w.Transport.DialTimeout(addr, min(timeout, w.timeout))
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(start.Add(w.timeout)); err != nil {
		c.Close()
		return nil, err
	}
	return meteredConn{c, w.metrics}, nil
}

// Shutdown may be called twice, since memberlist may or may not do it after a failed start.
func (w *meter) Shutdown() error {
	var err error
	w.once.Do(func() {
		err = w.Transport.Shutdown()
		close(w.done)
	})
	return err
}

type meteredConn struct {
	net.Conn
	metrics *metrics
}

func (c meteredConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.metrics.octets[streamIn].Add(float64(n))
	return n, err
}

func (c meteredConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.metrics.octets[streamOut].Add(float64(n))
	return n, err
}

// logWriter passes what memberlist logs on to slog. memberlist says only there what it refuses, so the refusals are counted
// here; a test holds its words.
type logWriter struct {
	log     *slog.Logger
	metrics *metrics
}

var refusals = []struct {
	words  []byte
	reason string
}{
	{[]byte("unacceptable label"), refusedLabel},
	{[]byte("label header"), refusedLabel},
	{[]byte("remote state is not encrypted"), refusedClear},
	{[]byte("Decrypt packet failed"), refusedKey},
	{[]byte("no installed keys could decrypt"), refusedKey},
	{[]byte("[ERR] memberlist: failed to receive"), refusedOther},
}

func (w logWriter) Write(b []byte) (int, error) {
	for _, r := range refusals {
		if bytes.Contains(b, r.words) {
			w.metrics.refused[r.reason].Inc()
			break
		}
	}
	// At Debug, whatever memberlist thinks of it: strangers can make it log, and it repeats itself.
	text := bytes.TrimSpace(b)
	if i := bytes.IndexByte(text, '['); i > 0 {
		text = text[i:]
	}
	w.log.Debug("memberlist", "text", string(text))
	return len(b), nil
}
