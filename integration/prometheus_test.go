package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

const rulesFile = "../deploy/prometheus/fairlead.rules.yml"

// needsPrometheus leaves a test out where Debian's package is missing.
func needsPrometheus(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs Prometheus")
	}
	for _, program := range []string{"prometheus", "promtool"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("needs ", program)
		}
	}
}

// Each alert fires when it should, is silent before, and clears.
func TestPrometheusRules(t *testing.T) {
	needsPrometheus(t)
	cmd := exec.Command("promtool", "test", "rules", "fairlead.rules.test.yml")
	cmd.Dir = filepath.Dir(rulesFile)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	tests, err := os.ReadFile(filepath.Join(filepath.Dir(rulesFile), "fairlead.rules.test.yml"))
	require.NoError(t, err)
	docs, err := os.ReadFile("../docs/alerts.md")
	require.NoError(t, err)
	names := regexp.MustCompile(`(?m)alert: (\w+)`).FindAllStringSubmatch(readRules(t), -1)
	require.Greater(t, len(names), 15)
	for _, n := range names {
		require.Contains(t, string(tests), "name: "+n[1]+"\n", "every alert has a test")
		require.Contains(t, string(docs), "\n## "+n[1]+"\n", "every alert has a section to read")
		require.Contains(t, readRules(t), "docs/alerts.md#"+strings.ToLower(n[1])+"\n")
	}
}

func readRules(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(rulesFile)
	require.NoError(t, err)
	return string(b)
}

// metricName finds the names of our metrics, recorded ones included.
var metricName = regexp.MustCompile(`\bfairlead[a-z0-9_:]*\b`)

// Every expression of the rules and of the dashboards names what the registry exports, or what a rule records.
func TestExpressionsNameWhatIsExported(t *testing.T) {
	waits(t)
	p := startDemo(t)
	var text string
	// The age of a node's last word is known only once it was heard.
	await(t, "a word of the other nodes", func() bool {
		text = overSocket(t, p.socket, "/metrics")
		return strings.Contains(text, "\nfairlead_cluster_node_age_seconds{")
	})
	known := map[string]bool{}
	for _, line := range strings.Split(text, "\n") {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "#" && f[1] == "TYPE" {
			known[f[2]] = true
		}
	}
	// Known only once there was an incident.
	known["fairlead_flip_duration_seconds"] = true
	// Known only while a zone file has problems.
	known["fairlead_config_problems"] = true
	// Known only of clusters that are read.
	known["fairlead_discovery_read"], known["fairlead_discovery_endpoints"] = true, true
	known["fairlead_resolve_success"], known["fairlead_resolve_addresses"] = true, true
	for _, r := range regexp.MustCompile(`record: (\S+)`).FindAllStringSubmatch(readRules(t), -1) {
		known[r[1]] = true
	}
	require.Greater(t, len(known), 60)
	check := func(where, expr string) {
		names := metricName.FindAllString(expr, -1)
		require.NotEmpty(t, names, "%s: %s", where, expr)
		for _, n := range names {
			base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(n, "_bucket"), "_sum"), "_count")
			require.True(t, known[n] || known[base], "%s: %s is not exported, in %s", where, n, expr)
		}
	}
	for _, e := range regexp.MustCompile(`(?m)expr: (.+(?:\n {10,}.+)*)`).FindAllStringSubmatch(readRules(t), -1) {
		check(rulesFile, e[1])
	}
	boards, err := filepath.Glob("../deploy/grafana/*.json")
	require.NoError(t, err)
	require.Len(t, boards, 2)
	for _, path := range boards {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		var board struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		require.NoError(t, json.Unmarshal(b, &board), path)
		require.NotEmpty(t, board.Panels)
		for _, panel := range board.Panels {
			require.NotEmpty(t, panel.Targets, panel.Title)
			for _, target := range panel.Targets {
				check(path+" "+panel.Title, target.Expr)
			}
		}
	}
}

// toSocket dials a unix socket whatever the address is.
func toSocket(socket string) *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}
}

func overSocket(t *testing.T, socket, path string) string {
	t.Helper()
	tr := toSocket(socket)
	defer tr.CloseIdleConnections()
	r, err := (&http.Client{Transport: tr}).Get("http://node" + path)
	require.NoError(t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return string(b)
}

// A prometheus is Debian's, which scrapes the nodes of a demo.
type prometheus struct {
	t   *testing.T
	url string
}

// startPrometheus starts one with our rules; what they want to last for minutes lasts for a second here.
func startPrometheus(t *testing.T, sockets []string) *prometheus {
	t.Helper()
	dir := t.TempDir()
	var targets []string
	for _, socket := range sockets {
		proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "node"})
		proxy.Transport = toSocket(socket)
		s := httptest.NewServer(proxy)
		t.Cleanup(s.Close)
		targets = append(targets, strings.TrimPrefix(s.URL, "http://"))
	}
	rules := regexp.MustCompile(`for: \w+`).ReplaceAllString(readRules(t), "for: 1s")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rules.yml"), []byte(rules), 0o644))
	config := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [rules.yml]\nscrape_configs:\n  - job_name: fairlead\n    static_configs: [{targets: [%q]}]\n",
		strings.Join(targets, `","`))
	config = strings.ReplaceAll(config, `\"`, `"`)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o644))
	listen := fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t))
	cmd := exec.Command("prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+listen, "--log.level=error")
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	return &prometheus{t: t, url: "http://" + listen}
}

// firing are the names of the alerts that fire, with what they are about.
func (p *prometheus) firing() (list []string) {
	r, err := http.Get(p.url + "/api/v1/alerts")
	if err != nil {
		return nil
	}
	defer r.Body.Close()
	var reply struct {
		Data struct {
			Alerts []struct {
				State  string
				Labels map[string]string
			}
		}
	}
	if json.NewDecoder(r.Body).Decode(&reply) != nil {
		return nil
	}
	for _, a := range reply.Data.Alerts {
		if a.State == "firing" {
			list = append(list, a.Labels["alertname"])
		}
	}
	return list
}

// scraped tells whether every node has been scraped.
func (p *prometheus) scraped(n int) bool {
	r, err := http.Get(p.url + "/api/v1/query?query=" + url.QueryEscape("sum(fairlead_ready)"))
	if err != nil {
		return false
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return err == nil && strings.Contains(string(b), fmt.Sprintf("%q]", fmt.Sprint(n)))
}

// Debian's Prometheus scrapes the demo; alerts fire and clear as an AZ breaks, a node is cut off, a drain ends and a file breaks.
func TestPrometheusAlerts(t *testing.T) {
	waits(t)
	needsPrometheus(t)
	p := startDemo(t)
	prom := startPrometheus(t, []string{p.socket, p.socket + ".n2", p.socket + ".n3"})
	await(t, "the nodes scraped", func() bool { return prom.scraped(3) })
	do := func(args ...string) string {
		t.Helper()
		out, code := run(t, p.bin, append(args, "--server", "unix:"+p.socket)...)
		require.Zero(t, code, out)
		return out
	}
	fires := func(name string) bool { return strings.Contains(strings.Join(prom.firing(), " "), name) }
	zone := filepath.Join(regexp.MustCompile(`Files and logs (\S+)`).FindStringSubmatch(p.output())[1], "zones.d", "demo.yaml")
	good, err := os.ReadFile(zone)
	require.NoError(t, err)
	for _, tt := range []struct {
		alert        string
		begin, clear func()
	}{
		{"FairleadEndpointsDown", func() { do("demo", "break", "az", "eu-a") }, func() { do("demo", "heal", "az", "eu-a") }},
		{"FairleadNodeNotHeard", func() { do("demo", "cut", "node", "n3") }, func() { do("demo", "heal", "node", "n3") }},
		{"FairleadDrainEnding", func() { do("drain", "az", "us-a", "--for", "10m", "--reason", "power work") }, func() { do("undrain", "us-a") }},
		{"FairleadConfigRejected", func() { p.replace(zone, "zone: [") }, func() { p.replace(zone, string(good)) }},
	} {
		require.False(t, fires(tt.alert), tt.alert)
		tt.begin()
		await(t, tt.alert+" fires", func() bool { return fires(tt.alert) })
		if tt.alert == "FairleadNodeNotHeard" {
			await(t, "the node that is cut off says that it is isolated", func() bool { return fires("FairleadNodeIsolated") })
		}
		tt.clear()
		await(t, tt.alert+" clears", func() bool { return !fires(tt.alert) })
	}
}
