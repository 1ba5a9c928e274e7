package config

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const fromHead = `zone: example.org
nameservers: [ns1.example.net]
regions: {eu: {azs: [eu-a, eu-b]}, us: {azs: [us-a]}}
pools:
  web:
    region: eu
`

func TestFrom(t *testing.T) {
	z, problems := Parse("z.yaml", []byte(fromHead+`    from:
      - {cluster: [eu-1, eu-2], service: shop/web, weight: ready, port: https, family: ipv4, max: 5}
      - {cluster: eu-1, gateway: "*", selector: {app: web, tier: front}, listener: tls, weight: 7, az: eu-b}
services: {www: {also: [az], tiers: [{web: 1}]}}
`), ParseOptions{})
	require.NotNil(t, z, "%s", problems)
	p := z.Pools[0]
	assert.Equal(t, &From{Clusters: []string{"eu-1", "eu-2"}, Kind: FromService, Namespace: "shop", Name: "web", Weight: 1, Ready: true, Port: "https",
		Families: []Family{IPv4}, AZ: -1, Max: 5}, p.From[0])
	assert.Equal(t, "gateway * with app=web,tier=front", p.From[1].String())
	assert.Equal(t, 1, p.From[1].AZ)
	assert.Equal(t, 1, p.MinEndpoints)
	assert.Len(t, z.Services[0].Places, 2, "a cluster may give endpoints in any AZ of the region")
	assert.True(t, p.From[1].Takes(FromGateway, "edge", "x", map[string]string{"app": "web", "tier": "front", "z": "1"}))
	assert.False(t, p.From[1].Takes(FromGateway, "edge", "x", map[string]string{"app": "web"}))
	assert.False(t, p.From[0].Takes(FromService, "shop", "api", nil))
}

func TestFromRejects(t *testing.T) {
	for _, tt := range []struct{ name, from, want string }{
		{"nothing", "{cluster: eu-1}", "z.yaml:8:9: error: pools.web.from[0]: what is taken from the cluster is missing"},
		{"two kinds", "{cluster: eu-1, service: a/b, ingress: a/b}", "pools.web.from[0].service: ingress and service in one entry"},
		{"no name", "{cluster: eu-1, service: shop}", "pools.web.from[0].service: which service is not said"},
		{"name and selector", "{cluster: eu-1, service: a/b, selector: {a: b}}", "pools.web.from[0].selector: a name and a selector"},
		{"cluster", "{cluster: [eu-1, eu-1], service: a/b}", `duplicate cluster "eu-1"`},
		{"bad name", "{cluster: eu-1, service: a/b/c}", `want NAMESPACE/NAME, got "a/b/c"`},
		{"nodes of a gateway", "{cluster: eu-1, gateway: a/b, addresses: nodes}", "nodes of a gateway: it has its status alone"},
		{"listener of a service", "{cluster: eu-1, service: a/b, listener: x}", "a listener of a service: gateways have them"},
		{"region", "{cluster: eu-1, service: a/b, az: us-a}", `the AZ "us-a" is in the region "us", the pool in "eu"`},
		{"max", "{cluster: eu-1, service: a/b, max: 1001}", "1001 is out of range, want 1 to 1000"},
		{"set selector", "{cluster: eu-1, service: a, selector: {a: \"in (b,c)\"}}", "sets and inequalities are not known here"},
		{"mixed", "{cluster: eu-1, service: a/b, hostname: target}\n      - {cluster: eu-1, service: a/b}", "mixed answer kinds"},
		{"misspelt", "{cluster: eu-1, servise: a/b}", `did you mean "service"?`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z, problems := Parse("z.yaml", []byte(fromHead+"    from:\n      - "+tt.from+"\n"), ParseOptions{})
			assert.Nil(t, z)
			assert.Contains(t, problems.String(), tt.want)
		})
	}
	_, problems := Parse("z.yaml", []byte(fromHead+"    min_endpoints: 2\n"), ParseOptions{})
	assert.Contains(t, problems.String(), `the key "endpoints" is missing`)
	assert.Contains(t, problems.String(), "min_endpoints without `from`")
}

// TestWith: the order of the members is nothing, what the file has stays first, and the hash covers all.
func TestWith(t *testing.T) {
	z, problems := Parse("z.yaml", []byte(fromHead+`    az_weights: {eu-a: 30, eu-b: 70}
    endpoints: [{name: idc, addresses: [192.0.2.1], az: eu-a, weight: 5}]
    from: [{cluster: eu-1, service: shop/web}]
services: {_http._tcp: {srv: {port: 80}, tiers: [{web: 1}]}}
`), ParseOptions{})
	require.NotNil(t, z, "%s", problems)
	one := Member{Name: "eu-1.192-0-2-2", Cluster: "eu-1", Addr: netip.MustParseAddr("192.0.2.2"), AZ: 1, Weight: 3, Port: 8443}
	two := Member{Name: "eu-1.192-0-2-3", Cluster: "eu-1", Addr: netip.MustParseAddr("192.0.2.3"), AZ: 0, Weight: 1}
	same := Member{Name: "eu-1.192-0-2-1", Cluster: "eu-1", Addr: netip.MustParseAddr("192.0.2.1"), AZ: 0, Weight: 1}
	a := z.With(map[int][]Member{0: {one, two, same}})
	b := z.With(map[int][]Member{0: {same, two, one}})
	assert.Equal(t, a.Hash, b.Hash)
	assert.NotEqual(t, z.Hash, a.Hash)
	assert.Equal(t, z.SOA.Serial, a.SOA.Serial, "what clusters give never moves the serial")
	require.Len(t, a.Pools[0].Endpoints, 3)
	assert.Equal(t, "idc", a.Pools[0].Endpoints[0].Name)
	assert.Equal(t, uint16(8443), a.Pools[0].Endpoints[1].ProbePort)
	assert.Equal(t, []AZWeight{{0, 30}, {1, 70}}, a.Pools[0].AZWeights)
	assert.Len(t, a.Hosts, 3)
	assert.Len(t, z.Pools[0].Endpoints, 1, "the zone of the file is as it was")
	assert.Same(t, z, z.With(nil))
	heavier := one
	heavier.Weight = 4
	assert.NotEqual(t, a.Hash, z.With(map[int][]Member{0: {heavier, two}}).Hash)
}

func TestNodeKubernetes(t *testing.T) {
	n, problems := ParseNode("n.yaml", []byte(`kubernetes:
  clusters:
    eu-1: {in_cluster: true, region: eu, az: eu-a}
    idc: {kubeconfig: /etc/idc, context: prod, expose: {10.9.0.0/24: 203.0.113.0/24, 10.9.0.128/25: 198.51.100.0/25, "2001:db8:1::/48": "2001:db8:2::/48"}}
`))
	require.NotNil(t, n, "%s", problems)
	var names []string
	for _, c := range n.Kubernetes {
		names = append(names, c.Name)
	}
	assert.Equal(t, []string{"eu-1", "idc"}, names)
	for in, want := range map[string]string{"10.9.0.5": "203.0.113.5", "10.9.0.130": "198.51.100.2", "2001:db8:1::7": "2001:db8:2::7", "192.0.2.1": "192.0.2.1"} {
		assert.Equal(t, want, Translate(n.Kubernetes[1].Expose, netip.MustParseAddr(in)).String())
	}
	_, problems = ParseNode("n.yaml", []byte(`kubernetes:
  clusters:
    a: {}
    b: {in_cluster: true, kubeconfig: x}
    c: {kubeconfig: x, expose: {10.0.0.0/24: 10.1.0.0/25}}
`))
	for _, want := range []string{
		"n.yaml:3:5: error: kubernetes.clusters.a: how the cluster is read is missing", "kubernetes.clusters.b.kubeconfig: a kubeconfig and in_cluster",
		"10.1.0.0/25 is not as large as 10.0.0.0/24",
	} {
		assert.Contains(t, problems.String(), want)
	}
}
