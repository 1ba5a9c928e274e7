package rollover

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/durable"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

const (
	// interval is how often it is looked whether older answers are out: what is noticed late counts for longer.
	interval = 250 * time.Millisecond
	// settled is for how long everything is over when that is written: no transit allowance is longer.
	settled = time.Minute
	// keptFor is for how long what no cache holds is remembered.
	keptFor = time.Hour
)

// Options are what a Record needs; Current and Logger are required.
type Options struct {
	// Path is the file that keeps the record; empty for none.
	Path string
	// Current is what is served.
	Current *answer.Current
	// Earlier is until when caches may hold service answers of earlier processes of this node; why says why that is not known. It is asked where
	// the record did not outlive them. Nil is for tests.
	Earlier func() (until time.Time, why string)
	// Restored is set where the state directory may be an older copy: the record counts as lost.
	Restored bool
	Logger   *slog.Logger
}

// A Record is with which keys this node has answered each zone, for as long as caches may hold it.
type Record struct {
	opts Options
	file *durable.File[saved] // nil without a path

	mu sync.Mutex // guards the rest
	// faces are those of the zones that are served; seen is what they were made from, in the order of the snapshot's zones.
	faces *faces
	seen  []seen
	past  map[string]*past
	// changes are swaps that are under way, or whose older answers may still be written.
	changes []*change
	// young is set while answers may be in caches that the record does not know of: there was none when this process started.
	young bool
	// dirty is set while the file lacks something; rest is when no deadline in it is ahead any more.
	dirty bool
	rest  time.Time
	// fault is why it could not be written last.
	fault string
}

// faces are by the name of the zone. They are never mutated.
type faces struct{ of map[string]*Face }

type seen struct {
	zone *config.Zone
	by   answer.Signing
}

// A change is a swap. after is nil while it is under way.
type change struct {
	before, after *faces
	quiet         <-chan struct{}
}

// past is until when caches may hold what a zone was answered with.
type past struct {
	// keys is about the DNSKEY RRset, all about everything; whatever it had and lacked.
	keys, all time.Time
	// first is the part of that which others answered before, as far as it can be guessed.
	first time.Time
	marks map[string]*span
}

// A span is until when caches may hold answers without a mark, and with it, that are not given any more.
type span struct{ without, with time.Time }

// until is when the last honest cache forgets what a mark is about.
func (p *past) until(mark string) time.Time {
	if ofKeys(mark) {
		return p.keys
	}
	return p.all
}

// span is that of a mark. One that was not there so far, or not for long, was lacked by all that was answered; or all of it had it.
func (p *past) span(mark string) span {
	if s := p.marks[mark]; s != nil {
		return *s
	}
	return span{p.until(mark), p.until(mark)}
}

// Open reads the record of earlier processes.
func Open(o Options) *Record {
	r := &Record{opts: o, faces: new(faces), past: make(map[string]*past)}
	r.load(time.Now())
	return r
}

// Around does a swap of what is served: either of a snapshot, or of what signs some of its zones. The channel that swap returns, and Around
// after it, closes when nobody answers with what was served before.
func (r *Record) Around(swap func() (quiet <-chan struct{})) <-chan struct{} {
	r.mu.Lock()
	c := &change{before: r.faces}
	r.changes = append(r.changes, c)
	r.mu.Unlock()
	quiet := swap()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.look(time.Now())
	c.quiet, c.after = quiet, r.faces
	if c.before == c.after {
		r.changes = slices.DeleteFunc(r.changes, func(o *change) bool { return o == c })
	}
	return quiet
}

// look takes in what is served. It needs mu held.
func (r *Record) look(now time.Time) {
	s := r.opts.Current.Load()
	if s == nil || r.unmoved(s) {
		return
	}
	next := make(map[string]*Face, len(s.View.Zones))
	r.seen = make([]seen, len(s.View.Zones))
	changed := len(r.faces.of) != len(s.View.Zones)
	for i, zv := range s.View.Zones {
		z, by := zv.Zone, s.Signing(i)
		r.seen[i] = seen{z, by}
		was, f := r.faces.of[z.Name], faceOf(z, by)
		if f.same(was) {
			next[z.Name] = was
			continue
		}
		next[z.Name], changed = f, true
		r.begin(z.Name, f, now)
		r.tell(z.Name, was, f)
	}
	if changed {
		r.faces, r.dirty = &faces{next}, true
	}
}

// unmoved tells whether no zone of s has another file, or other signatures, than when it was looked last.
func (r *Record) unmoved(s *answer.Snapshot) bool {
	if len(r.seen) != len(s.View.Zones) || len(r.seen) == 0 {
		return false
	}
	for i, zv := range s.View.Zones {
		if r.seen[i].zone != zv.Zone || !r.seen[i].by.Same(s.Signing(i)) {
			return false
		}
	}
	return true
}

// begin notes the marks that a zone has from now on.
func (r *Record) begin(zone string, f *Face, now time.Time) {
	p := r.past[zone]
	if p == nil {
		// Whoever answered the zone before, with other keys or none, is taken to have given the TTLs of now.
		p = &past{keys: now.Add(f.ttl(inSet(""))), all: now.Add(f.ttl(signed(""))), marks: make(map[string]*span)}
		p.keys = ledger.Later(p.keys, p.all)
		p.first = p.keys
		r.past[zone] = p
	}
	for _, m := range f.Marks {
		if p.marks[m] == nil {
			s := p.span(m)
			p.marks[m] = &s
		}
	}
}

// tell logs that a zone is answered with other keys.
func (r *Record) tell(zone string, was, is *Face) {
	switch {
	case was == nil || slices.Equal(was.Marks, is.Marks):
	case len(is.Marks) == 0:
		r.opts.Logger.Warn("zone answered without signatures: validators refuse it for as long as the parent, or a cache, has its DS", "zone", zone)
	default:
		r.opts.Logger.Info("zone answered with other keys", "zone", zone, "old", was.Marks, "new", is.Marks)
	}
}

// Run follows what is served until ctx ends.
func (r *Record) Run(ctx context.Context) error {
	// The file is written for as long as there may be something to write.
	disk, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	written := make(chan error, 1)
	if r.file == nil {
		written <- nil
	} else {
		go func() { written <- r.file.Run(disk) }()
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			r.turn(time.Now())
			stop()
			return <-written
		case <-tick.C:
			r.turn(time.Now())
		}
	}
}

// turn ends the changes whose older answers are all written.
func (r *Record) turn(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes = slices.DeleteFunc(r.changes, func(c *change) bool {
		if c.after == nil {
			return false
		}
		select {
		case <-c.quiet:
			for zone, f := range c.before.of {
				if c.after.of[zone] != f {
					r.end(zone, f, now)
				}
			}
			return true
		default:
			return false
		}
	})
	if !r.rest.IsZero() && now.After(r.rest.Add(settled)) {
		r.dirty = true
	}
	r.forget(now)
	r.save(now)
}

// end notes that a zone has been answered so until now.
func (r *Record) end(zone string, f *Face, now time.Time) {
	p := r.past[zone]
	if p == nil {
		return
	}
	r.dirty = true
	p.keys = ledger.Later(p.keys, now.Add(f.ttl(inSet(""))))
	p.all = ledger.Later(p.all, now.Add(f.ttl(signed(""))))
	for m, s := range p.marks {
		if until := now.Add(f.ttl(m)); f.has(m) {
			s.with = ledger.Later(s.with, until)
		} else {
			s.without = ledger.Later(s.without, until)
		}
	}
}

// forget drops what no cache holds. A mark stays while its zone's past is younger than itself, which would stand in for it.
func (r *Record) forget(now time.Time) {
	old := now.Add(-keptFor)
	for zone, p := range r.past {
		if r.changing(zone) || !p.keys.Before(old) || !p.all.Before(old) {
			continue
		}
		f := r.faces.of[zone]
		if f == nil {
			delete(r.past, zone)
			continue
		}
		maps.DeleteFunc(p.marks, func(m string, s *span) bool { return !f.has(m) && s.with.Before(old) })
	}
}

// changing tells whether a zone is, or may be, answered as it was before a change.
func (r *Record) changing(zone string) bool {
	return slices.ContainsFunc(r.changes, func(c *change) bool {
		f := c.before.of[zone]
		return f != nil && (c.after == nil || c.after.of[zone] != f)
	})
}

// given tells whether an answer of the zone that is being given may have a mark, and whether one may lack it.
func (r *Record) given(zone, mark string) (has, lacks bool) {
	note := func(f *Face) {
		if f != nil {
			has, lacks = has || f.has(mark), lacks || !f.has(mark)
		}
	}
	note(r.faces.of[zone])
	for _, c := range r.changes {
		if f := c.before.of[zone]; c.after == nil || c.after.of[zone] != f {
			note(f)
		}
	}
	return has, lacks
}
