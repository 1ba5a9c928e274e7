package engine

import (
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
)

// sight is whether this vantage can be trusted with bad news. Owned by the engine's goroutine, shared by its tables.
type sight struct {
	// references are probed like everything else and back no endpoint.
	references []health.Target
	blind      bool
	// late is set while probes that time out do not count, since this node is late by itself. The prober leaves them out; what it
	// saw in time counts.
	late bool
	// drained is set while an operator has this node abstain.
	drained bool
	// peers are the other nodes of the cluster, peersHeard those that are heard.
	peers, peersHeard int
	without           health.Guards
	// restored is when the latest blindness ended, judged what had a verdict then.
	restored time.Time
	judged   map[health.TargetID]bool
}

// trusts tells whether o, of the target with that ID, counts. While the vantage is blind nothing does. Afterwards good news counts at once,
// but a run of failures only when it could have begun after the blindness; where there was no verdict before, as at a start, one probe
// that began after it decides.
func (s *sight) trusts(id health.TargetID, c *config.Check, o health.Observation) bool {
	switch {
	case s.blind, s.drained:
		return false
	case s.restored.IsZero() || o.Failures == 0 && o.State != health.Down:
		// A success that is not yet enough to rise still shows the down of the dark: it is no good news.
		return true
	case !s.judged[id]:
		return o.At.Add(-o.Latency).After(s.restored)
	}
	longest := c.Interval + c.Interval*health.JitterPercent/100
	return o.At.After(s.restored.Add(time.Duration(c.Fall) * longest))
}

// look reckons blindness anew; changed tells whether it began or ended.
func (s *sight) look(t *table, now time.Time) (changed bool) {
	// The world outside comes first: only while none of it answers is everything counted.
	outside := judge.Sight{References: len(s.references), ReferencesUp: t.referencesUp(s.references), Peers: s.peers, PeersHeard: s.peersHeard}
	blind := !s.without.Without(health.GuardBlind) && outside.Cut() && t.sees(outside).Blind()
	if blind == s.blind {
		return false
	}
	if s.blind = blind; !blind {
		s.restored, s.judged = now, make(map[health.TargetID]bool)
		for id, v := range t.leaves {
			if v.State != health.Unknown {
				s.judged[id] = true
			}
		}
	}
	return true
}

// referencesUp counts the references whose latest probe succeeded; one that has not been probed yet is no evidence of
// blindness.
func (t *table) referencesUp(references []health.Target) int {
	up := 0
	for _, r := range references {
		if o, ok := t.obs.get(r.ID); !ok || o.Failures == 0 {
			up++
		}
	}
	return up
}

// sees adds to s what the latest probes say.
func (t *table) sees(s judge.Sight) judge.Sight {
	type count struct{ probed, failing int }
	regions := make(map[string]*count)
	for id, use := range t.targets {
		o, ok := t.obs.get(id)
		if !ok {
			continue
		}
		s.Probed++
		if o.Failures > 0 {
			s.Failing++
		}
		for _, ref := range use.pools {
			z := t.model.Zones[ref.zone]
			if len(z.Regions) == 0 {
				continue
			}
			name := z.Regions[z.Pools[ref.pool].Region].Name
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
