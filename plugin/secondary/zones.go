package secondary

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/durable"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

const (
	// fileVersion is that of the file of serials.
	fileVersion = 1
	// interval is how often it is looked whether a view has changed: secondaries get at most one version in that time.
	interval = 250 * time.Millisecond
	// share is a part of one processor: a large zone that changes all the time takes no more.
	share = 20
)

// Options are what Open needs; all are required.
type Options struct {
	// Path is the file of serials.
	Path string
	// Current is what is served; the snapshot is nil before there is one.
	Current *answer.Current
	// Compiler learns of serials, so that answers for the SOA have them.
	Compiler *answer.Compiler
	// Shut tells whether service names are not answered now.
	Shut   func() bool
	Logger *slog.Logger
}

// Zones are the zones that are transferred.
type Zones struct {
	opts Options
	// seen is the snapshot that was looked at last, until is when the next may be looked at; owned by Run.
	seen  *answer.Snapshot
	until time.Time

	mu    sync.Mutex // guards the rest
	zones map[string]*zone
	// listeners tell secondaries, by whom they were given.
	listeners map[any]listener
}

// A listener tells the secondaries of a zone. files is with what the paths of zone files begin that it is for.
type listener struct {
	files  string
	notify func(zone string) error
}

// file is what is on disk.
type file struct {
	Version int              `json:"version"`
	Zones   map[string]*zone `json:"zones"`
}

// ErrUnknown says of a zone that it is not transferred, ErrShut that it cannot be now.
var (
	ErrUnknown = errors.New("no zone for secondaries")
	ErrShut    = errors.New("service names are not answered now, nor transferred")
)

// Open reads the serials of earlier processes. Without them serials go on by the clock.
func Open(o Options) *Zones {
	t := &Zones{opts: o, listeners: make(map[any]listener)}
	var f file
	if err := durable.ReadJSON(o.Path, fileVersion, &f); err != nil && !errors.Is(err, fs.ErrNotExist) {
		o.Logger.Error("serials of transferred zones are forgotten: they go on by the clock", "file", o.Path, "err", err)
	}
	if t.zones = f.Zones; t.zones == nil {
		t.zones = make(map[string]*zone)
	}
	for name, z := range t.zones {
		o.Compiler.SetSerial(nil, name, z.Serial)
	}
	return t
}

// Run keeps the views up to date until ctx ends. The first time secondaries are told of all zones: they may have missed something.
func (t *Zones) Run(ctx context.Context) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for first := true; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := time.Now()
		if now.Before(t.until) {
			continue
		}
		changed := t.Look(now)
		if first {
			changed, first = t.names(), false
		}
		t.until = now.Add(share * time.Since(now))
		t.tell(changed)
	}
}

// Look compares the views with those before, and returns the zones that have another one. It must not run beside Run.
func (t *Zones) Look(now time.Time) (changed []string) {
	s := t.opts.Current.Load()
	if s == nil || s == t.seen {
		return nil
	}
	t.mu.Lock()
	was := t.zones
	t.mu.Unlock()
	next := make(map[string]*zone)
	for _, zv := range s.View.Zones {
		cfg := zv.Zone
		if cfg.Transfer == config.NoTransfer {
			continue
		}
		z := was[cfg.Name].next(s, cfg, now)
		if next[cfg.Name] = z; was[cfg.Name] == nil || was[cfg.Name].Serial != z.Serial {
			changed = append(changed, cfg.Name)
		}
	}
	for name, z := range was {
		if next[name] == nil {
			// A zone that is not transferred for a while goes on from where it was.
			next[name] = &zone{Serial: z.Serial, Hash: z.Hash}
		}
	}
	if len(changed) > 0 {
		if err := durable.WriteJSON(t.opts.Path, file{Version: fileVersion, Zones: next}); err != nil {
			// Secondaries stay with what they have until it can be written.
			t.opts.Logger.Error("transferred zones stay as they are: their serials could not be written", "err", err)
			return nil
		}
	}
	for name, z := range next {
		if z.soa != nil {
			t.opts.Compiler.SetSerial(s, name, z.Serial)
		}
	}
	t.mu.Lock()
	t.zones = next
	t.mu.Unlock()
	t.seen = s
	return changed
}

// names are the zones that are transferred.
func (t *Zones) names() (names []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, z := range t.zones {
		if z.soa != nil {
			names = append(names, name)
		}
	}
	return names
}

// Transfer is what somebody gets of a zone whose file's path begins with files, and who has a serial of it; 0 for nothing. The SOA is its
// first record, and its last one unless there is nothing new.
func (t *Zones) Transfer(name, files string, serial uint32) ([]dns.RR, error) {
	t.mu.Lock()
	z := t.zones[name]
	t.mu.Unlock()
	switch {
	case z == nil || z.soa == nil || !t.of(name, files):
		return nil, fmt.Errorf("%w: %s", ErrUnknown, name)
	case t.opts.Shut():
		return nil, ErrShut
	}
	return z.records(serial), nil
}

// of tells whether the path of the zone's file begins with files.
func (t *Zones) of(name, files string) bool {
	s := t.opts.Current.Load()
	if s == nil {
		return false
	}
	for _, zv := range s.View.Zones {
		if zv.Zone.Name == name {
			return strings.HasPrefix(zv.Zone.File, files)
		}
	}
	return false
}

// Listen has notify told of changes of zones whose files' paths begin with files, in place of what the key had before; nil ends that.
func (t *Zones) Listen(key any, files string, notify func(zone string) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if delete(t.listeners, key); notify != nil {
		t.listeners[key] = listener{files, notify}
	}
}

// tell tells listeners in the background: a secondary that does not answer takes seconds.
func (t *Zones) tell(zones []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.listeners {
		for _, zone := range zones {
			if !t.of(zone, l.files) {
				continue
			}
			go func() {
				if err := l.notify(zone); err != nil {
					t.opts.Logger.Warn("secondary not told", "zone", zone, "err", err)
				}
			}()
		}
	}
}
