package node

import (
	"context"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/zonedir"
	"github.com/fairlead-dns/fairlead/discover"
	"github.com/fairlead-dns/fairlead/discover/kube"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/event"
)

const (
	// discoverPause is the time between two looks at what clusters say at least: changes come in bursts, and each new set is a new model.
	discoverPause = 200 * time.Millisecond
	// discoverHeld is the time between two looks while addresses wait to leave: what they wait for is an endpoint that comes up, or a time.
	// discoverIdle is that of other times.
	discoverHeld, discoverIdle = time.Second, 10 * time.Second
	// discoverStale is how long a cluster is not read before somebody is told: API servers start anew.
	discoverStale = 5 * time.Second
	// discoverAlone is how long a node of several waits for another one's word about a cluster of which nothing is kept here: the others may keep
	// what the cluster does not say any more.
	discoverAlone = 20 * time.Second
)

// A discovery reads the clusters that the node file names, keeps what they give, and has it take effect. Its goroutine is the only one that
// decides.
type discovery struct {
	node, version string
	state         string
	logger        *slog.Logger
	events        *event.Log
	metrics       discoveryMetrics
	// view is what is believed now; apply has a new model made. Both are set before run.
	view  func() *health.View
	apply func(ctx context.Context)
	// files are all zone files as they are on disk; set before run.
	files func() []zonedir.FileStatus
	// news tells the other nodes that the sets have changed; set before run.
	news func()
	wake chan struct{}
	// shown are the sets for whoever must not wait; swapped, never mutated.
	shown atomic.Pointer[shownSets]
	// several is set where there are other nodes, before run; met once one of them has told of its sets, or has the same.
	several bool
	met     atomic.Bool

	mu sync.Mutex // guards the rest
	// sets are what clusters give, by name; values, never changed.
	sets map[string]*discover.Set
	// zones are those of the files in force, clusters what the node file says now.
	zones    []*config.Zone
	clusters []config.KubeCluster
	readers  map[string]*clusterReader
	// orders are those that wait for a node that reads the cluster, of any node.
	orders discover.Orders
	// asked is set after an order on this node: the others are to be told.
	asked bool
	// alone is until when a word of the others is waited for.
	alone time.Time
	// heard is set after another node's set took the place of one: it has to be applied.
	heard bool
}

// A clusterReader is a cluster that is read.
type clusterReader struct {
	*kube.Reader
	cluster config.KubeCluster
	cancel  context.CancelFunc
	done    chan struct{}
	// report is what it said last. told is what somebody has been told of it; owned by discovery.run.
	report kube.Report
	told   string
	// behind is since when it has been read at an earlier revision than that of the set; zero while it is not. See discovery.late.
	behind time.Time
	// adopting is set while an order to adopt it waits for its API.
	adopting bool
	// wasBack is set where it was rewound when it was to be adopted.
	wasBack bool
	// toldLate is set once somebody has been told that it is behind; owned by discovery.run.
	toldLate bool
}

// newDiscovery takes up what was kept.
func newDiscovery(node, version, state string, clusters []config.KubeCluster, logger *slog.Logger, events *event.Log, reg prometheus.Registerer) *discovery {
	d := &discovery{
		node: node, version: version, state: state, clusters: clusters, logger: logger, events: events, wake: make(chan struct{}, 1),
		sets: make(map[string]*discover.Set), readers: make(map[string]*clusterReader), metrics: newDiscoveryMetrics(reg),
	}
	if state != "" {
		sets, err := discover.Load(state)
		if err != nil {
			logger.Error("what clusters gave is not readable: their endpoints come back once they are read", "err", err)
		}
		d.sets = sets
	}
	d.show()
	return d
}

// with is z with the endpoints that clusters give it. A nil discovery gives none.
func (d *discovery) with(z *config.Zone) *config.Zone {
	if d == nil {
		return z
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	members, _ := discover.Members(z, d.sets)
	return z.With(members)
}

// want says which zones are in force, as their files have them.
func (d *discovery) want(zones []*config.Zone) {
	if d == nil {
		return
	}
	d.mu.Lock()
	d.zones = zones
	d.mu.Unlock()
	d.poke()
}

// configure takes up what a node file says now.
func (d *discovery) configure(clusters []config.KubeCluster) {
	d.mu.Lock()
	d.clusters = clusters
	d.mu.Unlock()
	d.poke()
}

func (d *discovery) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// run reads and decides until ctx ends.
func (d *discovery) run(ctx context.Context) error {
	defer d.end()
	if d.state != "" {
		if err := discover.Prepare(d.state); err != nil {
			d.logger.Error("what clusters give cannot be kept: a start without them has no endpoints of theirs", "err", err)
		}
	}
	d.mu.Lock()
	d.alone = time.Now().Add(discoverAlone)
	d.mu.Unlock()
	for {
		d.arrange(ctx)
		changed, waits := d.decide(time.Now())
		heard, asked := d.takeNews()
		if changed || asked {
			d.news()
		}
		if changed || heard {
			d.apply(ctx)
		}
		if !rest(ctx, d.wake, waits) {
			return nil
		}
	}
}

// rest waits for a pause, so that news come together, and then until there is some or it is time to look; sooner where something waits. It is false
// once ctx has ended.
func rest(ctx context.Context, wake <-chan struct{}, waits bool) bool {
	pause := time.NewTimer(discoverPause)
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-pause.C:
	}
	idle := discoverIdle
	if waits {
		idle = discoverHeld
	}
	timer := time.NewTimer(idle)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer.C:
	}
	return ctx.Err() == nil
}

// arrange has one reader for each cluster of the node file, and tells it what the zones want.
func (d *discovery) arrange(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, r := range d.readers {
		if !slices.ContainsFunc(d.clusters, func(c config.KubeCluster) bool { return reflect.DeepEqual(c, r.cluster) }) {
			r.cancel()
			delete(d.readers, name)
			d.metrics.forget(name)
		}
	}
	for _, c := range d.clusters {
		if d.readers[c.Name] == nil {
			d.readers[c.Name] = d.start(ctx, c)
		}
		d.readers[c.Name].Want(discover.Wants(d.zones, c.Name))
	}
}

// start starts the reader of a cluster.
func (d *discovery) start(ctx context.Context, c config.KubeCluster) *clusterReader {
	o := kube.Options{Cluster: &c, Agent: "fairlead/" + d.version, Changed: d.poke}
	if s := d.sets[c.Name]; s != nil {
		o.UID = s.UID
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &clusterReader{Reader: kube.New(o), cluster: c, cancel: cancel, done: make(chan struct{})}
	var running sync.WaitGroup
	running.Go(func() { _ = r.Run(ctx) })
	if c.Zones != nil {
		o := &zoneObjects{node: d.node, cluster: c.Name, want: c.Zones, logger: d.logger, zones: r.Zones, accept: r.SetAccepted, files: d.files,
			said: make(map[string]string), told: make(map[string]time.Time)}
		running.Go(func() { o.run(ctx) })
	}
	go func() {
		defer close(r.done)
		running.Wait()
	}()
	return r
}

// end waits until nothing reads any more.
func (d *discovery) end() {
	d.mu.Lock()
	readers := slices.Collect(maps.Values(d.readers))
	d.mu.Unlock()
	for _, r := range readers {
		r.cancel()
		<-r.done
	}
}

// decide folds what the clusters say. waits is set while something is about to leave, or a cluster is about to be stale.
func (d *discovery) decide(now time.Time) (changed, waits bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(d.readers)) {
		r := d.readers[name]
		r.report = r.Report()
		waits = d.tell(name, r, now) || waits
		changed = d.fold(name, r, now) || changed
		waits = waits || d.sets[name].Waits()
		d.metrics.set(name, d.sets[name], r.told == "")
	}
	if changed {
		d.show()
	}
	return changed, waits
}

// fold folds what one cluster says.
func (d *discovery) fold(name string, r *clusterReader, now time.Time) (changed bool) {
	old := d.sets[name]
	if old == nil {
		old = &discover.Set{Cluster: name}
		d.sets[name] = old
	}
	if d.several && !d.met.Load() && old.UID == "" && now.Before(d.alone) {
		return false
	}
	adopt := d.adopt(old, r, now)
	if d.late(old, r, now) {
		d.tellLate(name, r, now)
		return false
	}
	g := d.ground(name, now)
	accept := d.accept(old, r, now)
	g.Accept = accept > 0
	seen := r.report.Seen
	if r.report.Stranger() != nil {
		// Nothing is taken from it, and nothing concluded.
		seen = nil
	}
	next, notes := old.Decide(g, discover.Wants(d.zones, name), seen)
	// What another node says of where it stands is not corrected: two would do so for ever.
	place := old.Node != d.node || old.Region == r.cluster.Region && old.AZ == r.cluster.AZ
	if next == old && accept+adopt == 0 && (r.report.UID == "" || old.UID == r.report.UID && place) {
		return false
	}
	out := *next
	out.Accepted, out.Adopted = max(out.Accepted, accept), max(out.Adopted, adopt)
	if next == old {
		out.Decision++
	}
	if old.UID != "" && r.report.UID != "" && old.UID != r.report.UID || !r.behind.IsZero() {
		out.Epoch++
		r.behind = time.Time{}
		r.Trust()
	}
	if r.report.UID != "" {
		out.UID, out.Revision = r.report.UID, r.report.Revision
	}
	out.Region, out.AZ, out.Node = r.cluster.Region, r.cluster.AZ, d.node
	d.sets[name] = &out
	for _, n := range notes {
		d.logger.Info("discovery", "kind", n.Kind, "cluster", name, "what", n.Text)
		d.events.Add(n.Kind, name, n.Text, nil)
	}
	if d.state != "" {
		// It is on disk before it is answered.
		if err := out.Save(d.state); err != nil {
			d.logger.Error("what a cluster gives is not kept: a start without its API has an older set", "cluster", name, "err", err)
		}
	}
	return true
}

// others is how many endpoints a pool has that are not of a cluster.
func (d *discovery) others(cluster string) func(zone, pool string) int {
	sets := maps.Clone(d.sets)
	delete(sets, cluster)
	with := make(map[string]*config.Zone)
	return func(zone, pool string) int {
		if with[zone] == nil {
			at := slices.IndexFunc(d.zones, func(z *config.Zone) bool { return z.Name == zone })
			if at < 0 {
				return 0
			}
			members, _ := discover.Members(d.zones[at], sets)
			with[zone] = d.zones[at].With(members)
		}
		for _, p := range with[zone].Pools {
			if p.Name == pool {
				return len(p.Endpoints)
			}
		}
		return 0
	}
}

// tell tells when a cluster cannot be read any more, or can again. It returns whether that may change by time alone.
func (d *discovery) tell(name string, r *clusterReader, now time.Time) (waits bool) {
	trouble := ""
	for _, f := range r.report.Failures {
		if now.Sub(f.Since) < discoverStale {
			waits = true
		} else if trouble == "" {
			trouble = f.Err.Error()
		}
	}
	if trouble == r.told {
		return waits
	}
	was := r.told
	r.told = trouble
	switch {
	case trouble == "":
		d.logger.Info("cluster read again", "cluster", name)
		d.events.Add("discovery.read", name, "it is read again", nil)
	case r.report.Stranger() != nil:
		d.logger.Error("cluster not taken: another one stands behind its URL", "cluster", name, "err", trouble)
		d.events.Add("discovery.stranger", name, trouble, nil)
	default:
		d.logger.Error("cluster not read, what it gave last stays", "cluster", name, "old", was, "err", trouble)
		d.events.Add("discovery.stale", name, trouble, nil)
	}
	return waits
}

// discoveryMetrics say how clusters are.
type discoveryMetrics struct {
	read      *prometheus.GaugeVec
	endpoints *prometheus.GaugeVec
}

func newDiscoveryMetrics(reg prometheus.Registerer) discoveryMetrics {
	m := discoveryMetrics{
		read: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "fairlead_discovery_read", Help: "1 while a cluster is read, 0 while what it gave last stays."}, []string{"cluster"}),
		endpoints: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "fairlead_discovery_endpoints", Help: "Addresses that a cluster gives, by why they are there."}, []string{"cluster", "state"}),
	}
	reg.MustRegister(m.read, m.endpoints)
	return m
}

// forget takes a cluster out that is not read any more.
func (m discoveryMetrics) forget(cluster string) {
	m.read.DeleteLabelValues(cluster)
	m.endpoints.DeletePartialMatch(prometheus.Labels{"cluster": cluster})
}

func (m discoveryMetrics) set(cluster string, s *discover.Set, read bool) {
	value := 0.0
	if read {
		value = 1
	}
	m.read.WithLabelValues(cluster).Set(value)
	held := s.Held()
	for state, label := range map[discover.State]string{discover.Named: "named", discover.Replaced: "replaced", discover.Kept: "kept", discover.Gone: "gone"} {
		m.endpoints.WithLabelValues(cluster, label).Set(float64(held[state]))
	}
}

// ground is what is decided by besides what a cluster says.
func (d *discovery) ground(cluster string, now time.Time) discover.Ground {
	g := groundOf(d.view, now)
	g.Others = d.others(cluster)
	return g
}

// view is what is believed now; nil before the first snapshot.
func (n *Node) view() *health.View {
	if snap := n.current.Load(); snap != nil {
		return snap.View
	}
	return nil
}

// applyDiscovered has a model served with what clusters give now.
func (n *Node) applyDiscovered(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, serveTimeout)
	defer cancel()
	if _, err := n.engine.Look(ctx, n.source.discovered); err != nil && ctx.Err() == nil {
		n.logger.Error("what clusters give is not served", "err", err)
	}
}
