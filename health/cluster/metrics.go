package cluster

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/health/intent"
	"github.com/fairlead-dns/fairlead/health/round"
)

// Metrics are about the other nodes. Their labels are names of the roster.
type Metrics struct {
	nodes, heard, isolated     prometheus.Gauge
	fresh, age                 *prometheus.GaugeVec
	drift, divergent           *prometheus.GaugeVec
	refused                    map[string]prometheus.Counter
	lost                       prometheus.Counter
	untold, unsaid, lagsUntold prometheus.Gauge
	shown                      map[string]bool
}

// The reasons for which a part of a round is not taken.
const (
	refusedVersion   = "version"
	refusedMalformed = "malformed"
	refusedTargets   = "unknown_targets"
	refusedOther     = "other"
)

// NewMetrics are those of a node that has heard nobody.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		reg.MustRegister(g)
		return g
	}
	perNode := func(name, help string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"node"})
		reg.MustRegister(v)
		return v
	}
	m := &Metrics{
		nodes:     gauge("fairlead_cluster_nodes", "Nodes of the roster, this one included."),
		heard:     gauge("fairlead_cluster_heard", "Nodes of the roster that are heard, this one included."),
		isolated:  gauge("fairlead_cluster_isolated", "1 while fewer than half of the roster are heard: health moves nothing."),
		fresh:     perNode("fairlead_cluster_node_heard", "1 while the node is heard straight from itself."),
		age:       perNode("fairlead_cluster_node_age_seconds", "Time since the node was heard straight from itself; absent before the first time."),
		drift:     perNode("fairlead_cluster_config_drift", "1 while the node has had another configuration than this one for more than 15 s."),
		divergent: perNode("fairlead_cluster_plan_divergent", "1 while the node has decided otherwise than this one for more than 15 s, from the same configuration and intents."),
		refused:   make(map[string]prometheus.Counter),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "fairlead_cluster_rounds_lost_total", Help: "Parts of rounds that came faster than they were taken in.",
		}),
		untold: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "fairlead_cluster_details_untold", Help: "Failing targets whose reason does not fit into a round.",
		}),
		shown: make(map[string]bool),
	}
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fairlead_cluster_rounds_refused_total", Help: "Parts of rounds, or pieces of them, that were not understood, by reason.",
	}, []string{"reason"})
	for _, reason := range []string{refusedVersion, refusedMalformed, refusedTargets, refusedOther} {
		m.refused[reason] = vec.WithLabelValues(reason)
	}
	m.unsaid = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "fairlead_cluster_words_untold", Help: "Holdings that left the answers of a node and of which nothing is said, since it does not fit into a round.",
	})
	m.lagsUntold = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "fairlead_cluster_lags_untold", Help: "Measurements of lags that do not fit into a round.",
	})
	reg.MustRegister(vec, m.lost, m.untold, m.unsaid, m.lagsUntold)
	m.nodes.Set(1)
	m.heard.Set(1)
	return m
}

func boolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// refuse counts a part that was not understood.
func (m *Metrics) refuse(err error) {
	reason := refusedOther
	switch {
	case errors.Is(err, round.ErrVersion), errors.Is(err, intent.ErrVersion):
		reason = refusedVersion
	case errors.Is(err, round.ErrMalformed):
		reason = refusedMalformed
	case errors.Is(err, round.ErrUnknownTargets):
		reason = refusedTargets
	}
	m.refused[reason].Inc()
}

// show takes up what is known of the nodes.
func (m *Metrics) show(v *View) {
	m.nodes.Set(float64(v.Roster))
	m.heard.Set(float64(v.Heard))
	m.isolated.Set(boolValue(v.Isolated))
	now := make(map[string]bool)
	for _, n := range v.Nodes {
		if n.Self {
			continue
		}
		now[n.Name] = true
		m.fresh.WithLabelValues(n.Name).Set(boolValue(n.Fresh))
		if !n.Direct.IsZero() {
			m.age.WithLabelValues(n.Name).Set(v.At.Sub(n.Direct).Seconds())
		}
		m.drift.WithLabelValues(n.Name).Set(boolValue(!n.Drift.IsZero()))
		m.divergent.WithLabelValues(n.Name).Set(boolValue(!n.Divergent.IsZero()))
	}
	for name := range m.shown {
		if !now[name] {
			for _, v := range []*prometheus.GaugeVec{m.fresh, m.age, m.drift, m.divergent} {
				v.DeleteLabelValues(name)
			}
		}
	}
	m.shown = now
}
