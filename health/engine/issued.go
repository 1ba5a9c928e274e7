package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
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
	// Departures are put together as they happen, but while manyOut endpoints are out only once in followPause: what that leaves out is
	// shown within a second.
	manyOut     = 1000
	followPause = 100 * time.Millisecond
)

// issued is what the engine knows of answers that caches may hold. It is owned by Run's goroutine.
type issued struct {
	book *ledger.Book
	// count counts how often endpoints left for good, so that news of that travel at once.
	count uint64
	// ceilings are the longest TTLs that answers for the services of a zone may have that are still in caches.
	ceilings map[string]ceiling
	// departures are those of the endpoints that are out, by number; lacking those that one service lacks.
	departures map[int]*departure
	lacking    map[lack]*departure
	// followed is when they were last brought in line with what the nodes say.
	followed time.Time
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
		lacking: make(map[lack]*departure),
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
	// Numbers of services are others now; what the nodes say of them is heard anew within a second.
	i.lacking = make(map[lack]*departure)
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
	if _, news := e.issued.book.Poll(now); news {
		e.issued.count++
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
