package integration

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/geo/geotest"
)

const subnetZone = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions:
  eu: {location: [50, 8], azs: [eu-a]}
  us: {location: [39, -77], azs: [us-a]}
pools:
  eu: {region: eu, endpoints: [{name: a, addresses: [192.0.2.1, "2001:db8::1"], az: eu-a}]}
  us: {region: us, endpoints: [{name: a, addresses: [192.0.2.2, "2001:db8::2"], az: us-a}]}
  lab: {region: eu, endpoints: [{name: a, addresses: [192.0.2.3], az: eu-a}]}
services:
  rules:
    ecs: true
    clients:
      - {match: {cidr: [10.0.0.0/8, "2001:db8:aa::/48"]}, tiers: [{lab: 1}], strict: true}
      - {match: {cidr: [10.64.0.0/10]}, tiers: [{us: 1}]}
      - {match: {country: [DE], asn: [64500]}, tiers: [{eu: 1}]}
      - {match: {continent: [NA]}, tiers: [{us: 1}]}
    tiers: [{lab: 1}]
  near: {ecs: true, order: nearest, tiers: [{eu: 1, us: 1}]}
  closed: {clients: [{match: {cidr: [198.51.100.0/24]}, tiers: [{us: 1}]}], tiers: [{eu: 1}]}
  stay: {ecs: true, sticky: {v4: 20}, tiers: [{eu: 1, us: 1}]}
`

// subnetBed is the real binary with a database of a few networks.
func subnetBed(t *testing.T) *process {
	dir := t.TempDir()
	geotest.Database{Networks: map[string]geotest.Network{
		"198.51.100.0/24":  {Continent: "EU", Country: "DE", Point: []float64{52.5, 13.4}},
		"203.0.113.0/25":   {Continent: "NA", Country: "US", Point: []float64{40.7, -74}},
		"203.0.113.128/25": {ASN: 64500},
		"2001:db8:1::/48":  {Continent: "NA", Country: "CA", Point: []float64{45.5, -73.6}},
	}}.Write(t, filepath.Join(dir, "test.mmdb"))
	node := filepath.Join(dir, "node.yaml")
	require.NoError(t, os.WriteFile(node, []byte("name: n1\ngeo: {databases: ["+filepath.Join(dir, "test.mmdb")+"]}\n"), 0o644))
	p := startServe(t, true, "example.org:PORT {\n\tbind 127.0.0.1\n\tfairlead {\n\t\tzones DIR/zones\n\t\tstate DIR/state\n\t\tnode "+node+"\n\t}\n}\n",
		map[string]string{"example.yaml": subnetZone})
	p.awaitHealthy()
	return p
}

var (
	digSubnet = regexp.MustCompile(`CLIENT-SUBNET: (\S+)`)
	digAnswer = regexp.MustCompile(`(?m)^\S+\.example\.org\.\s+\d+\s+IN\s+(?:A|AAAA)\s+(\S+)`)
)

// TestSubnetsByDig asks the real binary through dig and kdig: address and scope for each subnet.
func TestSubnetsByDig(t *testing.T) {
	p := subnetBed(t)
	_, port, err := net.SplitHostPort(p.dns)
	require.NoError(t, err)
	for _, tt := range []struct{ name, typ, subnet, address, scope string }{
		{"rules", "A", "10.1.2.0/24", "192.0.2.3", "10.1.2.0/24/10"},
		{"rules", "A", "10.70.0.0/16", "192.0.2.2", "10.70.0.0/16/10"},
		{"rules", "A", "198.51.100.0/24", "192.0.2.1", "198.51.100.0/24/24"},
		{"rules", "A", "203.0.113.0/24", "192.0.2.2", "203.0.113.0/24/25"},
		{"rules", "A", "203.0.113.200/32", "192.0.2.1", "203.0.113.200/32/25"},
		{"rules", "AAAA", "2001:db8:1::/56", "2001:db8::2", "2001:db8:1::/56/48"},
		{"near", "A", "198.51.100.0/24", "192.0.2.1", "198.51.100.0/24/24"},
		{"near", "A", "203.0.113.0/25", "192.0.2.2", "203.0.113.0/25/25"},
		{"closed", "A", "198.51.100.0/24", "192.0.2.1", "198.51.100.0/24/0"},
		{"rules", "A", "0.0.0.0/0", "192.0.2.3", "0.0.0.0/0/0"},
	} {
		for _, tool := range []string{"dig", "kdig"} {
			t.Run(tt.name+" "+tt.subnet+" "+tool, func(t *testing.T) {
				args := []string{"@127.0.0.1", "-p", port, tt.name + ".example.org", tt.typ, "+subnet=" + tt.subnet}
				text, err := exec.Command(tool, args...).CombinedOutput()
				require.NoError(t, err, string(text))
				answer := digAnswer.FindSubmatch(text)
				require.NotNil(t, answer, string(text))
				require.Equal(t, tt.address, string(answer[1]), string(text))
				scope := digSubnet.FindSubmatch(text)
				require.NotNil(t, scope, string(text))
				require.Equal(t, tt.scope, string(scope[1]), string(text))
			})
		}
	}
}

// TestSubnetStays: a client's prefix gets the same address whatever its resolver, with the sticky prefix as the scope.
func TestSubnetStays(t *testing.T) {
	p := subnetBed(t)
	_, port, err := net.SplitHostPort(p.dns)
	require.NoError(t, err)
	seen := make(map[string]bool)
	for _, subnet := range []string{"198.18.0.0/24", "198.18.1.0/24", "198.18.15.0/24", "198.18.16.0/24", "198.18.32.0/24", "198.18.48.0/24", "198.18.64.0/24", "198.18.80.0/24"} {
		first := ""
		for range 3 {
			text, err := exec.Command("dig", "@127.0.0.1", "-p", port, "stay.example.org", "+subnet="+subnet).CombinedOutput()
			require.NoError(t, err, string(text))
			answer := digAnswer.FindSubmatch(text)
			require.NotNil(t, answer, string(text))
			if first == "" {
				first = string(answer[1])
			}
			require.Equal(t, first, string(answer[1]))
			require.Equal(t, subnet+"/20", string(digSubnet.FindSubmatch(text)[1]))
		}
		if subnet < "198.18.16" {
			seen[first] = true
		}
	}
	require.Len(t, seen, 1, "one prefix, one endpoint")
}
