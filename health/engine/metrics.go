package engine

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/health"
)

type metrics struct {
	publish     prometheus.Histogram
	transitions map[health.State]prometheus.Counter
	blind       prometheus.Gauge
	frozen      prometheus.Gauge
}

func boolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		publish: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "fairlead_publish_seconds",
			Help:    "Time from a verdict, hold or configuration that moved to the swap of what is answered.",
			Buckets: prometheus.ExponentialBuckets(0.00005, 2, 16),
		}),
		transitions: make(map[health.State]prometheus.Counter),
		blind: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "fairlead_blind",
			Help: "1 while this vantage abstains: most of its probes fail and no reference target answers.",
		}),
		frozen: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "fairlead_frozen",
			Help: "1 while an operator has stopped every automatic verdict.",
		}),
	}
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fairlead_endpoint_transitions_total",
		Help: "Endpoints that changed their shown state, by the new state.",
	}, []string{"state"})
	for _, s := range health.States() {
		m.transitions[s] = vec.WithLabelValues(s.String())
	}
	reg.MustRegister(m.publish, vec, m.blind, m.frozen)
	return m
}
