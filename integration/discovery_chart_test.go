package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// helm builds helm, and returns what runs it on the control plane.
func (c *controlPlane) helm() func(args ...string) (string, error) {
	c.t.Helper()
	path, err := filepath.Abs("../bin/tools/helm")
	require.NoError(c.t, err)
	out, err := exec.Command("go", "-C", "../deploy/tools/helm", "build", "-o", path, "helm.sh/helm/v4/cmd/helm").CombinedOutput()
	require.NoError(c.t, err, string(out))
	return func(args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(c.t.Context(), patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, path, append(args, "--kubeconfig", c.path("admin"), "--namespace", "dns")...)
		cmd.Env = append(os.Environ(), "HELM_CONFIG_HOME="+c.dir, "HELM_CACHE_HOME="+c.dir, "HELM_DATA_HOME="+c.dir)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
}

const (
	chart       = "../deploy/helm/fairlead"
	chartValues = `zones: {gslb.yaml: "zone: gslb.example.org"}
region: eu
dashboards: {enabled: true}
discovery: {enabled: true, cluster: eu-1%s}
`
)

// can tells what the service account of dns may do, as the API decides it: VERB RESOURCE [NAME] [in NAMESPACE].
func (c *controlPlane) can(account, what string) bool {
	c.t.Helper()
	what, namespace, within := strings.Cut(what, " in ")
	args := append([]string{"auth", "can-i", "--as", "system:serviceaccount:dns:" + account}, strings.Fields(strings.Replace(what, " kube-system", "/kube-system", 1))...)
	if within {
		args = append(args, "--namespace", namespace)
	} else {
		args = append(args, "--all-namespaces")
	}
	out, err := c.kubectl("", args...)
	switch strings.TrimSpace(out[strings.LastIndexByte(strings.TrimSpace(out), '\n')+1:]) {
	case "yes":
		require.NoError(c.t, err)
		return true
	case "no":
		return false
	}
	c.t.Fatalf("%v: %s", args, out)
	return false
}

// mayOnly holds the rights of a service account against what it needs.
func (c *controlPlane) mayOnly(account string, may, not []string) {
	c.t.Helper()
	for _, what := range may {
		require.True(c.t, c.can(account, what), "%s: %s", account, what)
	}
	for _, what := range not {
		require.False(c.t, c.can(account, what), "%s: %s", account, what)
	}
}

// TestKubeChart installs the chart with helm on a real API server, upgrades it, goes back and takes it away; the service account may read what
// the source reads, and nothing else; what the API takes for the chart, the base and the examples has no field that it does not know.
func TestKubeChart(t *testing.T) {
	c := startControlPlane(t)
	helm := c.helm()
	for _, name := range []string{"dns", "shop", "other"} {
		c.namespace(name)
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := helm(args...)
		require.NoError(t, err, out)
		return out
	}
	values := func(more string) string {
		path := filepath.Join(t.TempDir(), "values.yaml")
		require.NoError(t, os.WriteFile(path, []byte(fmt.Sprintf(chartValues, more)), 0o600))
		return path
	}
	run("lint", "--strict", chart, "-f", values(""))
	run("install", "eu", chart, "-f", values(""))
	never := []string{"list secrets", "list pods", "list configmaps", "create services in dns", "patch services in shop", "delete ingresses in shop", "create events in dns"}
	c.mayOnly("eu-fairlead", []string{
		"list services", "watch services", "list nodes", "watch endpointslices.discovery.k8s.io", "list ingresses.networking.k8s.io", "get namespaces kube-system in kube-system",
	}, append(never, "get namespaces in shop", "list namespaces"))
	require.Equal(t, "1", c.field("statefulset", "eu-fairlead", "{.spec.replicas}"))
	require.Equal(t, "eu-fairlead true", c.field("statefulset", "eu-fairlead", "{.spec.template.spec.serviceAccountName} {.spec.template.spec.automountServiceAccountToken}"))

	// An upgrade takes the rights back that it does not need any more, and a rollback gives them again.
	run("upgrade", "eu", chart, "-f", values(", namespaces: [shop]"))
	c.mayOnly("eu-fairlead", []string{"list services in shop", "watch endpointslices.discovery.k8s.io in shop", "get namespaces kube-system in kube-system"},
		append(never, "list services", "list services in other", "list nodes", "list services in kube-system", "get namespaces in shop"))
	c.reads("eu-fairlead")
	run("rollback", "eu", "1")
	c.mayOnly("eu-fairlead", []string{"list services in other", "list nodes"}, never)
	run("uninstall", "eu")
	require.False(t, c.can("eu-fairlead", "list services in shop"))

	for _, text := range []string{run("template", "eu", chart), run("template", "eu", chart, "-f", values(", namespaces: [shop, other], zones: dns"))} {
		c.apply(text[strings.Index(text, "---\n"):], "--dry-run=server")
	}
	c.kustomized("../deploy/kustomize/example", "--dry-run=server")
	c.kustomized("../deploy/kustomize/example-discovery")
	c.mayOnly("fairlead-reader", []string{"list services", "list nodes", "get namespaces kube-system in kube-system"}, never)
	require.Equal(t, "fairlead-reader true", c.field("statefulset", "fairlead", "{.spec.template.spec.serviceAccountName} {.spec.template.spec.automountServiceAccountToken}"))
	text, err := c.kubectl("", "kustomize", "../deploy/kustomize/example")
	require.NoError(t, err, text)
	misspelt := strings.Replace(text, "runAsNonRoot", "runAsNotRoot", 1)
	require.NotEqual(t, text, misspelt)
	text, err = c.kubectl(misspelt, "apply", "--server-side", "--validate=strict", "--dry-run=server", "-f", "-")
	require.Error(t, err)
	require.Contains(t, text, "runAsNotRoot")
}

// kustomized applies what kustomize makes of a directory.
func (c *controlPlane) kustomized(dir string, args ...string) {
	c.t.Helper()
	text, err := c.kubectl("", "kustomize", dir)
	require.NoError(c.t, err, text)
	c.apply(text, args...)
}

// field is a field of an object in dns.
func (c *controlPlane) field(kind, name, path string) string {
	c.t.Helper()
	out, err := c.kubectl("", "get", kind, name, "--namespace", "dns", "-o", "jsonpath="+path)
	require.NoError(c.t, err, out)
	return out
}

// reads has `check --cluster` read Services of shop by a token of the service account, as a pod would; those of others are named as refused.
func (c *controlPlane) reads(account string) {
	c.t.Helper()
	var token struct{ Status struct{ Token string } }
	text := c.do("POST", "/api/v1/namespaces/dns/serviceaccounts/"+account+"/token", `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}`)
	require.NoError(c.t, json.Unmarshal([]byte(text), &token))
	kubeconfig, err := os.ReadFile(c.path("admin"))
	require.NoError(c.t, err)
	c.write("account", strings.Replace(string(kubeconfig), `"admin"`, fmt.Sprintf("%q", token.Status.Token), 1))
	c.write("node.yaml", fmt.Sprintf("kubernetes: {clusters: {eu-1: {kubeconfig: %s}}}\n", c.path("account")))
	c.service("shop", "web", "192.0.2.1")
	for namespace, want := range map[string]string{"shop": "cluster eu-1: read; 1 selector, 1 endpoint", "other": `cannot list resource "services" in API group "" in the namespace "other"`} {
		c.write("example.org.yaml", strings.Replace(fmt.Sprintf(discoveryZone, 80, "5m"), "shop/web", namespace+"/web", 1))
		out, _ := run(c.t, binary(c.t, false), "check", "--cluster", "--node", c.path("node.yaml"), c.path("example.org.yaml"))
		require.Contains(c.t, out, want)
	}
}
