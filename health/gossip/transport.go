package gossip

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// meter stands between a transport and memberlist. It counts octets, gives every connection a deadline, which memberlist leaves
// out when it streams user messages, and refuses what a holder of the gossip key can make memberlist v0.7.0 panic with: the
// padding of encryption version 0, and a stream without content.
type meter struct {
	memberlist.Transport
	metrics   *metrics
	timeout   time.Duration
	encrypted bool
	packets   chan *memberlist.Packet
	streams   chan net.Conn
	done      chan struct{}
	once      sync.Once
	// cut is set while nothing is to come in or go out.
	cut *atomic.Bool
	// dialed ends the streams that this side opened, open all of them.
	dialed, open context.Context
	hangUp       context.CancelFunc
}

func newMeter(ctx context.Context, t memberlist.Transport, m *metrics, cut *atomic.Bool, timeout time.Duration, encrypted bool) *meter {
	w := &meter{Transport: t, metrics: m, cut: cut, timeout: timeout, encrypted: encrypted, packets: make(chan *memberlist.Packet),
		streams: make(chan net.Conn), done: make(chan struct{}), dialed: ctx}
	w.open, w.hangUp = context.WithCancel(context.WithoutCancel(ctx))
	go w.pump()
	return w
}

// pump ends after Shutdown: until then memberlist reads, and the transport may wait for both.
func (w *meter) pump() {
	packets, streams := w.Transport.PacketCh(), w.Transport.StreamCh()
	for {
		select {
		case p := <-packets:
			if w.cut.Load() {
				continue
			}
			w.metrics.octets[packetIn].Add(float64(len(p.Buf)))
			if w.encrypted && !sound(p.Buf) {
				w.metrics.refused[refusedOther].Inc()
				continue
			}
			select {
			case w.packets <- p:
			case <-w.done:
				return
			}
		case c := <-streams:
			if w.cut.Load() {
				c.Close()
				continue
			}
			select {
			case w.streams <- w.metered(w.open, c, true):
			case <-w.done:
				c.Close()
				return
			}
		case <-w.done:
			return
		}
	}
}

func (w *meter) PacketCh() <-chan *memberlist.Packet { return w.packets }

func (w *meter) StreamCh() <-chan net.Conn { return w.streams }

func (w *meter) WriteTo(b []byte, addr string) (time.Time, error) {
	if w.cut.Load() {
		return time.Now(), nil
	}
	w.metrics.octets[packetOut].Add(float64(len(b)))
	return w.Transport.WriteTo(b, addr)
}

func (w *meter) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	if w.cut.Load() {
		return nil, errCut
	}
	start := time.Now()
	c, err := w.Transport.DialTimeout(addr, min(timeout, w.timeout))
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(start.Add(w.timeout)); err != nil {
		c.Close()
		return nil, err
	}
	return w.metered(w.dialed, c, false), nil
}

var errCut = errors.New("cut off for a rehearsal")

// Shutdown may be called twice, since memberlist may or may not do it after a failed start.
func (w *meter) Shutdown() error {
	var err error
	w.once.Do(func() {
		err = w.Transport.Shutdown()
		close(w.done)
		w.hangUp()
	})
	return err
}

// What memberlist writes: see its label.go, security.go and net.go.
const (
	labelType, encryptType = 244, 10
	// streamHead is type, length and encryption version of an encrypted stream, emptySealed the length of nothing, sealed.
	streamHead  = 1 + 4 + 1
	emptySealed = 29
)

// sound tells whether a packet has the one encryption version that we send. What memberlist refuses anyway is sound.
func sound(b []byte) bool {
	if len(b) > 1 && b[0] == labelType {
		b = b[min(len(b), 2+int(b[1])):]
	}
	return len(b) == 0 || b[0] == 1
}

type meteredConn struct {
	net.Conn
	metrics *metrics
	// head collects the start of what is read until it has been looked at; nil afterwards.
	head []byte
	// labelled says that the stream starts with a label.
	labelled bool
	// forget undoes the hanging up.
	forget func() bool
}

// metered closes the connection when ctx ends.
func (w *meter) metered(ctx context.Context, c net.Conn, labelled bool) net.Conn {
	m := &meteredConn{Conn: c, metrics: w.metrics, labelled: labelled}
	m.forget = context.AfterFunc(ctx, func() { c.Close() })
	if w.encrypted {
		m.head = []byte{}
	}
	return m
}

var errUnsound = errors.New("neither encryption version 1 nor any content")

// Read has one caller, as memberlist's streams do.
func (c *meteredConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.metrics.octets[streamIn].Add(float64(n))
	if c.head != nil {
		c.head = append(c.head, b[:min(n, 2+maxName+streamHead)]...)
		ok, done := c.soundHead()
		if !ok {
			c.metrics.refused[refusedOther].Inc()
			return 0, errUnsound
		}
		if done {
			c.head = nil
		}
	}
	return n, err
}

// soundHead looks at head; done says that it has seen enough.
func (c *meteredConn) soundHead() (ok, done bool) {
	h := c.head
	if c.labelled && len(h) > 0 && h[0] == labelType {
		if len(h) < 2 || len(h) < 2+int(h[1]) {
			return true, false
		}
		h = h[2+int(h[1]):]
	}
	if len(h) == 0 {
		return true, false
	}
	if h[0] != encryptType {
		// In clear: memberlist refuses it.
		return true, true
	}
	if len(h) < streamHead {
		return true, false
	}
	return h[5] == 1 && binary.BigEndian.Uint32(h[1:]) > emptySealed, true
}

func (c *meteredConn) Close() error {
	c.forget()
	return c.Conn.Close()
}

func (c *meteredConn) Write(b []byte) (int, error) {
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
