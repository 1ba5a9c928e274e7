package ledger

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func holding(owner, rdata string) Holding {
	return Holding{Owner: owner + ".example.org.", RData: rdata}
}

func (l *Ledger) acquire(owner, rdata string) Slot { return l.Acquire(holding(owner, rdata).Key()) }

func TestStampsAreKeptByTheGreatestExpiry(t *testing.T) {
	base := time.Now()
	l := New(base)
	a, b := l.acquire("www", "192.0.2.1"), l.acquire("www", "192.0.2.2")
	require.Equal(t, a, l.acquire("www", "192.0.2.1"))
	require.NotEqual(t, a, b)
	require.NotEqual(t, a, l.acquire("api", "192.0.2.1"), "the same address under another name is another holding")
	var one, two Holder
	l.Worker(&one).Stamp(a, int64(time.Second), 30)
	l.Worker(&two).Stamp(a, int64(2*time.Second), 5)
	l.Worker(&one).Stamp(a, int64(3*time.Second), 5)
	require.Equal(t, base.Add(31*time.Second), l.Until(a))
	require.Zero(t, l.Until(b))
	l.Worker(&two).Stamp(a, int64(2*time.Second)+1, 30)
	require.Equal(t, base.Add(32*time.Second+grain), l.Until(a), "rounded up, never down")
	l.Worker(&two).Stamp(0, int64(9*time.Second), 3600)
	l.Worker(&two).Stamp(b, int64(time.Second), 3600)
	require.Equal(t, base.Add(3601*time.Second), l.Until(b), "the greatest ttl.max fits")
}

// What nobody has any more leaves nothing behind, and its slot begins anew for another holding.
func TestSlotsAreFreed(t *testing.T) {
	l := New(time.Now())
	a := l.acquire("www", "192.0.2.1")
	require.Equal(t, a, l.acquire("www", "192.0.2.1"))
	var h Holder
	w := l.Worker(&h)
	w.Stamp(a, 0, 60)
	require.EqualValues(t, 1, l.Answers(a))
	l.Release([]Slot{a})
	require.False(t, l.Until(a).IsZero(), "somebody still has it")
	l.Release([]Slot{a})
	require.Zero(t, l.Slots())
	b := l.acquire("www", "192.0.2.2")
	require.Equal(t, a, b)
	require.Zero(t, l.Until(b))
	require.Zero(t, l.Answers(b))
	require.Zero(t, l.AnswersOf(holding("www", "192.0.2.1").Key()))
	for i := range 100_000 {
		// Pods that come and go.
		s := l.acquire("www", fmt.Sprint(i))
		w.Stamp(s, int64(i)*int64(time.Millisecond), 5)
		l.Release([]Slot{s})
	}
	require.Equal(t, 1, l.Slots())
	require.LessOrEqual(t, len(l.entries), 4)
}

func TestCurve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(time.Now())
		a := l.acquire("www", "192.0.2.1")
		var one, two Holder
		for range 3 {
			l.Worker(&one).Stamp(a, l.Now(), 10)
		}
		l.Fold()
		time.Sleep(5 * time.Second) // in a bubble
		l.Worker(&two).Stamp(a, l.Now(), 2)
		require.Equal(t, Curve{0, 0, 0, 0, 0, 4}, l.Curve(a), "of two workers the greater TTL counts, but nothing lives longer than all that was stamped")
		require.EqualValues(t, 4, l.Answers(a))
		time.Sleep(3 * time.Second)
		require.EqualValues(t, 4, l.Curve(a).Total())
		time.Sleep(3 * time.Second)
		l.Fold()
		require.Empty(t, l.Curve(a))
		require.Empty(t, l.exposure.rings, "what has expired takes no room")
		// The counts of a cell are modulo 2^20.
		l.Worker(&one).look(a).Store(l.Worker(&one).load(a)&^countMask | countMask)
		l.Fold()
		before := l.Answers(a)
		l.Worker(&one).Stamp(a, l.Now(), 1)
		require.EqualValues(t, 1, l.Answers(a)-before)
		require.Equal(t, Curve{1, 3, 5}, Curve{1, 1}.Plus(Curve{0, 2, 5}))
	})
}

// A writer that is gone leaves its stamps, and its worker to another one; more writers than workers share one.
func TestWorkersOutliveTheirWriters(t *testing.T) {
	l := New(time.Now())
	slot := l.acquire("www", "192.0.2.1")
	holder := new(Holder)
	first := l.Worker(holder)
	first.Stamp(slot, 0, 60)
	require.Same(t, first, l.Worker(holder))
	runtime.KeepAlive(holder)
	require.Eventually(t, func() bool {
		runtime.GC()
		return l.Worker(new(Holder)) == first
	}, 10*time.Second, time.Millisecond)
	require.False(t, l.Until(slot).IsZero())

	var held []*Holder
	for range 10 * (minWorkers + workersPerCPU*runtime.GOMAXPROCS(0)) {
		held = append(held, new(Holder))
		l.Worker(held[len(held)-1])
	}
	require.LessOrEqual(t, len(l.all), 1+max(minWorkers, workersPerCPU*runtime.GOMAXPROCS(0)))
	var wg sync.WaitGroup
	for _, h := range held {
		wg.Go(func() {
			for i := range 100 {
				l.Worker(h).Stamp(slot, int64(i), 20)
			}
		})
	}
	wg.Wait()
	require.GreaterOrEqual(t, l.Answers(slot), uint64(100*(len(held)-1)))

	// A writer that serves two nodes in turn, as in tests, gives back what it does not use.
	other := New(time.Now())
	h := held[0]
	require.NotSame(t, l.Worker(h), other.Worker(h))
	require.NotNil(t, l.Worker(h))
}

// Many writers, one reader: nothing that was stamped before the reader looked is missed.
func TestConcurrentStamps(t *testing.T) {
	l := New(time.Now())
	for i := range 500 {
		l.acquire("www", fmt.Sprint(i))
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			var h Holder
			rng := rand.New(rand.NewPCG(uint64(w), 2))
			for range 2000 {
				slot, now, ttl := Slot(1+rng.IntN(500)), rng.Int64N(int64(time.Minute)), uint32(1+rng.IntN(60))
				l.Worker(&h).Stamp(slot, now, ttl)
				if end := l.base.Add(time.Duration(now) + time.Duration(ttl)*time.Second); l.Until(slot).Before(end) {
					t.Errorf("slot %d: until %s, want %s at least", slot, l.Until(slot), end)
				}
				l.Curve(slot)
			}
		})
	}
	wg.Wait()
}

func BenchmarkStamp(b *testing.B) {
	l := New(time.Now())
	slots := make([]Slot, 4096)
	for i := range slots {
		slots[i] = l.acquire("www", fmt.Sprint(i))
	}
	var h Holder
	w := l.Worker(&h)
	now := l.Now()
	for i := 0; b.Loop(); i++ {
		w.Stamp(slots[i%len(slots)], now, 30)
	}
}
