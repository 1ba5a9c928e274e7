package geo

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are labelled with the last element of each file's path; there are as many as the node file names.
type metrics struct {
	built, current *prometheus.GaugeVec
	reloadFailures *prometheus.CounterVec
	lookupFailures prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "fairlead", Subsystem: "geo", Name: name, Help: help}
	}
	file := []string{"file"}
	m := &metrics{
		built: prometheus.NewGaugeVec(prometheus.GaugeOpts(opts("database_built_timestamp_seconds",
			"When the geo database in use was built, in seconds since 1970.")), file),
		current: prometheus.NewGaugeVec(prometheus.GaugeOpts(opts("database_current",
			"1 while the file as it is on disk is in use, 0 while it is broken or gone and its last good version is.")), file),
		reloadFailures: prometheus.NewCounterVec(prometheus.CounterOpts(opts("reload_failures_total",
			"Versions of a geo database that could not be used.")), file),
		lookupFailures: prometheus.NewCounter(prometheus.CounterOpts(opts("lookup_failures_total",
			"Lookups that met corrupt data; the client's place was taken as unknown."))),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.built, m.current, m.reloadFailures, m.lookupFailures} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
	}
	return m, nil
}

// use shows db as what is in use.
func (m *metrics) use(db *database) {
	m.built.WithLabelValues(db.name).Set(float64(db.reader.Metadata.BuildEpoch))
	m.current.WithLabelValues(db.name).Set(1)
	m.reloadFailures.WithLabelValues(db.name)
}

// drop takes the metrics of a file away that is no longer used.
func (m *metrics) drop(name string) {
	for _, v := range []interface{ DeleteLabelValues(...string) bool }{m.built, m.current, m.reloadFailures} {
		v.DeleteLabelValues(name)
	}
}
