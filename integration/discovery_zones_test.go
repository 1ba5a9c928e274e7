package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

// zoneObject is a Zone with a spec, as YAML.
func zoneObject(name, spec string) string {
	return fmt.Sprintf("apiVersion: fairlead.dev/v1alpha1\nkind: Zone\nmetadata: {name: %s, namespace: dns}\nspec:\n  %s\n", name, strings.ReplaceAll(strings.TrimSpace(spec), "\n", "\n  "))
}

// kinds installs the CRD as shipped, with the role for the reader.
func (c *controlPlane) kinds() {
	c.t.Helper()
	text, err := os.ReadFile("../deploy/kubernetes/zones.yaml")
	require.NoError(c.t, err)
	c.apply(string(text))
	out, err := c.kubectl("", "wait", "--for=condition=Established", "--timeout=30s", "crd", "zones.fairlead.dev")
	require.NoError(c.t, err, out)
	out, err = c.kubectl("", "get", "crd", "zones.fairlead.dev", "-o", `jsonpath={.status.conditions[?(@.type=="NonStructuralSchema")].message}`)
	require.NoError(c.t, err, out)
	require.Empty(c.t, out)
	c.create("rbac.authorization.k8s.io/v1", "", "clusterrolebindings", `{"metadata":{"name":"zones"},
		"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"fairlead-zones"},"subjects":[{"kind":"User","name":"fairlead"}]}`)
}

// refuses has the API refuse a manifest, with these words.
func (c *controlPlane) refuses(manifest string, words ...string) {
	c.t.Helper()
	out, err := c.kubectl(manifest, "apply", "--server-side", "--validate=strict", "-f", "-")
	require.Error(c.t, err, out)
	for _, w := range words {
		require.Contains(c.t, out, w)
	}
}

// accepted waits for the condition of a Zone.
func (c *controlPlane) accepted(name, status string, words ...string) {
	c.t.Helper()
	await(c.t, "the condition of "+name+" to be "+status, func() bool {
		out, err := c.kubectl("", "get", "zone", name, "--namespace", "dns", "-o",
			`jsonpath={.metadata.generation} {.status.conditions[0].observedGeneration} {.status.conditions[0].status} {.status.conditions[0].message}`)
		var generation, observed int
		var is string
		if _, e := fmt.Sscan(out, &generation, &observed, &is); e != nil || err != nil || observed != generation || is != status {
			return false
		}
		for _, w := range words {
			require.Contains(c.t, out, w)
		}
		return true
	})
}

// TestKubeZones: a Zone is a zone file: the example of every key passes the API's schema, a key that is misspelt does not; what only the node
// can know stands in the status, and the last good version goes on.
func TestKubeZones(t *testing.T) {
	c := startControlPlane(t)
	c.namespace("dns")
	c.allow()
	c.kinds()
	port := suite.FreePort(t)
	openPorts(t, port, 11, 12)
	spec := func(address, weight string) string {
		return fmt.Sprintf(`zone: example.org
nameservers: [ns1.example.net]
regions: {eu: {azs: [eu-a]}}
checks: {open: {type: tcp, port: %d, interval: 200ms, timeout: 150ms, fall: 2, rise: 1}}
pools: {web: {region: eu, check: open, endpoints: [{name: a, addresses: [%s], az: eu-a}]}}
services: {www: {tiers: [{%s}]}}
`, port, address, weight)
	}
	example, err := os.ReadFile("../config/testdata/zone.example.yaml")
	require.NoError(t, err)
	var all map[string]any
	require.NoError(t, yaml.Unmarshal(example, &all))
	delete(all, "zonefile")
	text, err := yaml.Marshal(all)
	require.NoError(t, err)
	c.apply(zoneObject("example", string(text)), "--dry-run=server")
	c.refuses(zoneObject("bad", strings.Replace(spec("127.0.0.11", "web: 1"), "nameservers", "nameserver", 1)), "nameserver")
	c.refuses(zoneObject("bad", strings.Replace(spec("127.0.0.11", "web: 1"), "type: tcp", "type: tpc", 1)), "spec.checks.open.type")
	c.refuses(zoneObject("bad", strings.Replace(spec("127.0.0.11", "web: 1"), "fall: 2", "fall: two", 1)), "spec.checks.open.fall")

	c.apply(zoneObject("web", spec("127.0.0.11", "web: 1")))
	dir := t.TempDir()
	p := &process{bin: binary(t, false), dir: dir, socket: filepath.Join(dir, "state", "admin.sock"), dns: fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t))}
	for _, d := range []string{"zones", "state"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, d), 0o755))
	}
	p.replace(filepath.Join(dir, "node.yaml"), fmt.Sprintf("kubernetes: {clusters: {eu-1: {kubeconfig: %s, zones: {namespace: dns, directory: %s}}}}\n", c.path("kubeconfig"), filepath.Join(dir, "zones")))
	p.writeCorefile(discoveryCorefile)
	start(t, p, "serve", "-conf", filepath.Join(dir, "Corefile"))
	p.awaitAnswers("127.0.0.11")
	c.accepted("web", "True")

	// A pool that is not there is for the node to find.
	c.apply(zoneObject("web", spec("127.0.0.11", "wbe: 1")))
	c.accepted("web", "False", "services.www.tiers", "an earlier version is answered")
	require.Equal(t, []string{"127.0.0.11"}, p.answers())
	// Over a start without the API the last good version is there.
	c.kill(&c.api)
	p = p.anew(t)
	p.awaitAnswers("127.0.0.11")
	c.startAPI()
	c.apply(zoneObject("web", spec("127.0.0.12", "web: 1")))
	p.awaitAnswers("127.0.0.12")
	c.accepted("web", "True")

	// An object that is deleted takes no zone away while the node runs.
	out, err := c.kubectl("", "delete", "zone", "web", "--namespace", "dns")
	require.NoError(t, err, out)
	await(t, "the file to go", func() bool {
		_, err := os.Stat(filepath.Join(dir, "zones", "dns.web.yaml"))
		return os.IsNotExist(err)
	})
	require.Equal(t, []string{"127.0.0.12"}, p.answers())
}
