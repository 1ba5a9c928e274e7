package ledger

import (
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A State is where an endpoint stands between being answered and being forgotten by this node.
type State uint8

// The states.
const (
	// Serving: it is in answers.
	Serving State = iota
	// Leaving: no new answer names it; one that does may still be under way.
	Leaving
	// Left: the last answer that names it has been written.
	Left
)

// A Standing is that of one endpoint on this node. It is a value.
type Standing struct {
	State State
	// Since is when it came to serve, or when the snapshot without it was swapped in.
	Since time.Time
	// Quiet is when it was certain that the last answer with it had been written; set for Left.
	Quiet time.Time
	// Until is when the last of those answers expires, in a cache that got it at once; set for Left.
	Until time.Time

	slot Slot
	name string
	// swap is the number of the swap that took it out.
	swap uint64
	// ceiling is the longest TTL that an answer with it may have, floor the one of an answer in trouble.
	ceiling, floor time.Duration
}

// An Endpoint is one of a model: indices of Model.Zones, Zone.Pools and Pool.Endpoints.
type Endpoint struct{ Zone, Pool, Endpoint int }

// A Book follows which endpoints this node answers with. It is owned by one goroutine. Its endpoints are numbered through the
// model, in its order.
type Book struct {
	ledger *Ledger
	guards health.Guards
	// floor says until when an answer of an earlier process may live, by zone.
	floor func(zone string) time.Time

	model *config.Model
	// first is the number of the first endpoint of each pool, by zone and pool.
	first [][]int
	all   []Standing
	// numbers are those of the endpoints by name, as ZONE/POOL/ENDPOINT.
	numbers map[string]int
	// leaving are the numbers of those that are, some of them twice.
	leaving []int
	// swaps counts the snapshots that were replaced; those in pending may still have answers under way, oldest first.
	swaps   uint64
	pending []swap
	// quiet is the number of the newest swap before which nothing is under way any more.
	quiet uint64

	// services are how what each service does not name stands, numbered through the model; firstService is the number of the first of
	// each zone, and dropping is what is Leaving, some of it twice.
	services     []*dropper
	firstService []int
	// serviceNumbers are those of the services by name, as ZONE/SERVICE.
	serviceNumbers map[string]int
	dropping       []dropped
	// ceilings are the longest TTLs of all services that there ever were, by name as ZONE/SERVICE.
	ceilings map[string]time.Duration
}

type swap struct {
	number uint64
	quiet  <-chan struct{}
	at     time.Time
}

// uncounted is how long a guard of the simulator gives answers under way.
const uncounted = 250 * time.Millisecond

// over tells whether no answer of the snapshot that was replaced is under way.
func (s *swap) over(now time.Time, guards health.Guards) bool {
	return closed(s.quiet) || guards.Without(health.GuardQuiesce) || guards.Without(health.GuardCounted) && now.Sub(s.at) >= uncounted
}

// A Swap is a snapshot that took the place of another one.
type Swap struct {
	// Left are in no answer of the new snapshot and were in some of the old one, Entered the other way round; by the model of
	// the new one.
	Left, Entered []Endpoint
	// Dropped are the services that name less than before.
	Dropped []Drop
	// Quiet closes when no answer of the old one is under way any more.
	Quiet <-chan struct{}
}

// NewBook makes the book of a process that begins. floor says until when answers that an earlier process gave may live, by
// zone.
func NewBook(l *Ledger, floor func(zone string) time.Time, guards health.Guards) *Book {
	return &Book{ledger: l, floor: floor, guards: guards, ceilings: make(map[string]time.Duration)}
}

// SetModel makes m the model of what follows. Endpoints of the same name go on as they stood; a new one stands as if it had
// just been taken out.
func (b *Book) SetModel(m *config.Model, now time.Time) {
	was := make(map[Slot]Standing, len(b.all))
	for _, s := range b.all {
		was[s.slot] = s
	}
	b.model, b.first, b.all, b.leaving, b.numbers = m, make([][]int, len(m.Zones)), b.all[:0:0], nil, make(map[string]int, len(b.all))
	for zi, z := range m.Zones {
		for _, p := range z.Pools {
			b.first[zi] = append(b.first[zi], len(b.all))
			ceiling := Ceiling(z, p)
			for _, e := range p.Endpoints {
				slot := b.ledger.Slot(z.Name, p.Name, e.Name)
				s, ok := was[slot]
				if !ok {
					s = Standing{State: Leaving, Since: now, slot: slot, swap: b.swaps, name: z.Name + "/" + p.Name + "/" + e.Name}
				}
				// What the older file allowed is in caches for that long at most.
				s.ceiling, s.floor = max(s.ceiling, ceiling), floorOf(z, p)
				if s.State == Leaving {
					b.leaving = append(b.leaving, len(b.all))
				}
				b.numbers[s.name] = len(b.all)
				b.all = append(b.all, s)
			}
		}
	}
	b.setServices(m, now)
}

// Ceiling is the longest TTL that an answer which names an endpoint of p may have. SRV records lead to an address with a TTL
// of its own.
func Ceiling(z *config.Zone, p *config.Pool) time.Duration {
	var most, host uint32
	for _, i := range p.Services {
		svc := z.Services[i]
		most = max(most, svc.TTL.Max)
		if svc.SRV != nil {
			host = 1
		}
	}
	return time.Duration(most+host*most) * time.Second
}

// floorOf is the TTL in seconds that answers with an endpoint of p have while it is in trouble.
func floorOf(z *config.Zone, p *config.Pool) (most time.Duration) {
	for _, i := range p.Services {
		most = max(most, time.Duration(z.Services[i].TTL.Min)*time.Second)
	}
	return most
}

// Number is the number of an endpoint; Len is how many there are, and At how one stands.
func (b *Book) Number(e Endpoint) int { return b.first[e.Zone][e.Pool] + e.Endpoint }

// Len is how many endpoints the model has.
func (b *Book) Len() int { return len(b.all) }

// At is how the endpoint of a number stands.
func (b *Book) At(number int) Standing { return b.all[number] }

// Ceiling is the longest TTL that an answer with the endpoint of a number may have.
func (b *Book) Ceiling(number int) time.Duration { return b.all[number].ceiling }

// Published notes that a snapshot took the place of another one.
func (b *Book) Published(w Swap, now time.Time) {
	b.swaps++
	b.pending = append(b.pending, swap{b.swaps, w.Quiet, now})
	for _, e := range w.Left {
		n := b.Number(e)
		s := &b.all[n]
		s.State, s.Since, s.swap = Leaving, now, b.swaps
		b.leaving = append(b.leaving, n)
	}
	for _, e := range w.Entered {
		s := &b.all[b.Number(e)]
		s.State, s.Since = Serving, now
	}
	b.drop(w.Dropped, now)
}

// Poll finds out which endpoints have left for good, and returns their numbers; news is set too when a service has dropped some for good.
func (b *Book) Poll(now time.Time) (left []int, news bool) {
	for len(b.pending) > 0 && b.pending[0].over(now, b.guards) {
		b.quiet, b.pending = b.pending[0].number, b.pending[1:]
	}
	keep := b.leaving[:0]
	for _, n := range b.leaving {
		s := &b.all[n]
		switch {
		case s.State != Leaving:
		case s.swap > b.quiet:
			keep = append(keep, n)
		default:
			b.freeze(n, now)
			left = append(left, n)
		}
	}
	b.leaving = keep
	return left, b.pollServices(now) > 0 || len(left) > 0
}

// freeze notes until when the last answer with an endpoint lives. All of them have been written and stamped.
func (b *Book) freeze(n int, now time.Time) {
	s := &b.all[n]
	s.State, s.Quiet, s.Until = Left, now, b.ledger.Until(s.slot)
	if b.guards.Without(health.GuardWindow) {
		s.Until = now.Add(s.floor)
	}
	if earlier := b.earlier(n); earlier.After(s.Until) && !b.guards.Without(health.GuardStart) {
		s.Until = earlier
	}
	if s.Until.Before(now) || b.guards.Without(health.GuardStamp) {
		// Nothing that names it is about.
		s.Until = now
	}
}

// earlier is until when an answer of an earlier process that names the endpoint may live.
func (b *Book) earlier(n int) time.Time {
	for zi := len(b.first) - 1; zi >= 0; zi-- {
		if len(b.first[zi]) > 0 && b.first[zi][0] <= n {
			return b.floor(b.model.Zones[zi].Name)
		}
	}
	return time.Time{}
}

// Swap is the number of the swap that took the endpoint out; 0 if it was out at the start.
func (s Standing) Swap() uint64 { return s.swap }

// Name is the endpoint of a number, as ZONE/POOL/ENDPOINT; Find is the other way round.
func (b *Book) Name(number int) string { return b.all[number].name }

// Find is the number of the endpoint of a name; ok is unset if the model has none.
func (b *Book) Find(name string) (number int, ok bool) {
	number, ok = b.numbers[name]
	return number, ok
}

// Curve is how many answers that name the endpoint of a number may be in caches at this moment.
func (b *Book) Curve(number int) Curve { return b.ledger.Curve(b.all[number].slot, b.ledger.Now()) }

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
