package node

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

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
