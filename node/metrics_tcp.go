package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/plugin/stream"
)

var (
	tcpOpen   = prometheus.NewDesc("fairlead_tcp_connections", "TCP connections over which DNS is asked.", nil, nil)
	tcpClosed = prometheus.NewDesc("fairlead_tcp_connections_closed_total",
		"TCP connections that the node ended: refused (no room), displaced (still for longest), stalled (took no reply).", []string{"reason"}, nil)
)

// collectTCP exports c.
func collectTCP(ch chan<- prometheus.Metric, c stream.Counts) {
	ch <- prometheus.MustNewConstMetric(tcpOpen, prometheus.GaugeValue, float64(c.Open))
	for reason, n := range map[string]uint64{"refused": c.Refused, "displaced": c.Displaced, "stalled": c.Stalled} {
		ch <- prometheus.MustNewConstMetric(tcpClosed, prometheus.CounterValue, float64(n), reason)
	}
}
