package engine

import "github.com/prometheus/client_golang/prometheus"

// newPublish measures publications.
func newPublish(reg prometheus.Registerer) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "fairlead_publish_seconds",
		Help:    "Time from a verdict, hold or configuration that moved to the swap of what is answered.",
		Buckets: prometheus.ExponentialBuckets(0.00005, 2, 16),
	})
	reg.MustRegister(h)
	return h
}
