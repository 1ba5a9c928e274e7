package ledger

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The classes of over-stayers. Who they are is not kept.
const (
	// StayedClamped came within the time of the second line: caches that clamp.
	StayedClamped = "clamped"
	// StayedBeyond came later: open connections, JVM caches, serve-stale, or who pins addresses.
	StayedBeyond = "beyond"
)

// maxUnread is how many counters that are not read have a line each: in an outage there are many.
const maxUnread = 3

// LateHits are requests that reached endpoints after they had left the answers, as somebody counted them.
type LateHits struct {
	// Count is how many, LastAt when the last one came. AfterBound is how many came later than an honest cache would have sent
	// them: from over-stayers, of which only the class is known.
	Count      uint64    `json:"count"`
	LastAt     time.Time `json:"last_at,omitzero"`
	AfterBound uint64    `json:"after_bound"`
	// ByClass splits AfterBound: clamped, within the second line's time, or beyond it.
	ByClass map[string]uint64 `json:"by_class,omitempty"`
	Source  string            `json:"source"`
}

// Counted are the requests that endpoints' own counters have counted since they left.
type Counted struct {
	LateHits
	// Unread says why a counter could not be read the last time, by POOL/ENDPOINT.
	Unread map[string]string `json:"unread,omitempty"`
}

// Add counts n requests that came after since and not later than at. Only those are late that cannot have come before the bound; a
// bound of zero is not known. It returns the class: empty for those that are not late.
func (h *LateHits) Add(n uint64, since, at, bound, clamped time.Time) (class string) {
	if n == 0 {
		return ""
	}
	h.Count += n
	h.LastAt = Later(h.LastAt, at)
	if bound.IsZero() || since.Before(bound) {
		return ""
	}
	class = StayedClamped
	if !since.Before(clamped) {
		class = StayedBeyond
	}
	if h.ByClass == nil {
		h.ByClass = make(map[string]uint64)
	}
	h.AfterBound += n
	h.ByClass[class] += n
	return class
}

// ClampedAt is when caches have forgotten that keep every answer for at least so long; zero while the bound is not known.
func (i *Incident) ClampedAt(atLeast, transit time.Duration) time.Time {
	b := Bound{Known: i.Known(), SafeAt: i.SafeAt, Quiet: i.LastAnswerAt}
	return b.Clamped(atLeast, transit)
}

// HitLines lay what arrived late over the bound, in words.
func (i *Incident) HitLines() (lines []string) {
	if i.LateHits != nil {
		lines = append(lines, i.hitLine(i.LateHits))
	}
	if c := i.Counted; c != nil {
		if c.Source != "" {
			lines = append(lines, i.hitLine(&c.LateHits))
		}
		names := slices.Sorted(maps.Keys(c.Unread))
		for k, name := range names {
			if k == maxUnread {
				lines = append(lines, fmt.Sprintf("late hits at %d more endpoints are not read", len(names)-k))
				break
			}
			lines = append(lines, fmt.Sprintf("late hits at %s are not read: %s", name, c.Unread[name]))
		}
	}
	return lines
}

func (i *Incident) hitLine(h *LateHits) string {
	var b strings.Builder
	fmt.Fprintf(&b, "late hits (%s): %d", h.Source, h.Count)
	if h.Count > 0 {
		fmt.Fprintf(&b, ", the last at %s", h.LastAt.UTC().Format("15:04:05.0 UTC"))
		switch d := h.LastAt.Sub(i.SafeAt); {
		case !i.Known():
		case d > 0:
			fmt.Fprintf(&b, ", %.1fs after the bound", d.Seconds())
		default:
			fmt.Fprintf(&b, ", %.1fs before the bound", -d.Seconds())
		}
	}
	fmt.Fprintf(&b, "; over-stayers: %d", h.AfterBound)
	for _, class := range slices.Sorted(maps.Keys(h.ByClass)) {
		fmt.Fprintf(&b, ", %d %s", h.ByClass[class], class)
	}
	return b.String()
}
