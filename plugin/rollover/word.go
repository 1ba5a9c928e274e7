package rollover

import (
	"slices"
	"time"
)

// A Word is what a node says of how it answered one zone, to another node. Durations travel; they do not have the transit allowance.
type Word struct {
	// Served is set while the node answers the zone, Signed while it does so with signatures.
	Served bool `json:"served"`
	Signed bool `json:"signed"`
	// Unknown says why the node does not know what it answered; empty where it does.
	Unknown string `json:"unknown,omitempty"`
	// Keys and All stand for marks that are not named: none that is given now has them.
	Keys float64 `json:"keys_left_seconds"`
	All  float64 `json:"left_seconds"`
	// First is for how long what others answered before the node began to is taken to be in caches.
	First float64 `json:"first_left_seconds"`
	Marks []Mark  `json:"marks"`
}

// A Mark is what answers have or lack: a key in the DNSKEY RRset, its signature over that, or over all else, or an algorithm.
type Mark struct {
	Name string `json:"name"`
	// Has is set while answers may be given that have it, Lacks while some may be given that do not.
	Has   bool `json:"has,omitempty"`
	Lacks bool `json:"lacks,omitempty"`
	// Without and With are for how long caches may hold answers without it, and with it, that are not given any more; negative for since when
	// they do not.
	Without float64 `json:"without_left_seconds"`
	With    float64 `json:"with_left_seconds"`
}

// Word is what this node says of a zone, whose name is in lower case with the final dot.
func (r *Record) Word(zone string, now time.Time) *Word {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := &Word{Served: r.faces.of[zone] != nil || r.changing(zone), Signed: r.faces.of[zone].signs(), Marks: []Mark{}}
	var floor time.Time
	if r.young && r.opts.Earlier != nil {
		floor, w.Unknown = r.opts.Earlier()
	}
	p := r.past[zone]
	if p == nil {
		// Never answered, as far as is known.
		p = &past{keys: floor, all: floor}
		if floor.IsZero() {
			p.keys, p.all = now.Add(-keptFor), now.Add(-keptFor)
		}
	}
	leftOf := func(t time.Time) float64 {
		if t.Before(floor) {
			t = floor
		}
		return max(t.Sub(now), -keptFor).Seconds()
	}
	w.Keys, w.All, w.First = leftOf(p.keys), leftOf(p.all), leftOf(p.first)
	for name, s := range p.marks {
		m := Mark{Name: name, Without: leftOf(s.without), With: leftOf(s.with)}
		m.Has, m.Lacks = r.given(zone, name)
		w.Marks = append(w.Marks, m)
	}
	return w
}

// SignedZones are the zones that are answered with signatures, sorted.
func (r *Record) SignedZones() (zones []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, f := range r.faces.of {
		if f.signs() {
			zones = append(zones, name)
		}
	}
	slices.Sort(zones)
	return zones
}

// Serves tells whether a zone is answered.
func (r *Record) Serves(zone string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.faces.of[zone] != nil
}

// of is what a word says of a mark.
func (w *Word) of(name string) Mark {
	for _, m := range w.Marks {
		if m.Name == name {
			return m
		}
	}
	m := Mark{Name: name, Lacks: w.Served, Without: w.All, With: w.All}
	if ofKeys(name) {
		m.Without, m.With = w.Keys, w.Keys
	}
	return m
}
