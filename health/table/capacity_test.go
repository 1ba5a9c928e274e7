package table

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
)

// What leaves too little to carry the demand is refused, as far as it makes that worse.
func TestShort(t *testing.T) {
	b := newBench(t, "pools:\n  main: {region: eu, check: up, capacity: 1000, endpoints: [{name: e, az: a, addresses: [192.0.2.1]}, {name: f, az: b, addresses: [192.0.2.2]}]}\n"+
		"  spare: {region: eu, check: up, capacity: 1000, endpoints: [{name: s, az: a, addresses: [192.0.2.9]}]}\n"+
		"services: {www: {tiers: [{main: 1, spare: 1}], demand: 1400}, all: {tiers: [{main: 1, spare: 1}], demand: 900}}\n")
	b.see(main, 0, health.Up, 0)
	b.see(main, 1, health.Up, 0)
	b.see(spare, 0, health.Up, 0)
	refused := func(kind health.ScopeKind, pool, endpoint, service string, override ...string) string {
		i := health.Intent{Kind: health.IntentDrain, Scope: health.Scope{Kind: kind, Zone: "example.org.", Pool: pool, Endpoint: endpoint}, Service: service,
			Override: override, Start: b.now, Forever: true}
		if err := b.Short(&i, b.now); err != nil {
			return err.Error()
		}
		return ""
	}
	require.Equal(t, "refused by capacity: service www.example.org: pool spare would get 140 % of its capacity: 1400 of 1000 requests/s", refused(health.ScopePool, "main", "", ""))
	require.Empty(t, refused(health.ScopePool, "main", "", "", health.RuleCapacity))
	require.Empty(t, refused(health.ScopePool, "main", "", "all.example.org."), "the others carry its demand")
	require.Empty(t, refused(health.ScopeEndpoint, "main", "e", ""), "1,500 are left")
	b.see(spare, 0, health.Down, 3)
	require.Equal(t, "refused by capacity: service www.example.org: pool main would get 280 % of its capacity: 1400 of 500 requests/s", refused(health.ScopeEndpoint, "main", "e", ""))
	require.Empty(t, refused(health.ScopePool, "spare", "", ""), "it is out already")
}
