package table

import (
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
)

// Blind is set while most probes fail and the world outside does not answer: this vantage abstains.
func (e *Evidence) Blind() bool { return e.blind }

// Trusts tells whether o, of the target with that ID, counts. While the vantage is blind nothing does. Afterwards good news counts at once,
// but a run of failures only when it could have begun after the blindness; where there was no verdict before, as at a start, one probe
// that began after it decides.
func (e *Evidence) Trusts(id health.TargetID, c *config.Check, o health.Observation) bool {
	switch {
	case e.blind, e.Drained:
		return false
	case e.blindUntil.IsZero() || o.Failures == 0 && o.State != health.Down:
		// A success that is not yet enough to rise still shows the down of the dark: it is no good news.
		return true
	case !e.judged[id]:
		return o.At.Add(-o.Latency).After(e.blindUntil)
	}
	longest := c.Interval + c.Interval*health.JitterPercent/100
	return o.At.After(e.blindUntil.Add(time.Duration(c.Fall) * longest))
}

// LookOutside reckons blindness anew, by what t probes; changed tells whether it began or ended.
func (e *Evidence) LookOutside(t *Table, now time.Time) (changed bool) {
	// The world outside comes first: only while none of it answers is everything counted.
	outside := judge.Sight{References: len(e.references), ReferencesUp: e.referencesUp(), Peers: e.others, PeersHeard: e.othersHeard}
	blind := !e.without.Without(health.GuardBlind) && outside.Cut() && t.sees(outside).Blind()
	if blind == e.blind {
		return false
	}
	if e.blind = blind; !blind {
		e.blindUntil, e.judged = now, make(map[health.TargetID]bool)
		for id, v := range t.leaves {
			if v.State != health.Unknown {
				e.judged[id] = true
			}
		}
	}
	return true
}

// referencesUp counts the references whose latest probe succeeded; one that has not been probed yet is no evidence of
// blindness.
func (e *Evidence) referencesUp() int {
	up := 0
	for _, r := range e.references {
		if o, ok := e.Own(r.ID); !ok || o.Failures == 0 {
			up++
		}
	}
	return up
}

// sees adds to s what the latest probes say.
func (t *Table) sees(s judge.Sight) judge.Sight {
	type count struct{ probed, failing int }
	regions := make(map[string]*count)
	for id, use := range t.targets {
		o, ok := t.e.Own(id)
		if !ok {
			continue
		}
		s.Probed++
		if o.Failures > 0 {
			s.Failing++
		}
		for _, ref := range use.pools {
			z := t.Model.Zones[ref.Zone]
			if len(z.Regions) == 0 {
				continue
			}
			name := z.Regions[z.Pools[ref.Pool].Region].Name
			r := regions[name]
			if r == nil {
				r = new(count)
				regions[name] = r
			}
			r.probed++
			if o.Failures > 0 {
				r.failing++
			}
		}
	}
	s.Regions = len(regions)
	for _, r := range regions {
		if 2*r.failing > r.probed {
			s.FailingRegions++
		}
	}
	return s
}
