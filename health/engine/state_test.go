package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// TestWriteVerdicts: what is written piece by piece is one JSON value that holds every endpoint that was judged.
func TestWriteVerdicts(t *testing.T) {
	now := time.Now()
	for _, known := range []int{0, 1, 3} {
		text := "zone: example.org\nnameservers: [{name: ns1.example.net}]\nregions: {eu: {azs: [a]}}\nchecks: {up: {type: tcp, port: 80}}\npools:\n"
		for i := range 4 {
			text += fmt.Sprintf("  p%d: {region: eu, check: up, endpoints: [{name: e, az: a, addresses: [192.0.2.%d]}]}\n", i, i+1)
		}
		text += "services: {www: {tiers: [{p0: 1}]}}\n"
		zone, problems := config.Parse("z.yaml", []byte(text), config.ParseOptions{})
		require.NotNil(t, zone, problems.String())
		zv := &health.ZoneView{Zone: zone}
		for i := range zone.Pools {
			pv := &health.PoolView{Endpoints: make([]health.EndpointView, 1)}
			if i < known {
				pv.Endpoints[0].Verdict = health.Verdict{State: health.Down, Since: now.Add(-time.Minute), Left: now.Add(-time.Minute), Reason: `"refused"`}
			}
			zv.Pools = append(zv.Pools, pv)
		}
		var out bytes.Buffer
		require.NoError(t, writeVerdicts(&out, &health.View{Zones: []*health.ZoneView{zv}}, now))
		var saved savedVerdicts
		require.NoError(t, json.Unmarshal(out.Bytes(), &saved), out.String())
		require.Equal(t, stateVersion, saved.Version)
		require.True(t, saved.SavedAt.Equal(now))
		require.Len(t, saved.Endpoints, known)
		for i := range known {
			v := saved.Endpoints[fmt.Sprintf("example.org./p%d/e", i)]
			require.Equal(t, health.Down, v.State)
			require.Equal(t, `"refused"`, v.Reason)
			require.InDelta(t, 60, *v.LeftSeconds, 0.001)
			require.Len(t, v.Targets, 1)
		}
	}
}
