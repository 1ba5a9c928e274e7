package fastlane

import (
	"maps"
	"slices"
	"sync"

	"github.com/coredns/coredns/plugin/metrics/vars"
	"github.com/coredns/coredns/plugin/pkg/rcode"
	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Register makes CoreDNS's own metrics count what lanes answer, as if it had passed the plugin prometheus, and registers those of
// the lanes themselves. Nothing is counted per query but in the memory of a worker; all is added up when Prometheus asks. It is
// called once in a process.
//
// Counters of CoreDNS are raised by what is new since the last time. Histograms cannot be raised by more than one observation at a
// time, so that theirs and the lanes' are merged in what is told.
func (rt *Runtime) Register(reg prometheus.Registerer) error {
	m := &folder{runtime: rt, folded: new(counter)}
	for _, c := range []*prometheus.CounterVec{vars.RequestCount, vars.RequestDo, vars.ResponseRcode} {
		reg.Unregister(c)
		if err := reg.Register(&foldedCounter{c, m}); err != nil {
			return err
		}
	}
	for _, h := range []mergedHistogram{
		{inner: vars.RequestDuration, of: func(t *tally) *histogram { return durationsOf(t) }},
		{inner: vars.RequestSize, of: func(t *tally) *histogram { return sizesOf(t.requests[:]) }, protocol: true},
		{inner: vars.ResponseSize, of: func(t *tally) *histogram { return sizesOf(t.replies[:]) }, protocol: true},
	} {
		h.runtime = rt
		reg.Unregister(h.inner)
		if err := reg.Register(&h); err != nil {
			return err
		}
	}
	return reg.Register(&laneMetrics{rt})
}

// A folder raises CoreDNS's counters by what lanes counted.
type folder struct {
	runtime *Runtime
	mu      sync.Mutex
	// folded is what they have been raised by; guarded by mu.
	folded *counter
}

func (m *folder) fold() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, labels := m.runtime.sum()
	for id, t := range now.tallies {
		if t == nil {
			continue
		}
		l, was := labels[id], m.folded.of(id)
		for f := range t.types {
			for i, n := range t.types[f] {
				if d := n - was.types[f][i]; d > 0 {
					vars.RequestCount.WithLabelValues(l.server, l.zone, "", "udp", []string{"1", "2"}[f], typeName(i)).Add(float64(d))
				}
			}
		}
		if d := t.do - was.do; d > 0 {
			vars.RequestDo.WithLabelValues(l.server, l.zone, "").Add(float64(d))
		}
		for i, n := range t.rcodes {
			if d := n - was.rcodes[i]; d > 0 {
				vars.ResponseRcode.WithLabelValues(l.server, l.zone, "", rcode.ToString(i), l.plugin).Add(float64(d))
			}
		}
	}
	m.folded = now
}

func typeName(i int) string {
	if i == otherType {
		return "other"
	}
	return dns.TypeToString[namedTypes[i]]
}

// A foldedCounter is one of CoreDNS's counters.
type foldedCounter struct {
	*prometheus.CounterVec
	folder *folder
}

// Collect tells the counters with what lanes counted.
func (c *foldedCounter) Collect(ch chan<- prometheus.Metric) {
	c.folder.fold()
	c.CounterVec.Collect(ch)
}

// A histogram is how often each value was observed.
type histogram struct {
	values map[float64]uint64
	count  uint64
	sum    float64
}

// add adds what o observed.
func (h *histogram) add(o *histogram) {
	for v, n := range o.values {
		h.values[v] += n
	}
	h.count += o.count
	h.sum += o.sum
}

func sizesOf(counts []uint64) *histogram {
	h := &histogram{values: make(map[float64]uint64)}
	for size, n := range counts {
		if n > 0 {
			h.values[float64(size)] = n
			h.count += n
			h.sum += float64(size) * float64(n)
		}
	}
	return h
}

func durationsOf(t *tally) *histogram {
	h := &histogram{values: make(map[float64]uint64), sum: t.taken.Seconds()}
	for bucket, n := range t.durations {
		if n > 0 {
			h.values[durationIn(bucket).Seconds()] = n
			h.count += n
		}
	}
	return h
}

// A mergedHistogram is one of CoreDNS's histograms together with what lanes observed.
type mergedHistogram struct {
	runtime *Runtime
	inner   *prometheus.HistogramVec
	of      func(*tally) *histogram
	// protocol is set when the last label is that.
	protocol bool
}

// Describe names the histogram.
func (m *mergedHistogram) Describe(ch chan<- *prometheus.Desc) { m.inner.Describe(ch) }

// Collect tells it.
func (m *mergedHistogram) Collect(ch chan<- prometheus.Metric) {
	now, labels := m.runtime.sum()
	lanes := make(map[label]*histogram)
	for id, t := range now.tallies {
		if t == nil || t.total() == 0 {
			continue
		}
		l := labels[id]
		l.plugin = ""
		values := []string{l.server, l.zone, ""}
		if m.protocol {
			values = append(values, "udp")
		}
		// It must be there to be merged with.
		m.inner.WithLabelValues(values...)
		if lanes[l] == nil {
			lanes[l] = m.of(t)
		} else {
			lanes[l].add(m.of(t))
		}
	}
	all := make(chan prometheus.Metric)
	go func() {
		defer close(all)
		m.inner.Collect(all)
	}()
	for metric := range all {
		ch <- m.merge(metric, lanes)
	}
}

// merge is a series with what lanes observed for its labels.
func (m *mergedHistogram) merge(metric prometheus.Metric, lanes map[label]*histogram) prometheus.Metric {
	var d dto.Metric
	if err := metric.Write(&d); err != nil {
		return metric
	}
	by := make(map[string]string)
	for _, p := range d.Label {
		by[p.GetName()] = p.GetValue()
	}
	h := lanes[label{server: by["server"], zone: by["zone"]}]
	if h == nil || by["view"] != "" || m.protocol && by["proto"] != "udp" {
		return metric
	}
	h.addTo(d.Histogram)
	return &series{metric.Desc(), &d}
}

// A series is a metric that has been written already.
type series struct {
	desc *prometheus.Desc
	text *dto.Metric
}

// Desc describes the series.
func (s *series) Desc() *prometheus.Desc { return s.desc }

// Write tells it.
func (s *series) Write(out *dto.Metric) error {
	out.Label, out.Histogram = s.text.Label, s.text.Histogram
	return nil
}

// addTo adds the observations to d, in the classic buckets and in the native ones.
func (h *histogram) addTo(d *dto.Histogram) {
	count, sum := d.GetSampleCount()+h.count, d.GetSampleSum()+h.sum
	d.SampleCount, d.SampleSum = &count, &sum
	for _, b := range d.Bucket {
		n := b.GetCumulativeCount()
		for v, c := range h.values {
			if v <= b.GetUpperBound() {
				n += c
			}
		}
		b.CumulativeCount = &n
	}
	if d.Schema == nil {
		return
	}
	buckets, zeroes := nativeBuckets(d), d.GetZeroCount()
	for v, c := range h.values {
		if v <= d.GetZeroThreshold() {
			zeroes += c
		} else {
			buckets[nativeKey(v, d.GetSchema())] += int64(c)
		}
	}
	d.ZeroCount = &zeroes
	setNativeBuckets(d, buckets)
}

// laneDesc are the metrics of lanes themselves.
var (
	laneUp       = laneDesc("sockets", "Sockets of the fast lane; 0 where questions take the ordinary path, for the reason.", "server", "reason")
	laneAnswered = laneDesc("replies_total", "Replies that the fast lane wrote.")
	laneHanded   = laneDesc("handed_total", "Packets that the fast lane gave to the ordinary path.")
	laneShed     = laneDesc("shed_total", "Packets that the queue to the ordinary path had no room for.")
	laneDropped  = laneDesc("dropped_total", "Datagrams that the sockets had no room for, as the kernel counts them.")
	laneUnsent   = laneDesc("unsent_total", "Replies that the system did not take.")
	laneBatches  = laneDesc("batches_total", "Batches that were read: replies and handed packets by this is how full they are.")
)

func laneDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName("fairlead", "fastlane", name), help, labels, nil)
}

// laneMetrics tells how the lanes are.
type laneMetrics struct{ runtime *Runtime }

// Describe names what Collect collects.
func (m *laneMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{laneUp, laneAnswered, laneHanded, laneShed, laneDropped, laneUnsent, laneBatches} {
		ch <- d
	}
}

// Collect adds up what the workers counted.
func (m *laneMetrics) Collect(ch chan<- prometheus.Metric) {
	for _, s := range m.runtime.States() {
		ch <- prometheus.MustNewConstMetric(laneUp, prometheus.GaugeValue, float64(s.Sockets), s.Address, s.Reason)
	}
	c := m.runtime.Counts()
	for d, n := range map[*prometheus.Desc]uint64{
		laneAnswered: c.Answered, laneHanded: c.Handed, laneShed: c.Shed, laneDropped: c.Dropped, laneUnsent: c.Unsent, laneBatches: c.Batches,
	} {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n))
	}
}

// sortedKeys are the keys of native buckets, in order.
func sortedKeys(buckets map[int]int64) []int { return slices.Sorted(maps.Keys(buckets)) }
