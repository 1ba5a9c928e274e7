package ledger

import (
	"fmt"
	"strings"
	"time"
)

// Listeners are what one node knows of those who were given what has left its answers: subscribers of its feeds, which acknowledge versions.
type Listeners struct {
	// Rows are departures of what subscribers held; a departure without one is of what none did, unless Cut is set: then some are left out.
	Rows []Listening
	Cut  bool
}

// A Listening is a departure of RDATA that subscribers of a node held.
type Listening struct {
	RData RDataKey
	// At is when it left the node's answers.
	At time.Time
	// Confirmed have acknowledged a version without it, the last of them so long after At. Waiting have not yet; Liars acknowledged what they
	// were not sent, and are not believed. Silent lost their stream before they confirmed, and may keep what they were given; that of Ended has
	// expired. The first of both was last heard at Since, and what the last was given expires at Until.
	Confirmed, Waiting, Liars, Silent, Ended int
	Last                                     time.Duration
	Since, Until                             time.Time
}

// Heard is what all nodes together know of those who were given something that has left.
type Heard struct {
	Confirmed, Waiting, Liars, Silent, Ended int
	Last                                     time.Duration
	Since, Until                             time.Time
	// Feeds is set where a node has feeds at all. Unknown are nodes that have not said who listens to them, in words.
	Feeds   bool
	Unknown []string
}

// Add adds what one node knows.
func (h *Heard) Add(l *Listening) {
	h.Confirmed += l.Confirmed
	h.Waiting += l.Waiting
	h.Liars += l.Liars
	h.Silent += l.Silent
	h.Ended += l.Ended
	h.Last, h.Until = max(h.Last, l.Last), Later(h.Until, l.Until)
	if h.Since.IsZero() || !l.Since.IsZero() && l.Since.Before(h.Since) {
		h.Since = l.Since
	}
}

// Told is how many were given it.
func (h *Heard) Told() int { return h.Confirmed + h.Open() }

// Open is how many of those have not confirmed.
func (h *Heard) Open() int { return h.Waiting + h.Liars + h.Silent + h.Ended }

// Worse tells whether less is known by h than by o.
func (h *Heard) Worse(o *Heard) bool {
	if a, b := len(h.Unknown), len(o.Unknown); a != b {
		return a > b
	}
	if a, b := h.Open(), o.Open(); a != b {
		return a > b
	}
	if h.Last != o.Last {
		return h.Last > o.Last
	}
	return h.Told() > o.Told()
}

// Line says it in words, with instants by clock.
func (h *Heard) Line(clock func(time.Time) string) string {
	var parts []string
	switch {
	case len(h.Unknown) > 0 && h.Told() == 0:
		return "subscribers: unknown: " + strings.Join(h.Unknown, ", ")
	case h.Told() == 0:
		return "subscribers: none was given it"
	case h.Confirmed == 0:
		parts = append(parts, fmt.Sprintf("0 of %d confirmed", h.Told()))
	default:
		parts = append(parts, fmt.Sprintf("%d of %d confirmed at +%.1f s", h.Confirmed, h.Told(), (h.Last+50*time.Millisecond-1).Truncate(50*time.Millisecond).Seconds()))
	}
	if h.Waiting > 0 {
		parts = append(parts, fmt.Sprintf("%d not yet", h.Waiting))
	}
	if n := h.Silent + h.Ended; n > 0 {
		text := fmt.Sprintf("%d silent since %s", n, clock(h.Since))
		if h.Silent > 0 {
			text += ", may keep it until " + clock(h.Until)
		} else {
			text += ", expired by " + clock(h.Until)
		}
		parts = append(parts, text)
	}
	if h.Liars > 0 {
		parts = append(parts, fmt.Sprintf("%d not believed: acknowledged what was not sent", h.Liars))
	}
	if len(h.Unknown) > 0 {
		parts = append(parts, "unknown: "+strings.Join(h.Unknown, ", "))
	}
	return "subscribers: " + strings.Join(parts, "; ")
}
