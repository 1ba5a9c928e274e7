package round

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/fairlead-dns/fairlead/health/ledger"
)

// PartListeners is what a node knows of those who listen to its feeds: one block, whoever listens and however many do. A node without feeds, which
// its status tells, does not say it.
const PartListeners = "listeners"

const (
	// A block begins with the version, the run and its clock in milliseconds, and flags.
	listenersHead = 1 + len(Boot{}) + 8 + 1
	listenersCut  = 1 << 0
	// maxListeners bounds a count: more than that is more than a node has.
	maxListeners = 1 << 24
	// listenStep is what times in it are told in.
	listenStep = 10 * time.Millisecond
)

// A Listened is the part as it came: at At, from the run Boot, which made it at Clock of its own. Its instants are of this process's clock.
type Listened struct {
	ledger.Listeners
	Boot  Boot
	Clock time.Duration
	At    time.Time
}

// EncodeListeners is the part of a run at an instant of its clock, which is now. What does not fit is left out, the last rows first.
func EncodeListeners(boot Boot, clock time.Duration, l ledger.Listeners, now time.Time) []byte {
	b := binary.BigEndian.AppendUint64(append([]byte{version}, boot[:]...), uint64(clock/heardStep))
	flags := len(b)
	b = append(b, 0)
	for i := range l.Rows {
		entry := appendListening(nil, &l.Rows[i], now)
		if len(b)+len(entry) > BlockSize {
			l.Cut = true
			break
		}
		b = append(b, entry...)
	}
	if l.Cut {
		b[flags] |= listenersCut
	}
	return b
}

func appendListening(b []byte, l *ledger.Listening, now time.Time) []byte {
	ago := func(t time.Time) uint64 {
		if t.IsZero() {
			return 0
		}
		return uint64(max(0, now.Sub(t))/listenStep) + 1
	}
	b = append(b, l.RData[:]...)
	b = binary.AppendUvarint(b, ago(l.At))
	for _, n := range []int{l.Confirmed, l.Waiting, l.Liars, l.Silent, l.Ended} {
		b = binary.AppendUvarint(b, uint64(min(n, maxListeners)))
	}
	b = binary.AppendUvarint(b, uint64((l.Last+listenStep-1)/listenStep))
	b = binary.AppendUvarint(b, ago(l.Since))
	left := time.Duration(0)
	if !l.Until.IsZero() {
		left = l.Until.Sub(now) + listenStep - 1
	}
	return binary.AppendVarint(b, int64(left/listenStep))
}

// ParseListeners reads the block, heard at the given instant.
func ParseListeners(b []byte, at time.Time) (l Listened, err error) {
	switch {
	case len(b) < listenersHead || len(b) > BlockSize:
		return l, fmt.Errorf("%w: listeners of %d octets", ErrMalformed, len(b))
	case b[0] != version:
		return l, fmt.Errorf("%w: %d", ErrVersion, b[0])
	}
	rest := b[1+copy(l.Boot[:], b[1:]):]
	l.Clock, l.At = steps(binary.BigEndian.Uint64(rest)), at
	l.Cut = rest[8]&listenersCut != 0
	r := reader{b: b[listenersHead:]}
	for len(r.b) > 0 && !r.short {
		l.Rows = append(l.Rows, r.listening(at))
	}
	if r.short {
		return Listened{}, fmt.Errorf("%w: listeners end too early", ErrMalformed)
	}
	return l, nil
}

// listening reads one row.
func (r *reader) listening(at time.Time) (l ledger.Listening) {
	const most = uint64(maxAge / listenStep)
	since := func() (t time.Time) {
		if n := r.uvarint(); n > 0 {
			t = at.Add(-time.Duration(min(n-1, most)) * listenStep)
		}
		return t
	}
	copy(l.RData[:], r.octets(len(l.RData)))
	l.At = since()
	for _, n := range []*int{&l.Confirmed, &l.Waiting, &l.Liars, &l.Silent, &l.Ended} {
		*n = int(min(r.uvarint(), maxListeners))
	}
	l.Last = time.Duration(min(r.uvarint(), most)) * listenStep
	l.Since = since()
	left := min(max(r.varint(), -int64(most)), int64(most))
	if l.Silent+l.Ended > 0 {
		l.Until = at.Add(time.Duration(left) * listenStep)
	}
	return l
}
