package admin

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// TestSuspectSince: an endpoint is suspect since something speaks against it, and not since it came into service.
func TestSuspectSince(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	check := &config.Check{Interval: 2 * time.Second}
	view := &health.EndpointView{Verdict: health.Verdict{State: health.Suspect, Since: now.Add(-time.Hour)}}
	own := &health.Observation{At: now, Failures: 3}
	require.Equal(t, now.Add(-4*time.Second), suspectSince(check, own, view))
	view.SuspectSince = now.Add(-time.Minute)
	require.Equal(t, now.Add(-time.Minute), suspectSince(check, own, view), "another vantage saw it first")
	require.Equal(t, now.Add(-time.Minute), suspectSince(check, &health.Observation{At: now}, view))
	view.Since = now.Add(-time.Second)
	require.Equal(t, view.Since, suspectSince(check, own, view))
}
