package node

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

var (
	boundDesc = desc("staleness_bound_seconds",
		"The worst case of the time from the death of an endpoint of a service until the last honest cache has forgotten it. "+
			"Of a zone with very many services it is that of the one whose target is nearest, with an empty service.", "zone", "service")
	targetDesc = desc("staleness_target_seconds",
		"The staleness.target of a service that declares one, beside its bound.", "zone", "service")
	tierDesc = desc("service_tier",
		"The tier from which a service answers, counted from 1; 0 where it answers from none. Absent in a zone with very many services.",
		"zone", "service")
	sourceDesc = desc("service_source",
		"Always 1; why the members of a service answer now. Absent in a zone with very many services.", "zone", "service", "source")
	movesDesc = desc("service_moves_total",
		"How often a service began to answer from another tier, or on another ground. Absent in a zone with very many services.",
		"zone", "service")
	outstandingDesc = desc("cache_outstanding_seconds",
		"Time until honest caches have forgotten every endpoint of the zone that left the answers: exact, if resolvers accept within X. "+
			"-1 while a node has not confirmed. Caches that clamp keep longer; open connections, JVM caches and serve-stale are not visible from DNS.",
		"zone")
	exposureDesc = desc("cache_outstanding_answers",
		"Answers of this node that name an endpoint which left, and that caches may still hold.", "zone")
	flipDesc = desc("flip_duration_seconds",
		"Of the latest incident whose bound is known, how long a phase took: detection, decision, propagation, cache_residue, total.", "zone", "phase")
)

// stalenessDescs are what collectStaleness collects.
var stalenessDescs = []*prometheus.Desc{boundDesc, targetDesc, tierDesc, sourceDesc, movesDesc, outstandingDesc, exposureDesc, flipDesc}

// collectStaleness says what caches may hold, by zone.
func (m *nodeMetrics) collectStaleness(gauge func(*prometheus.Desc, float64, ...string), view *health.View) {
	n := m.node
	if n.engine == nil {
		return
	}
	type zoneSum struct {
		left    time.Duration
		unknown bool
		answers uint64
	}
	sums := make(map[string]*zoneSum)
	now := time.Now()
	for _, d := range n.engine.Departures() {
		if d.Known && !d.Drained && !d.Down || d.Bound.Final {
			continue
		}
		s := sums[d.Zone]
		if s == nil {
			s = new(zoneSum)
			sums[d.Zone] = s
		}
		s.answers += d.Outstanding.Total()
		s.unknown = s.unknown || !d.Bound.Known
		s.left = max(s.left, d.Bound.SafeAt.Sub(now))
	}
	latest := make(map[string]*ledger.Incident)
	for _, i := range n.engine.Incidents() {
		if i.Known() {
			latest[i.Zone] = i
		}
	}
	a := n.Allowances()
	for _, zv := range view.Zones {
		name := zv.Zone.Name
		eachBound(zv.Zone, a, func(service string, bound, target time.Duration) {
			gauge(boundDesc, bound.Seconds(), name, service)
			if target > 0 {
				gauge(targetDesc, target.Seconds(), name, service)
			}
		})
		left, answers := 0.0, 0.0
		if s := sums[name]; s != nil {
			left, answers = max(0, s.left.Seconds()), float64(s.answers)
			if s.unknown {
				left = -1
			}
		}
		gauge(outstandingDesc, left, name)
		gauge(exposureDesc, answers, name)
		if i := latest[name]; i != nil {
			for _, p := range i.Phases.List() {
				gauge(flipDesc, p.Seconds, name, p.Label())
			}
		}
	}
}

// maxServiceSeries is up to how many services of a zone have series of their own.
const maxServiceSeries = 1000

// eachBound calls f with the bound and the target, 0 for none, of each service of a zone; or once, without a name, with those of the one
// whose target is nearest, where there are too many. A bound never stands beside another service's target.
func eachBound(z *config.Zone, a steer.Allowances, f func(service string, bound, target time.Duration)) {
	together := len(z.Services) > maxServiceSeries
	var bound, target time.Duration
	for i, svc := range z.Services {
		b, t := steer.BoundOf(z, svc, a).S, svc.Staleness.Target
		switch {
		case !together:
			f(svc.Name, b, t)
		case i == 0, t > 0 && (target == 0 || t-b < target-bound), t == 0 && target == 0 && b > bound:
			bound, target = b, t
		}
	}
	if together {
		f("", bound, target)
	}
}

// collectServices says from which tier each service answers, why, and how often that has changed.
func (m *nodeMetrics) collectServices(ch chan<- prometheus.Metric, gauge func(*prometheus.Desc, float64, ...string), snap *answer.Snapshot) {
	for _, zv := range snap.View.Zones {
		if len(zv.Zone.Services) > maxServiceSeries {
			continue
		}
		for i, svc := range zv.Zone.Services {
			p := snap.Plan(zv.Zone, i)
			gauge(tierDesc, float64(p.Tier.Index+1), zv.Zone.Name, svc.Name)
			gauge(sourceDesc, 1, zv.Zone.Name, svc.Name, p.Source.String())
			ch <- prometheus.MustNewConstMetric(movesDesc, prometheus.CounterValue, float64(m.node.moves.Of(svc.Name)), zv.Zone.Name, svc.Name)
		}
	}
}
