package departure

import (
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/event"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

const (
	// Departures are put together as they happen, but while manyOut of them stand only once in followPause: what that leaves out is shown
	// within a second.
	manyOut     = 1000
	followPause = 100 * time.Millisecond
	// maxApart bounds the holdings whose bounds are put together while other names answer the same RDATA.
	maxApart = 20_000
	// shownFinal is how long a departure is shown after it is final, where the model does not know the endpoint any more.
	shownFinal = 10 * time.Minute
	// MaxStanding bounds for how long one is kept that does not become final, where the model does not know the endpoint any more.
	MaxStanding = 24 * time.Hour
)

// Words are what the nodes say at one instant.
type Words interface {
	// Said are the words of all configured nodes about a subject: a holding, or, with a zero owner, RDATA under all names.
	Said(of ledger.Key) []ledger.Said
	// Heard is what all configured nodes know of those who were given a subject by feeds, which left this node's answers at an instant.
	Heard(of ledger.Key, left time.Time) ledger.Heard
	// Others are the other configured nodes, as to whether they answer as this one does; alone is set where there is no cluster.
	Others() (others []Other, alone bool)
	// Name is that of this node, Open what orders it has.
	Name() string
	Open() []health.Intent
}

// Options are what a Set is made of.
type Options struct {
	Book *ledger.Book
	// Ledger is what answers are stamped in, Greatest the greatest TTL that they carry.
	Ledger   *ledger.Ledger
	Greatest *ledger.Greatest
	Started  time.Time
	// Transit is how late a resolver may still accept an answer.
	Transit time.Duration
	Without health.Guards
	Events  *event.Log
	Logger  *slog.Logger
}

// A Set is the departures of this node that stand. Make it with New.
type Set struct {
	opts Options
	book *ledger.Book
	// all are those that stand: of RDATA under all names, or of a holding where other names still answer the RDATA.
	all map[ledger.Key]*departure
	// followed is when they were last brought in line with what the nodes say.
	followed time.Time
	// claimed is set once what an earlier process may have answered stands.
	claimed bool
	shown   atomic.Pointer[[]Departure] // swapped, never mutated
	// moved are names that are answered elsewhere, movedCells the shards that the latest view moved.
	moved      []*movedNames
	movedCells []Left
	// shardOrders are the orders about shards, view is what was published last, and deadlines are those of orders about shards in it.
	shardOrders map[health.IntentID]*shardOrder
	view        *health.View
	deadlines   map[deadlineKey]shardDeadline
	// answered is from where shards are answered since then; cells is set where a service of the view has cells.
	answered []ledger.ServiceShards
	cells    bool
	// longer is what older versions of files allowed, by service, while caches may hold answers of it.
	longer  map[string]olderTTL
	takings takings
}

// New is a set of which nothing is known.
func New(o Options) *Set {
	s := &Set{opts: o, book: o.Book, all: make(map[ledger.Key]*departure), shardOrders: make(map[health.IntentID]*shardOrder), longer: make(map[string]olderTTL)}
	s.shown.Store(new([]Departure))
	return s
}

// Shown are the departures, as of the last second, by RDATA and owner. It may be called from any goroutine.
func (s *Set) Shown() []Departure { return *s.shown.Load() }

// Answered is from where the shards of services with cells are answered.
func (s *Set) Answered() []ledger.ServiceShards { return s.answered }

// Book is what answers carry and what has left them.
func (s *Set) Book() *ledger.Book { return s.book }

// BoundOf is the bound of a subject for what began at since, by the words of now where it does not stand, or was forgotten before: nodes that were
// not heard may have answered it again in between. void are nodes that answered it after it was known to be out, again those that do since it was
// forgotten.
func (s *Set) BoundOf(of ledger.Key, words Words, since, now time.Time) (b ledger.Bound, void, again []Void, stands bool) {
	d := s.all[of]
	if d != nil && (d.finalAt.IsZero() || !d.finalAt.Before(since)) {
		return d.bound, d.void, d.again, true
	}
	b = ledger.Compose(words.Said(of), now, s.opts.Transit, s.opts.Without)
	if d == nil {
		return b, nil, nil, false
	}
	for _, c := range b.Confirmed {
		b.Final = b.Final && !c.Given.Before(since)
	}
	return b, d.void, d.again, true
}

// Final tells whether RDATA that has left all names is forgotten.
func (s *Set) Final(k ledger.RDataKey) bool {
	d := s.all[ledger.Key{RData: k}]
	return d != nil && d.bound.Final
}

// Len is how many stand.
func (s *Set) Len() int { return len(s.all) }

// Many tells whether so many stand that not all is told of them all the time.
func (s *Set) Many() bool { return len(s.all) >= manyOut }

// Due tells whether departures are to be put together now that some happened.
func (s *Set) Due(now time.Time) bool { return !s.Many() || now.Sub(s.followed) >= followPause }

// Follow puts together what is known of everything that is out. ask is set where words are missing that echo a round which is made from now on.
func (s *Set) Follow(words Words, w *ledger.Whereabouts, now time.Time) (ask bool) {
	s.followed = now
	stand := make(map[ledger.Key]bool, len(s.all))
	shown := make([]Departure, 0, len(s.all))
	apart := 0
	for _, k := range slices.SortedFunc(maps.Keys(s.book.Absences()), func(a, b ledger.RDataKey) int { return slices.Compare(a[:], b[:]) }) {
		a := s.book.Absences()[k]
		if !s.book.Answered(k) {
			of := ledger.Key{RData: k}
			stand[of] = true
			ask = s.bring(of, a.Left(), words, now) || ask
			shown = append(shown, s.showWhole(a, w)...)
			continue
		}
		for owner, st := range a.Names {
			if apart++; apart > maxApart {
				break
			}
			of := ledger.Key{Owner: owner, RData: k}
			stand[of] = true
			ask = s.bring(of, st.Left, words, now) || ask
			shown = append(shown, s.showApart(of, st, w))
		}
	}
	maps.DeleteFunc(s.all, func(of ledger.Key, _ *departure) bool { return !stand[of] })
	s.sweep(w, now)
	shown = append(shown, s.movedAway(words, now)...)
	s.shown.Store(&shown)
	return ask
}

// bring brings the departure of a subject in line with what is known now: another one if it left anew. ask is set where words are missing that were
// given after the instant.
func (s *Set) bring(of ledger.Key, left time.Time, words Words, now time.Time) (ask bool) {
	d := s.all[of]
	if d == nil || !d.since.Equal(left) {
		d = &departure{since: left}
		s.all[of] = d
	}
	d.heard = words.Heard(of, left)
	b := ledger.Compose(words.Said(of), now, s.opts.Transit, s.opts.Without)
	if d.bound.Final {
		// What was is certain. What a node does after its word is a new fact: it leaves anew once that node lets go of it.
		back := d.again != nil
		d.again = answering(nil, &b, now)
		if d.again != nil || b.Final || !back && !answeredSince(&d.bound, &b) {
			return false
		}
		d.finalAt, d.asked = time.Time{}, false
	}
	if d.bound.Known && b.Void {
		d.void = answering(d.void, &b, now)
		s.opts.Logger.Warn("a bound that was known is void: a node answers again", "nodes", len(b.Unknown))
	}
	if b.Known {
		// What nobody was told of was forgotten before it left.
		b.SafeAt = ledger.Later(b.SafeAt, left)
	}
	if d.bound = b; b.Final {
		d.finalAt = now
	} else if b.Known && !d.asked && !now.Before(b.SafeAt) {
		// What is missing are words that were given after the instant: they echo a round that is made from now on.
		d.asked = true
		return true
	}
	return false
}

// answeredSince tells whether a node says that it answered it after the word by which was became final: it was not heard meanwhile.
func answeredSince(was, is *ledger.Bound) bool {
	for _, c := range is.Confirmed {
		k := slices.IndexFunc(was.Confirmed, func(o ledger.Confirmation) bool { return o.Node == c.Node })
		if c.Answered && k >= 0 && c.Quiet.After(was.Confirmed[k].Given) {
			return true
		}
	}
	return false
}

// answering adds the nodes that answer what b is about to list.
func answering(list []Void, b *ledger.Bound, now time.Time) []Void {
	for _, u := range b.Unknown {
		if u.Answering {
			list = append(list, Void{Node: u.Node, At: now})
		}
	}
	return list
}

// showWhole is what has left all names, once for each endpoint that it is of.
func (s *Set) showWhole(a *ledger.Absence, w *ledger.Whereabouts) (shown []Departure) {
	d := s.all[ledger.Key{RData: a.Key}]
	byLabel := make(map[ledger.Label]*Departure)
	for _, st := range a.Names {
		one := byLabel[st.Label]
		if one == nil {
			one = shownOf(st, d, w)
			byLabel[st.Label] = one
		}
		if st.Service != "" && !slices.Contains(one.Services, st.Service) {
			one.Services = append(one.Services, st.Service)
		}
		one.Outstanding = one.Outstanding.Plus(s.book.Curve(st))
	}
	for _, one := range byLabel {
		slices.Sort(one.Services)
		shown = append(shown, *one)
	}
	slices.SortFunc(shown, func(a, b Departure) int { return a.Label.Compare(b.Label) })
	return shown
}

// showApart is a holding whose RDATA other names answer.
func (s *Set) showApart(of ledger.Key, st *ledger.Standing, w *ledger.Whereabouts) Departure {
	one := shownOf(st, s.all[of], w)
	one.Owner, one.Service, one.Outstanding = st.Owner, st.Service, s.book.Curve(st)
	if st.Service != "" {
		one.Services = []string{st.Service}
		if !one.Drained {
			one.Drained = w.DrainedFor(st)
		}
	}
	return *one
}

func shownOf(st *ledger.Standing, d *departure, w *ledger.Whereabouts) *Departure {
	one := &Departure{Label: st.Label, RData: st.RData, Since: d.since, Bound: d.bound, Void: slices.Clone(d.void), Again: d.again, Heard: d.heard}
	if v := w.Of(st); v != nil {
		one.Known, one.Drained, one.Down = true, v.Drained, !v.InService() && !v.Pending()
	}
	return one
}

// sweep forgets what nobody needs to know any more: it is not of the model, and final, or has stood for very long.
func (s *Set) sweep(w *ledger.Whereabouts, now time.Time) {
	for k, a := range s.book.Absences() {
		for owner, st := range a.Names {
			if w.Of(st) != nil && st.Service != "" && w.Serves(st.Service) {
				continue
			}
			d := s.all[ledger.Key{RData: k}]
			if d == nil {
				d = s.all[ledger.Key{Owner: owner, RData: k}]
			}
			if d != nil && (!d.finalAt.IsZero() && now.Sub(d.finalAt) > shownFinal || now.Sub(d.since) > MaxStanding) {
				s.book.Forget(st.Holding)
			}
		}
	}
}

// Claim has everything of a view stand that is down or drained at the start: an earlier process may have answered it.
func (s *Set) Claim(v *health.View, now time.Time) {
	if s.claimed || !now.Before(s.book.Earlier().Add(s.opts.Transit)) {
		return
	}
	s.claimed = true
	for _, zv := range v.Zones {
		for si, svc := range zv.Zone.Services {
			for _, pool := range svc.Pools {
				for ei, ev := range zv.Pools[pool].Endpoints {
					ref := health.EndpointRef{Pool: pool, Endpoint: ei}
					if (ev.InService() || ev.Pending()) && !zv.Drained(si, ref) {
						continue
					}
					for _, rdata := range zv.Zone.Carried(svc, pool, ei) {
						s.book.Claim(ledger.Holding{Owner: svc.Name, RData: rdata}, svc.Name, ledger.LabelOf(zv.Zone, pool, ei), s.opts.Started)
					}
				}
			}
		}
	}
}
