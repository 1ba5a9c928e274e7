package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

// twoClusters has one name over a Service that two clusters have, one behind a Gateway, and one behind a route.
const twoClusters = `zone: example.org
nameservers: [ns1.example.net]
regions: {eu: {azs: [eu-a, eu-b]}}
checks:
  open: {type: tcp, port: %d, interval: 200ms, timeout: 150ms, fall: 2, rise: 1}
pools:
  web:
    region: eu
    check: open
    from:
      - {cluster: eu-1, service: shop/web, az: eu-a, weight: 3}
      - {cluster: eu-2, service: shop/web, az: eu-b, weight: 1}
  edge: {region: eu, check: open, from: [{cluster: [eu-1, eu-2], gateway: edge/public, listener: https, az: eu-a}]}
  route: {region: eu, check: open, from: [{cluster: eu-2, httproute: shop/web, az: eu-b}]}
services:
  www: {tiers: [{web: 1}], ttl: {max: 5s, min: 1s}}
  gw: {tiers: [{edge: 1}], ttl: {max: 5s, min: 1s}, answers: all}
  rt: {tiers: [{route: 1}], ttl: {max: 5s, min: 1s}, answers: all}
`

// crds installs those of the Gateway API, of the MCS API and of DNSEndpoints.
func (c *controlPlane) crds() {
	c.t.Helper()
	files, err := filepath.Glob(filepath.Join(c.bin, "crds", "*.yaml"))
	require.NoError(c.t, err)
	require.NotEmpty(c.t, files)
	c.apply("", "-f", strings.Join(files, ","))
	out, err := c.kubectl("", "wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
	require.NoError(c.t, err, out)
}

const gatewayManifest = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: public, namespace: edge}
spec:
  gatewayClassName: test
  listeners:
    - {name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}
`

const routeManifest = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec:
  parentRefs: [{name: public, namespace: edge}]
  rules: [{backendRefs: [{name: web, port: 80}]}]
`

// edge makes a Gateway with an address, and a route that it has accepted.
func (c *controlPlane) edge(address string) {
	c.t.Helper()
	c.namespace("edge")
	c.apply(gatewayManifest)
	const group = "/apis/gateway.networking.k8s.io/v1/namespaces"
	c.do("PATCH", group+"/edge/gateways/public/status", fmt.Sprintf(`{"status":{"addresses":[{"type":"IPAddress","value":%q}]}}`, address))
	c.apply(routeManifest)
	c.do("PATCH", group+"/shop/httproutes/web/status", `{"status":{"parents":[{"parentRef":{"name":"public","namespace":"edge"},"controllerName":"example.org/test",
		"conditions":[{"type":"Accepted","status":"True","reason":"Accepted","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}]}}`)
}

// answersOf counts the addresses that n questions for a name get; nil where one is not answered.
func (p *process) answersOf(name string, n int) map[string]int {
	out := make(map[string]int)
	for range n {
		m, _, err := ask("udp", p.dns, name, dns.TypeA)
		if err != nil {
			return nil
		}
		for _, rr := range m.Answer {
			if a, ok := rr.(*dns.A); ok {
				out[a.A.String()]++
			}
		}
	}
	return out
}

// awaitOnly waits until a name has just these addresses.
func (p *process) awaitOnly(name string, want ...string) {
	p.t.Helper()
	await(p.t, name+" to have only "+strings.Join(want, " "), func() bool {
		got := p.answersOf(name, 40)
		return len(got) == len(want) && !slices.ContainsFunc(want, func(a string) bool { return got[a] == 0 })
	})
}

// TestKubeClusters: one name over the Services of two clusters, with a weight for each; one cluster is taken out for its upgrade, and `safe`
// says when. Before that, check says what is missing: the role, a CRD, an object.
func TestKubeClusters(t *testing.T) {
	one, two := startControlPlane(t), startControlPlane(t)
	port := suite.FreePort(t)
	openPorts(t, port, 11, 12, 13, 21, 22)
	node := fmt.Sprintf("kubernetes: {clusters: {eu-1: {kubeconfig: %s}, eu-2: {kubeconfig: %s}}}\n", one.path("kubeconfig"), two.path("kubeconfig"))
	dir := t.TempDir()
	files := map[string]string{"node.yaml": node, "example.org.yaml": fmt.Sprintf(twoClusters, port)}
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	bin := binary(t, false)
	check := func(want int, lines ...string) {
		t.Helper()
		out, code := run(t, bin, "check", "--cluster", "--node", filepath.Join(dir, "node.yaml"), filepath.Join(dir, "example.org.yaml"))
		require.Equal(t, want, code, out)
		for _, line := range lines {
			require.Contains(t, out, line)
		}
	}
	check(1, `error: kubernetes.clusters.eu-1: get the namespace kube-system: 403 namespaces "kube-system" is forbidden: User "fairlead" cannot get resource "namespaces"`)
	for i, c := range []*controlPlane{one, two} {
		c.namespace("shop")
		c.allow()
		c.service("shop", "web", fmt.Sprintf("127.0.0.1%d", i+1))
	}
	check(1, "kubernetes.clusters.eu-1: list gateways.gateway.networking.k8s.io in edge: the cluster knows no such kind: its CRD is not installed (404)",
		"cluster eu-1: not read, or not all of it; 2 selectors, 1 endpoint")
	one.crds()
	two.crds()
	check(0, "cluster eu-2: pool edge of example.org, gateway edge/public, listener https: names nothing", "cluster eu-1: read; 2 selectors, 1 endpoint")
	one.edge("127.0.0.21")
	two.edge("127.0.0.22")
	check(0, "cluster eu-2: read; 3 selectors, 3 endpoints", "0 errors, 0 warnings")

	p := startDiscovering(t, port, "5m", node)
	p.replace(filepath.Join(p.dir, "zones", "example.org.yaml"), files["example.org.yaml"])
	p.awaitOnly("www.example.org.", "127.0.0.11", "127.0.0.12")
	p.awaitOnly("gw.example.org.", "127.0.0.21", "127.0.0.22")
	p.awaitOnly("rt.example.org.", "127.0.0.22")
	p.firstStart()
	got := p.answersOf("www.example.org.", 800)
	require.InDelta(t, 600, got["127.0.0.11"], 80, "three of four are eu-1's: %v", got)
	p.drainCluster(one)
}

// drainCluster takes eu-1, which is c, out, and lets it in again.
func (p *process) drainCluster(c *controlPlane) {
	p.t.Helper()
	say := func(want int, words ...string) string {
		p.t.Helper()
		out, code := run(p.t, p.bin, append(words, "--server=unix:"+p.socket)...)
		require.Equal(p.t, want, code, "%v: %s", words, out)
		return out
	}
	why := []string{"--for", "2h", "--reason", "1.38 upgrade"}
	out := say(0, append([]string{"drain", "cluster", "eu-1", "--dry-run"}, why...)...)
	require.Contains(p.t, out, "www.example.org")
	p.awaitOnly("www.example.org.", "127.0.0.11", "127.0.0.12")
	say(3, "safe", "cluster", "eu-1")
	say(0, append([]string{"drain", "cluster", "eu-1"}, why...)...)
	p.awaitOnly("www.example.org.", "127.0.0.12")
	p.awaitOnly("gw.example.org.", "127.0.0.22")
	// What the cluster comes to give meanwhile is drained, too; it is no reason to say that it is safe.
	c.status("/api/v1/namespaces/shop/services/web", "127.0.0.11", "127.0.0.13")
	await(p.t, "the new endpoint", func() bool {
		out, code := run(p.t, p.bin, "get", "discovered", "eu-1.127-0-0-13", "--server=unix:"+p.socket)
		return code == 0 && strings.Contains(out, "shop/web")
	})
	out = say(0, "safe", "cluster", "eu-1", "--wait", "--timeout", patience.String())
	require.Contains(p.t, out, "yes: ")
	p.awaitOnly("www.example.org.", "127.0.0.12")
	// The other one cannot go as well.
	require.Contains(p.t, say(4, append([]string{"drain", "cluster", "eu-2"}, why...)...), "never_empty")
	require.Contains(p.t, say(0, "intents"), "cluster eu-1")
	say(0, "undrain", "cluster", "eu-1", "--now", "--reason", "upgraded")
	p.awaitOnly("www.example.org.", "127.0.0.11", "127.0.0.12", "127.0.0.13")
	say(1, append([]string{"drain", "cluster", "eu-9"}, why...)...)
	// What leaves since the cluster does not say it any more has a bound like anything that leaves.
	c.status("/api/v1/namespaces/shop/services/web", "127.0.0.11")
	p.awaitOnly("www.example.org.", "127.0.0.11", "127.0.0.12")
	left, _ := run(p.t, p.bin, "staleness", "--server=unix:"+p.socket)
	require.Contains(p.t, left, "example.org/web/eu-1.127-0-0-13")
	require.Contains(p.t, say(0, "safe", "endpoint", "example.org/web/eu-1.127-0-0-13", "--wait", "--timeout", patience.String()), "yes: ")
}
