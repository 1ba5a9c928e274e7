package fairlead

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
)

// total is the sum over all series of a metric.
func total(t *testing.T, name string) float64 {
	t.Helper()
	families, err := prometheus.DefaultGatherer.Gather()
	require.NoError(t, err)
	var sum float64
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func TestMetrics(t *testing.T) {
	s := newSite(t)
	require.NoError(t, s.start(s.corefile("", "")))
	before := total(t, "fairlead_replies_total")
	require.Equal(t, "192.0.2.1", s.www())
	require.EqualValues(t, before+1, total(t, "fairlead_replies_total"))
	require.EqualValues(t, 2, total(t, "fairlead_endpoints"))
	require.EqualValues(t, 2, total(t, "fairlead_services"))
	require.Eventually(t, func() bool { return total(t, "fairlead_ready") == 1 }, time.Minute, 10*time.Millisecond, "once the first probes are over")
	require.NoError(t, s.restart(s.corefile("", "")))
	require.EqualValues(t, 1, total(t, "fairlead_reloads_total"))

	families, err := prometheus.DefaultGatherer.Gather()
	require.NoError(t, err)
	var ours []*dto.MetricFamily
	for _, f := range families {
		if strings.Contains(f.GetName(), "fairlead") {
			ours = append(ours, f)
		}
	}
	require.Greater(t, len(ours), 10)
	problems, err := promlint.NewWithMetricFamilies(ours).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)
	s.stop()
	require.Zero(t, total(t, "fairlead_endpoints"), "a node that ended leaves no metrics")
}

// ourMetrics are the names of the plugin's own metrics.
func ourMetrics(t *testing.T) []string {
	t.Helper()
	families, err := prometheus.DefaultGatherer.Gather()
	require.NoError(t, err)
	var names []string
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "fairlead_") {
			names = append(names, f.GetName())
		}
	}
	require.NotEmpty(t, names)
	return names
}
