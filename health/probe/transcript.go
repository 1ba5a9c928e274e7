package probe

import (
	"bytes"
	"context"
	"net"
	"sync"
)

// maxTranscript is how much of each direction a transcript keeps, in octets.
const maxTranscript = 4096

// A Transcript is what was said on the connection of one probe, above TLS: the beginning of each direction. It is for a
// person who asks, and costs the schedule nothing.
type Transcript struct {
	Sent, Received []byte
}

// A scribe makes a Transcript. HTTP/2 reads on a goroutine of its own, which may outlive the probe by a moment.
type scribe struct {
	mu         sync.Mutex
	transcript Transcript // guarded by mu
}

func (r *scribe) get() Transcript {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Transcript{Sent: bytes.Clone(r.transcript.Sent), Received: bytes.Clone(r.transcript.Received)}
}

func (r *scribe) keep(to *[]byte, more []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*to = append(*to, more[:min(len(more), maxTranscript-len(*to))]...)
}

type scribeKey struct{}

// withScribe makes the probes under ctx write down what they exchange.
func withScribe(ctx context.Context, r *scribe) context.Context {
	return context.WithValue(ctx, scribeKey{}, r)
}

// transcribe is conn, written down if ctx asks for it.
func transcribe(ctx context.Context, conn net.Conn) net.Conn {
	if r, ok := ctx.Value(scribeKey{}).(*scribe); ok {
		return &transcribed{Conn: conn, r: r}
	}
	return conn
}

type transcribed struct {
	net.Conn
	r *scribe
}

func (c *transcribed) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.r.keep(&c.r.transcript.Received, b[:n])
	return n, err
}

func (c *transcribed) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.r.keep(&c.r.transcript.Sent, b[:n])
	return n, err
}
