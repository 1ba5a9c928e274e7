package integration

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// TestLease: of a node that nobody hears, cut off or dead, the bound becomes known without anybody's word once its lease has ended, and
// the node answers no service name from then on.
func TestLease(t *testing.T) {
	waits(t)
	if inNamespaces(t) {
		return
	}
	const lease = 10 * time.Second
	c := newCluster(t, 3, "  isolate_after: 10s\n")
	last := c.nodes[2]
	left := func(n *clusterNode) (d api.DepartureStaleness) {
		var s api.Staleness
		if n.call(http.MethodGet, api.StalenessPath+"?service=www.example.org.", nil, &s) != http.StatusOK {
			return d
		}
		i := slices.IndexFunc(s.Services[0].Departures, func(d api.DepartureStaleness) bool { return d.Endpoint == "example.org/eu/a" })
		if i < 0 {
			return d
		}
		return s.Services[0].Departures[i]
	}
	c.wire.partition(func(node int) int { return node / 2 })
	begin := time.Now()
	_, status := c.nodes[0].drain("eu", "a")
	require.Equal(t, http.StatusCreated, status)
	var stopped time.Time
	await(t, "the node that is cut off to stop", func() bool {
		m, _, err := ask("udp", last.dns, "www.example.org.", dns.TypeA)
		require.NoError(t, err)
		stopped = time.Now()
		return m.Rcode == dns.RcodeServerFailure
	})
	t.Logf("it answered for %s after the cut", stopped.Sub(begin).Round(10*time.Millisecond))
	require.Less(t, stopped.Sub(begin), lease+time.Second)
	var d api.DepartureStaleness
	await(t, "a bound", func() bool { d = left(c.nodes[1]); return d.SafeAt != nil })
	t.Logf("the bound was known %s after it stopped, and lies %s after that", time.Since(stopped).Round(10*time.Millisecond), d.SafeAt.Sub(stopped).Round(10*time.Millisecond))
	require.Equal(t, []string{"n3"}, d.Fenced)
	var shown api.Node
	await(t, "n3 to be shown as one that stopped", func() bool {
		var nodes api.Nodes
		if c.nodes[1].call(http.MethodGet, api.NodesPath, nil, &nodes) != http.StatusOK {
			return false
		}
		shown = nodes.Nodes[slices.IndexFunc(nodes.Nodes, func(n api.Node) bool { return n.Name == "n3" })]
		return shown.FencedAt != nil
	})
	require.Equal(t, lease.Seconds(), shown.LeaseSeconds)
	require.WithinDuration(t, stopped, *shown.FencedAt, 4*time.Second)
	require.True(t, d.SafeAt.After(stopped.Add(10*time.Second)), "what it answered last lives as long as that")
	// Dead, it does not come back; alive, it asks what it missed.
	c.wire.heal()
	await(t, "it to answer again", func() bool { holds, ok := last.holds(netEndpoint(0)); return ok && !holds && last.status().Ready })
	last.kill()
	_, status = c.nodes[1].drain("us", "b")
	require.Equal(t, http.StatusCreated, status)
	await(t, "the bound of a dead node", func() bool {
		var s api.Staleness
		_ = c.nodes[0].call(http.MethodGet, api.StalenessPath+"?service=www.example.org.", nil, &s)
		return len(s.Services) > 0 && slices.ContainsFunc(s.Services[0].Departures, func(d api.DepartureStaleness) bool {
			return d.Endpoint == "example.org/us/b" && d.SafeAt != nil && slices.Equal(d.Fenced, []string{"n3"})
		})
	})
}
