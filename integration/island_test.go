package integration

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const islandZone = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [10.77.0.1]}]
regions: {eu: {azs: [eu-a, eu-b]}, us: {azs: [us-a, us-b]}, ap: {azs: [ap-a, ap-b]}}
checks: {ready: {type: http, port: 8080, path: /, interval: 1s, timeout: 500ms, fall: 2, rise: 2}}
pools:
  eu: {region: eu, check: ready, endpoints: [{name: a, addresses: [10.77.1.1], az: eu-a}, {name: b, addresses: [10.77.1.2], az: eu-b}]}
  us: {region: us, check: ready, endpoints: [{name: a, addresses: [10.77.1.3], az: us-a}, {name: b, addresses: [10.77.1.4], az: us-b}]}
  ap: {region: ap, check: ready, endpoints: [{name: a, addresses: [10.77.1.5], az: ap-a}, {name: b, addresses: [10.77.1.6], az: ap-b}]}
  eu-db: {region: eu, check: ready, stateful: true, endpoints: [{name: a, addresses: [10.77.1.1], az: eu-a}]}
  us-db: {region: us, check: ready, stateful: true, endpoints: [{name: a, addresses: [10.77.1.3], az: us-a}]}
services:
  plain: {tiers: [{eu: 1, us: 1, ap: 1}], failback: {hold: 0s}, ttl: {max: 10s, min: 2s}}
  www: {tiers: [{eu: 1, us: 1, ap: 1}], island: {region: own}, failback: {hold: 0s}, ttl: {max: 10s, min: 2s}}
  db: {tiers: [{eu-db: 1}, {us-db: 1}], island: {region: own}, ttl: {max: 10s, min: 2s}}
`

// islandSeconds is for how long the answers of both services are counted while the region is cut off, a hundred times a second each.
const islandSeconds = 20

// cutRegion cuts the nodes of a region, which are the first two, and its endpoints, the first two, off from all others.
func (c *realCluster) cutRegion() {
	c.wire.unreached = make(map[int][]int)
	for i := range c.nodes {
		for e := range c.endpoints {
			if (i < 2) != (e < 2) {
				c.wire.unreached[i] = append(c.wire.unreached[i], e)
			}
		}
	}
	c.wire.partition(func(node int) int { return min(node/2, 1) })
}

// asks asks a node for a service once.
func (n *clusterNode) asks(t *testing.T, service string) (rcode int, address string) {
	m := new(dns.Msg)
	m.SetQuestion(service+".example.org.", dns.TypeA)
	got, _, err := (&dns.Client{Timeout: patience}).Exchange(m, n.dns)
	require.NoError(t, err)
	if len(got.Answer) == 0 {
		return got.Rcode, ""
	}
	return got.Rcode, got.Answer[0].(*dns.A).A.String()
}

// TestIsland cuts a region of two nodes of five off from the others, in namespaces, and counts which answers its own clients could have reached.
func TestIsland(t *testing.T) {
	if inNamespaces(t) {
		return
	}
	c := newClusterOf(t, 5, clusterPlan{zone: islandZone, regions: []string{"eu", "eu", "us", "us", "ap"}, endpoints: 6})
	inside := []string{netEndpoint(0), netEndpoint(1)}
	_, primary := c.nodes[0].asks(t, "db")
	require.Equal(t, netEndpoint(0), primary)
	begin := time.Now()
	c.cutRegion()

	// From the cut on, until both nodes have noticed: when was an answer last given that the region does not reach?
	var last time.Time
	await(t, "both nodes are islands", func() bool {
		for _, n := range c.nodes[:2] {
			if _, address := n.asks(t, "www"); !slices.Contains(inside, address) {
				last = time.Now()
			}
		}
		return time.Since(begin) > 2*time.Second && time.Since(last) > 5*time.Second
	})
	t.Logf("the last answer with an address out of reach came %v after the cut", last.Sub(begin).Round(10*time.Millisecond))

	reached, counts := map[string]int{}, map[string]int{}
	for end := time.Now().Add(islandSeconds * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		for _, n := range c.nodes[:2] {
			for _, service := range []string{"plain", "www"} {
				counts[service]++
				if _, address := n.asks(t, service); slices.Contains(inside, address) {
					reached[service]++
				}
			}
		}
	}
	share := func(service string) float64 { return 100 * float64(reached[service]) / float64(counts[service]) }
	t.Logf("clients of the region reach %.1f %% of %d answers without an island, %.2f %% of %d with one", share("plain"), counts["plain"], share("www"), counts["www"])
	require.InDelta(t, 100.0/3, share("plain"), 1)
	require.GreaterOrEqual(t, share("www"), 99.9)

	// What it says of itself, and what the others say.
	nodes, _ := c.nodes[0].view()
	require.True(t, nodes.Isolated)
	require.True(t, nodes.Nodes[0].Island)
	await(t, "its neighbour says so too", func() bool { nodes, _ := c.nodes[0].view(); return nodes.Nodes[1].Island })
	others, _ := c.nodes[4].view()
	require.True(t, others.Nodes[0].MayBeIsland)
	var s api.Status
	require.Equal(t, http.StatusOK, c.nodes[0].call(http.MethodGet, api.StatusPath, nil, &s))
	for _, svc := range s.Zones[0].Services {
		want := map[string]string{"plain": "tier", "www": "island", "db": "yielded"}[strings.TrimSuffix(svc.Name, ".example.org.")]
		require.Equal(t, want, svc.Source, svc.Name)
	}

	// The database has one home: the others have moved it, and the island leaves it to them.
	for _, n := range c.nodes[:2] {
		rcode, address := n.asks(t, "db")
		require.Equal(t, dns.RcodeServerFailure, rcode, address)
	}
	await(t, "the others have moved the database", func() bool { _, address := c.nodes[2].asks(t, "db"); return address == netEndpoint(2) })

	// An endpoint of the island dies, and then its last one.
	c.broken[0].Store(true)
	await(t, "no answer with the dead one", func() bool {
		for range 6 {
			if _, address := c.nodes[0].asks(t, "www"); address != inside[1] {
				return false
			}
		}
		return true
	})
	c.broken[1].Store(true)
	await(t, "its last word", func() bool { _, address := c.nodes[0].asks(t, "www"); return !slices.Contains(inside, address) })
	c.broken[1].Store(false)
	await(t, "what comes back where it was taken away is answered", func() bool {
		for range 6 {
			if _, address := c.nodes[0].asks(t, "www"); address != inside[1] {
				return false
			}
		}
		return true
	})
	c.broken[0].Store(false)
	c.wire.heal()
	c.awaitCalm()
	await(t, "the database stays where it is until somebody moves it back", func() bool {
		for _, n := range c.nodes {
			if _, address := n.asks(t, "db"); address != netEndpoint(2) {
				return false
			}
		}
		return true
	})
}
