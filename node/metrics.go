package node

import (
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// namespace begins the name of every metric of this program; those of CoreDNS begin with coredns_.
const namespace = "fairlead"

// maxPoolSeries is up to how many pools of a zone have series of their own. CoreDNS cuts a scrape off after 5 s, which
// 100,000 pools in 5 states exceed.
const maxPoolSeries = 1000

// The results of a reload of the Corefile.
const (
	reloadDone   = "done"
	reloadFailed = "failed"
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

// The gauges and counters that are read from the snapshot when Prometheus asks. Zones, pools and files are as many as the
// configuration has; the other labels are closed sets.
var (
	endpointsDesc = desc("endpoints", "Endpoints by the state that is shown.", "zone", "pool", "state")
	stateDesc     = desc("endpoint_state", "Always 1; the state that is shown of an endpoint. For as many endpoints as metrics.endpoints of the node file says.",
		"zone", "pool", "endpoint", "az", "state")
	statelessDesc  = desc("endpoint_state_left_out", "Endpoints that have no series endpoint_state, since metrics.endpoints of the node file is less.")
	warningsDesc   = desc("endpoint_warnings", "Endpoints whose latest probe by this node succeeded with a warning, as of a certificate that expires soon.", "zone")
	servicesDesc   = desc("services", "Services by why their members answer; all but tier and pending need a look.", "zone", "source")
	lagDesc        = desc("pool_lag", "How far the data of a pool is behind, by the latest measurement that counts, in the unit; absent while that is not known.", "zone", "pool", "unit")
	rpoDesc        = desc("pool_rpo_state", "1 for how the lag of a pool stands to the rpo of a service: unknown, within or exceeds; held is 1 while it keeps the service from moving there.", "zone", "pool", "service", "state")
	repliesDesc    = desc("replies_total", "Replies by outcome.", "zone", "outcome")
	problemsDesc   = desc("config_problems", "Problems in a zone file as it is on disk.", "file", "severity")
	brokenDesc     = desc("config_file_broken", "1 while a zone file as it is on disk is not what is served.", "file")
	configDesc     = desc("config_info", "Always 1; the hash is equal on nodes with equal zone files.", "hash")
	generationDesc = desc("snapshot_generation", "Number of the snapshot that is served; grows with each change.")
	ageDesc        = desc("snapshot_age_seconds", "Seconds since the snapshot that is served was decided.")
	auditEntries   = desc("audit_entries", "Sequence number of the latest entry of the audit log.")
	auditBytes     = desc("audit_bytes", "Size of all segments of the audit log; nothing removes them but an operator.")
	auditFailures  = desc("audit_failures_total", "Times that the audit log could not be opened or written: orders were refused, or not recorded.")
	auditBroken    = desc("audit_broken", "1 if the end of the audit log was found broken at the start.")
	buildDesc      = desc("build_info", "Always 1; of what the program was built.", "version", "goversion")
	readyDesc      = desc("ready", "1 while queries are answered from live evidence.")
)

// nodeMetrics are those of the node. The collector part reads the node when it is scraped, so that nothing is counted twice
// and nothing is left behind by zones that are gone.
type nodeMetrics struct {
	node    *Node
	reloads *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer, n *Node) *nodeMetrics {
	m := &nodeMetrics{node: n, reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "reloads_total",
		Help: "Reloads of the Corefile by result.",
	}, []string{"result"})}
	for _, result := range []string{reloadDone, reloadFailed} {
		m.reloads.WithLabelValues(result)
	}
	reg.MustRegister(m, m.reloads)
	return m
}

// Describe names what Collect collects.
func (m *nodeMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		endpointsDesc, stateDesc, statelessDesc, warningsDesc, servicesDesc, lagDesc, rpoDesc, repliesDesc, problemsDesc, brokenDesc, configDesc, generationDesc, ageDesc, readyDesc,
		auditEntries, auditBytes, auditFailures, auditBroken, tcpOpen, tcpClosed, limitedDesc, buildDesc,
	} {
		ch <- d
	}
	for _, d := range stalenessDescs {
		ch <- d
	}
}

// Collect reads the snapshot in force.
func (m *nodeMetrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(buildDesc, 1, m.node.opts.Version, runtime.Version())
	m.node.source.problems(
		func(file string, s config.Severity, n int) { gauge(problemsDesc, float64(n), file, s.String()) },
		func(file string, broken bool) { gauge(brokenDesc, number(broken), file) })
	if m.node.audit != nil {
		a := m.node.audit.Stats()
		gauge(auditEntries, float64(a.Entries))
		gauge(auditBytes, float64(a.Octets))
		gauge(auditBroken, number(a.Broken))
		ch <- prometheus.MustNewConstMetric(auditFailures, prometheus.CounterValue, float64(a.Failures))
	}
	collectTCP(ch, m.node.opts.Streams())
	collectLimited(ch, m.node.guards.Limiter)
	snap := m.node.current.Load()
	if snap == nil {
		return
	}
	gauge(readyDesc, number(m.node.engine != nil && m.node.Ready() == nil))
	gauge(configDesc, 1, snap.View.Model.Hash.String())
	gauge(generationDesc, float64(snap.View.Generation))
	gauge(ageDesc, time.Since(snap.View.At).Seconds())
	for _, zv := range snap.View.Zones {
		eachPool(zv, func(pool string, count stateCount) {
			for _, s := range health.States() {
				// A state that no endpoint is in has no series: most pools know one state all their life.
				if count[s] > 0 {
					gauge(endpointsDesc, float64(count[s]), zv.Zone.Name, pool, s.String())
				}
			}
		})
		gauge(warningsDesc, float64(m.node.warnings(zv)), zv.Zone.Name)
		m.collectLags(gauge, zv)
		count := make(map[steer.Source]int)
		for i := range zv.Zone.Services {
			count[snap.Plan(zv.Zone, i).Source]++
		}
		for _, s := range steer.Sources() {
			if count[s] > 0 {
				gauge(servicesDesc, float64(count[s]), zv.Zone.Name, s.String())
			}
		}
	}
	if c := m.node.config.Load(); c != nil && c.Metrics.Endpoints > 0 {
		left := eachState(snap.View, c.Metrics.Endpoints, func(zone, pool, endpoint, az, state string) {
			gauge(stateDesc, 1, zone, pool, endpoint, az, state)
		})
		gauge(statelessDesc, float64(left))
	}
	m.collectStaleness(gauge, snap.View)
	m.collectServices(ch, gauge, snap)
	snap.EachZone(func(zone string, c *answer.Counters) {
		answer.EachOutcome(func(o answer.Outcome) {
			ch <- prometheus.MustNewConstMetric(repliesDesc, prometheus.CounterValue, float64(c.Total(o)), zone, o.String())
		})
	})
}

// gravestFirst is the order in which endpoints get series of their own, while there are enough.
var gravestFirst = []health.State{health.Down, health.Suspect, health.Unknown, health.Drained, health.Up}

// eachState calls f for at most limit endpoints, and says how many more there are.
func eachState(v *health.View, limit int, f func(zone, pool, endpoint, az, state string)) (left int) {
	for _, s := range gravestFirst {
		for _, zv := range v.Zones {
			for i, p := range zv.Pools {
				for k := range p.Endpoints {
					if p.Endpoints[k].Shown() != s {
						continue
					}
					if limit--; limit < 0 {
						left++
						continue
					}
					e := zv.Zone.Pools[i].Endpoints[k]
					f(zv.Zone.Name, zv.Zone.Pools[i].Name, e.Name, zv.Zone.AZs[e.AZ].Name, s.String())
				}
			}
		}
	}
	return left
}

// warnings counts the endpoints of a zone that this node's latest probe warns of.
func (n *Node) warnings(zv *health.ZoneView) (count int) {
	if n.engine == nil {
		return 0
	}
	for _, p := range zv.Zone.Pools {
		if p.Check < 0 {
			continue
		}
		for _, e := range p.Endpoints {
			if o, ok := n.engine.Observation(health.TargetOf(zv.Zone.Name, zv.Zone.Checks[p.Check], e).ID); ok && o.Warning != "" {
				count++
			}
		}
	}
	return count
}

// stateCount is how many endpoints are shown in each state.
type stateCount map[health.State]int

// eachPool calls f with the endpoints of each pool, or once for all pools of a zone that has too many, by the name "".
func eachPool(zv *health.ZoneView, f func(pool string, count stateCount)) {
	together := len(zv.Pools) > maxPoolSeries
	count := make(stateCount)
	for i, p := range zv.Pools {
		for _, e := range p.Endpoints {
			count[e.Shown()]++
		}
		if !together {
			f(zv.Zone.Pools[i].Name, count)
			clear(count)
		}
	}
	if together {
		f("", count)
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// A scope registers collectors and takes them back together: a node that ends leaves no metrics behind, and one that
// starts later in the same process finds the names free.
type scope struct {
	registerer prometheus.Registerer

	mu         sync.Mutex
	collectors []prometheus.Collector // guarded by mu
}

// Register registers c until close.
func (s *scope) Register(c prometheus.Collector) error {
	if err := s.registerer.Register(c); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.collectors = append(s.collectors, c)
	return nil
}

// MustRegister panics where Register fails.
func (s *scope) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		if err := s.Register(c); err != nil {
			panic(err)
		}
	}
}

// Unregister takes c back.
func (s *scope) Unregister(c prometheus.Collector) bool { return s.registerer.Unregister(c) }

func (s *scope) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.collectors {
		s.registerer.Unregister(c)
	}
	s.collectors = nil
}
