package order

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/health"
)

// The states by which intents are counted.
const (
	intentInForce   = "in_force"
	intentPlanned   = "planned"
	intentSuspended = "suspended"
)

type metrics struct {
	frozen  prometheus.Gauge
	intents map[string]prometheus.Gauge
	// ends are when the first intent of each kind ends, in seconds.
	ends   map[health.IntentKind]prometheus.Gauge
	unkept prometheus.Gauge
}

func boolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		frozen: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "fairlead_frozen",
			Help: "1 while an operator has stopped every automatic verdict.",
		}),
		unkept: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "fairlead_intents_unkept",
			Help: "1 while intents of other nodes are in force that could not be written to disk.",
		}),
	}
	intents := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "fairlead_intents",
		Help: "What operators asked for, by its state: in_force, planned, or suspended by a safety rule.",
	}, []string{"state"})
	m.intents = make(map[string]prometheus.Gauge)
	for _, s := range []string{intentInForce, intentPlanned, intentSuspended} {
		m.intents[s] = intents.WithLabelValues(s)
	}
	ends := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "fairlead_intent_ends_in_seconds",
		Help: "Time until the first intent of a kind that is in force ends by itself; +Inf while none does.",
	}, []string{"kind"})
	m.ends = make(map[health.IntentKind]prometheus.Gauge)
	for _, kind := range health.IntentKinds() {
		m.ends[kind] = ends.WithLabelValues(kind.String())
	}
	reg.MustRegister(m.frozen, m.unkept, intents, ends)
	return m
}
