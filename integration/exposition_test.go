package integration

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// steadyMetrics are the metrics of which a golden file has the value: those that a state decides. Of the others it has the series alone.
var steadyMetrics = regexp.MustCompile(`^fairlead_(endpoints|endpoint_state|endpoint_state_left_out|services|service_tier|staleness_\w+_seconds|` +
	`cluster_(nodes|heard|isolated|shut|node_heard|config_drift|plan_divergent)|ready|blind|late|frozen|intents|state_writable|` +
	`config_file_broken|probe_targets|probe_ignored_targets|endpoint_warnings|audit_broken)$`)

// What differs from run to run.
var (
	restlessLabels = regexp.MustCompile(`(version|goversion|hash)="[^"]*"`)
	ownDirectory   = regexp.MustCompile(`file="[^"]*/zones\.d/`)
	ownAddress     = regexp.MustCompile(`dns://[0-9.]+:[0-9]+`)
	// Whether a probe or a request of gossip met trouble on its way is chance on a busy machine.
	chance = regexp.MustCompile(`^fairlead_probe_results_total\{outcome="(header_timeout|connect_timeout|timeout)"|^fairlead_flip_duration_seconds\{`)
)

// exposition is what Prometheus is told about Fairlead, without what differs from run to run.
func exposition(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "fairlead_") || strings.Contains(line, "_bucket{") || chance.MatchString(line) {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		series, value := line[:at], line[at+1:]
		if name, _, _ := strings.Cut(series, "{"); !steadyMetrics.MatchString(name) {
			value = "#"
		}
		series = restlessLabels.ReplaceAllString(series, `$1="#"`)
		series = ownDirectory.ReplaceAllString(series, `file="zones.d/`)
		series = ownAddress.ReplaceAllString(series, "dns://ADDRESS")
		out = append(out, series+" "+value)
	}
	return strings.Join(out, "\n") + "\n"
}

// lintMetrics is promlint on our metrics.
func lintMetrics(t *testing.T, text string) {
	t.Helper()
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	require.NoError(t, err)
	problems = slices.DeleteFunc(problems, func(p promlint.Problem) bool { return !strings.HasPrefix(p.Metric, "fairlead") })
	require.Empty(t, problems)
}

// TestDemoMetrics holds what Prometheus is told by a node of the demo, in three states, to golden files.
func TestDemoMetrics(t *testing.T) {
	waits(t)
	p := startDemo(t)
	check := func(state string, settled ...string) {
		var text string
		await(t, state, func() bool {
			text = overSocket(t, p.socket, "/metrics")
			return !slices.ContainsFunc(settled, func(s string) bool { return !strings.Contains(text, "\n"+s) })
		})
		lintMetrics(t, text)
		got, path := exposition(text), filepath.Join("testdata", "metrics", state+".txt")
		if *update {
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), got)
		// The bound of plugin/README.md, "How many series": 1 address, zone and file, 2 other nodes, a check type with 3 outcomes, 2 pools, 2
		// services, 4 endpoints.
		series := regexp.MustCompile(`(?m)^fairlead_`).FindAllString(text, -1)
		require.Less(t, len(series), 160+1+30+4+2*5+16+3+2*5+2*5+4)
	}
	heard := []string{`fairlead_cluster_heard 3`, `fairlead_gossip_heard_age_seconds{node="n3"}`, `fairlead_cluster_node_age_seconds{node="n3"}`}
	check("calm", append(heard, `fairlead_services{source="tier",zone="demo.fairlead.test."} 2`)...)

	out, code := run(t, p.bin, "drain", "az", "us-a", "--reason", "a rehearsal", "--yes", "--server", "unix:"+p.socket)
	require.Zero(t, code, out)
	check("drained", `fairlead_intents{state="in_force"} 1`, `fairlead_endpoint_state{az="us-a",endpoint="web-us-a",pool="web-us",state="drained"`)
	out, code = run(t, p.bin, "undrain", "az", "us-a", "--server", "unix:"+p.socket)
	require.Zero(t, code, out)

	out, code = run(t, p.bin, "demo", "break", "az", "eu-b", "--server", "unix:"+p.socket)
	require.Zero(t, code, out)
	check("down", `fairlead_intents{state="in_force"} 0`, `fairlead_endpoint_state{az="eu-b",endpoint="web-eu-b",pool="web-eu",state="down"`,
		`fairlead_endpoint_state{az="us-a",endpoint="web-us-a",pool="web-us",state="up"`, `fairlead_probe_results_total{outcome="refused",type="http"}`)
}
