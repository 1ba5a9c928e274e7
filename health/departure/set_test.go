package departure

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// words are what two nodes say: this one by its book, the other one as it is told to.
type words struct {
	book  *ledger.Book
	now   time.Time
	other ledger.Said
	older []ledger.Silent
}

func (w *words) Said(of ledger.Key) []ledger.Said {
	word := w.book.WordOf(of.RData, w.now)
	if of.Owner != (ledger.OwnerKey{}) {
		word = w.book.Word(of, w.now)
	}
	own := ledger.Said{Node: "n1", Verb: word.Verb, Quiet: word.Since, Until: word.Until, After: w.now, Since: w.now}
	return []ledger.Said{own, w.other}
}

func (w *words) Heard(ledger.Key, time.Time) ledger.Heard { return ledger.Heard{} }

func (w *words) Others() (others []Other, alone bool) {
	for _, s := range w.older {
		others = append(others, Other{Node: s.Node, Silent: s})
	}
	return others, len(others) == 0
}

func (w *words) Name() string { return "n1" }

func (w *words) Open() []health.Intent { return nil }

// A bed is a set of departures of a node that answered one address for one name.
type bed struct {
	*Set
	words
	base  time.Time
	where *ledger.Whereabouts
	slot  ledger.Slot
	of    ledger.Departed
}

const transit = 5 * time.Second

func newBed(without health.Guards) *bed {
	base := time.Now()
	l := ledger.New(base)
	book := ledger.NewBook(l, base.Add(-time.Hour), without)
	g := ledger.NewGreatest(l, book, ledger.Earlier{}, time.Minute, transit, without, slog.New(slog.DiscardHandler))
	z := &config.Zone{Name: "example.org.", Pools: []*config.Pool{{Name: "p", Endpoints: []*config.Endpoint{{Name: "e"}}}}}
	h := ledger.Holding{Owner: "www.example.org.", RData: "192.0.2.1"}
	b := &bed{base: base, words: words{book: book}, slot: l.Acquire(h.Key()), where: ledger.NewWhereabouts(nil, nil)}
	b.of = ledger.Departed{Holding: h, Slot: b.slot, Service: h.Owner, Zone: z}
	b.Set = New(Options{Book: book, Ledger: l, Greatest: g, Started: base, Transit: transit, Without: without, Logger: slog.New(slog.DiscardHandler)})
	book.Published(&ledger.Swap{Quiet: closed(), Entered: []ledger.Slot{b.slot}}, base)
	return b
}

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// at brings everything in line with what is known at a second, and returns the one departure that is shown.
func (b *bed) at(t *testing.T, s float64) (d Departure, ask bool) {
	b.now = b.base.Add(time.Duration(s * float64(time.Second)))
	b.Book().Poll(b.now)
	ask = b.Follow(&b.words, b.where, b.now)
	require.Len(t, b.Shown(), 1)
	return b.Shown()[0], ask
}

// out is that the other node has let go of it, and that no cache holds what it gave after a second.
func (b *bed) out(until, given float64) {
	b.other = ledger.Said{Node: "n2", Verb: ledger.Out, Quiet: b.base, Until: b.base.Add(time.Duration(until * float64(time.Second))),
		After: b.base.Add(time.Duration(given * float64(time.Second)))}
}

// TestDeparture: a bound is known when every node says out, is final by words given after the instant, and a node that answers again is told beside that.
func TestDeparture(t *testing.T) {
	b := newBed(0)
	b.Book().Published(&ledger.Swap{Quiet: closed(), Left: []ledger.Departed{b.of}}, b.base.Add(time.Second))
	b.other = ledger.Said{Node: "n2", Verb: ledger.Answering, Why: "answers it"}
	d, _ := b.at(t, 2)
	require.False(t, d.Bound.Known)
	require.Equal(t, "192.0.2.1", d.RData)
	require.Equal(t, []string{"www.example.org."}, d.Services)
	require.Empty(t, d.Void, "it was never known")

	b.out(20, 3)
	d, ask := b.at(t, 4)
	require.True(t, d.Bound.Known)
	require.False(t, d.Bound.Final)
	require.False(t, ask)
	require.False(t, d.Bound.SafeAt.Before(b.base.Add(20*time.Second+transit)))

	b.other = ledger.Said{Node: "n2", Verb: ledger.Answering, Why: "answers it"}
	d, _ = b.at(t, 5)
	require.False(t, d.Bound.Known)
	require.Equal(t, []Void{{Node: "n2", At: b.now}}, d.Void)

	b.out(20, 6)
	_, ask = b.at(t, 30)
	require.True(t, ask, "the instant has passed, and no word was given after it")
	_, ask = b.at(t, 30.5)
	require.False(t, ask, "once")
	b.out(20, 30.6)
	d, _ = b.at(t, 31)
	require.True(t, d.Bound.Final)
	require.True(t, b.Final(ledger.RDataKeyOf("192.0.2.1")))

	// Whoever asks for what began later goes by the words of now: the other node may have answered it meanwhile, unheard.
	stood := d.Bound.SafeAt
	of := ledger.Key{RData: ledger.RDataKeyOf("192.0.2.1")}
	is, _, _, stands := b.BoundOf(of, &b.words, b.base.Add(31*time.Second), b.now)
	require.True(t, stands && is.Final && is.SafeAt.Equal(stood))
	b.now = b.base.Add(31500 * time.Millisecond)
	b.out(60, 31)
	is, _, _, stands = b.BoundOf(of, &b.words, b.base.Add(31200*time.Millisecond), b.now)
	require.True(t, stands && is.Known)
	require.False(t, is.Final)
	require.False(t, is.SafeAt.Before(b.base.Add(60*time.Second+transit)))

	b.other = ledger.Said{Node: "n2", Verb: ledger.Answering, Why: "answers it"}
	d, _ = b.at(t, 32)
	require.True(t, d.Bound.Final, "what was is certain")
	require.Equal(t, []Void{{Node: "n2", At: b.now}}, d.Again)
	b.out(50, 33)
	d, _ = b.at(t, 34)
	require.False(t, d.Bound.Final, "it left anew once that node let go of it")

	b.out(20, 10_000)
	b.at(t, 10_000)
	b.now = b.base.Add(20_000 * time.Second)
	b.Follow(&b.words, b.where, b.now)
	b.Follow(&b.words, b.where, b.now)
	require.Empty(t, b.Shown(), "the model does not know it, and it has been final for long")
	require.Zero(t, b.Len())
}

// TestSafety: an address that no file has any more is known by what caches hold, and is safe only by words of now.
func TestSafety(t *testing.T) {
	b := newBed(0)
	b.Book().Published(&ledger.Swap{Quiet: closed(), Left: []ledger.Departed{b.of}}, b.base.Add(time.Second))
	b.out(20, 40)
	b.at(t, 41)
	scope := health.Scope{Kind: health.ScopeEndpoint, Zone: "example.org.", Pool: "p", Endpoint: "e"}
	s := b.Safety(scope, nil, &b.words, b.now)
	require.Len(t, s.Items, 1)
	require.Equal(t, "192.0.2.1", s.Items[0].RData)
	require.False(t, s.Items[0].Known)
	require.True(t, s.Items[0].Bound.Final)
	b.other = ledger.Said{Node: "n2", Why: "not heard since", Since: b.base}
	s = b.Safety(scope, nil, &b.words, b.now)
	require.False(t, s.Items[0].Bound.Final, "what was final once and is not said any more does not count")
	scope.Endpoint = "another"
	require.Empty(t, b.Safety(scope, nil, &b.words, b.now).Items)
}
