package report

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/event"
)

// A reading is a Reporter with what people read of it.
type reading struct {
	*Reporter
	events *event.Log
	lines  *bytes.Buffer
	reg    *prometheus.Registry
}

func newReading() *reading {
	r := &reading{events: event.Open(event.Options{Node: "n1"}), lines: new(bytes.Buffer), reg: prometheus.NewRegistry()}
	r.Reporter = New(r.events, slog.New(slog.NewTextHandler(r.lines, nil)), r.reg)
	return r
}

// told are the events of a kind, as SUBJECT: TEXT.
func (r *reading) told(kind string) (list []string) {
	for _, e := range r.events.Last(10_000, event.Filter{Types: []string{kind}}) {
		list = append(list, e.Subject+": "+e.Text)
	}
	return list
}

// zoneOf has one pool of n endpoints, the first of which has two addresses, and a view in which all are up.
func zoneOf(t *testing.T, n int) *health.View {
	list := []string{`{name: e0, az: a, addresses: [192.0.2.1, "2001:db8::1"]}`}
	for i := 1; i < n; i++ {
		list = append(list, fmt.Sprintf("{name: e%d, az: a, addresses: [10.0.%d.%d]}", i, i/250, i%250+1))
	}
	zone, problems := config.Parse("z.yaml", []byte("zone: example.org\nnameservers: [{name: ns1.example.net}]\nregions: {eu: {azs: [a]}}\nchecks: {up: {type: tcp, port: 80}}\n"+
		"pools: {web: {region: eu, check: up, endpoints: ["+strings.Join(list, ", ")+"]}}\nservices: {www: {tiers: [{web: 1}]}}\n"), config.ParseOptions{})
	require.NotNil(t, zone, problems.String())
	pool := &health.PoolView{Endpoints: make([]health.EndpointView, n)}
	for i := range pool.Endpoints {
		pool.Endpoints[i].Verdict = health.Verdict{State: health.Up}
	}
	pool.Endpoints[0].Each = &health.Each{{State: health.Up}, {State: health.Up}}
	return &health.View{Model: config.NewModel([]*config.Zone{zone}), Zones: []*health.ZoneView{{Zone: zone, Pools: []*health.PoolView{pool}}}}
}

// becomes publishes v with other views of some endpoints.
func (r *reading) becomes(v *health.View, edit func(i int, e *health.EndpointView)) {
	zv := v.Zones[0]
	var changes []health.Transition
	for i := range zv.Pools[0].Endpoints {
		was := zv.Pools[0].Endpoints[i]
		if edit(i, &zv.Pools[0].Endpoints[i]); zv.Pools[0].Endpoints[i] != was {
			changes = append(changes, health.Transition{Zone: zv.Zone, Pool: zv.Zone.Pools[0], Endpoint: zv.Zone.Pools[0].Endpoints[i], Old: was, New: zv.Pools[0].Endpoints[i]})
		}
	}
	r.Published(changes, v)
}

// TestPublished: each endpoint that moved is told once in each of three ways, and its pool when that takes the last one.
func TestPublished(t *testing.T) {
	r, v := newReading(), zoneOf(t, 2)
	fall := func(which int) func(int, *health.EndpointView) {
		return func(i int, e *health.EndpointView) {
			if i == which {
				e.Verdict, e.Each = health.Verdict{State: health.Down, Reason: "refused"}, nil
			}
		}
	}
	r.becomes(v, fall(1))
	require.Equal(t, []string{"example.org/web/e1: refused"}, r.told("endpoint.down"))
	require.Contains(t, r.lines.String(), `msg="endpoint changed state" zone=example.org. pool=web endpoint=e1 old=up new=down cause=refused`)
	require.Empty(t, r.told("pool.*"))
	r.becomes(v, fall(0))
	require.Equal(t, []string{"example.org/web: 0 of 2 endpoints are eligible"}, r.told("pool.out"))
	r.becomes(v, func(i int, e *health.EndpointView) { e.Verdict = health.Verdict{State: health.Up} })
	require.Equal(t, []string{"example.org/web: 2 of 2 endpoints are eligible"}, r.told("pool.eligible"))
	require.NoError(t, testutil.GatherAndCompare(r.reg, strings.NewReader(`# HELP fairlead_endpoint_transitions_total Endpoints that changed their shown state, by the new state.
# TYPE fairlead_endpoint_transitions_total counter
fairlead_endpoint_transitions_total{state="down"} 2
fairlead_endpoint_transitions_total{state="drained"} 0
fairlead_endpoint_transitions_total{state="suspect"} 0
fairlead_endpoint_transitions_total{state="unknown"} 0
fairlead_endpoint_transitions_total{state="up"} 2
`)))
}

// TestLines: suspicion is for those who look closer, and an endpoint that flaps has some lines in ten minutes and then says how many it had not.
func TestLines(t *testing.T) {
	r, v := newReading(), zoneOf(t, 2)
	v.At = time.Unix(1_000_000, 0)
	to := func(state health.State) {
		r.becomes(v, func(i int, e *health.EndpointView) {
			if i == 1 {
				e.Verdict = health.Verdict{State: state, Reason: "refused"}
			}
		})
	}
	to(health.Suspect)
	to(health.Up)
	require.Empty(t, r.lines.String(), "debug is off")
	for range 20 {
		v.At = v.At.Add(time.Second)
		to(health.Down)
		to(health.Up)
	}
	require.Equal(t, maxLines, strings.Count(r.lines.String(), "endpoint=e1"))
	require.Equal(t, 1, strings.Count(r.lines.String(), `more="not logged for 10m0s"`))
	require.Len(t, r.told("endpoint.down"), 20, "events have all")
	r.lines.Reset()
	v.At = v.At.Add(flapWindow)
	to(health.Down)
	require.Contains(t, r.lines.String(), "old=up new=down")
	require.Contains(t, r.lines.String(), fmt.Sprint("unlogged_before=", 40-maxLines))
}

// TestAddress: an address that is withheld while its endpoint goes on is told as that.
func TestAddress(t *testing.T) {
	r, v := newReading(), zoneOf(t, 2)
	r.becomes(v, func(i int, e *health.EndpointView) {
		if i == 0 {
			e.Each = &health.Each{{State: health.Up}, {State: health.Down, Reason: "timeout"}}
		}
	})
	require.Equal(t, []string{"example.org/web/e0: IPv6 address 2001:db8::1 is withheld: timeout"}, r.told("address.down"))
	require.Empty(t, r.told("endpoint.*"))
}

// TestOutage: an outage of very many is bounded in lines and in events, and what is left out is counted.
func TestOutage(t *testing.T) {
	r, v := newReading(), zoneOf(t, maxTold+100)
	r.becomes(v, func(_ int, e *health.EndpointView) { e.Verdict, e.Each = health.Verdict{State: health.Down}, nil })
	require.Equal(t, maxLogged, strings.Count(r.lines.String(), "endpoint changed state"))
	require.Contains(t, r.lines.String(), fmt.Sprintf(`msg="more endpoints changed state" count=%d`, maxTold+100-maxLogged))
	require.Len(t, r.told("endpoint.down"), maxTold)
	require.Len(t, r.told("pool.out"), 1)
}

// TestOrders: of what becomes of an order each step is told once.
func TestOrders(t *testing.T) {
	r, now := newReading(), time.Now()
	drain := health.IntentState{Intent: health.Intent{ID: health.IntentID{Node: "n1", Counter: 1}, Kind: health.IntentDrain, Reason: "kernel", Start: now, End: now.Add(time.Hour),
		Scope: health.Scope{Kind: health.ScopeAZ, Name: "a"}}}
	steps := [][]health.IntentState{nil}
	step := func(edit func(*health.IntentState)) {
		s := drain
		edit(&s)
		drain = s
		steps = append(steps, []health.IntentState{s})
	}
	step(func(*health.IntentState) {})
	step(func(s *health.IntentState) { s.Suspended = &health.Suspension{Rule: "min_endpoints", Service: "www"} })
	step(func(s *health.IntentState) { s.Suspended = nil })
	step(func(s *health.IntentState) { s.End = s.End.Add(time.Hour) })
	step(func(s *health.IntentState) { s.Nothing = true })
	step(func(*health.IntentState) {})
	steps = append(steps, nil)
	for i := 1; i < len(steps); i++ {
		r.Orders(steps[i-1], steps[i], now)
	}
	var kinds []string
	for _, e := range r.events.Last(100, event.Filter{}) {
		require.Equal(t, drain.ID.String(), e.Data["id"])
		kinds = append(kinds, e.Type)
	}
	require.Equal(t, []string{"intent.created", "intent.suspended", "intent.resumed", "intent.extended", "intent.dangling", "intent.ended"}, kinds)
}

// TestLapsed: an order that ended while the node was down is told at the next start, and once.
func TestLapsed(t *testing.T) {
	r, end := newReading(), time.Date(2026, 11, 29, 3, 0, 0, 0, time.UTC)
	order := func(n uint64) health.Intent {
		return health.Intent{ID: health.IntentID{Node: "n1", Counter: n}, Kind: health.IntentDrain, End: end, Scope: health.Scope{Kind: health.ScopeAZ, Name: "a"}}
	}
	r.Order("intent.ended", &health.IntentState{Intent: order(1)}, "")
	for range 2 {
		r.Lapsed([]health.Intent{order(1), order(2)})
	}
	require.Equal(t, []string{"az a: at 2026-11-29T03:00:00Z, while this node was down"}, r.told("intent.expired"))
	require.Equal(t, order(2).ID.String(), r.events.Last(1, event.Filter{})[0].Data["id"])
}
