package ledger

import (
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

// drift is the part of a duration by which two clocks may go apart in it: 1/2000 is 500 ppm (RELIABILITY.md E6).
const drift = 2000

// Slow is d with what a clock may lag behind in that time.
func Slow(d time.Duration) time.Duration { return d + d/drift }

// A Confirmation is a node's word that it has left an endpoint.
type Confirmation struct {
	Node string `json:"node"`
	// Quiet is when its last answer with the endpoint had been written at the latest, Until when that answer expires.
	Quiet time.Time `json:"quiet"`
	Until time.Time `json:"until"`
	// Stopped is set where it is an operator's word, that the node does not run.
	Stopped bool `json:"stopped,omitempty"`
	// Fenced is set where it is a majority's word, that the node's lease ended.
	Fenced bool `json:"fenced,omitempty"`
}

// A Silent is a configured node that has not confirmed.
type Silent struct {
	Node string `json:"node"`
	// Since is when it was last heard; zero for never.
	Since time.Time `json:"since,omitzero"`
	Why   string    `json:"why"`
	// LeaseSeconds is after how long it stops answering by itself once no majority hears it; 0 for never.
	LeaseSeconds float64 `json:"lease_seconds,omitempty"`
	// Conditional is when caches have forgotten what it answered, if it stopped when it was last heard; zero if it was not.
	Conditional time.Time `json:"conditional,omitzero"`
}

// A Bound says when the last honest cache has forgotten an endpoint.
type Bound struct {
	// Known is set when every configured node has confirmed. SafeAt is the bound then, and zero else.
	Known  bool
	SafeAt time.Time
	// Lower is what is known at least: the greatest over those that confirmed. Conditional is the bound if every silent node
	// stopped when it was last heard; zero if one never was, or is heard and has not left.
	Lower, Conditional time.Time
	// Quiet is when the last answer had been written, by those who confirmed.
	Quiet     time.Time
	Confirmed []Confirmation
	Unknown   []Silent
}

// Compose puts together what the configured nodes say. transit is how late a resolver may still accept an answer.
func Compose(confirmed []Confirmation, silent []Silent, transit time.Duration, guards health.Guards) Bound {
	if guards.Without(health.GuardTransit) {
		transit = 0
	}
	b := Bound{Known: len(silent) == 0 || guards.Without(health.GuardSilent), Confirmed: confirmed, Unknown: silent}
	for _, c := range confirmed {
		b.Lower = Later(b.Lower, c.Until.Add(transit))
		b.Quiet = Later(b.Quiet, c.Quiet)
	}
	b.Conditional = b.Lower
	for _, s := range silent {
		if s.Conditional.IsZero() {
			b.Conditional = time.Time{}
			break
		}
		b.Conditional = Later(b.Conditional, s.Conditional.Add(transit))
	}
	if b.Known {
		b.SafeAt = b.Lower
	}
	return b
}

// Clamped is when caches have forgotten the endpoint that keep every answer for at least so long; zero where Known is unset.
func (b *Bound) Clamped(atLeast, transit time.Duration) time.Time {
	if !b.Known {
		return time.Time{}
	}
	return Later(b.SafeAt, b.Quiet.Add(Slow(atLeast)+transit))
}

// Later is the later of two instants.
func Later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
