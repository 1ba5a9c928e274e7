package admin

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/gone"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// TestSafe: only where everything is drained, unshared, in no record, and finally out on every node, is the answer yes.
func TestSafe(t *testing.T) {
	now := time.Now()
	one := ledger.Label{Zone: "a.example.", Pool: "web-eu", Endpoint: "one", Region: "eu", AZ: "eu-a"}
	two := ledger.Label{Zone: "a.example.", Pool: "web-eu", Endpoint: "two", Region: "eu", AZ: "eu-a"}
	out := func(node string) ledger.Confirmation {
		return ledger.Confirmation{Node: node, Quiet: now.Add(-time.Minute), Until: now.Add(-30 * time.Second), Given: now.Add(-time.Second)}
	}
	final := ledger.Bound{Known: true, Final: true, SafeAt: now.Add(-25 * time.Second), Confirmed: []ledger.Confirmation{out("n1"), out("n2")}}
	known := final
	known.Final, known.SafeAt = false, now.Add(10*time.Second)
	said := known
	said.SafeAt = now.Add(-100 * time.Millisecond)
	silent := ledger.Bound{Confirmed: []ledger.Confirmation{out("n1")}, Unknown: []ledger.Silent{{Node: "n2", Why: "not heard since", Since: now.Add(-time.Minute)}}}
	answers := ledger.Bound{Void: true, Unknown: []ledger.Silent{{Node: "n2", Why: "answers it", Answering: true}}}
	item := func(b ledger.Bound) departure.SafetyItem {
		return departure.SafetyItem{Label: one, RData: "203.0.113.1", Known: true, Drained: true, Bound: b}
	}
	for _, tt := range []struct {
		name, want, text string
		known            departure.Safety
		gone             []gone.Record
	}{
		{"everybody has said so", api.SafeYes, "yes: no honest cache has held it since ", departure.Safety{Items: []departure.SafetyItem{item(final)}}, nil},
		{"caches hold it", api.SafeNotBefore, "honest caches may hold it until ", departure.Safety{Items: []departure.SafetyItem{item(final), item(known)}}, nil},
		{"to be said again", api.SafeNotBefore, "the nodes have yet to say again", departure.Safety{Items: []departure.SafetyItem{item(said)}}, nil},
		{"a silent node", api.SafeUnknown, "unknown because node n2 not heard since ", departure.Safety{Items: []departure.SafetyItem{item(silent), item(known)}}, nil},
		{"a node answers it", api.SafeNo, "no: node n2 answers 203.0.113.1", departure.Safety{Items: []departure.SafetyItem{item(answers), item(silent)}}, nil},
		{"not drained", api.SafeNo, "no: a.example/web-eu/one is not drained", departure.Safety{Items: []departure.SafetyItem{{Label: one, RData: "203.0.113.1", Known: true, Bound: final}}}, nil},
		{"shared", api.SafeNo, "no: a.example/web-eu/two, which is not drained, has 203.0.113.1 too", departure.Safety{Items: []departure.SafetyItem{
			{Label: one, RData: "203.0.113.1", Known: true, Drained: true, Shared: two, Bound: final}}}, nil},
		{"a fallback", api.SafeNo, "no: www.a.example answers 203.0.113.1 once all else is down (on_all_down)", departure.Safety{Items: []departure.SafetyItem{
			{Label: one, RData: "203.0.113.1", Known: true, Drained: true, Fallback: "www.a.example.", Bound: final}}}, nil},
		{"a record that is gone", api.SafeNotBefore, "caches may hold the record old.a.example. A, which the file has no more, until ", departure.Safety{Items: []departure.SafetyItem{item(final)}},
			[]gone.Record{{Carrier: config.Carrier{Name: "old.a.example.", Type: 1, RData: "203.0.113.1"}, Until: now.Add(time.Minute)}}},
		{"a record that was gone after the endpoint", api.SafeYes, "yes: no honest cache has held it since " + clock(now.Add(-22*time.Second)), departure.Safety{At: now, Items: []departure.SafetyItem{item(final)}},
			[]gone.Record{{Carrier: config.Carrier{Name: "old.a.example.", Type: 1, RData: "203.0.113.1"}, Until: now.Add(-22 * time.Second)}}},
		{"no file has it any more", api.SafeYes, "yes: ", departure.Safety{Items: []departure.SafetyItem{{Label: one, RData: "203.0.113.1", Bound: final}}}, nil},
		{"other files", api.SafeUnknown, "unknown because node n2 serves other files", departure.Safety{Items: []departure.SafetyItem{item(final)}, Others: []string{"n2"}}, nil},
		{"starts", api.SafeNotBefore, "what a node answered before its last start", departure.Safety{Items: []departure.SafetyItem{item(final)}, Clear: now.Add(time.Second)}, nil},
		{"starts of who is not heard", api.SafeUnknown, "unknown because n3 is not heard", departure.Safety{Items: []departure.SafetyItem{item(final)}, Unclear: "n3 is not heard"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := readNode(t)
			n.safety, n.gone = tt.known, tt.gone
			n.safety.At = now
			s, _ := startWith(t, n, &fakeJournal{})
			var got api.Safe
			require.Equal(t, http.StatusOK, get(t, s, api.SafeQuery(api.Scope{Kind: "az", Name: "eu-a"}), &got))
			require.Equal(t, tt.want, got.Answer, got.Text)
			require.Contains(t, got.Text, tt.text)
			require.Equal(t, tt.want == api.SafeYes, len(got.Why) == 0)
			require.Equal(t, tt.want == api.SafeNotBefore, got.NotBefore != nil)
			require.Len(t, got.Lines, 3)
			if got.ForgottenAt != nil && !got.ForgottenAt.IsZero() {
				require.Contains(t, got.Lines[0], clock(*got.ForgottenAt), "both sentences tell of one instant")
			}
		})
	}
	s, _ := startWith(t, readNode(t), &fakeJournal{})
	require.Equal(t, http.StatusNotFound, get(t, s, api.SafeQuery(api.Scope{Kind: "az", Name: "mars"}), new(api.Problem)))
	require.Equal(t, http.StatusBadRequest, get(t, s, api.SafePath+"?kind=cluster&name=", new(api.Problem)))
}

// TestSafeNodesThere: who asks about a place is told which nodes stand there.
func TestSafeNodesThere(t *testing.T) {
	c := cluster.View{Nodes: []cluster.NodeView{
		{Name: "n1", InRoster: true, Region: "eu", AZ: "eu-a"}, {Name: "n2", InRoster: true, Region: "eu", AZ: "eu-b"},
		{Name: "n3", InRoster: true, Region: "eu", AZ: "eu-a", Stopped: true}, {Name: "eu-a"},
	}}
	require.Equal(t, []string{"n1"}, nodesIn(c, health.Scope{Kind: health.ScopeAZ, Name: "eu-a"}))
	require.Equal(t, []string{"n1", "n2"}, nodesIn(c, health.Scope{Kind: health.ScopeRegion, Name: "eu"}))
	require.Empty(t, nodesIn(c, health.Scope{Kind: health.ScopeNode, Name: "n1"}))
}

// TestSafeStatic: a record that nobody counts the answers of leads there.
func TestSafeStatic(t *testing.T) {
	z, problems := config.Parse("z.yaml", []byte("zone: example.org\nnameservers: [{name: ns1.example.net}]\nrecords:\n  - {name: old, type: A, data: [203.0.113.1]}\n"), config.ParseOptions{})
	require.NoError(t, problems.Err())
	n := readNode(t)
	view := &health.View{At: time.Now(), Model: config.NewModel([]*config.Zone{z}), Zones: []*health.ZoneView{{Zone: z}}}
	n.snap = answer.NewCompiler("n1", time.Now()).Compile(nil, view)
	bound := ledger.Bound{Known: true, Final: true, SafeAt: time.Now().Add(-time.Minute)}
	known := departure.Safety{At: time.Now(), Items: []departure.SafetyItem{{RData: "203.0.113.1", Known: true, Drained: true, Bound: bound}}}
	got := NewSafe(n.parts(), health.Scope{Kind: health.ScopeAZ, Name: "eu-a"}, &known)
	require.Equal(t, api.SafeNo, got.Answer)
	require.Equal(t, "no: the record old.example.org. A has an address of it", got.Text)
}

// TestSafeNode: a node can go once it is drained and the others are a majority that knows all that it does.
func TestSafeNode(t *testing.T) {
	now := time.Now()
	well := func() cluster.View {
		v := cluster.View{At: now, Name: "c", Heard: 3, Roster: 3}
		for _, name := range []string{"n1", "n2", "n3"} {
			v.Nodes = append(v.Nodes, cluster.NodeView{Name: name, InRoster: true, Fresh: true, Joined: true, Answering: true, Drained: name == "n3", Heard: now, Direct: now})
		}
		return v
	}
	for _, tt := range []struct {
		name, want, text string
		change           func(*fakeNode, *cluster.View)
	}{
		{"drained", api.SafeYes, "yes: it is drained", func(*fakeNode, *cluster.View) {}},
		{"not drained", api.SafeNo, "no: node n3 is not drained", func(_ *fakeNode, v *cluster.View) { v.Nodes[2].Drained = false }},
		{"another one is silent", api.SafeUnknown, "unknown because node n2 is not heard", func(_ *fakeNode, v *cluster.View) {
			four, five := v.Nodes[0], v.Nodes[0]
			four.Name, five.Name = "n4", "n5"
			v.Nodes, v.Roster = append(v.Nodes, four, five), 5
			v.Nodes[1].Fresh = false
		}},
		{"no majority is left", api.SafeNo, "no: 1 of 3 nodes are left: the others would be isolated", func(_ *fakeNode, v *cluster.View) { v.Nodes[1].Stopped = true }},
		{"leases", api.SafeNo, "no: 1 of 2 nodes are left: the others are no majority and would stop answering", func(_ *fakeNode, v *cluster.View) {
			v.Nodes = append(v.Nodes[:1], v.Nodes[2])
			v.Roster, v.Nodes[0].Lease = 2, time.Minute
		}},
		{"an order", api.SafeUnknown, "unknown because order n3-1-1 is not known to be on n2", func(n *fakeNode, _ *cluster.View) {
			n.intents = []health.IntentState{{Intent: health.Intent{ID: health.IntentID{Node: "n3", Incarnation: 1, Counter: 1}}, Missing: []string{"n2", "n3"}}}
		}},
		{"a bound", api.SafeNotBefore, "its word on 192.0.2.1 counts", func(n *fakeNode, _ *cluster.View) {
			n.departures = []departure.Departure{{RData: "192.0.2.1", Bound: ledger.Bound{Known: true, SafeAt: now.Add(time.Minute)}}}
		}},
		{"alone", api.SafeNo, "no: it is alone: nobody answers without it", func(_ *fakeNode, v *cluster.View) { v.Name = "" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, v := readNode(t), well()
			n.intents = nil
			n.cluster = &v
			tt.change(n, &v)
			got := NewSafeNode(n.parts(), health.Scope{Kind: health.ScopeNode, Name: "n3"}, now)
			require.Equal(t, tt.want, got.Answer, got.Text)
			require.Contains(t, got.Text, tt.text)
		})
	}
	n, v := readNode(t), well()
	n.cluster = &v
	require.Nil(t, NewSafeNode(n.parts(), health.Scope{Kind: health.ScopeNode, Name: "n9"}, now))
}

// TestSafeShardsAtStart: before the first snapshot there are no shards.
func TestSafeShardsAtStart(t *testing.T) {
	c, _ := start(t, &fakeNode{})
	var p api.Problem
	require.Equal(t, http.StatusNotFound, get(t, c, api.SafeQuery(api.Scope{Kind: "shards", Name: "orders.example.org/0-9"}), &p))
	require.Contains(t, p.Detail, "orders.example.org/0-9")
}

const safeCells = `zone: example.org
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [eu-a]}}
pools:
  a: {region: eu, endpoints: [{name: e, addresses: [192.0.2.1], az: eu-a}]}
  b: {region: eu, endpoints: [{name: e, addresses: [192.0.2.2], az: eu-a}]}
services:
  orders: {tiers: [{a: 1}], cells: {shards: 100, home: {a: [%s], b: [%s]}, failover: {a: [b], b: [a]}}}
`

// TestSafeShards: shards that stand where the file has them are safe for nobody to leave, unless an order took them there before the file did.
func TestSafeShards(t *testing.T) {
	now := time.Now()
	zone := func(a, b string) *health.View {
		z, problems := config.Parse("z.yaml", fmt.Appendf(nil, safeCells, a, b), config.ParseOptions{})
		require.NoError(t, problems.Err())
		up := health.EndpointView{Verdict: health.Verdict{State: health.Up, Since: now}}
		pool := func() *health.PoolView {
			return &health.PoolView{At: now, Calm: true, Endpoints: []health.EndpointView{up}}
		}
		return &health.View{Generation: 5, At: now, Model: config.NewModel([]*config.Zone{z}), Zones: []*health.ZoneView{{Zone: z, Pools: []*health.PoolView{pool(), pool()}}}}
	}
	seven, err := config.ParseShards("7")
	require.NoError(t, err)
	order := health.IntentState{Intent: health.Intent{
		ID: health.IntentID{Node: "n1", Incarnation: 1, Counter: 1}, Kind: health.IntentDrain, Service: "orders.example.org.",
		Scope: health.Scope{Kind: health.ScopeShards, Name: "7", Pool: "b"}, Start: now, Forever: true,
	}}
	moved := departure.Departure{
		Moved: true, Service: "orders.example.org.", Shards: seven, RData: "cells 7 from a to b", Since: now.Add(-time.Hour),
		Bound: ledger.Bound{Known: true, Final: true, SafeAt: now.Add(-time.Minute), Confirmed: []ledger.Confirmation{{Node: "n1", Given: now}}},
	}
	atHome, followed := zone("0-49", "50-99"), zone("0-6, 8-49", "7, 50-99")
	drained := zone("0-49", "50-99")
	drained.Zones[0].Scoped = map[int]*health.ServiceView{0: {Shards: []health.ShardOrder{{ID: order.ID, Shards: seven, To: 1}}}}
	for _, tt := range []struct {
		name       string
		view       *health.View
		orders     []health.IntentState
		departures []departure.Departure
		want, text string
	}{
		{"at home", atHome, nil, nil, api.SafeNo, "no order has taken the shards 7 away from their home"},
		{"an order has them elsewhere", drained, []health.IntentState{order}, []departure.Departure{moved}, api.SafeYes, "no honest cache sends these shards to where they were"},
		{"the file has followed it", followed, []health.IntentState{order}, []departure.Departure{moved}, api.SafeYes, "no honest cache sends these shards to where they were"},
		{"it has followed, and nobody knows when they moved", followed, []health.IntentState{order}, nil, api.SafeUnknown, "nothing is known of when the shards 7 moved"},
		{"the file alone", followed, nil, []departure.Departure{moved}, api.SafeNo, "they have moved to it, and `fairlead staleness` says when caches forget from where"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := &fakeNode{snap: answer.NewCompiler("n1", now).Compile(nil, tt.view), intents: tt.orders, departures: tt.departures}
			got := NewSafeShards(n.parts(), "orders.example.org.", seven, now)
			require.NotNil(t, got)
			require.Equal(t, tt.want, got.Answer, got.Text)
			require.Contains(t, got.Text, tt.text)
			require.NotContains(t, strings.Join(got.Lines, "\n"), "unknown: ;", got.Lines)
			require.NotContains(t, strings.Join(got.Lines, "\n"), "unknown:  (", got.Lines)
		})
	}
}
