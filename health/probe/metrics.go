package probe

import (
	"fmt"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/config"
)

// metrics are the prober's own. A check type has series from its first probe on, an outcome from the first time it is met: all types with
// all outcomes would be some 400 series that stay 0.
type metrics struct {
	byType                   map[config.CheckType]*typeMetrics
	lag                      prometheus.Histogram
	inFlight, targets        prometheus.Gauge
	ignored                  prometheus.Gauge
	panics, discarded, short prometheus.Counter
	late, unrouted           prometheus.Counter
}

// typeMetrics are the metrics of one check type. It is safe for concurrent use.
type typeMetrics struct {
	name      string
	results   *prometheus.CounterVec
	durations *prometheus.HistogramVec
	// counters and duration are looked up once and not once per probe.
	counters [kinds]atomic.Pointer[prometheus.Counter]
	duration atomic.Pointer[prometheus.Observer]
}

// count counts a probe that ended so.
func (m *typeMetrics) count(k Kind) {
	c := m.counters[k].Load()
	if c == nil {
		made := m.results.WithLabelValues(m.name, k.String())
		c = &made
		m.counters[k].Store(c)
	}
	(*c).Inc()
}

// took notes how long a probe took, in seconds.
func (m *typeMetrics) took(seconds float64) {
	d := m.duration.Load()
	if d == nil {
		made := m.durations.WithLabelValues(m.name)
		d = &made
		m.duration.Store(d)
	}
	(*d).Observe(seconds)
}

// newMetrics makes the metrics and registers them with reg, unless that is nil. loopLag is read when metrics are.
func newMetrics(reg prometheus.Registerer, loopLag func() float64) (*metrics, error) {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "fairlead", Subsystem: "probe", Name: name, Help: help}
	}
	histogram := func(name, help string, buckets ...float64) prometheus.HistogramOpts {
		return prometheus.HistogramOpts{Namespace: "fairlead", Subsystem: "probe", Name: name, Help: help, Buckets: buckets}
	}
	results := prometheus.NewCounterVec(prometheus.CounterOpts(opts("results_total", "Probes that ended, by outcome.")),
		[]string{"type", "outcome"})
	duration := prometheus.NewHistogramVec(histogram("duration_seconds", "How long probes took, failed ones included.",
		.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10), []string{"type"})
	m := &metrics{
		byType: map[config.CheckType]*typeMetrics{},
		lag: prometheus.NewHistogram(histogram("lag_seconds", "How much later than planned probes started.",
			.001, .0025, .005, .01, .025, .05, .1, .2, .5, 1, 2.5, 5, 10)),
		inFlight:  prometheus.NewGauge(prometheus.GaugeOpts(opts("in_flight", "Probes in flight."))),
		targets:   prometheus.NewGauge(prometheus.GaugeOpts(opts("targets", "Targets that are probed."))),
		ignored:   prometheus.NewGauge(prometheus.GaugeOpts(opts("ignored_targets", "Targets whose check cannot be probed."))),
		panics:    prometheus.NewCounter(prometheus.CounterOpts(opts("panics_total", "Panics in probes, recovered."))),
		discarded: prometheus.NewCounter(prometheus.CounterOpts(opts("discarded_total", "Results whose target had gone."))),
		short: prometheus.NewCounter(prometheus.CounterOpts(opts("not_made_total",
			"Probes that were not made because this node lacked descriptors, ports or memory."))),
	}
	m.late = prometheus.NewCounter(prometheus.CounterOpts(opts("late_total",
		"Probes that timed out and did not count, since this node was late by itself.")))
	m.unrouted = prometheus.NewCounter(prometheus.CounterOpts(opts("unrouted_total",
		"Probes that did not count, since this node has no route to any address of the family.")))
	loop := prometheus.NewGaugeFunc(prometheus.GaugeOpts(opts("loop_lag_seconds",
		"How long the schedule loop has been silent beyond its rest; +Inf while it does not run.")), loopLag)
	for _, t := range types() {
		m.byType[t] = &typeMetrics{name: string(t), results: results, durations: duration}
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		results, duration, m.lag, m.inFlight, m.targets, m.ignored, m.panics, m.discarded, m.short, m.late, m.unrouted, loop,
	} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
	}
	return m, nil
}
