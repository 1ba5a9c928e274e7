package answer

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// never is the deadline of what cannot flip.
const never = math.MaxInt64

// A poolCell holds the one thing that moves between two snapshots. It belongs to one pool of one loaded zone file and is
// shared by the snapshots compiled from it. The engine's goroutine writes, queries read.
type poolCell struct {
	// flip is the earliest instant, in nanoseconds since the compiler's base, at which health could take a member out;
	// never if none can. It is a lower bound: an old value only makes TTLs shorter.
	flip atomic.Int64
	// first is the endpoint that could go then, -1 for the gate. It is for explanations: the two may differ for an instant.
	first atomic.Int32
	// expires is when the records end that addresses of the pool were resolved from, in nanoseconds since the compiler's base; nil where none
	// are resolved. It belongs to the compiler.
	expires *atomic.Int64
}

// A ttlRule is how the TTL of one service follows its pools. All RRsets of the name share it: one TTL per owner name and
// instant (docs/design.md section 6).
type ttlRule struct {
	mode     config.TTLMode
	min, max uint32
	// floor forces min: the plan rests on no good evidence.
	floor bool
	// floorUntil forces min in ceiling mode for one ttl.max after a change, in nanoseconds since the base.
	floorUntil int64
	// pools are those that any tier could answer from; they index zone.pools and zone.troubled.
	pools []int
}

// A TTLReason is what sets a TTL.
type TTLReason uint8

// The reasons.
const (
	// TTLPeace: nothing asks for less than ttl.max.
	TTLPeace TTLReason = iota
	// TTLPlan: the answer rests on no good evidence.
	TTLPlan
	// TTLChange: what is answered changed less than ttl.max ago (ceiling mode).
	TTLChange
	// TTLTrouble: a member is suspect, pending or stale (ceiling mode).
	TTLTrouble
	// TTLHorizon: the earliest instant at which health could take a member out (horizon mode).
	TTLHorizon
	// TTLPlanned: an order begins then that takes a member out.
	TTLPlanned
	// TTLResolved: the records end then that an address was resolved from, or have ended.
	TTLResolved
	// TTLGreatest: no greater one is on disk, or remembered by another node.
	TTLGreatest
	// TTLShard: an order moves the shard then.
	TTLShard
)

// A clock tells the instant of one reply, in nanoseconds since the base. Reading a clock takes longer than what else a TTL needs,
// so that it is read when something depends on it, and once.
type clock struct {
	base time.Time
	// past is an instant that has passed.
	past int64
	at   int64
	read bool
}

// clockAt stands still.
func clockAt(base, now time.Time) clock {
	return clock{base: base, at: int64(now.Sub(base)), read: true}
}

func (c *clock) now() int64 {
	if !c.read {
		c.at, c.read = int64(time.Since(c.base)), true
	}
	return c.at
}

// before tells whether an instant is yet to come.
func (c *clock) before(instant int64) bool { return instant > c.past && instant > c.now() }

// at is the TTL in seconds; why it is that and, for trouble, horizon and plans, which pool of zone.pools makes it so.
func (r *ttlRule) at(z *zone, c *clock) (ttl uint32, why TTLReason, pool int) {
	ttl, why, pool = r.unlimited(z, c)
	if most := z.ledger.Limit(); ttl > most {
		return most, TTLGreatest, 0
	}
	return ttl, why, pool
}

// SetExpiry says until when records live that addresses of a pool were resolved from: in every snapshot, present and to come.
func (c *Compiler) SetExpiry(zone, pool string, at time.Time) {
	c.expiry(zone, pool).Store(int64(at.Sub(c.base)))
}

// expiry is that of a pool, which begins with the base: in the past.
func (c *Compiler) expiry(zone, pool string) *atomic.Int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := [2]string{zone, pool}
	e := c.expiries[key]
	if e == nil {
		e = new(atomic.Int64)
		if c.expiries == nil {
			c.expiries = make(map[[2]string]*atomic.Int64)
		}
		c.expiries[key] = e
	}
	return e
}

// unlimited is at without what the disk allows.
func (r *ttlRule) unlimited(z *zone, c *clock) (ttl uint32, why TTLReason, pool int) {
	ttl, why, pool = r.unplanned(z, c)
	if z.planned == nil && !z.resolves {
		return ttl, why, pool
	}
	for _, p := range r.pools {
		// What is in no cache any more at the beginning need not be waited for (docs/design.md section 5).
		if z.planned != nil {
			if t := r.until(z.planned[p], c); t < ttl {
				ttl, why, pool = t, TTLPlanned, p
			}
		}
		// Whoever asks the name itself keeps its address until then.
		if e := z.pools[p].expires; e != nil {
			if t := r.until(e.Load(), c); t < ttl {
				ttl, why, pool = t, TTLResolved, p
			}
		}
	}
	return ttl, why, pool
}

// until is the longest TTL of an answer that is not to outlive an instant, but for the floor.
func (r *ttlRule) until(instant int64, c *clock) uint32 {
	if instant == never {
		return r.max
	}
	left := max(0, (instant-c.now())/int64(time.Second))
	return max(r.min, min(r.max, config.Ladder(uint32(min(left, math.MaxUint32)))))
}

// unplanned is at without what operators plan.
func (r *ttlRule) unplanned(z *zone, c *clock) (ttl uint32, why TTLReason, pool int) {
	if r.floor {
		return r.min, TTLPlan, 0
	}
	if r.mode == config.Horizon {
		flip := int64(never)
		for _, p := range r.pools {
			if f := z.pools[p].flip.Load(); f < flip {
				flip, pool = f, p
			}
		}
		if ttl = r.until(flip, c); ttl == r.max {
			return ttl, TTLPeace, 0
		}
		return ttl, TTLHorizon, pool
	}
	if c.before(r.floorUntil) {
		return r.min, TTLChange, 0
	}
	for _, p := range r.pools {
		if z.troubled[p] {
			return r.min, TTLTrouble, p
		}
	}
	return r.max, TTLPeace, 0
}
