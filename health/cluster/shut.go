package cluster

import (
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/health/event"
)

// A Shut is why this node does not answer service names: it joins, or its lease has ended. Because belongs to one goroutine; Why may be asked by
// any.
type Shut struct {
	node   string
	lease  *Lease
	events *event.Log
	logger *slog.Logger
	gauge  prometheus.Gauge
	reason atomic.Pointer[string] // swapped, never mutated
}

// NewShut is that of a node that answers for as long as its lease runs.
func NewShut(node string, lease *Lease, events *event.Log, logger *slog.Logger, reg prometheus.Registerer) *Shut {
	s := &Shut{node: node, lease: lease, events: events, logger: logger, gauge: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "fairlead_cluster_shut", Help: "1 while service names are answered SERVFAIL: the node joins, or was alone for too long.",
	})}
	reg.MustRegister(s.gauge)
	s.reason.Store(new(string))
	return s
}

// Why says why service names are not answered now; empty while they are.
func (s *Shut) Why() string {
	if reason := *s.reason.Load(); reason != "" {
		return reason
	}
	return s.lease.Over()
}

// Err is Why as an error; nil while service names are answered.
func (s *Shut) Err() error {
	if reason := s.Why(); reason != "" {
		return errors.New(reason)
	}
	return nil
}

// Because has service names not answered for a reason, or answered where there is none.
func (s *Shut) Because(reason string) {
	if *s.reason.Load() == reason {
		return
	}
	s.reason.Store(&reason)
	s.events.Add(either(reason != "", "node.shut", "node.serves"), s.node, reason, nil)
	if reason != "" {
		s.gauge.Set(1)
		s.logger.Warn("service names are not answered", "cause", reason)
		return
	}
	s.gauge.Set(0)
	s.logger.Info("service names are answered")
}
