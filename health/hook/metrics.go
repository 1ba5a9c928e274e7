package hook

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	deliveries *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer, s *Sender) *metrics {
	m := &metrics{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_hook_deliveries_total", Help: "Attempts to deliver an event, by hook and outcome: delivered, retried, dead.",
		}, []string{"hook", "outcome"}),
	}
	reg.MustRegister(m.deliveries, &queues{
		sender: s,
		queue:  prometheus.NewDesc("fairlead_hook_queue", "Events that wait for their delivery, those included that are to be delivered again.", []string{"hook"}, nil),
		oldest: prometheus.NewDesc("fairlead_hook_oldest_seconds", "Age of the oldest event that waits for its delivery; 0 while none does.", []string{"hook"}, nil),
	})
	return m
}

// queues reckons what waits at each scrape: an age that is set with each attempt would stand still in the pauses. It is 0 on a
// node that stands by.
type queues struct {
	sender        *Sender
	queue, oldest *prometheus.Desc
}

func (q *queues) Describe(ch chan<- *prometheus.Desc) {
	ch <- q.queue
	ch <- q.oldest
}

func (q *queues) Collect(ch chan<- prometheus.Metric) {
	for _, st := range q.sender.waiting() {
		age := 0.0
		if !st.Oldest.IsZero() {
			age = max(0, time.Since(st.Oldest).Seconds())
		}
		ch <- prometheus.MustNewConstMetric(q.queue, prometheus.GaugeValue, float64(st.Waiting), st.Name)
		ch <- prometheus.MustNewConstMetric(q.oldest, prometheus.GaugeValue, age, st.Name)
	}
}
