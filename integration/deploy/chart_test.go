package deploy

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dns/fairlead/config"
)

// With -update the base of kustomize is written from the chart.
var update = flag.Bool("update", false, "write deploy/kustomize/base")

const chart = "../../deploy/helm/fairlead"

// A built program of deploy/tools/helm, built once.
type built struct {
	once sync.Once
	path string
	out  []byte
	err  error
}

var (
	helmProgram   = built{path: "../../bin/tools/helm"}
	strictProgram = built{path: "../../bin/tools/strict"}
)

// program builds pkg.
func (b *built) program(t *testing.T, pkg string) string {
	t.Helper()
	if os.Getenv(releaseEnv) == "" {
		t.Skip("builds helm: `make test-deploy`")
	}
	b.once.Do(func() {
		if b.path, b.err = filepath.Abs(b.path); b.err == nil {
			b.out, b.err = exec.Command("go", "-C", "../../deploy/tools/helm", "build", "-o", b.path, pkg).CombinedOutput()
		}
	})
	require.NoError(t, b.err, string(b.out))
	return b.path
}

// helm runs helm, at the version of deploy/tools/helm.
func helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(helmProgram.program(t, "helm.sh/helm/v4/cmd/helm"), args...)
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HELM_CONFIG_HOME="+home, "HELM_CACHE_HOME="+home, "HELM_DATA_HOME="+home)
	// It tells of every symbolic link on its standard error.
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		out = append(out, said.String()...)
	}
	return string(out), err
}

// strict decodes manifests by the types of Kubernetes, as strictly as an API server validates fields.
func strict(t *testing.T, manifests string) (string, error) {
	t.Helper()
	cmd := exec.Command(strictProgram.program(t, "./strict"))
	cmd.Stdin = strings.NewReader(manifests)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// valuesFile writes values and is its path.
func valuesFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "values.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

const twoNodes = `replicas: 2
region: eu-west
keysSecret: fairlead-keys
zones: {gslb.yaml: "zone: gslb.example.org"}
corefile: log
node: {caches: {transit: 3s}}
cluster:
  name: example
  gossip: {profile: wan}
  nodes:
    - {name: eu-fairlead-0, address: "eu-fairlead-0.eu-fairlead-nodes:7946", public_key: "ebVWLo/mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ="}
    - {name: eu-fairlead-1, address: "eu-fairlead-1.eu-fairlead-nodes:7946", public_key: "dqMU8PxkDN1vP0rPFJcWFuE0YOQ9sNOpI3K9vJ3vZQs="}
    - {name: dc-1, address: "192.0.2.19:7946", public_key: "9Lh2nYFPX9pZzVHVzS0J0Ge4p8SzEm0F7R7dVrxVkY0="}
`

// object is a manifest.
type object = map[string]any

// documents are the objects of a rendering, by kind and name.
func documents(t *testing.T, text string) map[string]object {
	t.Helper()
	all := make(map[string]object)
	for _, doc := range regexp.MustCompile(`(?m)^---\n`).Split(text, -1) {
		var o object
		require.NoError(t, yaml.UnmarshalStrict([]byte(doc), &o), doc)
		if o == nil {
			continue
		}
		name := fmt.Sprintf("%s/%s", o["kind"], at(t, o, "metadata", "name"))
		require.NotContains(t, all, name, "twice")
		all[name] = o
	}
	return all
}

// at walks down an object: a string is a key, an int an index.
func at(t *testing.T, from any, path ...any) any {
	t.Helper()
	for i, step := range path {
		switch s := step.(type) {
		case string:
			m, ok := from.(object)
			require.True(t, ok, "%v: no object", path[:i])
			from = m[s]
		case int:
			list, ok := from.([]any)
			require.True(t, ok && s < len(list), "%v: no list of %d", path[:i], s+1)
			from = list[s]
		}
	}
	return from
}

func render(t *testing.T, release, values string, args ...string) map[string]object {
	t.Helper()
	out, err := helm(t, append([]string{"template", release, chart, "-f", valuesFile(t, values)}, args...)...)
	require.NoError(t, err, out)
	return documents(t, out)
}

func TestChartLint(t *testing.T) {
	for _, values := range []string{"{}", twoNodes} {
		out, err := helm(t, "lint", "--strict", chart, "-f", valuesFile(t, values))
		require.NoError(t, err, out)
	}
}

// TestChartRefuses: what cannot work is named before anything is installed.
func TestChartRefuses(t *testing.T) {
	for values, want := range map[string]string{
		"replicas: 2":                    "cluster",
		"replicas: 0":                    "replicas",
		"replica: 2":                     "replica",
		"hostNetwork: true":              "port",
		"zones: {gslb.txt: x}":           "gslb.txt",
		"node: {name: n1}":               "node",
		"origins: []":                    "origins",
		"image: {digest: latest}":        "digest",
		"cluster: {name: a}":             "nodes",
		"discovery: {enabled: true}":     "cluster",
		"networkPolicy: {peers: [dc-1]}": "peers",
		strings.Replace(twoNodes, "keysSecret: fairlead-keys\n", "", 1): "keysSecret",
	} {
		out, err := helm(t, "template", "eu", chart, "-f", valuesFile(t, values))
		require.Error(t, err, values)
		require.Contains(t, out, want, values)
	}
}

// TestChartNodes: the node files of the chart are node files, and the Corefile names each pod's own.
func TestChartNodes(t *testing.T) {
	all := render(t, "eu", twoNodes)
	data := at(t, all["ConfigMap/eu-fairlead"], "data").(object)
	for i := range 2 {
		name := fmt.Sprintf("eu-fairlead-%d", i)
		n, problems := config.ParseNode(name+".yaml", []byte(data[name+".yaml"].(string)))
		require.NoError(t, problems.Err())
		require.Equal(t, name, n.Name)
		require.Equal(t, "eu-west", n.Region)
		require.Equal(t, "3s", n.Caches.Transit.String())
		require.Equal(t, "/run/fairlead/admin.sock", n.Admin.Socket)
		require.Len(t, n.Cluster.Nodes, 3)
		require.Equal(t, "/etc/fairlead/keys/"+name+".key", n.Cluster.Gossip.Identity)
		require.Equal(t, "/etc/fairlead/keys/keyring", n.Cluster.Gossip.Keyring)
	}
	for _, want := range []string{"gslb.example.org:53 {", "node  /etc/fairlead/conf/{$POD_NAME}.yaml", "\n    log\n"} {
		require.Contains(t, data["Corefile"], want)
	}
	require.Equal(t, "zone: gslb.example.org\n", at(t, all["ConfigMap/eu-fairlead-zones"], "data", "gslb.yaml"))

	// The pod's cluster is read where that is wanted, its zones, too.
	data = at(t, render(t, "eu", twoNodes+"discovery: {enabled: true, cluster: eu-1, zones: dns}\n")["ConfigMap/eu-fairlead"], "data").(object)
	n, problems := config.ParseNode("eu-fairlead-1.yaml", []byte(data["eu-fairlead-1.yaml"].(string)))
	require.NoError(t, problems.Err())
	require.Equal(t, []config.KubeCluster{{Name: "eu-1", InCluster: true, Region: "eu-west", Zones: &config.KubeZones{Namespace: "dns", Directory: "/var/lib/fairlead/zones.d"}}}, n.Kubernetes)
	require.Contains(t, data["Corefile"], "zones /var/lib/fairlead/zones.d\n")

	set := all["StatefulSet/eu-fairlead"]
	require.EqualValues(t, 2, at(t, set, "spec", "replicas"))
	require.Equal(t, "eu-fairlead-nodes", at(t, set, "spec", "serviceName"))
	require.Equal(t, true, at(t, all["Service/eu-fairlead-nodes"], "spec", "publishNotReadyAddresses"))
	require.EqualValues(t, 1, at(t, all["PodDisruptionBudget/eu-fairlead"], "spec", "maxUnavailable"))
	require.Equal(t, "AlwaysAllow", at(t, all["PodDisruptionBudget/eu-fairlead"], "spec", "unhealthyPodEvictionPolicy"))
}

// TestChartPod: the pod has no power that it does not need.
func TestChartPod(t *testing.T) {
	pod := at(t, render(t, "eu", "{}")["StatefulSet/eu-fairlead"], "spec", "template", "spec")
	container := at(t, pod, "containers", 0)
	for want, got := range map[string]any{
		"false": at(t, pod, "automountServiceAccountToken"),
		"true":  at(t, pod, "securityContext", "runAsNonRoot"),
		"65532": at(t, pod, "securityContext", "runAsUser"),
		"[ALL]": at(t, container, "securityContext", "capabilities", "drop"),
	} {
		require.Equal(t, want, fmt.Sprint(got))
	}
	require.Equal(t, true, at(t, container, "securityContext", "readOnlyRootFilesystem"))
	require.Equal(t, false, at(t, container, "securityContext", "allowPrivilegeEscalation"))
	require.Equal(t, "RuntimeDefault", at(t, pod, "securityContext", "seccompProfile", "type"))
	require.Equal(t, "net.ipv4.ip_unprivileged_port_start", at(t, pod, "securityContext", "sysctls", 0, "name"))
	require.Equal(t, "/health", at(t, container, "livenessProbe", "httpGet", "path"))

	host := at(t, render(t, "eu", "hostNetwork: true\ndns: {port: 1053}")["StatefulSet/eu-fairlead"], "spec", "template", "spec")
	require.Nil(t, at(t, host, "securityContext", "sysctls"), "forbidden with hostNetwork")
}

// TestChartFields: no manifest has a field that its type lacks.
func TestChartFields(t *testing.T) {
	for _, values := range []string{
		"{}", twoNodes, "hostNetwork: true\ndns: {port: 1053}", "persistence: {enabled: false}", "persistence: {storageClass: fast, size: 10Gi}",
		"dns: {service: {split: true, loadBalancerIP: 192.0.2.53, loadBalancerSourceRanges: [192.0.2.0/24], annotations: {a: b}}}",
		"nodeSelector: {a: b}\ntolerations: [{key: a, operator: Exists}]\npriorityClassName: high\npodAnnotations: {a: b}\nimagePullSecrets: [{name: a}]",
		"discovery: {enabled: true, cluster: eu-1, annotations: {a: b}}", "discovery: {enabled: true, cluster: eu-1, namespaces: [shop, kube-system], zones: dns}",
		"networkPolicy: {peers: [192.0.2.0/24, \"2001:db8::/32\"]}\naffinity: {nodeAffinity: {}}\ncorefile: |\n  log\n  acl {\n      block\n  }",
	} {
		out, err := helm(t, "template", "eu", chart, "-f", valuesFile(t, values))
		require.NoError(t, err, out)
		said, err := strict(t, out)
		require.NoError(t, err, "%s:\n%s", values, said)
		require.Contains(t, said, "StatefulSet/eu-fairlead\n")
	}
	out, err := helm(t, "template", "eu", chart)
	require.NoError(t, err, out)
	said, err := strict(t, strings.Replace(out, "runAsNonRoot", "runAsNotRoot", 1))
	require.Error(t, err)
	require.Contains(t, said, `unknown field "spec.template.spec.securityContext.runAsNotRoot"`)
}

func TestChartServices(t *testing.T) {
	ports := func(service object) (out []string) {
		for i := range at(t, service, "spec", "ports").([]any) {
			out = append(out, fmt.Sprintf("%v %v", at(t, service, "spec", "ports", i, "port"), at(t, service, "spec", "ports", i, "protocol")))
		}
		return out
	}
	one := render(t, "fairlead", "{}")
	require.Equal(t, []string{"53 UDP", "53 TCP"}, ports(one["Service/fairlead"]))
	require.Equal(t, "Local", at(t, one["Service/fairlead"], "spec", "externalTrafficPolicy"))
	split := render(t, "fairlead", "dns: {service: {split: true, loadBalancerIP: 192.0.2.53}}")
	require.Equal(t, []string{"53 UDP"}, ports(split["Service/fairlead-udp"]))
	require.Equal(t, []string{"53 TCP"}, ports(split["Service/fairlead-tcp"]))
	require.NotContains(t, split, "Service/fairlead")

	require.NotContains(t, one, "ServiceMonitor/fairlead")
	more := render(t, "fairlead", "serviceMonitor: {enabled: true}\ndashboards: {enabled: true}\nprometheusRule: {enabled: true, groups: [{name: a, rules: []}]}\npodDisruptionBudget: {enabled: false}\nnetworkPolicy: {enabled: false}")
	require.Contains(t, more, "ServiceMonitor/fairlead")
	groups := at(t, more["PrometheusRule/fairlead"], "spec", "groups").([]any)
	var names []string
	for _, g := range groups {
		names = append(names, g.(object)["name"].(string))
	}
	require.Equal(t, []string{"fairlead", "fairlead.alerts", "a"}, names)
	rules, err := os.ReadFile("../../deploy/prometheus/fairlead.rules.yml")
	require.NoError(t, err)
	var want object
	require.NoError(t, yaml.Unmarshal(rules, &want))
	require.Equal(t, want["groups"], groups[:2], "templates of alerts stay as they are")
	for name, text := range at(t, more["ConfigMap/fairlead-dashboards"], "data").(object) {
		require.True(t, json.Valid([]byte(text.(string))), name)
	}
	for _, name := range []string{"PodDisruptionBudget/fairlead", "NetworkPolicy/fairlead"} {
		require.Contains(t, one, name)
		require.NotContains(t, more, name)
	}
}

// TestChartPackage: the chart of a release is one, with the release's version.
func TestChartPackage(t *testing.T) {
	tgz := named(release(t), "-chart.tgz")
	out, err := helm(t, "show", "chart", tgz)
	require.NoError(t, err, out)
	require.Contains(t, out, "version: "+strings.TrimPrefix(version, "v"))
	out, err = helm(t, "template", "eu", tgz)
	require.NoError(t, err, out)
	require.Contains(t, out, "registry.example.org/fairlead:"+version)
}

const kustomize = "../../deploy/kustomize/"

// TestKustomizeBase: the base is what the chart makes, without the marks of Helm.
func TestKustomizeBase(t *testing.T) {
	out, err := helm(t, "template", "fairlead", chart)
	require.NoError(t, err, out)
	want := "# Made from deploy/helm by `go test ./integration/deploy -run KustomizeBase -update`.\n" +
		regexp.MustCompile(`(?m)^(# Source:|\s*helm\.sh/chart:|\s*app\.kubernetes\.io/managed-by:).*\n`).ReplaceAllString(out, "")
	path := kustomize + "base/fairlead.yaml"
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

// TestKustomize: the example is whole: what it mounts is there, and its zone file is a zone file.
func TestKustomize(t *testing.T) {
	if _, err := exec.LookPath("kubectl"); err != nil {
		t.Skip("needs kubectl")
	}
	out := tool(t, "kubectl", "kustomize", kustomize+"example")
	all := documents(t, out)
	require.Contains(t, out, "registry.example.org/fairlead:v1.0.0")
	for name, o := range all {
		require.Equal(t, "dns", at(t, o, "metadata", "namespace"), name)
	}
	volumes := at(t, all["StatefulSet/fairlead"], "spec", "template", "spec", "volumes").([]any)
	mounted := 0
	for _, v := range volumes {
		if source, ok := v.(object)["configMap"]; ok {
			name := at(t, source, "name")
			require.Contains(t, all, fmt.Sprintf("ConfigMap/%s", name))
			if strings.Contains(fmt.Sprint(name), "zones") {
				text := at(t, all[fmt.Sprintf("ConfigMap/%s", name)], "data", "gslb.yaml").(string)
				_, problems := config.Parse("gslb.yaml", []byte(text), config.ParseOptions{})
				require.NoError(t, problems.Err())
				mounted++
			}
		}
	}
	require.Equal(t, 1, mounted)
}
