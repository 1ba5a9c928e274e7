package ledger

import (
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A Greatest is H of docs/design.md section 8, the greatest TTL that answers of this node may carry. It is on disk, and remembered by
// another node, before an answer carries it: what can't be written isn't given. So a process that starts anew knows until when answers of
// the one before it may live, whatever else was lost. It writes nothing itself: it says what is to be written, and is told what was. It
// belongs to the goroutine of its Book, but for Older. Make it with NewGreatest.
type Greatest struct {
	// ledger has the limit of what answers carry, book knows until when answers of before may live.
	ledger  *Ledger
	book    *Book
	transit time.Duration
	without health.Guards
	logger  *slog.Logger
	// disk is what is on disk; want what the files of the model allow, told what may be given.
	disk, want, told time.Duration
	// writing is set while disk is being replaced; failed is why the last time it could not be.
	writing bool
	failed  error
	// above is the number of the last swap after which answers of more than want may be under way, and lower when no cache can hold one
	// any more; zero while that is not known.
	above uint64
	lower time.Time
	// unnamed says why nobody knows what an earlier process of this node answered; empty where that is known. It ends when an operator
	// names the greatest TTL, and when no answer that any file allows can be left. asks is set while the other nodes are asked for it.
	unnamed string
	asks    bool
	// late is when a guard began to answer what is not on disk.
	late  time.Time
	older atomic.Int64 // in nanoseconds
}

// lateWrite is how much too late a greatest TTL is written where a guard of the simulator lets it.
const lateWrite = 20 * time.Second

// TTLOf is the greatest TTL that the files of a model allow.
func TTLOf(m *config.Model) (most time.Duration) {
	for _, z := range m.Zones {
		for _, s := range z.Services {
			most = max(most, time.Duration(s.TTL.Max)*time.Second)
		}
	}
	return most
}

// TTLSeconds is a TTL as the ledger's limit has it.
func TTLSeconds(d time.Duration) uint32 { return uint32(min(d/time.Second, math.MaxUint32)) }

// Earlier is what is known, at a start, of the greatest TTL of earlier processes.
type Earlier struct {
	// Disk is what the disk says that answers carried, Unnamed why it does not; Asks is set where the other nodes are asked instead.
	Disk    time.Duration
	Unnamed string
	Asks    bool
}

// NewGreatest begins with what was on disk and what the files want. Nothing is answered before what is new of that is on disk, or could not
// be written.
func NewGreatest(l *Ledger, b *Book, was Earlier, want, transit time.Duration, without health.Guards, logger *slog.Logger) *Greatest {
	g := &Greatest{ledger: l, book: b, transit: transit, without: without, logger: logger, disk: max(was.Disk, want), want: want, unnamed: was.Unnamed, asks: was.Asks}
	g.setTold(g.disk)
	return g
}

func (g *Greatest) setTold(ttl time.Duration) {
	g.told = ttl
	g.ledger.SetLimit(TTLSeconds(ttl))
}

// FirstNotWritten notes that the first write failed: answers carry no more than was on disk before.
func (g *Greatest) FirstNotWritten(was time.Duration, err error) {
	g.disk, g.failed = was, err
	g.setTold(was)
	g.logger.Error("the greatest TTL is not on disk: answers carry no more than what is", "ttl", was.String(), "err", err)
}

// AwaitTold has answers carry no more than was on disk before, until another node remembers what is there now.
func (g *Greatest) AwaitTold(was time.Duration) { g.setTold(was) }

// Disk is what is on disk.
func (g *Greatest) Disk() time.Duration { return g.disk }

// Told is what answers may carry.
func (g *Greatest) Told() time.Duration { return g.told }

// Unnamed says why nobody knows what an earlier process of this node answered; empty where that is known.
func (g *Greatest) Unnamed() string { return g.unnamed }

// Asks tells whether the other nodes are asked what this one answered before.
func (g *Greatest) Asks() bool { return g.asks }

// Ask has the other nodes asked.
func (g *Greatest) Ask() { g.asks = true }

// Heard takes up what the other nodes said: answers of earlier processes carried no more than before. unnamed says why that is not known.
func (g *Greatest) Heard(before time.Duration, unnamed string, started time.Time) {
	g.asks = false
	if unnamed != "" {
		g.unnamed = unnamed
	}
	g.book.Raise(started.Add(Slow(before)))
}

// Named ends that nobody knows what an earlier process answered.
func (g *Greatest) Named() { g.unnamed = "" }

// NamedByTime tells whether that has ended by itself.
func (g *Greatest) NamedByTime(now time.Time) bool {
	return g.unnamed != "" && now.After(g.book.Earlier().Add(g.transit))
}

// Clear is when the last answer of earlier processes has been forgotten.
func (g *Greatest) Clear() time.Time { return g.book.Earlier().Add(g.transit) }

// Want takes up what the files of a model that was swapped in allow.
func (g *Greatest) Want(want time.Duration) {
	was := g.want
	if g.want = want; g.want < was {
		g.above, _ = g.book.Swaps()
		g.lower = time.Time{}
	}
	g.show()
}

// Older is the greatest TTL of answers of before, where the files of now allow less and caches may hold one; 0 for none. It may be called from
// any goroutine.
func (g *Greatest) Older() time.Duration { return time.Duration(g.older.Load()) }

// show notes what Older tells.
func (g *Greatest) show() {
	older := time.Duration(0)
	if g.want < g.disk {
		older = g.disk
	}
	g.older.Store(int64(older))
}

// Due is what is to be written now; ok is unset for nothing.
func (g *Greatest) Due(now time.Time) (ttl time.Duration, ok bool) {
	defer g.show()
	switch {
	case g.want > g.disk:
		ok = !g.without.Without(health.GuardGreatestDisk) || g.overdue(now)
	case g.want < g.disk:
		ok = g.lowers(now)
	}
	return g.want, ok && !g.writing
}

// overdue has answers carry what is not on disk, and tells whether it has been so for long enough.
func (g *Greatest) overdue(now time.Time) bool {
	g.ledger.SetLimit(TTLSeconds(g.want))
	if g.late.IsZero() {
		g.late = now
	}
	if now.Sub(g.late) < lateWrite {
		return false
	}
	g.late = time.Time{}
	return true
}

// lowers tells whether no handler holds, and no cache can hold, an answer of more than what the files allow.
func (g *Greatest) lowers(now time.Time) bool {
	if g.without.Without(health.GuardGreatestLower) {
		return true
	}
	if _, quiet := g.book.Swaps(); g.lower.IsZero() && quiet >= g.above {
		g.lower = now.Add(Slow(g.disk) + g.transit)
	}
	return !g.lower.IsZero() && now.After(g.lower) && now.After(g.Clear())
}

// Writing notes that a greatest TTL is being written.
func (g *Greatest) Writing() { g.writing = true }

// Kept takes up a greatest TTL where nothing is kept on disk.
func (g *Greatest) Kept(ttl time.Duration) {
	g.disk = ttl
	g.show()
}

// Written takes up what came of writing a greatest TTL; ok tells whether it is on disk.
func (g *Greatest) Written(ttl time.Duration, err error) (ok bool) {
	g.writing = false
	if failed := g.failed != nil; failed != (err != nil) {
		if err != nil {
			g.logger.Warn("the greatest TTL is not kept: answers carry none that is greater", "ttl", ttl.String(), "err", err)
		} else {
			g.logger.Info("the greatest TTL is kept again", "ttl", ttl.String())
		}
	}
	if g.failed = err; err == nil {
		g.disk, g.told = ttl, min(g.told, ttl)
	}
	return err == nil
}

// Give lets answers carry what is on disk, once another node remembers it too, or there is none.
func (g *Greatest) Give(remembered bool) {
	if g.told < g.disk && remembered {
		g.told = g.disk
	}
	if !g.without.Without(health.GuardGreatestDisk) {
		g.ledger.SetLimit(TTLSeconds(g.told))
	}
}
