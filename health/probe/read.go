package probe

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"sync"
	"time"
)

const (
	// MaxHeader is how many octets of an HTTP header are read.
	MaxHeader = 16 << 10
	// MaxBody is how many octets of a body, or of what a TCP peer says, are read and searched; as Route 53.
	MaxBody = 5120
	// maxFraming is what a chunked body may cost beyond its content.
	maxFraming = 8 << 10
)

var errTooLong = errors.New("longer than allowed")

// A meter reads from a peer, notes when the first octet came, and stops after left octets.
type meter struct {
	from  io.Reader
	start time.Time
	first time.Time
	// left is how much may still be read; got is how much was.
	left, got int
	// err is what ended the reading: a parser may report what it made of the rest instead.
	err error
}

func newMeter(from io.Reader) *meter { return &meter{from: from, start: time.Now()} }

func (m *meter) Read(b []byte) (int, error) {
	if m.left <= 0 {
		m.err = errTooLong
		return 0, m.err
	}
	n, err := m.from.Read(b[:min(len(b), m.left)])
	if n > 0 && m.got == 0 {
		m.first = time.Now()
	}
	m.left -= n
	m.got += n
	if err != nil {
		m.err = err
	}
	return n, err
}

// firstByte is how long the first octet took; 0 if none came.
func (m *meter) firstByte() time.Duration {
	if m.first.IsZero() {
		return 0
	}
	return m.first.Sub(m.start)
}

// A scratch is what one probe needs for reading and writing, used again and again.
type scratch struct {
	out  bytes.Buffer
	in   *bufio.Reader
	body [MaxBody]byte
}

var scratches = sync.Pool{New: func() any { return &scratch{in: bufio.NewReaderSize(nil, 2048)} }}

// search reads from r into buf until want has occurred, buf is full, or r ends, and returns how many octets it read. It
// looks only at what is new.
func search(r io.Reader, want, buf []byte) (found bool, n int, err error) {
	for n < len(buf) {
		m, err := r.Read(buf[n:])
		from := max(n-len(want)+1, 0)
		n += m
		if bytes.Contains(buf[from:n], want) {
			return true, n, nil
		}
		if err != nil {
			return false, n, err
		}
	}
	return false, n, nil
}

// ended tells whether err is the ordinary end of what a peer says, or of what we read of it.
func ended(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, errTooLong) }

// mismatch says that want was not in got, and what was there instead: at which octet they part where got begins as want
// does, the beginning of got otherwise.
func mismatch(want, got []byte) Reason {
	same := 0
	for same < min(len(want), len(got)) && want[same] == got[same] {
		same++
	}
	if same > 0 {
		return because(BodyMismatch, "body mismatch at octet %d: got %s, want %s", same+1, quote(got, same), quote(want, same))
	}
	return because(BodyMismatch, "body mismatch: %s not in the %d octets that came: %s", quote(want, 0), len(got), quote(got, 0))
}

// quote shows b around its octet at: all that a reason has room for.
func quote(b []byte, at int) string {
	const before, most = 8, 32
	from := max(at-before, 0)
	if len(b) <= most {
		from = 0
	}
	text, cut := b[from:], ""
	if len(text) > most {
		text, cut = text[:most], "…"
	}
	if from > 0 {
		return "…" + strconv.Quote(string(text)) + cut
	}
	return strconv.Quote(string(text)) + cut
}
