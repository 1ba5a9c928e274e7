package admin

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// errNotYet is what a node without a snapshot has to show.
var errNotYet = errors.New("nothing is served yet")

// paged are the parameters of every list.
var paged = []parameter{
	{"limit", "how many items, 1 to 1000; 100 by default"},
	{"after", "the `next` of the page before: the items that follow it"},
	{"name", "only what has this name, or a name that ends with it after a slash"},
}

// partRoutes show parts of the status.
func (s *Server) partRoutes() []route {
	get := func(path, doc string, reply any, handle func(*http.Request) (int, any), more ...parameter) route {
		return route{method: http.MethodGet, path: path, role: viewer, doc: doc, query: more, reply: reply, handle: handle}
	}
	list := func(more ...parameter) []parameter { return append(more, paged...) }
	zone := parameter{"zone", "only those of a zone"}
	return []route{
		get(api.ZonesPath, "The zones.", api.Zones{}, s.listZones, list()...),
		get(api.ZonesPath+"/{zone}", "One zone.", api.ZoneDetail{}, s.showZone),
		get(api.ZonesPath+"/{zone}/keys", "What the keys of a zone do, what is to be done about them, and when that is safe.", api.ZoneKeys{}, s.showKeys),
		get(api.ServicesPath, "What each service answers now.", api.Services{}, s.listServices, list(zone, parameter{"degraded", "true or false: only those that answer on a last resort, or that do not"})...),
		get(api.ServicesPath+"/{name}", "One service and what its answers rest on.", api.ServiceDetail{}, s.showService),
		get(api.PoolsPath, "The pools.", api.Pools{}, s.listPools, list(zone, parameter{"region", "only those of a region"})...),
		get(api.PoolsPath+"/{zone}/{pool}", "One pool with its endpoints.", api.PoolDetail{}, s.showPool),
		get(api.EndpointsPath, "The endpoints.", api.Endpoints{}, s.listEndpoints, list(zone, parameter{"state", "up, suspect, down, drained or unknown"},
			parameter{"az", "only those in an AZ"}, parameter{"region", "only those in a region"}, parameter{"pool", "only those of a pool, POOL or ZONE/POOL"})...),
		get(api.EndpointsPath+"/{zone}/{pool}/{endpoint}", "One endpoint, and what every vantage saw of it.", api.EndpointDetail{}, s.showEndpoint),
		get(api.RegionsPath, "The regions: what stands in them and which answers lead there.", api.Regions{}, s.listRegions, list()...),
		get(api.RegionsPath+"/{name}", "One region.", api.AreaDetail{}, s.showRegion),
		get(api.AZsPath, "The AZs: what stands in them and which answers lead there.", api.AZs{}, s.listAZs, list(parameter{"region", "only those of a region"})...),
		get(api.AZsPath+"/{name}", "One AZ.", api.AreaDetail{}, s.showAZ),
		get(api.RunningPath+"/{zone}", "The text of the zone file that is served.", api.RunningZone{}, s.runningZone),
	}
}

// A reading makes parts of the status at one moment, from one snapshot.
type reading struct {
	node Node
	snap *answer.Snapshot
	now  time.Time
	// values is the query string.
	values    url.Values
	clustered bool
	// orders are the intents, in force and planned.
	orders []health.IntentState
	page   pager
}

// read begins a reading for r, whose query string may hold the parameters named.
func (s *Server) read(r *http.Request, more ...string) (*reading, error) {
	values, err := query(r, more...)
	if err != nil {
		return nil, err
	}
	n := s.opts.Node
	out := &reading{node: n, snap: n.Snapshot(), now: time.Now(), values: values, clustered: n.Cluster().Name != "", orders: n.Intents()}
	if out.snap == nil {
		return nil, errNotYet
	}
	out.page, err = pagerOf(values)
	return out, err
}

// readList is read for a list.
func (s *Server) readList(r *http.Request, more ...string) (*reading, error) {
	return s.read(r, append(more, "limit", "after", "name")...)
}

// head is the beginning of what is answered.
func (r *reading) head() api.Page {
	return api.Page{Node: r.node.Name(), At: r.now, Generation: r.snap.View.Generation, Next: r.page.next}
}

// zone makes the parts of one zone.
func (r *reading) zone(zv *health.ZoneView) *zoneStatus {
	return &zoneStatus{node: r.node, snap: r.snap, view: zv, now: r.now, clustered: r.clustered}
}

// zones are those that the parameter zone leaves, by name.
func (r *reading) zones() []*health.ZoneView {
	name := r.values.Get("zone")
	if name == "" {
		return r.snap.View.Zones
	}
	if zv := r.zoneNamed(name); zv != nil {
		return []*health.ZoneView{zv}
	}
	return nil
}

// zoneNamed is the zone with that name, with or without the final dot; nil if there is none.
func (r *reading) zoneNamed(name string) *health.ZoneView {
	name = fqdn(name)
	i := slices.IndexFunc(r.snap.View.Zones, func(zv *health.ZoneView) bool { return zv.Zone.Name == name })
	if i < 0 {
		return nil
	}
	return r.snap.View.Zones[i]
}

// fqdn is a name as it is inside the program.
func fqdn(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) + "." }

// plain is a name as people write it, and as scopes have it.
func plain(zone string) string { return strings.TrimSuffix(zone, ".") }

// unread is the reply to a request that cannot be read, or for which there is nothing.
func unread(err error) (int, any) {
	if errors.Is(err, errNotYet) {
		return http.StatusServiceUnavailable, failure(http.StatusServiceUnavailable, err)
	}
	return invalid(err)
}

// missing is the reply where a name names nothing.
func missing(kind, name string) (int, any) {
	return http.StatusNotFound, failure(http.StatusNotFound, fmt.Errorf("no %s is named %s", kind, name))
}

// A pager cuts a list into pages. Items come in the order of their names, each of as many parts as items of the kind have, so
// that a page goes on where the one before ended although the configuration changed in between.
type pager struct {
	limit int
	// after is the name of the last item of the page before; nil for the first page.
	after []string
	// wanted are the last parts of the names that are asked for; nil for all.
	wanted []string
	taken  int
	last   []string
	next   string
}

func pagerOf(values url.Values) (pager, error) {
	p := pager{limit: api.DefaultPage}
	if text := values.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > api.MaxPage {
			return p, fmt.Errorf("%w: limit %q: want 1 to %d", ErrInvalid, text, api.MaxPage)
		}
		p.limit = n
	}
	if after := values.Get("after"); after != "" {
		p.after = strings.Split(after, "/")
	}
	if name := values.Get("name"); name != "" {
		p.wanted = strings.Split(name, "/")
	}
	return p, nil
}

// beyond tells whether all whose names begin with parts stand on earlier pages.
func (p *pager) beyond(parts ...string) bool {
	return p.after != nil && slices.Compare(parts, p.after[:min(len(p.after), len(parts))]) < 0
}

// match tells whether the name is asked for and does not stand on an earlier page.
func (p *pager) match(parts ...string) bool {
	if p.after != nil && slices.Compare(parts, p.after) <= 0 {
		return false
	}
	return p.wanted == nil || len(p.wanted) <= len(parts) && slices.Equal(parts[len(parts)-len(p.wanted):], p.wanted)
}

// take counts an item that matched; false means that it stands on the next page, as does all that follows.
func (p *pager) take(parts ...string) bool {
	if p.taken == p.limit {
		p.next = strings.Join(p.last, "/")
		return false
	}
	p.taken++
	p.last = slices.Clone(parts)
	return true
}

// byName are the indices of list in the order of the names.
func byName[T any](list []T, name func(T) string) []int {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(name(list[a]), name(list[b])) })
	return order
}
