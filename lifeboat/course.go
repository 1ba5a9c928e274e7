package lifeboat

import (
	"fmt"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const (
	// staleAfter is after how long without a word the node counts as out of reach.
	staleAfter = 5 * time.Second
	// DefaultGrace is for how long an address is carried on without a node where none said until when.
	DefaultGrace = time.Minute
)

// A word is what a node said last of an address, and when it was heard. Durations travel: the instants are by this machine's clock.
type word struct {
	api.LifeboatAddress
	heard time.Time
	// until and clamped are when caches have forgotten; zero while that is not known.
	until, clamped time.Time
}

// wordOf is what a node said, heard at now.
func wordOf(a api.LifeboatAddress, now time.Time) word {
	w := word{LifeboatAddress: a, heard: now}
	if a.RemainingSeconds != nil {
		w.until = now.Add(seconds(*a.RemainingSeconds))
	}
	if a.ClampedRemainingSeconds != nil {
		w.clamped = now.Add(seconds(*a.ClampedRemainingSeconds))
	}
	return w
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// A policy is how far a boat goes.
type policy struct {
	// clampedToo carries on until the caches of the second line have forgotten; grace is that of DefaultGrace.
	clampedToo bool
	grace      time.Duration
}

// A course is what to do about an address now.
type course struct {
	// carry forwards arrivals; over ends that for good.
	carry, over bool
	// until is the end as far as it is known; zero for not known. It is said, and held to while the node is out of reach.
	until time.Time
	// why is in words that change with the state alone. alone is set while the node is out of reach.
	why   string
	alone bool
	// returned is set where it is over because somebody answers it again.
	returned bool
}

// courseOf is what follows at now from the last word; carried tells whether the address was carried before.
func (p policy) courseOf(w *word, carried bool, now time.Time) course {
	alone := now.Sub(w.heard) > staleAfter
	switch w.State {
	case api.BoatAnswered:
		return course{over: carried, returned: carried, why: w.Text, alone: alone}
	case api.BoatRefused:
		return course{why: w.Text, until: w.until, alone: alone}
	case api.BoatForgot:
		if p.clampedToo && now.Before(w.clamped) && len(w.Targets) > 0 {
			return course{carry: true, until: w.clamped, why: "honest caches have forgotten it, those that clamp may hold it", alone: alone}
		}
		return course{over: true, why: w.Text}
	}
	until := w.until
	if p.clampedToo && !until.IsZero() {
		until = w.clamped
	}
	c := course{carry: true, until: until, why: w.Text, alone: alone}
	if !alone {
		return c
	}
	if until.IsZero() {
		c.until, c.why = w.heard.Add(p.grace), fmt.Sprintf("the node is out of reach and had not said until when: for %s at the longest", p.grace)
	} else {
		c.why = "the node is out of reach: until the last instant that it named"
	}
	if !now.Before(c.until) {
		return course{over: true, why: "the node is out of reach, and what it said last is over"}
	}
	return c
}
