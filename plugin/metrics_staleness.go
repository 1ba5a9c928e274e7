package fairlead

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

const stalenessPrefix = "coredns_fairlead_"

var (
	boundDesc = prometheus.NewDesc(stalenessPrefix+"staleness_bound_seconds",
		"The worst case, over the services of a zone, of the time from the death of an endpoint until the last honest cache has forgotten it.", []string{"zone"}, nil)
	targetDesc = prometheus.NewDesc(stalenessPrefix+"staleness_target_seconds",
		"The least staleness.target that a service of the zone declares; 0 for none.", []string{"zone"}, nil)
	outstandingDesc = prometheus.NewDesc(stalenessPrefix+"cache_outstanding_seconds",
		"Time until honest caches have forgotten every endpoint of the zone that left the answers: exact, if resolvers accept within X. "+
			"-1 while a node has not confirmed. Caches that clamp keep longer; open connections, JVM caches and serve-stale are not visible from DNS.",
		[]string{"zone"}, nil)
	exposureDesc = prometheus.NewDesc(stalenessPrefix+"cache_outstanding_answers",
		"Answers of this node that name an endpoint which left, and that caches may still hold.", []string{"zone"}, nil)
	flipDesc = prometheus.NewDesc(stalenessPrefix+"flip_duration_seconds",
		"Of the latest incident whose bound is known, how long a phase took: detection, decision, propagation, cache_residue, total.", []string{"zone", "phase"}, nil)
)

// stalenessDescs are what collectStaleness collects.
var stalenessDescs = []*prometheus.Desc{boundDesc, targetDesc, outstandingDesc, exposureDesc, flipDesc}

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
		var worst, target time.Duration
		for _, svc := range zv.Zone.Services {
			worst = max(worst, steer.BoundOf(zv.Zone, svc, a).S)
			if t := svc.Staleness.Target; t > 0 && (target == 0 || t < target) {
				target = t
			}
		}
		gauge(boundDesc, worst.Seconds(), name)
		gauge(targetDesc, target.Seconds(), name)
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
