package incident

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// answers is what a node answers, by RDATA, and how many answers carried it.
type answers map[string]uint64

func (a answers) Answered(k ledger.RDataKey) bool {
	for rdata := range a {
		if ledger.RDataKeyOf(rdata) == k {
			return true
		}
	}
	return false
}

func (a answers) Answers(k ledger.Key) bool { return a.Answered(k.RData) }

func (a answers) AnswersOf(k ledger.Key) uint64 {
	for rdata, n := range a {
		if ledger.RDataKeyOf(rdata) == k.RData {
			return n
		}
	}
	return 0
}

// A watching is a Watch over one zone, and the view that was published last.
type watching struct {
	*Watch
	view   *health.View
	orders []health.Intent
	answers
}

func newWatching(t *testing.T) *watching {
	zone, problems := config.Parse("z.yaml", []byte("zone: example.org\nnameservers: [{name: ns1.example.net}]\nregions: {eu: {azs: [a, b]}}\nchecks: {up: {type: tcp, port: 80}}\n"+
		"pools: {web: {region: eu, check: up, endpoints: [{name: one, az: a, addresses: [192.0.2.1]}, {name: two, az: b, addresses: [192.0.2.2]}]}}\n"+
		"services: {www: {tiers: [{web: 1}]}}\n"), config.ParseOptions{})
	require.NotNil(t, zone, problems.String())
	w := &watching{answers: answers{"192.0.2.1": 40, "192.0.2.2": 50}}
	pool := &health.PoolView{Endpoints: make([]health.EndpointView, 2)}
	for i := range pool.Endpoints {
		pool.Endpoints[i].Verdict = health.Verdict{State: health.Up, Since: base}
	}
	w.view = &health.View{Model: config.NewModel([]*config.Zone{zone}), Zones: []*health.ZoneView{{Zone: zone, Pools: []*health.PoolView{pool}}}}
	w.Watch = NewWatch(Open(Options{Node: "n1"}), Answers{
		Book: w.answers, Ledger: w.answers, Serves: func(string, string) bool { return true }, Orders: func(time.Time) []health.Intent { return w.orders },
	}, base)
	return w
}

// becomes publishes another view of endpoint i; left are what its swap takes out of the answers.
func (w *watching) becomes(i, second int, edit func(*health.EndpointView), left ...ledger.Departed) {
	zone := w.view.Zones[0].Zone
	pool := *w.view.Zones[0].Pools[0]
	was := pool.Endpoints[i]
	pool.Endpoints = append([]health.EndpointView(nil), pool.Endpoints...)
	edit(&pool.Endpoints[i])
	w.view = &health.View{Model: w.view.Model, Zones: []*health.ZoneView{{Zone: zone, Pools: []*health.PoolView{&pool}}}}
	changes := []health.Transition{{Zone: zone, Pool: zone.Pools[0], Endpoint: zone.Pools[0].Endpoints[i], Old: was, New: pool.Endpoints[i]}}
	if was == pool.Endpoints[i] {
		changes = nil
	}
	w.Watch.Published(changes, &ledger.Swap{Left: left}, w.view, at(second))
}

func down(e *health.EndpointView) {
	e.Verdict = health.Verdict{State: health.Down, Reason: "refused"}
}

// TestWatchHealth: an endpoint that health takes out opens an incident with when it was last well and first failed, and how many answers had
// carried it when it began to fail; one to which nobody was sent opens none.
func TestWatchHealth(t *testing.T) {
	w := newWatching(t)
	zone := w.view.Zones[0].Zone
	id := health.TargetOf(zone.Name, zone.Checks[0], zone.Pools[0].Endpoints[0]).ID
	good := health.Observation{Target: id, State: health.Up, At: at(2)}
	w.Probed(id, health.Observation{}, false, good)
	w.Probed(id, good, true, health.Observation{Target: id, State: health.Up, Failures: 1, At: at(4)})
	w.becomes(0, 4, func(e *health.EndpointView) { e.State, e.SuspectSince = health.Suspect, at(4) })
	require.Empty(t, w.Incidents())
	w.answers["192.0.2.1"] = 47
	w.becomes(0, 8, down)
	require.Len(t, w.Incidents(), 1)
	i := w.Incidents()[0]
	require.Equal(t, ledger.ByHealth, i.Kind)
	require.Equal(t, "refused", i.Cause)
	require.Equal(t, at(4), i.FirstFailedProbe)
	require.Equal(t, "web/one", i.Endpoints[0].Name)
	require.Equal(t, []string{"eu", "a"}, []string{i.Endpoints[0].Region, i.Endpoints[0].AZ})
	require.True(t, w.Out("example.org.", "web/one", ""))
	require.Equal(t, map[countKey]uint64{{i.ID, "web/one@"}: 40}, w.counted, "as it was when it became suspect")

	w.becomes(0, 20, func(e *health.EndpointView) { e.Verdict = health.Verdict{State: health.Up} })
	require.False(t, w.Out("example.org.", "web/one", ""))

	delete(w.answers, "192.0.2.2")
	w.becomes(1, 100, down)
	require.Len(t, w.Incidents(), 1, "nobody was sent to it")
}

// TestWatchOrder: an order's incident has its words, and begins when the order did.
func TestWatchOrder(t *testing.T) {
	w := newWatching(t)
	w.orders = []health.Intent{{ID: health.IntentID{Node: "n1", Incarnation: 1, Counter: 7}, Kind: health.IntentDrain, Actor: "ada", Reason: "kernel", Start: at(5), End: at(500),
		Scope: health.Scope{Kind: health.ScopeEndpoint, Zone: "example.org.", Pool: "web", Endpoint: "one"}}}
	w.becomes(0, 6, func(e *health.EndpointView) { e.Drained = true })
	require.Len(t, w.Incidents(), 1)
	i := w.Incidents()[0]
	require.Equal(t, []any{ledger.ByIntent, w.orders[0].ID.String(), "ada", "kernel", at(5)}, []any{i.Kind, i.Intent, i.Actor, i.Cause, i.OpenedAt})
}

// TestWatchFile: what a file takes out while it is up is an incident of the file, unless it only has no turn.
func TestWatchFile(t *testing.T) {
	w := newWatching(t)
	before := w.view.Zones[0].Zone
	left := func(gone bool) ledger.Departed {
		return ledger.Departed{Holding: ledger.Holding{Owner: "www.example.org.", RData: "192.0.2.1"}, Zone: before, Pool: 0, Endpoint: 0, Service: "www.example.org.", Gone: gone}
	}
	still := func(*health.EndpointView) {}
	w.becomes(0, 3, still, left(false))
	require.Empty(t, w.Incidents())

	w.TakenUp(at(9))
	edited := *before
	pool := *before.Pools[0]
	pool.Endpoints = pool.Endpoints[1:]
	edited.Pools = []*config.Pool{&pool}
	w.view = &health.View{Model: config.NewModel([]*config.Zone{&edited}),
		Zones: []*health.ZoneView{{Zone: &edited, Pools: []*health.PoolView{{Endpoints: w.view.Zones[0].Pools[0].Endpoints[1:]}}}}}
	w.becomes(0, 10, still, left(true))
	require.Len(t, w.Incidents(), 1)
	i := w.Incidents()[0]
	require.Equal(t, []any{ledger.ByConfig, "removed from the file", at(9)}, []any{i.Kind, i.Cause, i.OpenedAt})
	require.True(t, i.Endpoints[0].Removed)
}

// TestRenamedWhileOut: an endpoint that is out and gets another name is out as before, until it is back under that one.
func TestRenamedWhileOut(t *testing.T) {
	w := newWatching(t)
	w.becomes(0, 8, down)
	require.True(t, w.Out("example.org.", "web/one", ""))
	zone, problems := config.Parse("z.yaml", []byte("zone: example.org\nnameservers: [{name: ns1.example.net}]\nregions: {eu: {azs: [a, b]}}\nchecks: {up: {type: tcp, port: 80}}\n"+
		"pools: {web: {region: eu, check: up, endpoints: [{name: new, az: a, addresses: [192.0.2.1]}, {name: two, az: b, addresses: [192.0.2.2]}]}}\n"+
		"services: {www: {tiers: [{web: 1}]}}\n"), config.ParseOptions{})
	require.NotNil(t, zone, problems.String())
	w.view = &health.View{Model: config.NewModel([]*config.Zone{zone}), Zones: []*health.ZoneView{{Zone: zone, Pools: w.view.Zones[0].Pools}}}
	w.becomes(1, 9, func(*health.EndpointView) {})
	require.True(t, w.Out("example.org.", "web/one", ""))
	w.becomes(0, 20, func(e *health.EndpointView) { e.Verdict = health.Verdict{State: health.Up} })
	require.False(t, w.Out("example.org.", "web/one", ""))
	require.False(t, w.Incidents()[0].Endpoints[0].Removed)
}

// TestPutBackWhileOut: an endpoint that is drained, leaves the file and comes back into it is out as before: nothing of it is back.
func TestPutBackWhileOut(t *testing.T) {
	w := newWatching(t)
	before := w.view
	zone := before.Zones[0].Zone
	w.orders = []health.Intent{{Kind: health.IntentDrain, Scope: health.Scope{Kind: health.ScopeEndpoint, Zone: zone.Name, Pool: "web", Name: "one"}, Start: at(5), Forever: true}}
	w.becomes(0, 8, func(e *health.EndpointView) { e.Drained = true })
	drained := w.view
	require.True(t, w.Out("example.org.", "web/one", ""))

	edited, pool := *zone, *zone.Pools[0]
	pool.Endpoints = pool.Endpoints[1:]
	edited.Pools = []*config.Pool{&pool}
	w.view = &health.View{Model: config.NewModel([]*config.Zone{&edited}),
		Zones: []*health.ZoneView{{Zone: &edited, Pools: []*health.PoolView{{Endpoints: drained.Zones[0].Pools[0].Endpoints[1:]}}}}}
	w.becomes(0, 10, func(*health.EndpointView) {})
	w.Show()
	require.True(t, w.Incidents()[0].Endpoints[0].Removed)
	require.Equal(t, at(10), w.Incidents()[0].ReturnedAt)

	w.view = drained
	w.becomes(1, 12, func(*health.EndpointView) {})
	w.Show()
	i := w.Incidents()[0]
	require.False(t, i.Endpoints[0].Removed)
	require.Zero(t, i.ReturnedAt)
	require.Zero(t, i.Endpoints[0].ReturnedAt)
	w.becomes(0, 20, func(e *health.EndpointView) { e.Drained = false })
	require.Equal(t, at(20), w.Incidents()[0].ReturnedAt)
}

// TestWatchGate: a gate that is closed takes a pool out whose endpoints are well; that is an incident as any departure is, of the service alone,
// and over once the service answers it again.
func TestWatchGate(t *testing.T) {
	for _, tt := range []struct {
		name string
		gate config.Gate
		want []any
	}{
		{"by order", config.Gate{Manual: true}, []any{ledger.ByIntent, "unready pool web", "the gate of pool web is closed"}},
		{"by check", config.Gate{ByCheck: true}, []any{ledger.ByHealth, "gate of pool web closed", "by check up"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWatching(t)
			zone := w.view.Zones[0].Zone
			zone.Pools[0].Gate = tt.gate
			left := ledger.Departed{Holding: ledger.Holding{Owner: "www.example.org.", RData: "192.0.2.1"}, Zone: zone, Service: "www.example.org."}
			w.view.Zones[0].Pools[0].GateClosed = true
			delete(w.answers, "192.0.2.1")
			w.Published(nil, &ledger.Swap{Left: []ledger.Departed{left}}, w.view, at(10))
			require.Len(t, w.Incidents(), 1)
			i := w.Incidents()[0]
			require.Equal(t, tt.want, []any{i.Kind, i.Title, i.Cause})
			require.Equal(t, "www.example.org.", i.Endpoints[0].Service)
			require.Zero(t, i.ReturnedAt)

			w.view.Zones[0].Pools[0].GateClosed = false
			w.answers["192.0.2.1"] = 41
			w.Published(nil, &ledger.Swap{}, w.view, at(20))
			w.Show()
			require.Equal(t, at(20), w.Incidents()[0].ReturnedAt)
		})
	}
}

// TestWatchWeight: an order for weight 0 takes out what it names, as a drain does.
func TestWatchWeight(t *testing.T) {
	w := newWatching(t)
	zone := w.view.Zones[0].Zone
	w.orders = []health.Intent{{ID: health.IntentID{Node: "n1", Counter: 1}, Kind: health.IntentWeight, Scope: health.Scope{Kind: health.ScopePool, Zone: zone.Name, Pool: "web"},
		Actor: "ada", Reason: "kernel", Start: at(5), Forever: true}}
	delete(w.answers, "192.0.2.1")
	w.view.Zones[0].Pools[0].Weight = new(int)
	left := ledger.Departed{Holding: ledger.Holding{Owner: "www.example.org.", RData: "192.0.2.1"}, Zone: zone, Service: "www.example.org."}
	w.becomes(0, 10, func(*health.EndpointView) {}, left)
	require.Len(t, w.Incidents(), 1)
	i := w.Incidents()[0]
	require.Equal(t, []any{ledger.ByIntent, "weight pool example.org/web", "ada", "www.example.org."}, []any{i.Kind, i.Title, i.Actor, i.Endpoints[0].Service})
}

// TestHeldIsOut: an endpoint whose pool waits for its hold is not answered again until somebody is answered with it, or the hold ends.
func TestHeldIsOut(t *testing.T) {
	up := func(e *health.EndpointView) { e.Verdict = health.Verdict{State: health.Up} }
	for _, tt := range []struct {
		name  string
		after func(w *watching)
	}{
		{"the hold ends, and its tier is not in its turn", func(w *watching) { w.hold(health.Return{}) }},
		{"it is answered", func(w *watching) { w.answers["192.0.2.1"] = 41 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWatching(t)
			delete(w.answers, "192.0.2.1")
			w.becomes(0, 10, down, ledger.Departed{
				Holding: ledger.Holding{Owner: "www.example.org.", RData: "192.0.2.1"}, Service: "www.example.org.", Zone: w.view.Zones[0].Zone,
			})
			require.Len(t, w.Incidents(), 1)
			w.hold(health.Return{Since: at(20)})
			w.becomes(0, 20, up)
			require.Zero(t, w.Incidents()[0].ReturnedAt)
			tt.after(w)
			w.becomes(0, 25, up)
			w.Show()
			require.Equal(t, at(25), w.Incidents()[0].ReturnedAt)
		})
	}
}

// hold has the pool come back so from the next publication on.
func (w *watching) hold(r health.Return) {
	pool := *w.view.Zones[0].Pools[0]
	pool.Return = r
	w.view = &health.View{Model: w.view.Model, Zones: []*health.ZoneView{{Zone: w.view.Zones[0].Zone, Pools: []*health.PoolView{&pool}}}}
}

// TestOutForOneService: what one service lets go is its own addresses and host names, in whatever order they leave, and its own answers are counted.
func TestOutForOneService(t *testing.T) {
	w := newWatching(t)
	zone := w.view.Zones[0].Zone
	left := func(rdata string) ledger.Departed {
		return ledger.Departed{Holding: ledger.Holding{Owner: "www.example.org.", RData: rdata}, Service: "www.example.org.", Zone: zone, Gone: true}
	}
	zone.Services[0].SRV = &config.SRV{Port: 25}
	require.Equal(t, []string{"192.0.2.1", "one.web.example.org."}, zone.Carried(zone.Services[0], 0, 0))
	other := *w.view.Zones[0].Pools[0]
	w.becomes(0, 10, func(*health.EndpointView) {}, left("192.0.2.1"), left("one.web.example.org."))
	require.Len(t, w.Incidents(), 1)
	require.Equal(t, []string{"192.0.2.1", "one.web.example.org."}, w.Incidents()[0].Endpoints[0].Addresses)
	require.Equal(t, &other, w.view.Zones[0].Pools[0])
}
