package ledger

import (
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

// drift is the part of a duration by which two clocks may go apart in it: 1/2000 is 500 ppm (docs/reliability.md id E6).
const drift = 2000

// Slow is d with what a clock may lag behind in that time.
func Slow(d time.Duration) time.Duration { return d + max(0, d)/drift }

// A Said is one configured node's word, as the node that composes has it, in instants of that node's clock.
type Said struct {
	Node string
	Verb Verb
	// Quiet is when its last answer had been written at the latest, Until when that expires. Set for Out.
	Quiet, Until time.Time
	// Answered is set where Until is later than the node's start explains: the process that says so has answered it itself.
	Answered bool
	// After is an instant after which the word was given: when the newest round was sent that the word echoes. For a fence it is when
	// that was last seen to stand, for a declaration it is Now.
	After time.Time
	// Stopped is set where it is an operator's word that the node does not run, Fenced where it is a majority's that its lease ended.
	Stopped, Fenced bool
	// Why says what is missing where Verb is not Out, Since when the node was last heard; zero for never.
	Why   string
	Since time.Time
	// Lease is after how long the node stops answering by itself once no majority hears it; 0 for never.
	Lease time.Duration
	// Conditional is when caches have forgotten what it answered, if it stopped when it was last heard; zero where nobody knows.
	Conditional time.Time
}

// A Confirmation is a node's word that a holding is out.
type Confirmation struct {
	Node string `json:"node"`
	// Quiet is when its last answer with it had been written at the latest, Until when that answer expires.
	Quiet time.Time `json:"quiet"`
	Until time.Time `json:"until"`
	// Answered is set where the process that says so has answered it itself, and not an earlier one at most.
	Answered bool `json:"-"`
	// Given is an instant after which it said so.
	Given time.Time `json:"given,omitzero"`
	// Stopped is set where it is an operator's word, that the node does not run.
	Stopped bool `json:"stopped,omitempty"`
	// Fenced is set where it is a majority's word, that the node's lease ended.
	Fenced bool `json:"fenced,omitempty"`
}

// MergeConfirmed adds more to list, which has one word of each node: its latest answer with any of what the words are about, the latest expiry, and
// the earliest instant after which it said so. list itself stays as it is.
func MergeConfirmed(list []Confirmation, more ...Confirmation) []Confirmation {
	list = slices.Clone(list)
	for _, c := range more {
		k := slices.IndexFunc(list, func(o Confirmation) bool { return o.Node == c.Node })
		if k < 0 {
			list = append(list, c)
			continue
		}
		o := &list[k]
		o.Quiet, o.Until = Later(o.Quiet, c.Quiet), Later(o.Until, c.Until)
		if c.Given.Before(o.Given) {
			o.Given = c.Given
		}
		o.Stopped, o.Fenced = o.Stopped || c.Stopped, o.Fenced || c.Fenced
	}
	return list
}

// A Silent is a configured node that has not confirmed.
type Silent struct {
	Node string `json:"node"`
	// Since is when it was last heard; zero for never.
	Since time.Time `json:"since,omitzero"`
	Why   string    `json:"why"`
	// Answering is set for a node that answers with it: that voids what was known.
	Answering bool `json:"answering,omitempty"`
	// LeaseSeconds is after how long it stops answering by itself once no majority hears it; 0 for never.
	LeaseSeconds float64 `json:"lease_seconds,omitempty"`
	// Conditional is when caches have forgotten what it answered, if it stopped when it was last heard; zero if it was not.
	Conditional time.Time `json:"conditional,omitzero"`
}

// A Bound says when the last honest cache has forgotten something.
type Bound struct {
	// Known is set while every configured node's latest word is fresh and says out. SafeAt is the instant by which what was answered
	// before those words has expired, and zero else.
	Known  bool
	SafeAt time.Time
	// Final is set when every node said out in a word given after SafeAt: no honest cache held it then, and nobody had answered it since.
	Final bool
	// Void is set while a node answers it.
	Void bool
	// Lower is what is known at least: the greatest over those that confirmed. Conditional is the bound if every silent node stopped when
	// it was last heard; zero if one never was, or is heard and has not left.
	Lower, Conditional time.Time
	// Quiet is when the last answer had been written, by those who confirmed.
	Quiet     time.Time
	Confirmed []Confirmation
	Unknown   []Silent
}

// Compose puts together what the configured nodes say, in their order. transit is how late a resolver may still accept an answer.
func Compose(words []Said, now time.Time, transit time.Duration, guards health.Guards) Bound {
	if guards.Without(health.GuardTransit) {
		transit = 0
	}
	b := Bound{Confirmed: make([]Confirmation, 0, len(words))}
	oldest := now
	for i := range words {
		w := &words[i]
		if w.Verb != Out {
			b.Void = b.Void || w.Verb == Answering
			b.Unknown = append(b.Unknown, Silent{
				Node: w.Node, Since: w.Since, Why: w.Why, Answering: w.Verb == Answering, LeaseSeconds: w.Lease.Seconds(), Conditional: w.Conditional,
			})
			continue
		}
		b.Confirmed = append(b.Confirmed, Confirmation{
			Node: w.Node, Quiet: w.Quiet, Until: w.Until, Answered: w.Answered, Given: w.After, Stopped: w.Stopped, Fenced: w.Fenced,
		})
		until := w.Until.Add(transit)
		if until.After(now) {
			until = now.Add(Slow(until.Sub(now)))
		}
		b.Lower, b.Quiet = Later(b.Lower, until), Later(b.Quiet, w.Quiet)
		if w.After.Before(oldest) {
			oldest = w.After
		}
	}
	b.Known = len(b.Unknown) == 0 || guards.Without(health.GuardSilent) && !b.Void
	b.Conditional = b.Lower
	for _, s := range b.Unknown {
		if s.Conditional.IsZero() {
			b.Conditional = time.Time{}
			break
		}
		b.Conditional = Later(b.Conditional, s.Conditional.Add(transit))
	}
	if b.Known {
		b.SafeAt = b.Lower
		b.Final = !now.Before(b.SafeAt) && (!oldest.Before(b.SafeAt) || guards.Without(health.GuardAfter))
	}
	return b
}

// Clamped is when caches have forgotten it that keep every answer for at least so long; zero where Known is unset.
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
