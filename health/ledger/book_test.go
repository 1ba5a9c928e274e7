package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A bench is a book with a clock in whole seconds.
type bench struct {
	*Book
	t    *testing.T
	base time.Time
	h    Holder
	zone *config.Zone
}

func newBench(t *testing.T, earlier int, without health.Guards) *bench {
	base := time.Now()
	z := &config.Zone{Name: "example.org.", Pools: []*config.Pool{{Name: "p", Endpoints: []*config.Endpoint{{Name: "e"}}}}}
	return &bench{Book: NewBook(New(base), base.Add(time.Duration(earlier)*time.Second), without), t: t, base: base, zone: z}
}

func (b *bench) at(s int) time.Time { return b.base.Add(time.Duration(s) * time.Second) }

func closedNow() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// swap publishes at a second. The returned slots are those of what entered.
func (b *bench) swap(s int, quiet <-chan struct{}, left, entered []Holding) (slots []Slot) {
	w := &Swap{Quiet: quiet}
	for _, h := range entered {
		w.Entered = append(w.Entered, b.ledger.Acquire(h.Key()))
	}
	for _, h := range left {
		slot := b.ledger.slots[h.Key()]
		w.Left = append(w.Left, Departed{Holding: h, Slot: slot, Service: h.Owner, Zone: b.zone})
	}
	b.Published(w, b.at(s))
	for _, d := range w.Left {
		// The compiled answer that had it is gone.
		b.ledger.Release([]Slot{d.Slot})
	}
	return w.Entered
}

func (b *bench) stamp(slot Slot, s int, ttl uint32) {
	b.ledger.Worker(&b.h).Stamp(slot, int64(s)*int64(time.Second), ttl)
}

// The value of what left counts from the moment at which nothing is under way, however long an answer takes.
func TestBook(t *testing.T) {
	b := newBench(t, 30, 0)
	x := holding("www", "192.0.2.1")
	require.Equal(t, Word{Verb: Out, Until: b.at(30), Since: b.at(1)}, b.Word(x.Key(), b.at(1)), "an earlier process may have answered")
	require.Equal(t, b.at(40), b.Word(x.Key(), b.at(100)).Until, "or nobody did, for a minute at least")
	slot := b.swap(1, closedNow(), nil, []Holding{x})[0]
	require.Equal(t, Answering, b.Word(x.Key(), b.at(2)).Verb)
	require.Equal(t, Answering, b.WordOf(x.Key().RData, b.at(2)).Verb)
	b.stamp(slot, 10, 60)

	older := make(chan struct{})
	b.swap(11, older, nil, nil)
	b.swap(12, closedNow(), []Holding{x}, nil)
	require.False(t, b.Poll(b.at(13)), "an answer of the snapshot before the one before is under way")
	require.Equal(t, Leaving, b.Word(x.Key(), b.at(13)).Verb)
	require.Equal(t, Leaving, b.WordOf(x.Key().RData, b.at(13)).Verb)
	b.stamp(slot, 20, 60)
	close(older)
	require.True(t, b.Poll(b.at(21)))
	require.Equal(t, Word{Verb: Out, Until: b.at(80), Since: b.at(21)}, b.Word(x.Key(), b.at(22)))
	s := b.Standing(x.Key())
	require.Equal(t, b.at(12), s.Left)
	require.Equal(t, "p/e", s.Label.Name())

	// It comes back, and what was stamped meanwhile is not lost.
	b.swap(23, closedNow(), nil, []Holding{x})
	require.Nil(t, b.Standing(x.Key()))
	require.Empty(t, b.Absences())
	b.swap(24, closedNow(), []Holding{x}, nil)
	b.Poll(b.at(24))
	require.Equal(t, b.at(80), b.Word(x.Key(), b.at(24)).Until)
}

// The slot of what left outlives whatever compiled it until a minute after its expiry, and then is freed; the standing stays.
func TestBookFreesSlots(t *testing.T) {
	b := newBench(t, 0, 0)
	for i := range 1000 {
		x := holding(fmt.Sprint("pod", i), fmt.Sprint("192.0.2.", i))
		slot := b.swap(i, closedNow(), nil, []Holding{x})[0]
		b.stamp(slot, i, 20)
		b.swap(i, closedNow(), []Holding{x}, nil)
		b.Poll(b.at(i))
		require.LessOrEqual(t, b.ledger.Slots(), 82, "a minute and its TTL after it went")
		require.Equal(t, b.at(i+20), b.Word(x.Key(), b.at(i)).Until)
		if i >= 100 {
			old := holding(fmt.Sprint("pod", i-100), fmt.Sprint("192.0.2.", i-100))
			require.Equal(t, b.at(i-60), b.Word(old.Key(), b.at(i)).Until, "long ago, says who knows no more")
			b.Forget(old)
		}
	}
	b.Poll(b.at(2000))
	require.Zero(t, b.ledger.Slots())
	require.Len(t, b.Absences(), 100)
	fresh := holding("www", "192.0.2.1")
	b.swap(2001, closedNow(), nil, []Holding{fresh})
	b.Forget(fresh)
	require.True(t, b.Answers(fresh.Key()), "what is answered is not forgotten")
}

// The same RDATA under two names is out when both are, and the later expiry counts.
func TestBookSumsNames(t *testing.T) {
	b := newBench(t, 0, 0)
	x, y := holding("www", "192.0.2.1"), holding("api", "192.0.2.1")
	slots := b.swap(1, closedNow(), nil, []Holding{x, y})
	b.stamp(slots[0], 1, 60)
	b.stamp(slots[1], 2, 10)
	b.swap(3, closedNow(), []Holding{x}, nil)
	b.Poll(b.at(3))
	require.Equal(t, Answering, b.WordOf(x.Key().RData, b.at(4)).Verb, "api answers it")
	require.True(t, b.Answered(x.Key().RData))
	require.Equal(t, b.at(61), b.Word(x.Key(), b.at(4)).Until)
	b.swap(5, closedNow(), []Holding{y}, nil)
	require.Equal(t, Leaving, b.WordOf(x.Key().RData, b.at(5)).Verb)
	b.Poll(b.at(6))
	w := b.WordOf(x.Key().RData, b.at(6))
	require.Equal(t, Word{Verb: Out, Until: b.at(61), Since: b.at(6)}, w)
	require.Equal(t, b.at(5), b.Absences()[x.Key().RData].Left())
}

// What an earlier process may have answered stands from the start, and its instant follows what is learnt of it.
func TestBookClaims(t *testing.T) {
	b := newBench(t, 3600, 0)
	x, y := holding("www", "192.0.2.1"), holding("www", "192.0.2.2")
	b.swap(0, closedNow(), nil, []Holding{y})
	b.Claim(x, "www.example.org.", Label{}, b.base)
	b.Claim(y, "www.example.org.", Label{}, b.base)
	b.Poll(b.at(0))
	require.Len(t, b.Absences(), 1, "what is answered is no claim")
	require.Equal(t, b.at(3600), b.Word(x.Key(), b.at(1)).Until)
	b.Lower(b.at(60))
	require.Equal(t, b.at(60), b.Word(x.Key(), b.at(1)).Until)
	b.Raise(b.at(30))
	require.Equal(t, b.at(60), b.Earlier())
	b.Raise(b.at(90))
	require.Equal(t, b.at(90), b.Word(x.Key(), b.at(1)).Until)
	b.Forget(x)
	require.Empty(t, b.Absences())
}

// Each guard of the book makes it say less than is true.
func TestBookGuards(t *testing.T) {
	x := holding("www", "192.0.2.1")
	for guard, want := range map[health.Guards]int{0: 61, health.GuardStamp: 30, health.GuardSlots: 30} {
		b := newBench(t, 30, guard)
		slot := b.swap(1, closedNow(), nil, []Holding{x})[0]
		b.stamp(slot, 1, 60)
		w := &Swap{Quiet: closedNow(), Left: []Departed{{Holding: x, Slot: slot, Zone: b.zone, Gone: true}}}
		b.Published(w, b.at(2))
		b.Poll(b.at(2))
		require.Equal(t, b.at(want), b.Word(x.Key(), b.at(2)).Until, guard)
	}
	require.Equal(t, Out, newBench(t, 30, health.GuardStart).Word(x.Key(), time.Now()).Verb)
	require.True(t, newBench(t, 30, health.GuardStart).Word(x.Key(), time.Now()).Until.Before(time.Now()))
}

// TestMergeConfirmed: of several words of one node about several addresses the latest answer and the latest expiry count, whichever word they
// stand in.
func TestMergeConfirmed(t *testing.T) {
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return base.Add(time.Duration(s) * time.Second) }
	slow := Confirmation{Node: "n1", Quiet: at(1), Until: at(21), Given: at(30)}
	fast := Confirmation{Node: "n1", Quiet: at(10), Until: at(12), Given: at(25), Stopped: true}
	other := Confirmation{Node: "n2", Quiet: at(2), Until: at(3)}
	want := []Confirmation{{Node: "n1", Quiet: at(10), Until: at(21), Given: at(25), Stopped: true}, other}
	require.Equal(t, want, MergeConfirmed(nil, slow, fast, other))
	list := []Confirmation{fast}
	require.Equal(t, want, MergeConfirmed(list, other, slow)[:2])
	require.Equal(t, fast, list[0])
}

func TestCompose(t *testing.T) {
	base := time.Now()
	at := func(s int) time.Time { return base.Add(time.Duration(s) * time.Second) }
	n1 := Said{Node: "n1", Verb: Out, Quiet: at(1), Until: at(20), After: at(9)}
	n2 := Said{Node: "n2", Verb: Out, Quiet: at(3), Until: at(10), After: at(10)}
	const x = 5 * time.Second
	slow := func(now, until int) time.Time { return at(now).Add(Slow(at(until).Sub(at(now)))) }
	b := Compose([]Said{n1, n2}, at(10), x, 0)
	require.True(t, b.Known)
	require.False(t, b.Final)
	require.Equal(t, slow(10, 25), b.SafeAt)
	require.Equal(t, slow(10, 25), b.Clamped(10*time.Second, x))
	require.Equal(t, at(3).Add(Slow(time.Minute)+x), b.Clamped(time.Minute, x))

	silent := Said{Node: "n3", Since: at(0), Why: "not heard since", Conditional: at(60)}
	b = Compose([]Said{n1, n2, silent}, at(30), x, 0)
	require.False(t, b.Known)
	require.Zero(t, b.SafeAt)
	require.Zero(t, b.Clamped(time.Minute, x))
	require.Equal(t, at(25), b.Lower)
	require.Equal(t, at(65), b.Conditional)

	b = Compose([]Said{n1, silent, {Node: "n2", Verb: Answering, Why: "answers it"}}, at(30), x, 0)
	require.Zero(t, b.Conditional, "nobody knows how long it goes on")
	require.True(t, b.Void)
	require.True(t, b.Unknown[1].Answering)

	// Final is what was said after the instant, by everybody.
	n1.After, n2.After = at(26), at(24)
	require.False(t, Compose([]Said{n1, n2}, at(30), x, 0).Final, "n2 said so before")
	require.True(t, Compose([]Said{n1, n2}, at(30), x, health.GuardAfter).Final)
	n2.After = at(25)
	b = Compose([]Said{n1, n2}, at(30), x, 0)
	require.True(t, b.Final)
	require.Equal(t, at(25), b.SafeAt, "what has passed moves no more")
	require.False(t, Compose([]Said{n1, n2}, at(24), x, 0).Final, "it has not passed")

	require.Equal(t, at(20), Compose([]Said{n1}, at(30), x, health.GuardTransit).SafeAt)
	require.True(t, Compose([]Said{n1, silent}, at(30), x, health.GuardSilent).Known)
	require.Greater(t, Slow(time.Minute), time.Minute)
	require.Equal(t, -time.Minute, Slow(-time.Minute))
}
