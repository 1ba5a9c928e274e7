package probe

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// TestNoRoute: a node that has no route to any address of a family has no say on them: neither at the start nor once it loses its way. As
// soon as it reaches one of them, or has a route, what it does not reach is down.
func TestNoRoute(t *testing.T) {
	for _, tt := range []struct {
		name string
		// routed tells whether the kernel has a route; other is whether another address of the family is well.
		routed, other bool
		want          health.State
	}{
		{"no route to the family", false, false, health.Unknown},
		{"no route to one address", false, true, health.Down},
		{"a router far away says so", true, false, health.Down},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seen, reg := new(recorder), prometheus.NewRegistry()
				p, err := New(Options{Sink: seen, Registerer: reg, Router: func(netip.Addr) bool { return tt.routed }})
				require.NoError(t, err)
				var lost atomic.Bool
				probed := checkerFunc(func(_ context.Context, target health.Target, r *Result) {
					if target.Host == "2001:db8::1" || target.Host == "2001:db8::2" && lost.Load() {
						r.fail(because(Unreachable, "network unreachable"))
						return
					}
					r.OK = true
				})
				p.make = func(*config.Check, *dialer) (checker, error) { return probed, nil }
				check := httpCheck(func(c *config.Check) { c.Interval, c.Timeout = 2*time.Second, time.Second })
				gone := target(check, "2001:db8::1", 80)
				targets := []health.Target{gone, target(check, "192.0.2.1", 80)}
				if tt.other {
					targets = append(targets, target(check, "2001:db8::2", 80))
				}
				p.SetTargets(targets)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- p.Run(ctx) }()
				time.Sleep(30 * time.Second)
				latest := make(map[health.TargetID]health.Observation)
				for _, o := range seen.take() {
					latest[o.Target] = o
				}
				assert.Equal(t, tt.want, latest[gone.ID].State)
				if tt.want == health.Unknown {
					assert.Equal(t, "not judged: this node has no IPv6 route", latest[gone.ID].Warning)
					assert.True(t, latest[gone.ID].At.IsZero())
					assert.Positive(t, counted(t, reg, "fairlead_probe_unrouted_total"))
				}
				assert.Equal(t, health.Up, latest[targets[1].ID].State)
				if tt.other {
					// The last way is lost: what was up is not judged any more.
					lost.Store(true)
					time.Sleep(30 * time.Second)
					for _, o := range seen.take() {
						latest[o.Target] = o
					}
					assert.Equal(t, health.Up, latest[targets[2].ID].State)
					assert.Greater(t, time.Since(latest[targets[2].ID].At), 10*time.Second)
				}
				cancel()
				require.NoError(t, <-done)
			})
		})
	}
}
