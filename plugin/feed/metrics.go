package feed

import "github.com/prometheus/client_golang/prometheus"

// serverMetrics are what a Server counts.
type serverMetrics struct {
	answers, changes, lies, nacks, crowded, tlsFailures, agentChecks, agentFailures prometheus.Counter
	expires                                                                         prometheus.Gauge
	refusals                                                                        *prometheus.CounterVec
}

// newMetrics registers them, with labels pre-created.
func newMetrics(reg prometheus.Registerer, hub *Hub) *serverMetrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "fairlead", Subsystem: "feed", Name: name, Help: help})
	}
	m := &serverMetrics{
		answers:       counter("answers_total", "Questions answered over HTTP."),
		changes:       counter("changes_total", "Changes pushed to subscribers."),
		lies:          counter("lies_total", "Acknowledgements of versions that the subscriber was not sent."),
		nacks:         counter("refused_changes_total", "Changes that a subscriber of xDS refused."),
		crowded:       counter("crowded_connections_total", "Connections closed at once, since their client had as many as one may have."),
		agentChecks:   counter("agent_checks_total", "Agent checks that were answered."),
		agentFailures: counter("agent_check_failures_total", "Agent checks that said nothing, or asked for what is not there."),
		tlsFailures:   counter("certificate_failures_total", "How often the certificate of the feeds was not read again."),
		expires: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "fairlead", Subsystem: "feed", Name: "certificate_expires_timestamp_seconds", Help: "When the certificate of the feeds ends.",
		}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "fairlead", Subsystem: "feed", Name: "refusals_total", Help: "Requests that were refused.",
		}, []string{"reason"}),
	}
	for _, why := range []string{refusedLogin, refusedLocked, refusedRate, refusedUnheard} {
		m.refusals.WithLabelValues(why)
	}
	reg.MustRegister(m.answers, m.changes, m.lies, m.nacks, m.agentChecks, m.agentFailures, m.crowded, m.tlsFailures, m.expires, m.refusals, hubCollector{hub})
	return m
}

func (m *serverMetrics) refused(why string) { m.refusals.WithLabelValues(why).Inc() }

var (
	subscribersDesc = prometheus.NewDesc("fairlead_feed_subscribers",
		"Streams that are open, or that ended while what they were given may still be kept.", []string{"kind", "state"}, nil)
	unconfirmedDesc = prometheus.NewDesc("fairlead_feed_unconfirmed_subscribers",
		"Open streams whose subscriber has not acknowledged what it was sent last.", nil, nil)
)

// kinds are those of subscribers.
var kinds = []string{kindHTTP, kindXDS}

// A hubCollector collects who listens.
type hubCollector struct{ hub *Hub }

// Describe implements prometheus.Collector.
func (c hubCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- subscribersDesc
	ch <- unconfirmedDesc
}

// Collect implements prometheus.Collector.
func (c hubCollector) Collect(ch chan<- prometheus.Metric) {
	for _, kind := range kinds {
		there, silent := c.hub.counts(kind)
		ch <- prometheus.MustNewConstMetric(subscribersDesc, prometheus.GaugeValue, float64(there), kind, "open")
		ch <- prometheus.MustNewConstMetric(subscribersDesc, prometheus.GaugeValue, float64(silent), kind, "silent")
	}
	ch <- prometheus.MustNewConstMetric(unconfirmedDesc, prometheus.GaugeValue, float64(c.hub.unconfirmed()))
}
