package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/durable"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/round"
)

const (
	issuedName    = "ledger.json"
	issuedVersion = 1
)

// issued is what the engine knows of answers that caches may hold. It is owned by Run's goroutine.
type issued struct {
	book *ledger.Book
	// count counts the endpoints that left for good, so that news of that travel at once.
	count uint64
	// ceilings are the longest TTLs that answers for the services of a zone may have that are still in caches.
	ceilings map[string]ceiling
	// departures are those of the endpoints that are out, by number.
	departures map[int]*departure
}

// A ceiling is the longest TTL in force in a zone, and that of earlier versions of its file, until those answers are forgotten.
type ceiling struct {
	now, older time.Duration
	until      time.Time
}

// The file, on disk: a process that starts anew does not know what the one before it answered, but for how long at most.
type savedIssued struct {
	Version int `json:"version"`
	// MaxTTLSeconds is by zone.
	MaxTTLSeconds map[string]float64 `json:"max_ttl_seconds"`
}

// openIssued begins the book, before anything is answered.
func (e *Engine) openIssued(now time.Time) error {
	saved, err := readIssued(e.opts.State)
	if err != nil {
		return err
	}
	// Nobody knows what the disk forgot; the file of the zone says how long an answer lives.
	start := make(map[string]time.Time)
	var longest time.Time
	for zone, seconds := range saved.MaxTTLSeconds {
		start[zone] = now.Add(time.Duration(seconds * float64(time.Second)))
		if start[zone].After(longest) {
			longest = start[zone]
		}
	}
	floor := func(zone string) time.Time {
		if t, ok := start[zone]; ok {
			return t
		}
		return longest
	}
	for _, z := range e.opts.Model.Zones {
		if t := now.Add(ceilingOf(z)); t.After(floor(z.Name)) {
			start[z.Name] = t
		}
	}
	e.issued = issued{
		book: ledger.NewBook(e.opts.Ledger, floor, e.opts.Without), ceilings: make(map[string]ceiling), departures: make(map[int]*departure),
	}
	for zone, seconds := range saved.MaxTTLSeconds {
		e.issued.ceilings[zone] = ceiling{older: time.Duration(seconds * float64(time.Second)), until: start[zone]}
	}
	e.issueModel(now)
	return nil
}

func readIssued(dir string) (saved savedIssued, err error) {
	if dir == "" {
		return saved, nil
	}
	path := filepath.Join(dir, issuedName)
	err = durable.ReadJSON(path, issuedVersion, &saved)
	if errors.Is(err, fs.ErrNotExist) {
		return saved, nil
	}
	if err != nil {
		return saved, fmt.Errorf("%s: %w (remove it once nothing that was answered before can be in a cache)", path, err)
	}
	return saved, nil
}

// ceilingOf is the longest TTL of an answer for a service of the zone.
func ceilingOf(z *config.Zone) (most time.Duration) {
	for _, p := range z.Pools {
		most = max(most, ledger.Ceiling(z, p))
	}
	return most
}

// issueModel makes the model in force, which nobody is answered from yet, that of the book.
func (e *Engine) issueModel(now time.Time) {
	i := &e.issued
	for _, z := range e.cur.model.Zones {
		c := i.ceilings[z.Name]
		is := ceilingOf(z)
		if c.now > is && now.Add(c.now).After(c.until) {
			c.older, c.until = max(c.older, c.now), now.Add(c.now)
		}
		c.now = is
		i.ceilings[z.Name] = c
	}
	names := make(map[string]*departure, len(i.departures))
	for n, d := range i.departures {
		names[i.book.Name(n)] = d
	}
	i.book.SetModel(e.cur.model, now)
	i.departures = make(map[int]*departure, len(names))
	for name, d := range names {
		if n, ok := i.book.Find(name); ok {
			i.departures[n] = d
		}
	}
	e.dropMembers(now)
	e.keepIssued()
}

// keepIssued writes the ceilings: a longer TTL is on disk before it is answered.
func (e *Engine) keepIssued() {
	if e.opts.State == "" {
		return
	}
	saved := savedIssued{Version: issuedVersion, MaxTTLSeconds: make(map[string]float64)}
	for zone, c := range e.issued.ceilings {
		saved.MaxTTLSeconds[zone] = max(c.now, c.older).Seconds()
	}
	if err := durable.WriteJSON(filepath.Join(e.opts.State, issuedName), saved); err != nil {
		e.opts.Logger.Error("longest TTLs not kept: after a restart the bound may be too early", "err", err)
	}
}

// expireCeilings forgets the TTLs of older files that nobody can hold an answer with any more.
func (e *Engine) expireCeilings(now time.Time) {
	changed := false
	for zone, c := range e.issued.ceilings {
		if c.older == 0 || now.Before(c.until) {
			continue
		}
		if c.older, changed = 0, true; c.now == 0 {
			delete(e.issued.ceilings, zone)
		} else {
			e.issued.ceilings[zone] = c
		}
	}
	if changed {
		e.keepIssued()
	}
}

// pollIssued does what time alone brings about answers in caches.
func (e *Engine) pollIssued(now time.Time) {
	if left := e.issued.book.Poll(now); len(left) > 0 {
		e.issued.count += uint64(len(left))
		if e.cluster != nil {
			e.cluster.urgent = true
		}
	}
	if e.ticks%tellTicks == 0 {
		e.expireCeilings(now)
		e.follow(now)
		e.followIncidents(now)
	}
}

// issuedPart is what this node tells of endpoints that it has left.
func (e *Engine) issuedPart(now time.Time) []byte {
	book := e.issued.book
	run := uint32(e.incarnation())
	return round.EncodeIssued(e.cur.model.Hash, run, book.Len(), func(i int) round.Issued {
		s := book.At(i)
		if s.State != ledger.Left {
			return round.Issued{}
		}
		return round.Issued{Left: true, Remaining: s.Until.Sub(now) + e.skew(), Age: now.Sub(s.Quiet), Epoch: round.Epoch{Run: run, Number: s.Swap()}}
	})
}

// skew is 0: nothing is told by a clock.
func (e *Engine) skew() time.Duration {
	if e.opts.Without.Without(health.GuardDurations) {
		return e.opts.Skew
	}
	return 0
}

// A departure is how an endpoint that this node does not answer any more leaves the caches.
type departure struct {
	since     time.Time
	confirmed map[string]confirmation
	void      []Void
	// bound is what was last put together.
	bound ledger.Bound
}

type confirmation struct {
	ledger.Confirmation
	epoch round.Epoch
}

// A Void is a node that served an endpoint again after it had confirmed that it left it.
type Void struct {
	Node string    `json:"node"`
	At   time.Time `json:"at"`
}

// A Departure is an endpoint that this node does not answer any more, and until when caches may hold it.
type Departure struct {
	// Zone and the indices of Zone.Pools and Pool.Endpoints say which.
	Zone           *config.Zone
	Pool, Endpoint int
	// Drained is set when an intent takes it out, else health does, or its tier has no turn.
	Drained, Down bool
	// Since is when this node's answers ceased to name it.
	Since time.Time
	Bound ledger.Bound
	Void  []Void
	// Outstanding is how many answers of this node alone that name it caches may hold, by second of expiry.
	Outstanding ledger.Curve
}

// follow puts together what is known of every endpoint that is out.
func (e *Engine) follow(now time.Time) {
	i := &e.issued
	shown := []Departure{}
	var configured []string
	if e.cluster != nil {
		configured = e.cluster.configured(now)
		e.mindFences(now)
	}
	n := -1
	for zi, z := range e.cur.model.Zones {
		for pi, p := range z.Pools {
			for ei := range p.Endpoints {
				n++
				s := i.book.At(n)
				if s.State == ledger.Serving {
					delete(i.departures, n)
					continue
				}
				d := i.departures[n]
				if d == nil || !d.since.Equal(s.Since) {
					d = &departure{since: s.Since, confirmed: make(map[string]confirmation)}
					i.departures[n] = d
				}
				e.compose(n, d, configured, now)
				v := e.cur.zones[zi].pools[pi].view.Endpoints[ei]
				shown = append(shown, Departure{
					Zone: z, Pool: pi, Endpoint: ei,
					Drained: v.Drained, Down: !v.InService() && !v.Pending(), Since: d.since, Bound: d.bound, Void: slices.Clone(d.void),
					Outstanding: i.book.Curve(n),
				})
			}
		}
	}
	e.shownLeft.Store(&shown)
}

// Departures are the endpoints that this node does not answer, in the order of the files, as of the last second.
func (e *Engine) Departures() []Departure { return *e.shownLeft.Load() }

// compose asks every configured node's word about endpoint n; configured is empty for a node alone.
func (e *Engine) compose(n int, d *departure, configured []string, now time.Time) {
	var silent []ledger.Silent
	most := e.issued.book.Ceiling(n)
	if own := e.issued.book.At(n); own.State == ledger.Left {
		until := own.Quiet.Add(ledger.Slow(own.Until.Sub(own.Quiet)))
		d.confirmed[e.opts.Node] = confirmation{Confirmation: ledger.Confirmation{Node: e.opts.Node, Quiet: own.Quiet, Until: until}}
	} else {
		silent = append(silent, ledger.Silent{Node: e.opts.Node, Since: now, Why: "has answers under way"})
	}
	if c := e.cluster; c != nil {
		for _, name := range configured {
			if name == c.self {
				continue
			}
			if s := e.ask(n, name, d, most, now); s != nil {
				silent = append(silent, *s)
			}
		}
		for name, at := range c.removed {
			if _, ok := d.confirmed[name]; !ok && name != c.self {
				d.confirmed[name] = stoppedAt(name, at, most)
			}
		}
	}
	confirmed := make([]ledger.Confirmation, 0, len(d.confirmed))
	for _, name := range slices.Sorted(maps.Keys(d.confirmed)) {
		confirmed = append(confirmed, d.confirmed[name].Confirmation)
	}
	d.bound = ledger.Compose(confirmed, silent, e.opts.Transit, e.opts.Without)
}

// stoppedAt is an operator's word that a node did not run from an instant on.
func stoppedAt(name string, at time.Time, most time.Duration) confirmation {
	return confirmation{Confirmation: ledger.Confirmation{Node: name, Quiet: at, Until: at.Add(ledger.Slow(most)), Stopped: true}}
}

// ask brings d in line with what another node says; it returns why the node has not confirmed, or nil.
func (e *Engine) ask(n int, name string, d *departure, most time.Duration, now time.Time) *ledger.Silent {
	c := e.cluster
	p := c.peers[name]
	was, confirmed := d.confirmed[name]
	if p != nil {
		said, at, ok := p.issued.Look(e.cur.model.Hash, n)
		current := ok && now.Sub(at) < freshFor
		if current && !said.Left && p.fresh && !p.statusAt.IsZero() && !p.status.Answering {
			// It would answer with it if it answered.
			current = false
		}
		switch {
		case current && said.Left:
			said.Remaining -= e.skew()
			d.hear(name, said, at)
			return nil
		case current:
			if confirmed && !was.Stopped {
				d.void = append(d.void, Void{Node: name, At: at})
				e.opts.Logger.Warn("a node serves an endpoint again that it had left", "node", name, "number", n)
			}
			delete(d.confirmed, name)
			return &ledger.Silent{Node: name, Since: at, Why: "still answers with it"}
		}
	}
	if confirmed {
		// Its word stands: it keeps the endpoint out unless somebody says otherwise, and then it says so.
		return nil
	}
	if at, ok := c.stopped[name]; ok {
		d.confirmed[name] = stoppedAt(name, at, most)
		return nil
	}
	if at, ok := c.lease.fences[name]; ok {
		d.confirmed[name] = fencedAt(name, at, most)
		return nil
	}
	switch {
	case p == nil:
		return &ledger.Silent{Node: name, Why: "not in this node's roster"}
	case p.at.IsZero():
		return &ledger.Silent{Node: name, Why: "never heard"}
	case p.fresh && !p.statusAt.IsZero() && p.status.Config != e.cur.model.Hash:
		return &ledger.Silent{Node: name, Since: p.at, Why: "runs another configuration"}
	case p.fresh && !p.statusAt.IsZero() && !p.status.Answering:
		return &ledger.Silent{Node: name, Since: p.at, Why: "answers no service names now, and has not said that it left"}
	case p.fresh:
		return &ledger.Silent{Node: name, Since: p.at, Why: "has not said"}
	}
	return &ledger.Silent{Node: name, Since: p.at, Why: "not heard since", LeaseSeconds: p.heard.Lease.Seconds(), Conditional: p.at.Add(ledger.Slow(most))}
}

// hear takes in a node's word that it left, at the given instant. Of several words about one departure the earliest end counts:
// all of them are late by their way alone.
func (d *departure) hear(name string, said round.Issued, at time.Time) {
	next := confirmation{Confirmation: ledger.Confirmation{
		Node: name, Quiet: at.Add(-said.Age), Until: at.Add(ledger.Slow(said.Remaining)),
	}, epoch: said.Epoch}
	was, ok := d.confirmed[name]
	switch {
	case !ok || was.Stopped:
	case was.Fenced:
		// It is back, and may have answered with it before it left.
		if next.Until.After(was.Until) {
			d.void = append(d.void, Void{Node: name, At: at})
		}
	case said.Epoch == was.epoch || said.Age == round.IssuedAge:
		if was.Until.Before(next.Until) {
			next.Until = was.Until
		}
		if was.Quiet.Before(next.Quiet) {
			next.Quiet = was.Quiet
		}
		next.epoch = was.epoch
	default:
		d.void = append(d.void, Void{Node: name, At: at})
	}
	d.confirmed[name] = next
}
