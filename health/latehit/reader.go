// Package latehit reads what endpoints count that have left the answers, and lays it over the bound of their incidents: a request that
// arrives after every honest cache has forgotten came from one that is not. It dials counters alone, and decides nothing.
package latehit

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/counter"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

const (
	// Interval is how often an endpoint's counter is to be read while caches may send there, and readingLater how often from readLate after
	// the second line on.
	Interval     = 5 * time.Second
	readingLater = time.Minute
	readLate     = 5 * time.Minute
	// maxReading is how many counters are read at once.
	maxReading = 8
	// scrapeLag is how old the value of a Prometheus server may be: its scrape interval, of which a minute is the default.
	scrapeLag = time.Minute
	// onTime is the class of hits that an honest cache may have sent.
	onTime = "on_time"
)

// Incidents has what left the answers, and the zones in force.
type Incidents interface {
	View() *health.View
	Incidents() []*ledger.Incident
	// Amend changes what is known of one.
	Amend(id string, change func(*ledger.Incident)) (*ledger.Incident, error)
}

// Options are what a Reader needs; all are required.
type Options struct {
	Incidents Incidents
	// Caches is what is assumed of resolvers.
	Caches     func() config.Caches
	Dial       counter.DialFunc
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// A Reader reads the counters of endpoints that have left the answers, and notes in their incidents what arrives all the same. It
// runs beside the engine, on one goroutine.
type Reader struct {
	opts   Options
	reader *counter.Reader
	hits   *prometheus.CounterVec
	failed *prometheus.CounterVec
	// last are the readings by incident and endpoint.
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

// New makes a Reader, and its metrics.
func New(opts Options) *Reader {
	r := &Reader{
		opts: opts, reader: counter.New(opts.Dial), last: make(map[hitKey]hitReading),
		hits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_late_hits_total", Help: "Requests that endpoints counted after they had left the answers, by zone and class: on_time, clamped, beyond.",
		}, []string{"zone", "class"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_late_hit_read_failures_total", Help: "Readings of endpoints' own counters that failed.",
		}, []string{"zone"}),
	}
	opts.Registerer.MustRegister(r.hits, r.failed)
	return r
}

// Turn reads what is due and notes what it says.
func (r *Reader) Turn(ctx context.Context, now time.Time) {
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
func (r *Reader) due(now time.Time) (jobs []*hitJob) {
	caches := r.opts.Caches()
	current := make(map[hitKey]bool)
	for _, i := range r.opts.Incidents.Incidents() {
		if !i.Open() || i.LeftAt.IsZero() {
			continue
		}
		pause := Interval
		if clamped := i.ClampedAt(caches.Clamp, caches.Transit); !clamped.IsZero() && now.Sub(clamped) > readLate {
			pause = readingLater
		}
		for _, e := range i.Endpoints {
			// What one service alone does not answer is answered by others: its counter goes on for them.
			if e.Service != "" || !e.ReturnedAt.IsZero() {
				continue
			}
			c := r.counterOf(i.Zone, e.Name)
			if c == nil {
				continue
			}
			key := hitKey{i.ID, e.Name}
			current[key] = true
			if was, ok := r.last[key]; !ok || now.Sub(was.done) >= pause-Interval/2 {
				jobs = append(jobs, &hitJob{key: key, counter: c})
			}
		}
	}
	maps.DeleteFunc(r.last, func(k hitKey, _ hitReading) bool { return !current[k] })
	return jobs
}

// counterOf is where requests to an endpoint, as POOL/ENDPOINT, are counted; nil for nowhere.
func (r *Reader) counterOf(zone, name string) *config.HitCounter {
	pool, endpoint, _ := strings.Cut(name, "/")
	for _, z := range r.opts.Incidents.View().Model.Zones {
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
func (r *Reader) note(id string, jobs []*hitJob) {
	caches, all := r.opts.Caches(), r.opts.Incidents.Incidents()
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
	if _, err := r.opts.Incidents.Amend(id, func(i *ledger.Incident) { i.Counted = next }); err != nil {
		r.opts.Logger.Debug("late hits", "incident", id, "err", err)
	}
}

// add takes in one reading. The first of an endpoint, and one that is less than the one before, begin anew.
func (r *Reader) add(to *ledger.Counted, i *ledger.Incident, j *hitJob, clamped time.Time) {
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
