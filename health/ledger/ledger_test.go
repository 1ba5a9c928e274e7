package ledger

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

func TestStampsAreKeptByTheGreatestExpiry(t *testing.T) {
	base := time.Now()
	l := New(base)
	a, b := l.Slot("example.org.", "p", "a"), l.Slot("example.org.", "p", "b")
	require.Equal(t, a, l.Slot("example.org.", "p", "a"))
	require.NotEqual(t, a, b)
	var one, two Holder
	l.Worker(&one).Stamp(a, int64(time.Second), 30)
	l.Worker(&two).Stamp(a, int64(2*time.Second), 5)
	l.Worker(&one).Stamp(a, int64(3*time.Second), 5)
	require.Equal(t, base.Add(31*time.Second), l.Until(a))
	require.Zero(t, l.Until(b))
	l.Worker(&two).Stamp(a, int64(2*time.Second)+1, 30)
	require.Equal(t, base.Add(32*time.Second+time.Duration(grain)), l.Until(a), "rounded up, never down")

	require.Equal(t, Curve{0, 0, 0, 0, 0, 0, 0, 1, 1}, l.Curve(a, 0)[:9])
	require.Equal(t, uint64(4), l.Curve(a, 0).Total())
	require.Equal(t, uint64(2), l.Curve(a, int64(10*time.Second)).Total(), "the others have expired")
	require.Zero(t, l.Curve(a, int64(40*time.Second)).Total())
}

// A writer that is gone leaves its stamps, and its worker to another one; more writers than workers share one.
func TestWorkersOutliveTheirWriters(t *testing.T) {
	l := New(time.Now())
	slot := l.Slot("example.org.", "p", "a")
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
	require.LessOrEqual(t, len(l.workers()), 1+max(minWorkers, workersPerCPU*runtime.GOMAXPROCS(0)))
	var wg sync.WaitGroup
	for _, h := range held {
		wg.Go(func() {
			for i := range 100 {
				l.Worker(h).Stamp(slot, int64(i), 20)
			}
		})
	}
	wg.Wait()
	require.GreaterOrEqual(t, l.Curve(slot, 0).Total(), uint64(100*(len(held)-1)))

	// A writer that serves two nodes in turn, as in tests, gives back what it does not use.
	other := New(time.Now())
	h := held[0]
	require.NotSame(t, l.Worker(h), other.Worker(h))
	require.NotNil(t, l.Worker(h))
}

// Many writers, one reader: nothing that was stamped before the reader looked is missed.
func TestConcurrentStamps(t *testing.T) {
	l := New(time.Now())
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			var h Holder
			rng := rand.New(rand.NewPCG(uint64(w), 2))
			for range 2000 {
				slot, now, ttl := Slot(rng.IntN(500)), rng.Int64N(int64(time.Minute)), uint32(1+rng.IntN(60))
				l.Worker(&h).Stamp(slot, now, ttl)
				if end := l.base.Add(time.Duration(now) + time.Duration(ttl)*time.Second); l.Until(slot).Before(end) {
					t.Errorf("slot %d: until %s, want %s at least", slot, l.Until(slot), end)
				}
				l.Curve(slot, 0)
			}
		})
	}
	wg.Wait()
}

func model(ttl uint32, endpoints ...string) *config.Model {
	pool := &config.Pool{Name: "p", Services: []int{0}, Check: -1}
	for _, name := range endpoints {
		pool.Endpoints = append(pool.Endpoints, &config.Endpoint{Name: name})
	}
	svc := &config.Service{Name: "www.example.org."}
	svc.TTL.Max = ttl
	return config.NewModel([]*config.Zone{{Name: "example.org.", Pools: []*config.Pool{pool}, Services: []*config.Service{svc}}})
}

// The value of an endpoint that left counts from the moment at which nothing is under way, however long an answer takes.
func TestBook(t *testing.T) {
	base := time.Now()
	at := func(s int) time.Time { return base.Add(time.Duration(s) * time.Second) }
	l := New(base)
	b := NewBook(l, func(string) time.Time { return at(30) }, 0)
	b.SetModel(model(60, "a", "b"), base)
	require.Equal(t, []int{0, 1}, left(b, base))
	require.Equal(t, at(30), b.At(0).Until, "an earlier process may have answered")

	var h Holder
	slot := l.Slot("example.org.", "p", "a")
	enter := Swap{Entered: []Endpoint{{}}, Quiet: closedNow()}
	b.Published(enter, at(1))
	require.Equal(t, Serving, b.At(0).State)
	require.Equal(t, Left, b.At(1).State)
	l.Worker(&h).Stamp(slot, int64(10*time.Second), 60)

	older, newer := make(chan struct{}), closedNow()
	b.Published(Swap{Quiet: older}, at(11))
	b.Published(Swap{Left: []Endpoint{{}}, Quiet: newer}, at(12))
	require.Empty(t, left(b, at(13)), "an answer of the snapshot before the one before is under way")
	require.Equal(t, Leaving, b.At(0).State)
	l.Worker(&h).Stamp(slot, int64(20*time.Second), 60)
	close(older)
	require.Equal(t, []int{0}, left(b, at(21)))
	require.Equal(t, at(80), b.At(0).Until)
	require.Equal(t, at(21), b.At(0).Quiet)
	require.Equal(t, at(12), b.At(0).Since)

	// Another file: what stays stands as it stood, what is new has not been answered by this process.
	b.SetModel(model(10, "c", "a"), at(22))
	b.Poll(at(22))
	require.Equal(t, at(80), b.At(1).Until)
	require.Equal(t, 60*time.Second, b.Ceiling(1), "answers by the older file are about")
	require.Equal(t, at(30), b.At(0).Until)
	n, ok := b.Find("example.org./p/a")
	require.True(t, ok)
	require.Equal(t, 1, n)
	require.Equal(t, "example.org./p/a", b.Name(n))
	_, ok = b.Find("example.org./p/b")
	require.False(t, ok, "the file has it no more")

	b.Published(enter, at(23))
	require.Equal(t, Serving, b.At(0).State)
	b.Published(Swap{Left: []Endpoint{{}}, Quiet: closedNow()}, at(40))
	b.Poll(at(40))
	require.NotEqual(t, uint64(0), b.At(0).Swap())
	require.Equal(t, at(40), b.At(0).Until, "it was never answered, and what an earlier process answered is forgotten")
}

func closedNow() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func TestCompose(t *testing.T) {
	base := time.Now()
	at := func(s int) time.Time { return base.Add(time.Duration(s) * time.Second) }
	n1, n2 := Confirmation{Node: "n1", Quiet: at(1), Until: at(20)}, Confirmation{Node: "n2", Quiet: at(3), Until: at(10)}
	const x = 5 * time.Second
	b := Compose([]Confirmation{n1, n2}, nil, x, 0)
	require.True(t, b.Known)
	require.Equal(t, at(25), b.SafeAt)
	require.Equal(t, at(25), b.Clamped(10*time.Second, x))
	require.Equal(t, at(3).Add(Slow(time.Minute)+x), b.Clamped(time.Minute, x))

	silent := Silent{Node: "n3", Since: at(0), Why: "not heard since", Conditional: at(60)}
	b = Compose([]Confirmation{n1, n2}, []Silent{silent}, x, 0)
	require.False(t, b.Known)
	require.Zero(t, b.SafeAt)
	require.Zero(t, b.Clamped(time.Minute, x))
	require.Equal(t, at(25), b.Lower)
	require.Equal(t, at(65), b.Conditional)

	b = Compose([]Confirmation{n1}, []Silent{silent, {Node: "n2", Why: "still answers with it"}}, x, 0)
	require.Zero(t, b.Conditional, "nobody knows how long it goes on")
	require.Equal(t, at(20), Compose([]Confirmation{n1}, nil, x, health.GuardTransit).SafeAt)
	require.True(t, Compose([]Confirmation{n1}, []Silent{silent}, x, health.GuardSilent).Known)
	require.Greater(t, Slow(time.Minute), time.Minute)
}

func left(b *Book, now time.Time) []int {
	numbers, _ := b.Poll(now)
	return numbers
}
