package abuse

import (
	"encoding/binary"
	"hash/maphash"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// cellCount is how many cells each of the two tables has; a power of two. A reply is limited when its cells in both tables are full, so
// that two networks share a limit by chance once in cellCount squared.
const cellCount = 1 << 16

// A Verdict is what becomes of a reply.
type Verdict uint8

// The verdicts.
const (
	// Send: it goes out.
	Send Verdict = iota
	// Drop: nothing goes out.
	Drop
	// Slip: an empty reply with TC goes out, so that a real client asks again over TCP.
	Slip
)

// A Limiter bounds replies. Each cell has the instant at which the network that it stands for is at rest again (GCRA): a reply moves it by
// the interval between two replies, and is over the limit when it lies a second ahead. The zero value is not ready; see NewLimiter.
type Limiter struct {
	seed             maphash.Seed
	tables           [2][cellCount]atomic.Int64
	dropped, slipped atomic.Uint64
}

// NewLimiter makes a limiter.
func NewLimiter() *Limiter { return &Limiter{seed: maphash.MakeSeed()} }

// Counts are how many replies were dropped, and how many went out empty with TC.
func (l *Limiter) Counts() (dropped, slipped uint64) { return l.dropped.Load(), l.slipped.Load() }

// Take decides about a reply to a client under the limits r, which may be nil. kind tells sorts of replies apart, and name what they are
// about, in wire format; upper and lower case are the same. now is in nanoseconds on any clock that goes on.
func (l *Limiter) Take(r *config.RRL, client netip.Addr, kind byte, name []byte, now int64) Verdict {
	if r == nil || !client.IsValid() || r.Exempts(client) {
		return Send
	}
	bits := r.V6
	if client.Is4() {
		bits = r.V4
	}
	network, err := client.Prefix(bits)
	if err != nil {
		return Send
	}
	var buf [16 + 2 + 255]byte
	a := network.Addr().As16()
	key := append(append(buf[:0], a[:]...), kind, byte(bits))
	for _, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		key = append(key, c)
	}
	if l.takeHash(maphash.Bytes(l.seed, key), int64(time.Second)/int64(r.PerSecond), now) {
		return Send
	}
	if r.Slip > 0 && rand.IntN(r.Slip) == 0 {
		l.slipped.Add(1)
		return Slip
	}
	l.dropped.Add(1)
	return Drop
}

// takeHash moves the cells of h, unless both are full.
func (l *Limiter) takeHash(h uint64, interval, now int64) (ok bool) {
	var halves [8]byte
	binary.LittleEndian.PutUint64(halves[:], h)
	for i := range l.tables {
		cell := &l.tables[i][binary.LittleEndian.Uint32(halves[4*i:])&(cellCount-1)]
		rest := cell.Load()
		if rest-now > int64(time.Second)-interval {
			continue
		}
		// A cell that another reply moves at the same time is moved once too seldom, which lets one reply more through.
		cell.CompareAndSwap(rest, max(rest, now)+interval)
		ok = true
	}
	return ok
}
