package geo

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// pollEvery is how often files are looked at. A version counts when two looks in a row see it, so that a file that is
// being written is not read: a new one is in use within 10 s.
const pollEvery = 5 * time.Second

// Options are the surroundings of Databases.
type Options struct {
	// Logger gets changes of state; nil means none.
	Logger *slog.Logger
	// Registerer gets the metrics; nil means none.
	Registerer prometheus.Registerer
}

// Databases are the geo databases of a node. The zero value is not usable; see New.
type Databases struct {
	logger  *slog.Logger
	metrics *metrics
	// order numbers the files that were read.
	order atomic.Uint64

	// set is swapped, never mutated; nil until Use.
	set atomic.Pointer[Set]

	mu sync.Mutex // guards swaps of set, and the rest
	// watched has an entry for each file of set, by path.
	watched map[string]*watch
}

// A watch is what is known of a file beyond the version in use.
type watch struct {
	// pending is a version that was seen once, refused one that cannot be used.
	pending, refused stamp
	// failing is why the file as it is on disk is not in use; empty while it is.
	failing string
}

// nowhere is what is known without a database. It is never written to.
var nowhere = new(Place)

// New makes Databases without a file.
func New(opts Options) (*Databases, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	m, err := newMetrics(opts.Registerer)
	if err != nil {
		return nil, err
	}
	return &Databases{logger: opts.Logger, metrics: m, watched: make(map[string]*watch)}, nil
}

// Read reads and verifies the files at paths, in the order in which they are believed. What is in use stays in use. The
// error names every file that cannot be used.
func (d *Databases) Read(paths []string) (*Set, error) { return read(paths, d.set.Load(), &d.order) }

// Use puts what Read has read in force. A file of which Run has found a newer version since keeps that.
func (d *Databases) Use(s *Set) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.set.Load()
	for _, db := range s.databases {
		if now := old.of(db.path); now != nil && now.order > db.order {
			s = s.with(now)
		}
	}
	before := d.watched
	d.watched = make(map[string]*watch)
	names := make(map[string]bool)
	for _, db := range s.databases {
		if d.watched[db.path] = before[db.path]; d.watched[db.path] == nil || old.of(db.path) != db {
			d.watched[db.path] = new(watch)
			d.loaded(db)
		}
		names[db.name] = true
	}
	if old != nil {
		for _, db := range old.databases {
			if !names[db.name] {
				d.metrics.drop(db.name)
			}
		}
	}
	d.set.Store(s)
}

func (d *Databases) loaded(db *database) {
	d.metrics.use(db)
	m := &db.reader.Metadata
	d.logger.Info("geo database loaded", "file", db.path, "type", m.DatabaseType, "built", m.BuildTime().UTC())
}

// Empty tells whether there is no database to ask.
func (d *Databases) Empty() bool {
	s := d.set.Load()
	return s == nil || len(s.databases) == 0
}

// Locate is what is known of addr; the zero Place if nothing is. An IPv4-mapped address is taken as IPv4, and its Bits count
// all of the 128. The result is shared and must not be written to.
func (d *Databases) Locate(addr netip.Addr) (p *Place) {
	s := d.set.Load()
	if s == nil || len(s.databases) == 0 || !addr.IsValid() {
		return nowhere
	}
	defer func() {
		// Verified files give no reason to; a mistake in the reader must not cost answers.
		if recover() != nil {
			d.metrics.lookupFailures.Inc()
			p = &Place{Bits: addr.BitLen()}
		}
	}()
	p, failed := s.locate(addr)
	if failed {
		d.metrics.lookupFailures.Inc()
	}
	return p
}

// Run looks at the files until ctx ends.
func (d *Databases) Run(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			d.poll()
		}
	}
}

// poll looks at each file once.
func (d *Databases) poll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.set.Load()
	if s == nil {
		return
	}
	for _, db := range s.databases {
		if next := d.look(db, d.watched[db.path]); next != nil {
			s = s.with(next)
			d.set.Store(s)
		}
	}
}

// look is the new version of db's file, if there is one that can be used and two looks saw it.
func (d *Databases) look(db *database, w *watch) *database {
	at, err := statFile(db.path)
	switch {
	case err != nil:
		w.pending, w.refused = stamp{}, stamp{}
		d.failed(db, w, err)
		return nil
	case at.equal(db.stamp):
		w.pending, w.refused = stamp{}, stamp{}
		d.healed(db, w)
		return nil
	case at.equal(w.refused):
		return nil
	case !at.equal(w.pending):
		w.pending = at
		return nil
	}
	w.pending = stamp{}
	next, bad, err := readDatabase(db.path)
	if err != nil {
		w.refused = bad
		d.failed(db, w, err)
		return nil
	}
	next.order = d.order.Add(1)
	*w = watch{}
	d.loaded(next)
	return next
}

// failed notes that the file cannot be used as it is. It is said once for each reason.
func (d *Databases) failed(db *database, w *watch, err error) {
	why := err.Error()
	if w.failing == why && w.refused.info == nil {
		return
	}
	w.failing = why
	d.metrics.current.WithLabelValues(db.name).Set(0)
	d.metrics.reloadFailures.WithLabelValues(db.name).Inc()
	d.logger.Error("geo database not usable, the last good version goes on", "file", db.path, "err", err)
}

// healed notes that the file is again what is in use.
func (d *Databases) healed(db *database, w *watch) {
	if w.failing == "" {
		return
	}
	w.failing = ""
	d.metrics.current.WithLabelValues(db.name).Set(1)
	d.logger.Info("geo database usable again", "file", db.path)
}
