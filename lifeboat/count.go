package lifeboat

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// The reasons for which an arrival is not forwarded.
const (
	refusedLoop    = "loop"
	refusedLimit   = "limit"
	refusedUnheard = "unreachable"
	refusedProbe   = "probe"
)

// Counts are those of one address. Arrivals are connections, and clients of UDP, that came after it had left the answers: late hits.
type Counts struct {
	Endpoint  string            `json:"endpoint"`
	Arrivals  uint64            `json:"arrivals"`
	Forwarded uint64            `json:"forwarded"`
	Refused   map[string]uint64 `json:"refused,omitempty"`
	// Open is how many are being forwarded now; LastAt is the last arrival.
	Open   int64      `json:"open"`
	LastAt *time.Time `json:"last_at,omitempty"`
}

// counters count arrivals by address.
type counters struct {
	mu sync.Mutex
	by map[string]*Counts // guarded by mu

	registry                     *prometheus.Registry
	arrivals, forwarded, refused *prometheus.CounterVec
	open                         *prometheus.GaugeVec
}

func newCounters() *counters {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	c := &counters{
		by: make(map[string]*Counts), registry: prometheus.NewRegistry(),
		arrivals:  vec("fairlead_lifeboat_arrivals_total", "Connections, and clients of UDP, that arrived at an address after it had left the answers.", "endpoint", "address"),
		forwarded: vec("fairlead_lifeboat_forwarded_total", "Those of them that were forwarded to who is in service.", "endpoint", "address"),
		refused:   vec("fairlead_lifeboat_refused_total", "Those of them that were not, by reason: loop, limit, unreachable, probe.", "endpoint", "address", "reason"),
		open:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "fairlead_lifeboat_open", Help: "Those that are being forwarded now."}, []string{"endpoint", "address"}),
	}
	c.registry.MustRegister(c.arrivals, c.forwarded, c.refused, c.open)
	return c
}

// know begins to count an address, from zero.
func (c *counters) know(address, endpoint string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by[address] == nil {
		c.by[address] = &Counts{Endpoint: endpoint, Refused: make(map[string]uint64)}
		c.arrivals.WithLabelValues(endpoint, address)
		c.forwarded.WithLabelValues(endpoint, address)
		c.open.WithLabelValues(endpoint, address)
	}
}

func (c *counters) arrived(address string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.by[address]
	k.Arrivals++
	k.LastAt = &now
	c.arrivals.WithLabelValues(k.Endpoint, address).Inc()
}

// began counts one that is forwarded; ended when it is over.
func (c *counters) began(address string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.by[address]
	k.Forwarded++
	k.Open++
	c.forwarded.WithLabelValues(k.Endpoint, address).Inc()
	c.open.WithLabelValues(k.Endpoint, address).Inc()
}

func (c *counters) ended(address string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.by[address]
	k.Open--
	c.open.WithLabelValues(k.Endpoint, address).Dec()
}

func (c *counters) refuse(address, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.by[address]
	k.Refused[reason]++
	c.refused.WithLabelValues(k.Endpoint, address, reason).Inc()
}

// openNow is how many are being forwarded.
func (c *counters) openNow() (n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.by {
		n += k.Open
	}
	return n
}

// of are the counts of one address.
func (c *counters) of(address string) Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := *c.by[address]
	return k
}

// handler answers /metrics, and /lifeboat with the same as JSON: the numbers that late_hits of a zone file read.
func (c *counters) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /lifeboat", func(w http.ResponseWriter, _ *http.Request) {
		c.mu.Lock()
		var total uint64
		for _, k := range c.by {
			total += k.Arrivals
		}
		b, err := json.Marshal(map[string]any{"arrivals": total, "addresses": c.by})
		c.mu.Unlock()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(b)
	})
	return mux
}
