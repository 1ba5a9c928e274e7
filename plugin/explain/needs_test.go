package explain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const needsZone = `zone: example.org
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [eu-a]}, us: {azs: [us-a]}}
pools:
  web-eu: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}]}
  web-us: {region: us, endpoints: [{name: one, addresses: [192.0.2.2], az: us-a}]}
  db-eu: {region: eu, stateful: true, endpoints: [{name: one, addresses: [192.0.2.3], az: eu-a}]}
  db-us: {region: us, stateful: true, endpoints: [{name: one, addresses: [192.0.2.4], az: us-a}]}
services:
  db: {tiers: [{db-eu: 1}, {db-us: 1}]}
  both: {tiers: [{db-eu: 1, db-us: 1}]}
  last: {tiers: [{db-eu: 1}], on_all_down: last_good}
  www: {tiers: [{web-eu: 70, web-us: 30}], needs: [db]}
  api: {tiers: [{web-eu: 1}], needs: [both, last]}
  far: {tiers: [{web-us: 1}], needs: [db, elsewhere.example.net.]}
`

// TestCuts: what would be answered where what it needs is not, is told where more of it would be than now.
func TestCuts(t *testing.T) {
	z, problems := config.Parse("zone.yaml", []byte(needsZone), config.ParseOptions{})
	require.NoError(t, problems.Err())
	x := New(config.NewModel([]*config.Zone{z}), nil, time.Now())
	for _, tt := range []struct {
		name   string
		assume api.Assumptions
		want   []api.Cut
	}{
		{"www has 30 % apart already", api.Assumptions{Drain: []string{"pool=web-us"}}, nil},
		{"the database moves", api.Assumptions{Drain: []string{"pool=db-eu"}}, []api.Cut{
			{Service: "www.example.org.", Needs: "db.example.org.", Percent: 70, PercentBefore: 30, Regions: []string{"eu"}, NeedsRegions: []string{"us"}},
			{Service: "api.example.org.", Needs: "both.example.org.", Percent: 100, Regions: []string{"eu"}, NeedsRegions: []string{"us"}},
			{Service: "api.example.org.", Needs: "last.example.org.", Percent: 100, Regions: []string{"eu"}, Dark: true},
		}},
		{"nothing of it is up: a last resort is nothing to rely on", api.Assumptions{Down: []string{"pool=db-eu", "pool=db-us"}}, []api.Cut{
			{Service: "www.example.org.", Needs: "db.example.org.", Percent: 100, PercentBefore: 30, Regions: []string{"eu", "us"}, Dark: true},
			{Service: "api.example.org.", Needs: "both.example.org.", Percent: 100, Regions: []string{"eu"}, Dark: true},
			{Service: "api.example.org.", Needs: "last.example.org.", Percent: 100, Regions: []string{"eu"}, Dark: true},
			{Service: "far.example.org.", Needs: "db.example.org.", Percent: 100, PercentBefore: 100, Regions: []string{"us"}, Dark: true},
		}},
		{"all of it moves together, and api has no answers left", api.Assumptions{Drain: []string{"region=eu"}}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, err := x.WhatIf(tt.assume, time.Now())
			require.NoError(t, err)
			require.Equal(t, tt.want, w.Cuts)
		})
	}
}
