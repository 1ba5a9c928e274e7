package admin

import "github.com/prometheus/client_golang/prometheus"

// serverMetrics are what the API counts of itself. Which source, name or path it was is in the log and the journal.
type serverMetrics struct {
	refusals    *prometheus.CounterVec
	lockouts    prometheus.Counter
	tlsFailures prometheus.Counter
	crowded     prometheus.Counter
	// issuerFailures counts looks at the OIDC issuer that failed.
	issuerFailures prometheus.Counter
	// expires is when the certificate of the listener expires.
	expires prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *serverMetrics {
	m := &serverMetrics{
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_admin_logins_refused_total", Help: "Requests over TCP that were refused for who asked, by reason.",
		}, []string{"reason"}),
		lockouts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "fairlead_admin_lockouts_total", Help: "Times that a source address was locked out for a minute.",
		}),
		tlsFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "fairlead_admin_certificate_reload_failures_total", Help: "Versions of the certificate's files that could not be used.",
		}),
		crowded: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "fairlead_admin_connections_refused_total", Help: "TCP connections closed at once since their source had as many as it may.",
		}),
		issuerFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "fairlead_admin_oidc_failures_total", Help: "Times that the configuration or the keys of the OIDC issuer could not be read.",
		}),
		expires: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "fairlead_admin_certificate_expiry_timestamp_seconds", Help: "When the certificate of admin.tls expires; 0 without one.",
		}),
	}
	for _, reason := range []string{refusedNone, refusedMalformed, refusedUnknown, refusedExpired, refusedLocked, refusedRole, refusedUnheard} {
		m.refusals.WithLabelValues(reason)
	}
	reg.MustRegister(m.refusals, m.lockouts, m.tlsFailures, m.crowded, m.expires)
	return m
}

// withIssuer makes the series of a server that takes tokens of an OIDC issuer: the others have none.
func (m *serverMetrics) withIssuer(reg prometheus.Registerer) {
	m.refusals.WithLabelValues(refusedIssuer)
	reg.MustRegister(m.issuerFailures)
}

func (m *serverMetrics) refused(reason string) { m.refusals.WithLabelValues(reason).Inc() }
