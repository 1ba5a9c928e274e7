package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// TestFileTakenBack: what was down when its file dropped it is down when the file is taken back, until it is probed; what was up, what
// recovered in between, and what is gone for too long begins anew.
func TestFileTakenBack(t *testing.T) {
	const maxAge = time.Minute
	for _, tt := range []struct {
		name  string
		state health.State
		away  time.Duration
		want  health.State
	}{
		{"down", health.Down, 10 * time.Second, health.Down},
		{"up", health.Up, 10 * time.Second, health.Unknown},
		{"down, long ago", health.Down, 2 * maxAge, health.Unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				both, one := testZone("example.org.", "192.0.2.1", "192.0.2.2"), testZone("example.org.", "192.0.2.1")
				b := start(t, Options{Model: config.NewModel([]*config.Zone{both}), StateMaxAge: maxAge})
				swap := func(z *config.Zone, wait time.Duration) {
					b.SetModel(config.NewModel([]*config.Zone{z}))
					time.Sleep(wait)
					synctest.Wait()
					require.Len(t, b.View().Zones[0].Pools[0].Endpoints, len(z.Pools[0].Endpoints))
				}
				b.report(both, 0, health.Up, 0)
				b.report(both, 1, tt.state, 3)
				swap(one, tt.away)
				again := testZone("example.org.", "192.0.2.1", "192.0.2.2")
				swap(again, 4*time.Second)
				require.Equal(t, tt.want, stateOf(b.View(), 1))
				b.report(again, 1, health.Up, 0)
				require.Equal(t, health.Up, stateOf(b.View(), 1), "one probe decides")
				swap(one, 10*time.Second)
				swap(both, 4*time.Second)
				require.Equal(t, health.Unknown, stateOf(b.View(), 1), "it was up when it went")
			})
		})
	}
}
