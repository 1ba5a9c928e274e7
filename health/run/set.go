package run

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

const (
	// MaxOpen bounds the runs that have not ended.
	MaxOpen = 10
	// maxKept bounds the runs that are kept, maxSet those that are believed, maxSize what they come to in JSON: they fit a reply between nodes.
	maxKept = 30
	maxSet  = 3 * maxKept
	maxSize = 800 << 10
)

// A set is runs by id. Its methods write nothing that another set has.
type set map[string]*Run

// parseSet reads what encode wrote.
func parseSet(b []byte) (set, error) {
	var doc document
	d := json.NewDecoder(bytes.NewReader(b))
	// A newer node may know more: what is not known here would be lost by a merge, so nothing of it is taken.
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	if doc.Version != version {
		return nil, fmt.Errorf("version %d of runs, want %d", doc.Version, version)
	}
	if len(doc.Runs) > maxSet {
		return nil, fmt.Errorf("%d runs", len(doc.Runs))
	}
	s := make(set, len(doc.Runs))
	for _, r := range doc.Runs {
		if r == nil {
			return nil, fmt.Errorf("no run")
		}
		if err := r.validate(); err != nil {
			return nil, err
		}
		if s[r.ID] != nil {
			return nil, fmt.Errorf("run %s stands twice", r.ID)
		}
		// Sorted, and without a key twice.
		s[r.ID] = r.merge(r)
	}
	return s, nil
}

const version = 1

type document struct {
	Version int    `json:"version"`
	Runs    []*Run `json:"runs"`
}

// list is all runs, the latest first.
func (s set) list() []*Run {
	all := make([]*Run, 0, len(s))
	for _, r := range s {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *Run) int {
		if c := b.StartedAt.Compare(a.StartedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all
}

// encode is the same for the same set, on every node.
func (s set) encode() ([]byte, error) {
	return json.Marshal(document{Version: version, Runs: s.list()})
}

// merge is what either has, without what there is no room for: the earliest that have ended.
func (s set) merge(o set) set {
	out := make(set, len(s)+len(o))
	for id, r := range s {
		out[id] = r
	}
	for id, r := range o {
		if was := out[id]; was != nil {
			r = was.merge(r)
		}
		out[id] = r
	}
	return out.collect()
}

// collect drops the earliest runs that have ended, beyond what is kept.
func (s set) collect() set {
	kept, size := 0, 0
	for _, r := range s.list() {
		b, err := json.Marshal(r)
		if err != nil {
			// Strings, numbers and times can be written.
			panic("run: " + err.Error())
		}
		if kept, size = kept+1, size+len(b); r.Over() && (kept > maxKept || size > maxSize) {
			delete(s, r.ID)
			kept, size = kept-1, size-len(b)
		}
	}
	return s
}

func (s set) equal(o set) bool {
	if len(s) != len(o) {
		return false
	}
	for id, r := range s {
		other := o[id]
		if other == nil || r.header() != other.header() || !slices.EqualFunc(r.Entries, other.Entries, func(a, b Entry) bool { return a.compare(&b) == 0 }) {
			return false
		}
	}
	return true
}
