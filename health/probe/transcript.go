package probe

import (
	"context"
	"net"
)

// maxTranscript is how much of each direction a transcript keeps, in octets.
const maxTranscript = 4096

// A Transcript is what was said on the connection of one probe, above TLS: the beginning of each direction. It is for a
// person who asks, and costs the schedule nothing.
type Transcript struct {
	Sent, Received []byte
}

type transcriptKey struct{}

// withTranscript makes the probes under ctx write down what they exchange.
func withTranscript(ctx context.Context, t *Transcript) context.Context {
	return context.WithValue(ctx, transcriptKey{}, t)
}

// transcribe is conn, written down if ctx asks for it.
func transcribe(ctx context.Context, conn net.Conn) net.Conn {
	if t, ok := ctx.Value(transcriptKey{}).(*Transcript); ok {
		return &transcribed{Conn: conn, t: t}
	}
	return conn
}

type transcribed struct {
	net.Conn
	t *Transcript
}

func (c *transcribed) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.t.Received = keep(c.t.Received, b[:n])
	return n, err
}

func (c *transcribed) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.t.Sent = keep(c.t.Sent, b[:n])
	return n, err
}

func keep(have, more []byte) []byte {
	return append(have, more[:min(len(more), maxTranscript-len(have))]...)
}
