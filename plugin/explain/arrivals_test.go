package explain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// TestBoat: an order that asks for a lifeboat is refused, with the figure, where the lifeboat would be once it came to it; no other order is.
func TestBoat(t *testing.T) {
	z, problems := config.Parse("z.yaml", []byte(`zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a]}, us: {azs: [us-a]}}
pools:
  web: {region: eu, endpoints: [{name: one, addresses: [203.0.113.1], az: eu-a}]}
  api: {region: eu, endpoints: [{name: one, addresses: [203.0.113.2], az: eu-a}]}
  free: {region: eu, endpoints: [{name: one, addresses: [203.0.113.3], az: eu-a}]}
  db: {region: eu, stateful: true, endpoints: [{name: one, addresses: [203.0.113.4], az: eu-a}]}
  us: {region: us, capacity: 100, endpoints: [{name: one, addresses: [198.51.100.1], az: us-a}]}
  big: {region: us, endpoints: [{name: one, addresses: [198.51.100.2], az: us-a}]}
services:
  www: {tiers: [{web: 1}, {us: 1}], demand: 80}
  api: {tiers: [{api: 1}, {us: 1}], demand: 70}
  free: {tiers: [{free: 1}, {big: 1}]}
  db: {tiers: [{db: 1}, {us: 1}], demand: 80}
`), config.ParseOptions{})
	require.NoError(t, problems.Err())
	x := New(config.NewModel([]*config.Zone{z}), nil, time.Now())
	az := health.Scope{Kind: health.ScopeAZ, Name: "eu-a"}
	pool := func(name string) health.Scope {
		return health.Scope{Kind: health.ScopePool, Zone: "example.org.", Pool: name}
	}
	for _, tt := range []struct {
		name  string
		order health.Intent
		want  string
	}{
		{"both services overload it", health.Intent{Lifeboat: true, Scope: az}, "a lifeboat at web/one would forward to nobody: pool us would get 230 % of its capacity: 230 of 100 requests/s"},
		{"one does not", health.Intent{Lifeboat: true, Scope: pool("web")}, ""},
		{"no capacity is declared", health.Intent{Lifeboat: true, Scope: pool("free")}, ""},
		{"what keeps data is not forwarded anyway", health.Intent{Lifeboat: true, Scope: pool("db")}, ""},
		{"no lifeboat", health.Intent{Scope: az}, ""},
		{"overridden", health.Intent{Lifeboat: true, Scope: az, Override: []string{health.RuleCapacity}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.order.Kind, tt.order.Forever = health.IntentDrain, true
			err := x.Boat(tt.order)
			p, previewErr := x.Preview(tt.order, nil, steer.DefaultAllowances(), time.Now())
			require.NoError(t, previewErr)
			if tt.want == "" {
				require.NoError(t, err)
				require.Empty(t, p.Refused)
				return
			}
			require.EqualError(t, err, "refused by capacity: service www.example.org: "+tt.want)
			require.Equal(t, []string{health.RuleCapacity, err.Error()}, []string{p.Rule, p.Refused})
		})
	}
}
