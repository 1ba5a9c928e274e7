package runner

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/health/run"
)

type metrics struct {
	// runs counts those that have ended, by outcome; stops is the step at which a run of a plan would stop, 0 for nowhere.
	runs  *prometheus.CounterVec
	stops *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer, r *Runner) *metrics {
	m := &metrics{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_plan_runs_total", Help: "Runs of plans that this node has seen end, by outcome: done, aborted, incomplete.",
		}, []string{"outcome"}),
		stops: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "fairlead_plan_would_stop", Help: "The step at which a run of a plan would stop if it began now, counted from 1; 0 for nowhere.",
		}, []string{"plan"}),
	}
	for _, s := range []run.Status{run.Succeeded, run.GaveUp, run.Incomplete} {
		m.runs.WithLabelValues(string(s))
	}
	open := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "fairlead_plan_runs_open", Help: "Runs of plans that have not ended."}, func() float64 {
		n := 0
		for _, u := range r.opts.Store.Runs() {
			if !u.Over() {
				n++
			}
		}
		return float64(n)
	})
	reg.MustRegister(m.runs, m.stops, open)
	return m
}
