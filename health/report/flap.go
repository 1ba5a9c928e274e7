package report

import (
	"time"
)

const (
	// maxLines is how many changes of one endpoint are logged within a flapWindow: the log of a night must not be one endpoint's.
	maxLines   = 6
	flapWindow = 10 * time.Minute
)

// flaps count the lines about each endpoint. Those whose window is over are forgotten when there is a new one.
type flaps map[string]*flap

// A flap is one endpoint that has changed since an instant: lines were logged, and unlogged changes were not.
type flap struct {
	since           time.Time
	lines, unlogged int
}

// admit tells whether a change of an endpoint is logged at now, whether it is the last one for the time being, and how many were not
// logged since the line before.
func (f flaps) admit(endpoint string, now time.Time) (log, last bool, unlogged int) {
	e := f[endpoint]
	if e == nil || now.Sub(e.since) >= flapWindow {
		if e != nil {
			unlogged = e.unlogged
		} else {
			f.forget(now)
		}
		e = &flap{since: now}
		f[endpoint] = e
	}
	if e.lines >= maxLines {
		e.unlogged++
		return false, false, 0
	}
	e.lines++
	return true, e.lines == maxLines, unlogged
}

// maxFlaps is beyond how many endpoints those are looked for whose window is over.
const maxFlaps = 1000

func (f flaps) forget(now time.Time) {
	if len(f) < maxFlaps {
		return
	}
	for name, e := range f {
		if now.Sub(e.since) >= flapWindow {
			delete(f, name)
		}
	}
}
