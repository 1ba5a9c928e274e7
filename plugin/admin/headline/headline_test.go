package headline

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

var now = time.Date(2026, 11, 29, 18, 42, 0, 0, time.UTC)

func ago(d time.Duration) *time.Time {
	t := now.Add(-d)
	return &t
}

// endpoints are some of one AZ, in states.
func endpoints(az string, states ...string) (all []api.Endpoint) {
	for i, state := range states {
		e := api.Endpoint{Name: az + string(rune('a'+i)), AZ: az, State: state, Health: state, Since: now.Add(-3 * time.Minute)}
		if state == "down" {
			e.Reason = "timeout in connect"
		}
		all = append(all, e)
	}
	return all
}

// well is a cluster in which nothing is the matter: two AZs with two endpoints each, and a service.
func well() *api.Status {
	return &api.Status{
		Node: "n1", At: now, StartedAt: now.Add(-time.Hour), Ready: true, Files: []api.File{{Path: "z.yaml", Zone: "example.org.", Hash: "1"}},
		Zones: []api.Zone{{
			Name: "example.org.",
			Pools: []api.Pool{
				{Name: "eu", Region: "eu", Endpoints: append(endpoints("eu-1", "up", "up"), endpoints("eu-2", "up", "up")...)},
				{Name: "us", Region: "us", Endpoints: endpoints("us-1", "up")},
			},
			Services: []api.Service{{Name: "pay.example.org.", Source: "tier", Tier: 1}, {Name: "www.example.org.", Source: "tier", Tier: 1}},
		}},
		Cluster: &api.Nodes{Node: "n1", Cluster: "c", Heard: 3, Roster: 3, Nodes: []api.Node{
			{Name: "n1", State: api.NodeSelf, Joined: true, Answering: true}, {Name: "n3", State: api.NodeHeard, Joined: true, Answering: true, HeardAt: ago(time.Second)},
		}},
	}
}

// TestNeverWell: each of these keeps the headline from saying that all is well, and most of them make the node degraded.
func TestNeverWell(t *testing.T) {
	for _, tt := range []struct {
		name     string
		change   func(*api.Status)
		want     string
		degraded bool
	}{
		{"nothing", func(*api.Status) {}, "● all is well: 5 endpoints, 2 services", false},
		{"a class of clients gets NODATA", func(s *api.Status) {
			s.Zones[0].Services[0].Worse = []api.WorseClass{{Class: "rule 2", Source: "last_good", Tier: 1}, {Class: "rule 1", Source: "nodata"}}
		}, "■ pay without an answer (NODATA) for rule 1, and 1 more worse off", true},
		{"a pool weighs nothing by order", func(s *api.Status) {
			s.Intents = []api.Intent{{ID: "n1-1-1", Kind: "weight", Weight: new(int), Scope: api.Scope{Kind: "pool", Name: "example.org/us"}, State: api.IntentInForce, Actor: "ann", StartsAt: *ago(time.Minute)}}
		}, "⏸ pool example.org/us out by weight 0 by ann since 1m (n1-1-1)", false},
		{"measurements too old", func(s *api.Status) {
			for i := range s.Zones[0].Services {
				s.Zones[0].Services[i].Measured = &api.ServiceMeasured{Table: "rtt.txt", LatestAt: ago(2 * time.Hour), Expired: true}
			}
		}, "● pay, www by distance or weights, the last measurement in rtt.txt is 2h old", false},
		{"no measurement counts, and one is ahead", func(s *api.Status) {
			s.Zones[0].Services[0].Measured = &api.ServiceMeasured{Table: "rtt.txt", Expired: true, Ahead: 1, AheadAt: ago(-time.Hour)}
		}, "● pay by distance or weights, no measurement in rtt.txt counts · pay without what rtt.txt has of 1 instant up to 1h ahead of this node's clock", false},
		{"no IPv4 left", func(s *api.Status) { s.Zones[0].Services[1].Lost = []string{"A"} }, "■ www without an IPv4 answer, every IPv4 address is dead", true},
		{"a host name that two endpoints have", func(s *api.Status) {
			h := api.ResolvedHost{Host: "lb.example.net", State: "failing", Since: ago(time.Minute), Failure: "no answer in time"}
			s.Hosts = []api.ResolvedHost{h, h, {Host: "b.example.net", State: "resolved"}}
		}, "▲ lb.example.net not resolved since 1m, the addresses that it had stay: no answer in time", true},
		{"a host name that is denied", func(s *api.Status) {
			s.Hosts = []api.ResolvedHost{{Host: "lb.example.net", State: "denied", Since: ago(time.Minute), Failure: "lb.example.net.: NXDOMAIN from 192.0.2.53:53"}}
		}, "▲ lb.example.net has no address since 1m, those that it had stay for an hour: lb.example.net.: NXDOMAIN from 192.0.2.53:53", true},
		{"what is frozen is dead", func(s *api.Status) {
			s.Freeze = &api.Freeze{Frozen: true, Actor: "ada", Since: now.Add(-time.Minute), Otherwise: []string{"example.org/eu/a"}}
		}, "▲ frozen by ada since 1m; probes of n1 see otherwise: example.org/eu/a", true},
		{"an AZ is down", func(s *api.Status) {
			copy(s.Zones[0].Pools[0].Endpoints, endpoints("eu-1", "down", "down"))
		}, "■ AZ eu-1 down (2 of 2, timeout in connect) since 3m", true},
		{"an AZ with one endpoint is no AZ that is down", func(s *api.Status) { s.Zones[0].Pools[1].Endpoints = endpoints("us-1", "down") },
			"■ us/us-1a down (timeout in connect) since 3m", true},
		{"a region is down", func(s *api.Status) {
			s.Zones[0].Pools[0].Endpoints = append(endpoints("eu-1", "down"), endpoints("eu-2", "down")...)
		}, "■ region eu down (AZs eu-1, eu-2; 2 of 2, timeout in connect) since 3m", true},
		{"what is drained beside what is down", func(s *api.Status) {
			s.Zones[0].Pools[0].Endpoints = append(endpoints("eu-1", "down", "drained", "down"), endpoints("eu-2", "up")...)
		}, "■ AZ eu-1 down (2 of 3, timeout in connect) since 3m", true},
		{"one of two addresses is down", func(s *api.Status) {
			s.Zones[0].Pools[1].Endpoints[0].AddressStates = []api.AddressState{{Address: "192.0.2.1", State: "up"}, {Address: "2001:db8::1", State: "down", Withheld: true}}
		}, "■ 1 endpoint with one of two addresses down (us/us-1a 2001:db8::1)", true},
		{"unknown endpoints", func(s *api.Status) { s.Zones[0].Pools[0].Endpoints[0].State = "unknown" },
			"○ eu/eu-1a unknown, not judged yet since 3m", true},
		{"many unknown endpoints", func(s *api.Status) {
			s.Zones[0].Pools[1].Endpoints = endpoints("us-1", "unknown", "unknown", "unknown", "unknown", "up")
		},
			"○ 4 of 5 endpoints of AZ us-1 unknown since 3m", true},
		{"a standby", func(s *api.Status) {
			s.Zones[0].Services[0].Tier, s.Zones[0].Services[0].Skipped = 2, []string{"tier 1: nothing up"}
		}, "▲ pay on standby", true},
		{"a standby by order", func(s *api.Status) {
			s.Zones[0].Services[0].Tier, s.Zones[0].Services[0].Skipped = 2, []string{"tier 1: drained"}
		}, "⏸ pay on standby", false},
		{"all up and held is no last resort", func(s *api.Status) {
			s.Zones[0].Services[0].Source, s.Zones[0].Services[0].Degraded = "held", true
		}, "▲ pay on what waits for its hold", true},
		{"an order without effect", func(s *api.Status) {
			s.Intents = []api.Intent{{ID: "n1-1-1", Kind: "drain", Scope: api.Scope{Kind: "node", Name: "n9"}, State: api.IntentNoEffect}}
		}, "▲ drain of node n9 (n1-1-1) has no effect", true},
		{"a dangling order", func(s *api.Status) {
			s.Intents = []api.Intent{{ID: "n1-1-1", Kind: "drain", Scope: api.Scope{Kind: "az", Name: "mars"}, State: api.IntentDangling}}
		}, "▲ drain of az mars (n1-1-1) names nothing", true},
		{"a drain", func(s *api.Status) {
			s.Intents = []api.Intent{{ID: "n1-1-1", Kind: "drain", Scope: api.Scope{Kind: "az", Name: "eu-1"}, State: api.IntentInForce, Actor: "ann", StartsAt: *ago(time.Minute)}}
		}, "⏸ AZ eu-1 drained by ann since 1m (n1-1-1)", false},
		{"a write that went wrong", func(s *api.Status) { s.Unwritable = &api.Unwritable{Since: *ago(time.Minute)} },
			"■ state directory of n1 not writable since 1m", true},
		{"a block without a zone", func(s *api.Status) { s.BareBlocks = []string{"example.net"} },
			"■ n1 answers nothing for example.net: no zone file of the server block", true},
		{"a node that is lost", func(s *api.Status) {
			s.Cluster.Nodes[1].State, s.Cluster.Nodes[1].HeardAt, s.Cluster.Nodes[1].LeaseSeconds = api.NodeStale, ago(12*time.Second), 60
		}, "▲ node n3 not heard since 12s, stops answering 18:42:48", true},
		{"a node that is lost, without a lease", func(s *api.Status) {
			s.Cluster.Nodes[1].State, s.Cluster.Nodes[1].HeardAt = api.NodeStale, ago(12*time.Second)
		}, "▲ node n3 not heard since 12s, may be answering", true},
		{"a file", func(s *api.Status) { s.Files[0].LastGood = true }, "▲ z.yaml broken, its last good version is served", true},
		{"isolated", func(s *api.Status) { s.Cluster.Isolated, s.Cluster.Heard = true, 1 }, "■ n1 hears 1 of 3 nodes: health moves nothing", true},
		{"caches, by two nodes", func(s *api.Status) {
			s.Caches = &api.Forgetting{Unknown: []api.UnknownNode{{Node: "n1"}, {Node: "n2", Answering: true}}}
		}, "● all is up: 5 endpoints, 2 services · when caches forget is unknown, no word of n1, still answered by n2", false},
		{"caches", func(s *api.Status) { s.Caches = &api.Forgetting{SafeAt: ago(-28 * time.Second)} },
			"● all is up: 5 endpoints, 2 services · caches forget 18:42:28", false},
		{"caches, past", func(s *api.Status) { s.Caches = &api.Forgetting{SafeAt: ago(time.Second)} },
			"● all is up: 5 endpoints, 2 services · caches forgot 18:41:59, to be confirmed", false},
		{"caches, final", func(s *api.Status) { s.Caches = &api.Forgetting{SafeAt: ago(time.Minute), Final: true} }, "● all is well: 5 endpoints, 2 services", false},
		{"caches, unknown", func(s *api.Status) {
			s.Caches = &api.Forgetting{Unknown: []api.UnknownNode{{Node: "n3"}}, AtLeast: ago(-time.Minute)}
		},
			"● all is up: 5 endpoints, 2 services · when caches forget is unknown, no word of n3, not before 18:43:00", false},
		{"a hold", func(s *api.Status) {
			s.Zones[0].Pools[0].Returns = []api.PoolReturn{{All: true, Next: ago(-20 * time.Second)}}
		}, "● pool eu back at 18:42:20 (hold)", false},
		{"services that wait otherwise", func(s *api.Status) {
			s.Zones[0].Pools[0].Returns = []api.PoolReturn{
				{Services: []string{"www." + s.Zones[0].Name}, Next: ago(-20 * time.Second)}, {AZ: "eu-a", Services: []string{"db." + s.Zones[0].Name}, WaitsFor: "failback"},
			}
		}, "▲ pool eu back at 18:42:20 (hold) for www, in az eu-a is back and waits for `fairlead failback` for db", true},
		{"not ready", func(s *api.Status) { s.Ready, s.NotReady = false, "no verdict yet" }, "▲ n1 not ready: no verdict yet", true},
		{"degraded for a reason that nobody names", func(s *api.Status) { s.Degraded = true }, "▲ n1 is degraded", true},
		{"a gate that was closed as configured", func(s *api.Status) { s.Zones[0].Pools[0].WaitsFor = "ready" }, "● all is well: 5 endpoints, 2 services", false},
		{"a gate in the way", func(s *api.Status) { s.Degraded, s.Zones[0].Pools[0].WaitsFor = true, "ready" }, "▲ pool eu waits for `fairlead ready`", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := well()
			tt.change(s)
			Fill(s)
			require.Equal(t, tt.want, s.Headline)
			require.Equal(t, tt.degraded, s.Degraded)
			require.Equal(t, tt.name == "nothing" || strings.HasSuffix(tt.name, "final") || strings.Contains(tt.name, "configured"), strings.Contains(s.Headline, "all is well"))
		})
	}
}

// TestOrder: what is worst comes first, then cluster, service, AZ, endpoint; what there is no room for is counted.
func TestOrder(t *testing.T) {
	s := well()
	copy(s.Zones[0].Pools[0].Endpoints, endpoints("eu-1", "down", "down"))
	s.Cluster.Nodes[1].State, s.Cluster.Nodes[1].HeardAt, s.Cluster.Nodes[1].LeaseSeconds = api.NodeStale, ago(12*time.Second), 60
	s.Zones[0].Services[0].Tier, s.Zones[0].Services[0].Skipped = 2, []string{"tier 1: nothing up"}
	s.Caches = &api.Forgetting{SafeAt: ago(-28 * time.Second)}
	Fill(s)
	require.Equal(t, "■ AZ eu-1 down (2 of 2, timeout in connect) since 3m · node n3 not heard since 12s, stops answering 18:42:48 · "+
		"pay on standby · caches forget 18:42:28", s.Headline)
	s.Zones[0].Pools[0].Endpoints[2].State, s.Zones[0].Pools[0].Endpoints[3].State = "suspect", "suspect"
	Fill(s)
	require.Equal(t, "▲", Shape(s.Causes[4].State))
	require.True(t, strings.HasSuffix(s.Headline, "· eu/eu-2a suspect since 3m · and 1 more · caches forget 18:42:28"), s.Headline)
}

// TestMany: what many services or endpoints have in common is one cause, so that the list is bounded.
func TestMany(t *testing.T) {
	s := well()
	for range 1000 {
		s.Zones[0].Services = append(s.Zones[0].Services, api.Service{Name: "s.example.org.", Source: "nodata", Degraded: true})
		s.Zones[0].Pools[1].Endpoints = append(s.Zones[0].Pools[1].Endpoints, endpoints("us-1", "suspect")...)
	}
	Fill(s)
	require.Len(t, s.Causes, 2)
	require.Equal(t, "■ 1000 services without an answer (NODATA) (s, s, s and 997 more) · 1000 of 1001 endpoints of AZ us-1 suspect since 3m", s.Headline)
}

// TestShapes: causes have the shapes that states have everywhere.
func TestShapes(t *testing.T) {
	for _, st := range []health.State{health.Up, health.Suspect, health.Down, health.Drained, health.Unknown} {
		require.Equal(t, st.Shape(), Shape(st.String()))
	}
}
