package fairlead

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/counter"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

const (
	// readEvery is how often an endpoint's counter is read while caches may send there, and readingLater how often from readLate after the
	// second line on.
	readEvery    = 5 * time.Second
	readingLater = time.Minute
	readLate     = 5 * time.Minute
	// maxReading is how many counters are read at once.
	maxReading = 8
	// scrapeLag is how old the value of a Prometheus server may be: its scrape interval, of which a minute is the default.
	scrapeLag = time.Minute
	// onTime is the class of hits that an honest cache may have sent.
	onTime = "on_time"
)

// A hitReader reads the counters of endpoints that have left the answers, and notes in their incidents what arrives all the same. It
// runs beside the engine.
type hitReader struct {
	node   *node
	reader *counter.Reader
	hits   *prometheus.CounterVec
	failed *prometheus.CounterVec
	// last are the readings by incident and endpoint. Owned by run.
	last map[hitKey]hitReading
}

// A hitKey is an endpoint, as POOL/ENDPOINT, of an incident.
type hitKey struct{ incident, endpoint string }

// A hitReading is what a counter said: no earlier than begun, no later than done.
type hitReading struct {
	value       float64
	begun, done time.Time
	err         error
}

// A hitJob is a counter to be read.
type hitJob struct {
	key     hitKey
	counter *config.HitCounter
	reading hitReading
}

func newHitReader(n *node, dial counter.DialFunc) *hitReader {
	r := &hitReader{
		node: n, reader: counter.New(dial), last: make(map[hitKey]hitReading),
		hits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: namespace + "_late_hits_total", Help: "Requests that endpoints counted after they had left the answers, by zone and class: on_time, clamped, beyond.",
		}, []string{"zone", "class"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: namespace + "_late_hit_read_failures_total", Help: "Readings of endpoints' own counters that failed.",
		}, []string{"zone"}),
	}
	n.scope.MustRegister(r.hits, r.failed)
	return r
}

// run reads until ctx ends.
func (r *hitReader) run(ctx context.Context) error {
	return every(ctx, readEvery, func(now time.Time) { r.turn(ctx, now) })
}

// turn reads what is due and notes what it says.
func (r *hitReader) turn(ctx context.Context, now time.Time) {
	jobs := r.due(now)
	slots := make(chan struct{}, maxReading)
	var wg sync.WaitGroup
	for _, j := range jobs {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			j.reading.begun = time.Now()
			j.reading.value, j.reading.err = r.reader.Read(ctx, j.counter)
			j.reading.done = time.Now()
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return
	}
	byIncident := make(map[string][]*hitJob)
	for _, j := range jobs {
		byIncident[j.key.incident] = append(byIncident[j.key.incident], j)
	}
	for _, id := range slices.Sorted(maps.Keys(byIncident)) {
		r.note(id, byIncident[id])
	}
}

// due are the counters of endpoints that are out and were not read lately. What is over is forgotten.
func (r *hitReader) due(now time.Time) (jobs []*hitJob) {
	caches := r.node.Caches()
	current := make(map[hitKey]bool)
	for _, i := range r.node.engine.Incidents() {
		if !i.Open() || i.LeftAt.IsZero() {
			continue
		}
		pause := readEvery
		if clamped := i.ClampedAt(caches.Clamp, caches.Transit); !clamped.IsZero() && now.Sub(clamped) > readLate {
			pause = readingLater
		}
		for _, e := range i.Endpoints {
			// What one service alone does not answer is answered by others: its counter goes on for them.
			if e.Service != "" || !e.ReturnedAt.IsZero() {
				continue
			}
			c := r.node.counterOf(i.Zone, e.Name)
			if c == nil {
				continue
			}
			key := hitKey{i.ID, e.Name}
			current[key] = true
			if was, ok := r.last[key]; !ok || now.Sub(was.done) >= pause-readEvery/2 {
				jobs = append(jobs, &hitJob{key: key, counter: c})
			}
		}
	}
	maps.DeleteFunc(r.last, func(k hitKey, _ hitReading) bool { return !current[k] })
	return jobs
}

// counterOf is where requests to an endpoint, as POOL/ENDPOINT, are counted; nil for nowhere.
func (n *node) counterOf(zone, name string) *config.HitCounter {
	pool, endpoint, _ := strings.Cut(name, "/")
	for _, z := range n.engine.View().Model.Zones {
		if z.Name != zone {
			continue
		}
		for _, p := range z.Pools {
			for _, e := range p.Endpoints {
				if p.Name == pool && e.Name == endpoint {
					return e.LateHits
				}
			}
		}
	}
	return nil
}

// note lays what was read of the endpoints of an incident over its bound. Nobody else writes what is counted.
func (r *hitReader) note(id string, jobs []*hitJob) {
	caches, all := r.node.Caches(), r.node.engine.Incidents()
	k := slices.IndexFunc(all, func(i *ledger.Incident) bool { return i.ID == id })
	if k < 0 {
		return
	}
	i, next := all[k], new(ledger.Counted)
	if i.Counted != nil {
		*next = *i.Counted
		next.ByClass, next.Unread = maps.Clone(next.ByClass), maps.Clone(next.Unread)
	}
	clamped := i.ClampedAt(caches.Clamp, caches.Transit)
	for _, j := range jobs {
		r.add(next, i, j, clamped)
	}
	if i.Counted != nil && next.Count == i.Counted.Count && next.Source == i.Counted.Source && maps.Equal(next.Unread, i.Counted.Unread) {
		return
	}
	if _, err := r.node.engine.Amend(id, func(i *ledger.Incident) { i.Counted = next }); err != nil {
		r.node.logger.Debug("late hits", "incident", id, "err", err)
	}
}

// add takes in one reading. The first of an endpoint, and one that is less than the one before, begin anew.
func (r *hitReader) add(to *ledger.Counted, i *ledger.Incident, j *hitJob, clamped time.Time) {
	was, known := r.last[j.key]
	if j.reading.err != nil {
		r.failed.WithLabelValues(i.Zone).Inc()
		if to.Unread == nil {
			to.Unread = make(map[string]string)
		}
		to.Unread[j.key.endpoint] = j.reading.err.Error()
		if known {
			// What is counted until it can be read again came after the last value that is known.
			was.done = j.reading.done
			r.last[j.key] = was
		}
		return
	}
	delete(to.Unread, j.key.endpoint)
	r.last[j.key] = j.reading
	if to.Source == "" {
		to.Source = j.counter.Kind()
	} else if !strings.Contains(to.Source, j.counter.Kind()) {
		to.Source += ", " + j.counter.Kind()
	}
	if !known || j.reading.value < was.value {
		return
	}
	since := was.begun
	if j.counter.Query != "" {
		since = since.Add(-scrapeLag)
	}
	n := uint64(j.reading.value - was.value)
	bound := i.SafeAt
	if len(i.Unknown) > 0 {
		// It was known before another endpoint joined the incident, and does not hold for that.
		bound = time.Time{}
	}
	class := to.Add(n, since, j.reading.done, bound, clamped)
	if class == "" {
		class = onTime
	}
	r.hits.WithLabelValues(i.Zone, class).Add(float64(n))
}
