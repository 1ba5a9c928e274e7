package judge

import (
	"slices"
	"strings"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// truth is a value of Kleene's three-valued logic, ordered so that "all" is the least and "any" the greatest.
type truth int8

const (
	no truth = iota - 1
	maybe
	yes
)

// A Leaf gives the verdict on what check dials for the endpoint in question; check indexes Zone.Checks.
type Leaf func(check int) health.Verdict

// Leaves are the checks that dial something for an endpoint of p: those of its verdict, that of its gate, that of its lag, and those for which its takeover waits.
func Leaves(z *config.Zone, p *config.Pool) []int {
	checks := p.Watched()
	if p.Gate.ByCheck {
		checks = append(slices.Clip(checks), p.Gate.Check)
	}
	if p.HasLag {
		checks = append(slices.Clip(checks), p.Lag)
	}
	for _, si := range p.Services {
		if f := &z.Services[si].Failover; f.ByCheck && !p.KeepsData() && !slices.Contains(checks, f.While) {
			checks = append(slices.Clip(checks), f.While)
		}
	}
	if len(checks) == 0 {
		return nil
	}
	return z.Leaves(checks...)
}

// Combine is the verdict on an endpoint of p from its leaves: the pool's check, and every check that the pool needs. It has
// no memory: Unknown stays Unknown, Since is zero.
//
// A suspect leaf makes the whole suspect only if its fall would change the whole.
func Combine(z *config.Zone, p *config.Pool, leaf Leaf) health.Verdict {
	e := eval{zone: z, leaf: leaf}
	now := e.pool(p)
	v := health.Verdict{Stale: e.stale}
	switch {
	case now == no:
		v.State, v.Reason = health.Down, strings.Join(e.reasons, "; ")
	case now == maybe:
		v.Reason, v.Doubted, v.Mute = strings.Join(e.reasons, "; "), e.doubted, e.mute
	default:
		v.State = health.Up
		worst := eval{zone: z, leaf: leaf, suspectsFall: true}
		if worst.pool(p) != yes {
			v.State, v.Reason = health.Suspect, strings.Join(worst.reasons, "; ")
			likely := eval{zone: z, leaf: leaf, suspectsFall: true, disputedStand: true}
			v.Disputed = likely.pool(p) == yes
			failing := eval{zone: z, leaf: leaf, failingFall: true}
			v.Failing = failing.pool(p) != yes
		}
	}
	return v
}

// eval follows a tree of checks and collects why leaves are not up.
type eval struct {
	zone *config.Zone
	leaf Leaf
	// suspectsFall takes what is suspect for down.
	suspectsFall bool
	// disputedStand leaves out of those what is disputed.
	disputedStand bool
	// failingFall takes what a quorum sees fail for down.
	failingFall bool
	stale       bool
	// doubted is set when something speaks against a leaf that is not up.
	doubted bool
	// mute is set when no vantage is able to probe what a leaf dials that is not up.
	mute    bool
	reasons []string
}

func (e *eval) pool(p *config.Pool) truth {
	t := yes
	for _, c := range p.Watched() {
		t = min(t, e.check(c, c != p.Check))
	}
	return t
}

// check is the truth of one check; named puts its name before the reason.
func (e *eval) check(i int, named bool) truth {
	c := e.zone.Checks[i]
	if c.Composite != nil {
		return e.composite(c.Composite)
	}
	v := e.leaf(i)
	e.stale = e.stale || v.Stale
	t := yes
	switch v.State {
	case health.Unknown:
		t, e.doubted, e.mute = maybe, e.doubted || v.Doubted, e.mute || v.Mute
	case health.Down:
		t, e.doubted = no, true
	case health.Suspect:
		if e.suspectsFall && !(e.disputedStand && v.Disputed) || e.failingFall && v.Failing {
			t = no
		}
	}
	if t != yes && v.Reason != "" {
		reason := v.Reason
		if named {
			reason = c.Name + ": " + reason
		}
		e.reasons = append(e.reasons, reason)
	}
	return t
}

func (e *eval) composite(c *config.Composite) truth {
	least := yes
	certain, possible, silent := 0, 0, 0
	told := len(e.reasons)
	for _, of := range c.Of {
		t := e.check(of, true)
		if least = min(least, t); c.Op == config.OpNot && t == yes {
			e.reasons = append(e.reasons, e.zone.Checks[of].Name+" passes")
		}
		if t == yes {
			certain++
		}
		if t != no {
			possible++
		}
		if t == maybe && e.silent(of) {
			silent++
		}
	}
	n := c.N
	switch c.Op {
	case config.OpAll:
		return least
	case config.OpNot:
		if least == no {
			// What fails is as it should be.
			e.reasons = e.reasons[:told]
		}
		return -least
	case config.OpAny:
		n = 1
	}
	if least == no {
		// Something speaks against it, and who has never said anything saves nobody.
		possible -= silent
	}
	switch {
	case certain >= n:
		return yes
	case possible < n:
		return no
	}
	return maybe
}

// silent tells whether check i waits for a report that nobody has ever made.
func (e *eval) silent(i int) bool {
	if e.zone.Checks[i].Push == nil {
		return false
	}
	v := e.leaf(i)
	return v.State == health.Unknown && !v.Stale && !v.Doubted
}
