package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// TestExplainAhead: measurements that do not count yet are told by their instant, beside what counts, and where nothing does.
func TestExplainAhead(t *testing.T) {
	print := func(m *api.ClientMeasured) string {
		var b bytes.Buffer
		explanationText{out: &b}.measured(m, testNow)
		return b.String()
	}
	ahead := testNow.Add(time.Hour)
	const warning = "  ▲ measurements dated 04:12:40Z, 1h00m ahead of this node's clock, do not count before\n"
	m := &api.ClientMeasured{Network: "192.0.2.0/24", Expired: true, AheadAt: &ahead}
	require.Equal(t, "  fastest: no measurement from 192.0.2.0/24 counts yet: distance decides, or weights\n"+warning, print(m))
	m = &api.ClientMeasured{
		Network: "192.0.2.0/24", Region: "eu", Since: testNow.Add(-time.Hour), At: testNow.Add(-time.Minute), HoldSeconds: 300,
		Regions: []api.MeasuredWay{{Region: "eu", Seconds: .01}},
	}
	require.NotContains(t, print(m), "ahead")
	m.AheadAt = &ahead
	require.Contains(t, print(m), "fastest: eu 10 ms from 192.0.2.0/24, measured 1m00s ago\n")
	require.Contains(t, print(m), warning)
}
