package departure

import (
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

const (
	// ElsewhereShownFor is how long what is answered elsewhere is shown once the older answers are forgotten.
	ElsewhereShownFor = 5 * time.Minute
	// elsewhereHeard is how much later than it is heard to serve the same files a node can have ceased to answer by the older ones.
	elsewhereHeard = 2 * time.Second
)

// An Other is what is known of another configured node, as to whether it answers as this one does.
type Other struct {
	Node string
	// Silent says why it may answer as before: it is not heard, joins, or serves other files. Its Why is empty for one that is heard and serves
	// the same.
	Silent ledger.Silent
	// Stopped is when an operator declared that it does not run; zero for never.
	Stopped time.Time
	// SameOrders is set while it says that it has the orders of this node, all and no others. Starts are when those about shards begin there.
	SameOrders bool
	Starts     map[health.IntentID]time.Time
	// Cells are, of services with cells, what is the same for nodes that answer their shards from the same pools; it said so after it had heard
	// what this node told at CellsAfter.
	Cells      map[ledger.OwnerKey]uint64
	CellsAfter time.Time
	// Heard is when it was heard last, Greatest the greatest TTL that it told of.
	Heard    time.Time
	Greatest time.Duration
}

// given is up to when it is known what it answers.
func (o *Other) given() time.Time {
	if o.Cells != nil {
		return o.CellsAfter
	}
	return o.Heard
}

// movedNames are names of a service that are answered with other addresses since a file was taken up, or since an order began or ended, while
// those that they had are answered for other names: cells with another home, and a name that was the wildcard's.
type movedNames struct {
	zone, service string
	// before is the service that answered them.
	before string
	// what they are, in words.
	what string
	// shards are those that moved, from one pool, or what takes over from it; nil for others.
	shards       config.Shards
	from, to     string
	since, until time.Time
	// ttl is the greatest of answers before, floor the one that is given in any case.
	ttl, floor time.Duration
	// orders are those by which answers of this node since bounded, about all of the shards, had a deadline that came when they moved; nil where
	// some had none.
	orders  []health.IntentID
	bounded time.Time
	// quiet closes when no answer from before is under way any more; nil once that was seen.
	quiet <-chan struct{}
	// said are the nodes that answer by the same files and orders, and have been reckoned with.
	said map[string]bool
	// final is the bound once all had said so after no honest cache held an older answer; it is no final one before.
	final ledger.Bound
}

func newMoved(zone string, moved *config.MovedNames, now time.Time) *movedNames {
	return &movedNames{
		zone: zone, service: moved.Service, before: moved.Before.Name, what: moved.What, shards: moved.Shards, from: moved.From, to: moved.To,
		since: now, until: now, said: make(map[string]bool),
		ttl: time.Duration(moved.Before.TTL.Max) * time.Second, floor: time.Duration(moved.Before.TTL.Min) * time.Second,
	}
}

// moveNames notes the names that are answered otherwise than by the older configuration, where no address left the answers for that. Those of
// cells have been noted when the view was published.
func (s *Set) moveNames(old, model *config.Model, quiet <-chan struct{}, now time.Time) (left []Left) {
	zones := make(map[string]*config.Zone, len(model.Zones))
	for _, z := range model.Zones {
		zones[z.Name] = z
	}
	for _, was := range config.Replaced(old.Zones, model.Zones) {
		is := zones[was.Name]
		if is == nil {
			continue
		}
		for _, moved := range config.MovedFromWildcards(was, is) {
			m := newMoved(was.Name, &moved, now)
			m.quiet = quiet
			s.holdOwn(m, now)
			s.moved = append(s.moved, m)
			left = append(left, Left{Label: ledger.Label{Zone: was.Name}, Owner: m.service, RData: m.what, Service: m.service, Why: moved.Why, Expires: m.until})
		}
	}
	return append(left, s.movedCells...)
}

// An olderTTL is what an older version of a file allowed answers of a service: caches may hold them, given until an instant.
type olderTTL struct {
	ttl   time.Duration
	until time.Time
}

// noteTTL notes the services whose answers may carry less from now on.
func (s *Set) noteTTL(was, is *config.Zone, now time.Time) {
	for _, old := range was.Services {
		at := slices.IndexFunc(is.Services, func(svc *config.Service) bool { return svc.Name == old.Name })
		if at >= 0 && old.TTL.Min <= is.Services[at].TTL.Min && old.TTL.Max <= is.Services[at].TTL.Max {
			continue
		}
		s.longer[old.Name] = olderTTL{max(s.longer[old.Name].ttl, time.Duration(old.TTL.Max)*time.Second), now}
	}
}

// followTTL forgets what caches have forgotten of older versions: nodes that may not serve the same files go on answering by those.
func (s *Set) followTTL(others []Other, now time.Time) {
	serves := slices.ContainsFunc(others, func(o Other) bool { return o.Stopped.IsZero() && o.Silent.Why != "" })
	for name, o := range s.longer {
		if serves {
			o.until = now
			s.longer[name] = o
		} else if now.After(o.until.Add(elsewhereHeard + ledger.Slow(o.ttl))) {
			delete(s.longer, name)
		}
	}
}

// holdOlder has caches hold what older versions of the file allowed, as long as a node may have answered by them; greatest is that of its answers.
func (s *Set) holdOlder(m *movedNames, greatest time.Duration) {
	if o, some := s.longer[m.before]; some {
		m.hold(o.until.Add(elsewhereHeard), min(o.ttl, greatest), s.opts.Transit)
	}
}

// holdOwn has caches hold what this node answered before an instant, at which it ceased to.
func (s *Set) holdOwn(m *movedNames, now time.Time) {
	greatest := s.opts.Greatest.Told()
	s.holdOlder(m, greatest)
	ttl := min(m.ttl, greatest)
	if m.orders != nil {
		m.hold(m.bounded, ttl, s.opts.Transit)
		ttl = m.floor
	}
	m.hold(now, ttl, s.opts.Transit)
}

// hold has caches hold answers that were given until an instant with at most a TTL.
func (m *movedNames) hold(given time.Time, ttl, transit time.Duration) {
	m.until = ledger.Later(m.until, given.Add(ledger.Slow(ttl)+transit))
}

// holdOf has caches hold what another node may have answered until now.
func (s *Set) holdOf(m *movedNames, o *Other, now time.Time) {
	greatest := max(s.opts.Greatest.Told(), o.Greatest)
	s.holdOlder(m, greatest)
	ttl := min(m.ttl, greatest)
	if since, had := s.deadline(m, o.Node); had {
		m.hold(since, ttl, s.opts.Transit)
		ttl = m.floor
	}
	m.hold(now.Add(elsewhereHeard), ttl, s.opts.Transit)
}

// movedAway are the departures of names that moved.
func (s *Set) movedAway(words Words, now time.Time) (list []Departure) {
	if len(s.moved) == 0 && len(s.longer) == 0 && len(s.shardOrders) == 0 && !s.cells {
		// No name can move that an order, or another node, has to be asked about.
		return nil
	}
	others, alone := words.Others()
	s.followShards(words.Open(), others, now)
	s.followTTL(others, now)
	s.moved = slices.DeleteFunc(s.moved, func(m *movedNames) bool {
		return now.Sub(m.until) > ElsewhereShownFor && !s.stands(m) && (m.final.Final || now.Sub(m.since) > MaxStanding)
	})
	for _, m := range s.moved {
		d := Departure{
			Label: ledger.Label{Zone: m.zone}, RData: m.what, Moved: true, Shards: m.shards, Services: []string{m.service}, Service: m.service, Since: m.since,
		}
		d.Bound, d.Again = s.movedBound(m, others, words.Name(), alone, now)
		list = append(list, d)
	}
	return list
}

// stands tells whether an order about some of the shards that moved is in force: then somebody may ask whether they are safe.
func (s *Set) stands(m *movedNames) bool {
	if s.view == nil {
		return false
	}
	for _, zv := range s.view.Zones {
		for i, scoped := range zv.Scoped {
			if zv.Zone.Services[i].Name == m.service && slices.ContainsFunc(scoped.Shards, func(o health.ShardOrder) bool { return o.Shards.Meets(m.shards) }) {
				return true
			}
		}
	}
	return false
}

// movedBound is when caches have forgotten what names that moved were answered with; again are nodes that may answer so again although it was
// certain that they did not.
func (s *Set) movedBound(m *movedNames, others []Other, own string, alone bool, now time.Time) (b ledger.Bound, again []Void) {
	unknown, confirmed := s.older(m, others, own, now)
	if m.final.Final {
		for _, u := range unknown {
			if u.Answering {
				again = append(again, Void{Node: u.Node, At: now})
			}
		}
		return m.final, again
	}
	if len(unknown) > 0 {
		return ledger.Bound{Unknown: unknown, Lower: m.until}, nil
	}
	b = ledger.Bound{Known: true, SafeAt: m.until, Quiet: m.since}
	for _, c := range confirmed {
		c.Quiet, c.Until = m.since, m.until
		b.Confirmed = append(b.Confirmed, c)
	}
	// A word counts as fresh for so long: later than that, all of them were given after the instant.
	after := m.until
	if !alone {
		after = after.Add(health.HeardFor)
	}
	if b.Final = now.After(after); b.Final {
		m.final = b
	}
	return b, nil
}

// older are the nodes that may answer as before the names moved, since they serve other files, have other orders or are not heard, and those that
// do not. One that an operator has declared stopped answers nothing since then.
func (s *Set) older(m *movedNames, others []Other, own string, now time.Time) (unknown []ledger.Silent, confirmed []ledger.Confirmation) {
	unknown, confirmed = s.olderHere(m, own, now), []ledger.Confirmation{{Node: own, Given: now}}
	for i := range others {
		o := &others[i]
		why := o.Silent
		switch {
		case !o.Stopped.IsZero():
			m.hold(o.Stopped, max(m.ttl, o.Greatest), s.opts.Transit)
			continue
		case why.Why != "":
		case len(m.shards) > 0 && (!o.SameOrders || !s.sameMoves(m, o, now)):
			why = ledger.Silent{Why: "has other orders", Answering: true}
		default:
			why = s.shardsOf(m, o)
		}
		if why.Why == "" {
			if !m.said[o.Node] {
				s.holdOf(m, o, now)
				m.said[o.Node] = true
			}
			confirmed = append(confirmed, ledger.Confirmation{Node: o.Node, Given: o.given()})
			continue
		}
		why.Node = o.Node
		delete(m.said, o.Node)
		unknown = append(unknown, why)
	}
	return unknown, confirmed
}

// shardsOf says why another node may answer shards from where they were; its Why is empty where it does not.
func (s *Set) shardsOf(m *movedNames, o *Other) ledger.Silent {
	answered := s.answeredOf(m.service)
	if answered == nil || len(m.shards) == 0 {
		return ledger.Silent{}
	}
	switch is, said := o.Cells[ledger.OwnerKeyOf(m.service)]; {
	case !said || o.CellsAfter.Before(m.since):
		return ledger.Silent{Why: "has not said from which pools it answers the shards"}
	case is != answered.Hash:
		return ledger.Silent{Why: "answers shards of the service from other pools", Answering: true}
	}
	return ledger.Silent{}
}

// olderHere says why this node itself may answer as before, or may have.
func (s *Set) olderHere(m *movedNames, own string, now time.Time) []ledger.Silent {
	if why := s.opts.Greatest.Unnamed(); why != "" {
		return []ledger.Silent{{Node: own, Why: why}}
	}
	m.until = ledger.Later(m.until, s.book.Earlier().Add(s.opts.Transit))
	if m.quiet == nil {
		return nil
	}
	s.holdOwn(m, now)
	select {
	case <-m.quiet:
		m.quiet = nil
		return nil
	default:
		return []ledger.Silent{{Node: own, Why: "still writes an answer from before", Answering: true}}
	}
}
