package rollover

import (
	"errors"
	"io/fs"
	"time"

	"github.com/fairlead-dns/fairlead/config/durable"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

const (
	// FileName is the file in the state directory.
	FileName     = "rollover.json"
	savedVersion = 1
	// maxSaved bounds what is read, in octets: a kilobyte for each of 60,000 zones.
	maxSaved = 64 << 20
	// maxLeft bounds a time that is read: no TTL is longer (RFC 2181 section 8).
	maxLeft = 1 << 31
)

// saved is what is on disk. Times are what was left of them: for how long the node was away is not known for certain.
type saved struct {
	Version int `json:"version"`
	// Young is set while answers of before the record began may be in caches.
	Young bool                 `json:"young,omitempty"`
	Zones map[string]savedZone `json:"zones"`
}

type savedZone struct {
	// Faces are how the zone was answered when this was written: the present one first, then older ones whose answers may still have been under
	// way. Served is unset for a zone that has older ones alone.
	Served bool                 `json:"served,omitempty"`
	Faces  []*Face              `json:"faces,omitempty"`
	Keys   float64              `json:"keys_left_seconds"`
	All    float64              `json:"left_seconds"`
	First  float64              `json:"first_left_seconds"`
	Marks  map[string]savedSpan `json:"marks,omitempty"`
}

type savedSpan struct {
	Without float64 `json:"without_left_seconds"`
	With    float64 `json:"with_left_seconds"`
}

// load reads the record of earlier processes. Their last answers count as if they were given now.
func (r *Record) load(now time.Time) {
	if r.opts.Path == "" {
		return
	}
	r.file = durable.NewFile[saved](r.opts.Path, savedVersion, maxSaved)
	f, err := r.file.Load()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		to, aside := durable.SetAside(r.opts.Path)
		r.opts.Logger.Error("with which keys zones were answered is forgotten: steps of rollovers wait until caches have forgotten it too", "file", r.opts.Path, "kept_as", to, "err", errors.Join(err, aside))
	}
	r.dirty = true
	if r.young = err != nil || r.opts.Restored || f.Young; err != nil || r.opts.Restored {
		return
	}
	before := &faces{make(map[string]*Face)}
	for name, z := range f.Zones {
		p := &past{keys: now.Add(left(z.Keys)), all: now.Add(left(z.All)), first: now.Add(left(z.First)), marks: make(map[string]*span, len(z.Marks))}
		for m, s := range z.Marks {
			p.marks[m] = &span{now.Add(left(s.Without)), now.Add(left(s.With))}
		}
		r.past[name] = p
		for i, face := range z.Faces {
			if face == nil {
				continue
			}
			if i == 0 && z.Served {
				before.of[name] = face
			} else {
				r.end(name, face, now)
			}
		}
	}
	// The first swap of this process ends what is not answered any more.
	r.faces = before
}

func left(seconds float64) time.Duration {
	return time.Duration(min(max(seconds, -keptFor.Seconds()), maxLeft) * float64(time.Second))
}

// save has the file written if it lacks something. It needs mu held.
func (r *Record) save(now time.Time) {
	r.mind(now)
	if !r.dirty || r.file == nil {
		return
	}
	out := saved{Version: savedVersion, Young: r.young, Zones: make(map[string]savedZone, len(r.past))}
	r.dirty, r.rest = false, time.Time{}
	for name, p := range r.past {
		z := savedZone{Keys: p.keys.Sub(now).Seconds(), All: p.all.Sub(now).Seconds(), First: p.first.Sub(now).Seconds(), Marks: make(map[string]savedSpan, len(p.marks))}
		rest := ledger.Later(p.keys, p.all)
		for m, s := range p.marks {
			z.Marks[m] = savedSpan{s.without.Sub(now).Seconds(), s.with.Sub(now).Seconds()}
			rest = ledger.Later(rest, ledger.Later(s.without, s.with))
		}
		if f := r.faces.of[name]; f != nil {
			z.Served, z.Faces = true, append(z.Faces, f)
		}
		for _, c := range r.changes {
			if f := c.before.of[name]; f != nil && (c.after == nil || c.after.of[name] != f) {
				z.Faces = append(z.Faces, f)
			}
		}
		out.Zones[name] = z
		if rest.After(now) {
			// Written once more when it is over, so that a restart does not wait for it again.
			r.rest = ledger.Later(r.rest, rest)
		}
	}
	r.file.Save(out, r.kept)
}

// kept notes whether the file has been written. It is tried again at the next turn, and said once.
func (r *Record) kept(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.fault
	if r.fault = ""; err != nil {
		r.fault, r.dirty = err.Error(), true
	}
	if r.fault != "" && r.fault != was {
		r.opts.Logger.Error("with which keys zones are answered is not on disk: after a restart steps of rollovers would wait", "file", r.opts.Path, "err", err)
	}
}

// mind ends that the record does not know of answers that caches may hold.
func (r *Record) mind(now time.Time) {
	if !r.young || r.opts.Earlier == nil {
		return
	}
	if until, why := r.opts.Earlier(); why == "" && now.After(until) {
		r.young, r.dirty = false, true
	}
}
