package departure

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// shardWords are what is known of the orders of this node and of another one.
type shardWords struct {
	words
	open  []health.Intent
	other []Other
}

func (w *shardWords) Open() []health.Intent         { return w.open }
func (w *shardWords) Others() ([]Other, bool)       { return w.other, len(w.other) == 0 }
func (w *shardWords) Said(ledger.Key) []ledger.Said { return nil }

// A shardBed is a set of departures of a node with shards 0-49 at home in eu, and 50-99 in us. The greatest TTL is 30 s, the floor 2 s.
type shardBed struct {
	*Set
	shardWords
	t    *testing.T
	base time.Time
	zone *config.Zone
	// answered is from where the shards are answered, as the publisher says; zero where it does not say it.
	answered ledger.ServiceShards
}

func newShardBed(t *testing.T) *shardBed {
	base := time.Now()
	l := ledger.New(base)
	book := ledger.NewBook(l, base.Add(-time.Hour), 0)
	b := &shardBed{t: t, base: base, zone: cellsZone(2, 30)}
	b.Set = New(Options{
		Book: book, Ledger: l, Greatest: ledger.NewGreatest(l, book, ledger.Earlier{}, 5*time.Minute, transit, 0, slog.New(slog.DiscardHandler)),
		Started: base, Transit: transit, Logger: slog.New(slog.DiscardHandler),
	})
	b.publish(0, nil)
	return b
}

func cellsZone(least, most uint32) *config.Zone {
	return &config.Zone{
		Name: "example.org.",
		Pools: []*config.Pool{
			{Name: "eu", Endpoints: []*config.Endpoint{{Name: "e", Target: "e.example.net."}}}, {Name: "us", Endpoints: []*config.Endpoint{{Name: "u", Target: "u.example.net."}}},
		},
		Services: []*config.Service{{
			Name: "ord.example.org.", TTL: config.TTL{Min: least, Max: most},
			Cells: &config.Cells{Shards: 100, Home: []config.CellRange{{Pool: 0, First: 0, Last: 49}, {Pool: 1, First: 50, Last: 99}}},
		}},
	}
}

func (b *shardBed) second(s float64) time.Time {
	return b.base.Add(time.Duration(s * float64(time.Second)))
}

// publish serves at a second what orders make of the shards; nil for nothing.
func (b *shardBed) publish(at float64, scoped *health.ServiceView) {
	zv := &health.ZoneView{Zone: b.zone}
	if scoped != nil {
		zv.Scoped = map[int]*health.ServiceView{0: scoped}
	}
	quiet := make(chan struct{})
	close(quiet)
	swap := &ledger.Swap{Quiet: quiet}
	if b.answered.At != nil {
		swap.Shards = []ledger.ServiceShards{b.answered}
	}
	b.Published(&health.View{Zones: []*health.ZoneView{zv}}, swap, b.second(at))
}

// answers is that the publisher says with the next view that us answers some shards, eu all others, and that shards moved from one pool to another.
func (b *shardBed) answers(us string, moved ...ledger.ShardsMoved) {
	all, in := config.Shards{{First: 0, Last: 99}}, config.Shards(nil)
	if us != "" {
		in, _ = config.ParseShards(us)
	}
	b.answered = ledger.ServiceShards{
		Zone: b.zone.Name, Service: "ord.example.org.", Hash: uint64(len(us)), Moved: moved,
		At: []ledger.ShardsAt{{Shards: all.Without(in), Pools: []string{"eu"}}, {Shards: in, Pools: []string{"us"}}},
	}
}

func shardsMoved(shards, from, to string) ledger.ShardsMoved {
	s, _ := config.ParseShards(shards)
	return ledger.ShardsMoved{Shards: s, From: []string{from}, To: []string{to}}
}

// what are the moves that stand at a second, in words.
func (b *shardBed) what(at float64) (what []string) {
	b.follow(at)
	for _, d := range b.Shown() {
		what = append(what, d.RData)
	}
	return what
}

// order is one of this node, and of the other one if that has the same, of shards 10-19 to us from one second to another.
func (b *shardBed) order(counter uint64, start, end float64) health.Intent {
	i := health.Intent{
		ID: health.IntentID{Node: "n1", Counter: counter}, Kind: health.IntentDrain, Scope: health.Scope{Kind: health.ScopeShards, Name: "10-19", Pool: "us"},
		Service: "ord.example.org.", Start: b.second(start), End: b.second(end),
	}
	b.open = append(b.open, i)
	return i
}

// until is how long after a second the one move that stands has caches hold what was; unknown are why nodes may answer it still.
func (b *shardBed) until(at float64) (held float64, unknown []string) {
	b.now = b.second(at)
	b.Follow(&b.shardWords, ledger.NewWhereabouts(nil, nil), b.now)
	require.Len(b.t, b.Shown(), 1)
	bound := b.Shown()[0].Bound
	for _, u := range bound.Unknown {
		unknown = append(unknown, u.Why)
	}
	return bound.SafeAt.Sub(b.base).Seconds() - at, unknown
}

// follow takes up what the nodes have at seconds.
func (b *shardBed) follow(seconds ...float64) {
	for _, at := range seconds {
		b.now = b.second(at)
		b.Follow(&b.shardWords, ledger.NewWhereabouts(nil, nil), b.now)
	}
}

// has is that the other node says at a second that it has all orders of this one, and since the same instants.
func (b *shardBed) has(at float64) {
	starts := make(map[health.IntentID]time.Time)
	for _, i := range b.open {
		starts[i.ID] = i.Start
	}
	b.other = []Other{{Node: "n2", SameOrders: true, Starts: starts, Heard: b.second(at), Greatest: 5 * time.Minute}}
}

// differs is that the other node says that it has other orders.
func (b *shardBed) differs() { b.other[0].SameOrders = false }

func shardMove(i health.Intent, at time.Time) health.ShardMove {
	return health.ShardMove{ID: i.ID, Shards: i.Scope.Shards(), At: at}
}

func shardsTo(i health.Intent, pool int) health.ShardOrder {
	return health.ShardOrder{ID: i.ID, Shards: i.Scope.Shards(), To: pool}
}

// What answers may live for from an instant on: the floor or the greatest TTL, a drift, and the transit allowance.
const (
	heldFloor, heldMax = 2 + 5, 30 + 5
	// heldSlack is more than the drift, and what is not heard at once.
	heldSlack = 3
)

// TestShardDeadlines: answers had a deadline if it was that of an order which began or ended at its instant, and no other way in which an order
// moves shards gave them one.
func TestShardDeadlines(t *testing.T) {
	for _, tt := range []struct {
		name string
		run  func(b *shardBed)
		held float64
	}{
		{"it begins", func(b *shardBed) {
			i := b.order(1, 100, 1000)
			b.publish(10, &health.ServiceView{ShardMoves: []health.ShardMove{shardMove(i, i.Start)}})
			b.follow(10)
			b.publish(100, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(i, 1)}, ShardMoves: []health.ShardMove{shardMove(i, i.End)}})
		}, heldFloor},
		{"it ends by itself", func(b *shardBed) {
			i := b.order(1, -50, 100)
			b.publish(0, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(i, 1)}, ShardMoves: []health.ShardMove{shardMove(i, i.End)}})
			b.publish(1, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(i, 1)}, ShardMoves: []health.ShardMove{shardMove(i, i.End)}})
			b.follow(1)
			b.open = nil
			b.publish(100, nil)
			b.moved = b.moved[len(b.moved)-1:]
		}, heldFloor},
		{"it has begun a moment ago", func(b *shardBed) {
			i := b.order(1, 100, 1000)
			b.publish(99, &health.ServiceView{ShardMoves: []health.ShardMove{shardMove(i, i.Start)}})
			b.publish(100, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(i, 1)}, ShardMoves: []health.ShardMove{shardMove(i, i.End)}})
		}, heldMax - 1},
		{"one over it ends early", func(b *shardBed) {
			under := b.order(1, 0, 1000)
			over := b.order(2, 0, 1000)
			moves := []health.ShardMove{shardMove(under, under.End), shardMove(over, over.End)}
			b.publish(0, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(under, 1), shardsTo(over, 0)}, ShardMoves: moves})
			b.follow(1)
			b.open = b.open[:1]
			b.publish(100, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(under, 1)}, ShardMoves: moves[:1]})
		}, heldMax},
		{"one over it ends early as it begins", func(b *shardBed) {
			under, over := b.order(1, 99, 1000), b.order(2, 0, 1000)
			end := shardMove(over, over.End)
			b.publish(0, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(over, 0)}, ShardMoves: []health.ShardMove{shardMove(under, under.Start), end}})
			b.follow(1)
			b.publish(99, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(under, 1), shardsTo(over, 0)}, ShardMoves: []health.ShardMove{shardMove(under, under.End), end}})
			b.open = b.open[:1]
			b.publish(100, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(under, 1)}, ShardMoves: []health.ShardMove{shardMove(under, under.End)}})
		}, heldMax},
		{"a rule held it back, and does so no longer", func(b *shardBed) {
			i := b.order(1, 50, 1000)
			b.publish(0, &health.ServiceView{ShardMoves: []health.ShardMove{shardMove(i, i.Start)}})
			b.follow(1)
			b.publish(50, nil)
			b.publish(100, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(i, 1)}, ShardMoves: []health.ShardMove{shardMove(i, i.End)}})
		}, heldMax},
		{"a rule holds it back", func(b *shardBed) {
			i := b.order(1, -50, 101)
			b.publish(0, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(i, 1)}, ShardMoves: []health.ShardMove{shardMove(i, i.End)}})
			b.follow(1)
			b.publish(100, nil)
			b.moved = b.moved[len(b.moved)-1:]
		}, heldMax},
		{"a rule held it back until shortly before its end", func(b *shardBed) {
			// Another order had the shards there meanwhile, and its end was not known.
			i, other := b.order(1, -50, 100), b.order(2, 0, 1000)
			b.publish(0, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(i, 1)}, ShardMoves: []health.ShardMove{shardMove(i, i.End)}})
			b.follow(1)
			b.publish(50, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(other, 1)}})
			b.publish(99, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(i, 1)}, ShardMoves: []health.ShardMove{shardMove(i, i.End)}})
			b.open = nil
			b.publish(100, nil)
			b.moved = b.moved[len(b.moved)-1:]
		}, heldMax - 1},
		{"its start is nearer than it was", func(b *shardBed) {
			i := b.order(1, 100, 1000)
			b.publish(10, &health.ServiceView{ShardMoves: []health.ShardMove{shardMove(i, b.second(115))}})
			b.publish(99, &health.ServiceView{ShardMoves: []health.ShardMove{shardMove(i, i.Start)}})
			b.publish(100, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(i, 1)}, ShardMoves: []health.ShardMove{shardMove(i, i.End)}})
		}, heldMax - 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newShardBed(t)
			tt.run(b)
			held, unknown := b.until(100)
			require.Empty(t, unknown)
			require.GreaterOrEqual(t, held, tt.held)
			require.Less(t, held, tt.held+heldSlack)
		})
	}
}

// TestShardDeadlineOfOthers: what another node answered had the deadline while it had the order, and all others as this node.
func TestShardDeadlineOfOthers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(b *shardBed)
		run    func(b *shardBed) (at float64)
		held   float64
	}{
		{"the same all the time", nil, nil, heldFloor},
		{"others for a moment long ago", func(b *shardBed) {
			b.differs()
			b.follow(20)
			b.has(21)
			b.follow(21)
		}, nil, heldFloor},
		{"others until shortly before", func(b *shardBed) {
			b.differs()
			b.follow(98)
		}, nil, heldMax - 2},
		{"others when it began", nil, func(b *shardBed) float64 {
			// A rule held it back there alone: answers went on without a deadline.
			b.differs()
			b.follow(101)
			b.has(120)
			return 120
		}, heldMax},
		{"not heard when it began", nil, func(b *shardBed) float64 {
			b.other[0].Silent.Why = "not heard since"
			b.follow(101)
			b.has(120)
			return 120
		}, heldMax},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newShardBed(t)
			i := b.order(1, 100, 1000)
			b.publish(1, &health.ServiceView{ShardMoves: []health.ShardMove{shardMove(i, i.Start)}})
			b.has(1)
			b.follow(1)
			if tt.before != nil {
				tt.before(b)
			}
			b.has(99)
			b.follow(99)
			b.publish(100, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(i, 1)}, ShardMoves: []health.ShardMove{shardMove(i, i.End)}})
			_, unknown := b.until(100.1)
			require.Equal(t, []string{"has other orders"}, unknown, "it has not said that it has begun")
			b.has(100.5)
			at := 101.0
			if tt.run != nil {
				at = tt.run(b)
			}
			held, unknown := b.until(at)
			require.Empty(t, unknown)
			require.GreaterOrEqual(t, held, tt.held)
			require.Less(t, held, tt.held+heldSlack)
		})
	}
}

// TestShardEndOfOthers: a node at which an order goes on that has ended here answers as before.
func TestShardEndOfOthers(t *testing.T) {
	b := newShardBed(t)
	i := b.order(1, -50, 100)
	b.publish(1, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(i, 1)}, ShardMoves: []health.ShardMove{shardMove(i, i.End)}})
	b.has(1)
	b.follow(1, 50)
	b.publish(100, nil)
	b.moved = b.moved[len(b.moved)-1:]
	b.has(100.5)
	b.open = nil
	_, unknown := b.until(101)
	require.Equal(t, []string{"has other orders"}, unknown)
	b.has(102)
	held, unknown := b.until(102)
	require.Empty(t, unknown)
	require.Less(t, held, float64(heldFloor+heldSlack))
}

// TestShardsOfAnOlderFile: an older version of the file allowed more, and caches may hold answers of it when an order moves shards.
func TestShardsOfAnOlderFile(t *testing.T) {
	for _, tt := range []struct {
		name  string
		moved float64
		held  float64
	}{
		{"at once", 10, 240 + 5},
		{"later", 100, 240 + 5 - 90},
		{"once that is forgotten", 300, heldMax},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newShardBed(t)
			b.zone = cellsZone(2, 240)
			b.publish(1, nil)
			b.zone = cellsZone(2, 30)
			b.publish(10, nil)
			i := b.order(1, tt.moved, 1000)
			b.follow(10, tt.moved-1)
			b.publish(tt.moved, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(i, 1)}, ShardMoves: []health.ShardMove{shardMove(i, i.End)}})
			held, unknown := b.until(tt.moved)
			require.Empty(t, unknown)
			require.GreaterOrEqual(t, held, tt.held)
			require.Less(t, held, tt.held+heldSlack)
		})
	}
}

// TestShardsOfAnOlderFileElsewhere: another node may answer by the older version until it says that it does not.
func TestShardsOfAnOlderFileElsewhere(t *testing.T) {
	b := newShardBed(t)
	b.zone = cellsZone(2, 240)
	b.publish(1, nil)
	b.zone = cellsZone(2, 30)
	b.publish(10, nil)
	b.has(10)
	b.other[0].Silent.Why = "serves other files"
	b.follow(10, 500)
	b.has(501)
	i := b.order(1, 502, 1000)
	b.publish(502, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(i, 1)}, ShardMoves: []health.ShardMove{shardMove(i, i.End)}})
	b.has(503)
	held, unknown := b.until(503)
	require.Empty(t, unknown)
	require.GreaterOrEqual(t, held, 240.0+5-2, "it may have done so until 501")
}

// TestShardsOfAnEarlierProcess: what an earlier process answered is in caches for as long as it may have said, and for nobody knows how long
// where that is not known.
func TestShardsOfAnEarlierProcess(t *testing.T) {
	b := newShardBed(t)
	b.Book().Raise(b.second(240))
	i := b.order(1, 10, 1000)
	b.publish(10, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(i, 1)}, ShardMoves: []health.ShardMove{shardMove(i, i.End)}})
	held, unknown := b.until(10)
	require.Empty(t, unknown)
	require.GreaterOrEqual(t, held, 240.0+5-10)
	b.opts.Greatest.Heard(0, "nobody knows", b.base)
	_, unknown = b.until(11)
	require.Equal(t, []string{"nobody knows"}, unknown)
}

// TestShardsMovedByHealth: what health moves stands as what orders move: by what is answered, and for as long as it is not answered again.
func TestShardsMovedByHealth(t *testing.T) {
	b := newShardBed(t)
	b.answers("50-99")
	b.publish(1, nil)
	require.Empty(t, b.what(1))
	b.answers("0-99", shardsMoved("0-49", "eu", "us"))
	b.publish(10, nil)
	held, unknown := b.until(10)
	require.Empty(t, unknown)
	require.GreaterOrEqual(t, held, float64(heldMax))
	require.Equal(t, []string{"cells 0-49 from eu to us"}, b.what(10))
	// Those of a ramp go back, and what the others left stands.
	b.answers("20-99", shardsMoved("0-19", "us", "eu"))
	b.publish(20, nil)
	require.Equal(t, []string{"cells 20-49 from eu to us", "cells 0-19 from us to eu"}, b.what(20))
	b.answers("50-99", shardsMoved("20-49", "us", "eu"))
	b.publish(30, nil)
	require.Equal(t, []string{"cells 0-19 from us to eu", "cells 20-49 from us to eu"}, b.what(30))
	require.True(t, b.final(70))
	require.Empty(t, b.what(1000))
}

// final tells whether all that stands at a second is forgotten.
func (b *shardBed) final(at float64) bool {
	b.follow(at)
	return !slices.ContainsFunc(b.Shown(), func(d Departure) bool { return !d.Bound.Final })
}

// TestShardsNotMoved: an order whose pool is not in service moves nothing, and one that keeps shards where health has them moves them from their home.
func TestShardsNotMoved(t *testing.T) {
	b := newShardBed(t)
	i := b.order(1, 0, 1000)
	b.answers("50-99")
	b.publish(1, nil)
	b.publish(10, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(i, 1)}})
	require.Empty(t, b.what(10), "eu takes over from us")
	b.answers("10-19,50-99", shardsMoved("10-19", "eu", "us"))
	b.publish(20, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(i, 1)}})
	require.Equal(t, []string{"cells 10-19 from eu to us"}, b.what(20), "us is back")
	b.answers("50-99", shardsMoved("10-19", "us", "eu"))
	b.publish(30, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(i, 1)}})
	require.Equal(t, []string{"cells 10-19 from us to eu"}, b.what(30), "us fails, and nobody says that eu is forgotten")

	b = newShardBed(t)
	i = b.order(1, 0, 1000)
	b.answers("0-99")
	b.publish(1, nil)
	b.publish(10, &health.ServiceView{Shards: []health.ShardOrder{shardsTo(i, 1)}})
	require.Equal(t, []string{"cells 10-19 from eu to us"}, b.what(10), "health had moved them long ago")
	b.publish(20, nil)
	require.Equal(t, []string{"cells 10-19 from eu to us"}, b.what(20), "us goes on answering them")
}

// TestShardsOfOthers: another node has let shards go once it has said, after the move, that it answers all of them from the same pools.
func TestShardsOfOthers(t *testing.T) {
	b := newShardBed(t)
	b.has(0)
	b.answers("50-99")
	b.publish(1, nil)
	b.answers("0-99", shardsMoved("0-49", "eu", "us"))
	b.publish(10, nil)
	why := func(at float64) []string {
		_, unknown := b.until(at)
		return unknown
	}
	says := func(heard float64, hash uint64) {
		b.has(heard)
		b.other[0].Cells, b.other[0].CellsAfter = map[ledger.OwnerKey]uint64{ledger.OwnerKeyOf("ord.example.org."): hash}, b.second(heard)
	}
	require.Equal(t, []string{"has not said from which pools it answers the shards"}, why(11))
	says(9, b.answered.Hash)
	require.Equal(t, []string{"has not said from which pools it answers the shards"}, why(12), "what it said before the move")
	says(12, b.answered.Hash+1)
	require.Equal(t, []string{"answers shards of the service from other pools"}, why(13))
	says(20, b.answered.Hash)
	held, unknown := b.until(20)
	require.Empty(t, unknown)
	require.GreaterOrEqual(t, held, float64(heldMax), "it may have answered so until then")
	require.Equal(t, b.second(20), b.Shown()[0].Bound.Confirmed[1].Given)

	// A node that says nothing for long takes nothing off the list.
	b.other[0].Silent.Why = "not heard since"
	require.Len(t, b.what(3600), 1)
	require.Equal(t, []string{"not heard since"}, why(3600))
}

// TestShardsAwayAtTheStart: an earlier process may have answered the homes of shards that health keeps from there.
func TestShardsAwayAtTheStart(t *testing.T) {
	for _, tt := range []struct {
		name    string
		earlier float64
		want    []string
	}{
		{"caches may hold answers of before", 60, []string{"cells 0-49 from eu to us"}},
		{"they do not", -60, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newShardBed(t)
			b.view = nil
			b.Book().Raise(b.second(tt.earlier))
			b.answers("0-99")
			b.publish(0, nil)
			require.Equal(t, tt.want, b.what(1))
			if tt.want != nil {
				held, _ := b.until(1)
				require.GreaterOrEqual(t, held, tt.earlier+5-1)
			}
		})
	}
}
