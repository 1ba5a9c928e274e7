package probe

import (
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// place is where an entry is.
type place uint8

const (
	idle    place = iota // in the agenda
	waiting              // due, in a fifo
	running              // in flight
)

// An entry is one target in the schedule. Prober.mu guards it, except that its probe in flight owns the fields in the
// last group.
type entry struct {
	target     health.Target
	check      *prepared
	generation uint64
	// index is the entry's place in the agenda.
	index int32
	place place
	// removed is set when the target is no longer wanted; discard, when the probe in flight belongs to an earlier life.
	removed, discard bool
	// late is set while the last probe failed and took half of its time or more.
	late bool
	// probed is set when a result has counted.
	probed bool

	// next is when the next probe is due; while one is in flight, the one after it.
	next    time.Time
	phase   phase
	counter counter
	damper  damper
	// latency is the EWMA of Observation.LatencyEWMA.
	latency time.Duration
	// push is set where nothing is dialled: the entry is due when its lease ends.
	push *lease
}

// prepared is one check definition, ready for use by all its targets.
type prepared struct {
	check   *config.Check
	checker checker
	metrics *typeMetrics
	// err says why the check cannot be probed; its targets are then left out.
	err error
}
