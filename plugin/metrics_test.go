package fairlead

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/steer"
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

// TestPoolSeries: so many pools that a scrape would take too long are counted together.
func TestPoolSeries(t *testing.T) {
	for _, tt := range []struct{ pools, series int }{{2, 2}, {maxPoolSeries, maxPoolSeries}, {maxPoolSeries + 1, 1}} {
		zv := &health.ZoneView{Zone: new(config.Zone)}
		for range tt.pools {
			zv.Zone.Pools = append(zv.Zone.Pools, &config.Pool{Name: "p"})
			zv.Pools = append(zv.Pools, &health.PoolView{Endpoints: make([]health.EndpointView, 3)})
		}
		series, endpoints := 0, 0
		eachPool(zv, func(pool string, count stateCount) {
			require.Equal(t, tt.pools > maxPoolSeries, pool == "")
			series++
			endpoints += count[health.Unknown]
		})
		require.Equal(t, tt.series, series)
		require.Equal(t, 3*tt.pools, endpoints)
	}
}

// TestBoundSeries: a bound stands beside the target of its own service, also where a zone has too many for series of their own.
func TestBoundSeries(t *testing.T) {
	z := new(config.Zone)
	add := func(name string, target, ttl uint32) {
		svc := &config.Service{Name: name, TTL: config.TTL{Min: 2, Max: ttl}}
		svc.Staleness.Target = time.Duration(target) * time.Second
		z.Services = append(z.Services, svc)
	}
	type row struct{ bound, target time.Duration }
	rows := func() map[string]row {
		got := map[string]row{}
		eachBound(z, steer.DefaultAllowances(), func(service string, bound, target time.Duration) { got[service] = row{bound, target} })
		return got
	}
	add("good.", 600, 30)
	add("free.", 0, 300)
	got := rows()
	require.Len(t, got, 2)
	require.Equal(t, 600*time.Second, got["good."].target)
	require.Zero(t, got["free."].target)
	tight := got["good."].bound + time.Second
	for range maxServiceSeries {
		add("more.", 0, 60)
	}
	add("tight.", uint32(tight/time.Second), 30)
	got = rows()
	require.Len(t, got, 1)
	require.Equal(t, row{got[""].bound, tight.Truncate(time.Second)}, got[""], "the nearest target, and that service's bound")
}
