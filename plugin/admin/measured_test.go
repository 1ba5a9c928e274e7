package admin

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// TestMeasured: a status has the age of a table that a service goes by, and what of it lies ahead, as of its own moment.
func TestMeasured(t *testing.T) {
	at := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	next, last := at.Add(time.Hour), at.Add(2*time.Hour)
	l := &config.Latency{Table: "rtt.txt", MaxAge: 10 * time.Minute, Latest: at, Ahead: []time.Time{next, last}}
	measured := func(l *config.Latency, now time.Time) *api.ServiceMeasured {
		return (&zoneStatus{now: now}).measured(l)
	}
	require.Nil(t, measured(nil, at))
	require.Equal(t, &api.ServiceMeasured{Table: "rtt.txt", LatestAt: &at, Ahead: 2, AheadAt: &last}, measured(l, at.Add(10*time.Minute)))
	require.Equal(t, &api.ServiceMeasured{Table: "rtt.txt", LatestAt: &at, Expired: true, Ahead: 2, AheadAt: &last}, measured(l, at.Add(11*time.Minute)))
	require.Equal(t, &api.ServiceMeasured{Table: "rtt.txt", LatestAt: &next, Ahead: 1, AheadAt: &last}, measured(l, next))
	require.Equal(t, &api.ServiceMeasured{Table: "rtt.txt", LatestAt: &last}, measured(l, last))
	require.Equal(t, &api.ServiceMeasured{Table: "rtt.txt", Expired: true}, measured(&config.Latency{Table: "rtt.txt", MaxAge: time.Hour}, at))
}
