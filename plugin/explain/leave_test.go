package explain

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

// TestLeaves: what two versions of a zone say of the addresses that leave, before the second is served.
func TestLeaves(t *testing.T) {
	const base = `zone: a.example
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [eu-a, eu-b]}}
pools:
  web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}, {name: two, addresses: [192.0.2.2], az: eu-b}]}
  c1: {region: eu, endpoints: [{name: one, addresses: [192.0.2.4], az: eu-a}]}
  c2: {region: eu, endpoints: [{name: one, addresses: [192.0.2.5], az: eu-a}]}
  spare: {region: eu, endpoints: [{name: one, addresses: [192.0.2.3], az: eu-a}]}
records: [{name: old, type: A, ttl: 90s, data: 192.0.2.2}, {name: other, type: A, data: 192.0.2.77}]
services:
  www: {tiers: [{web: 1}, {spare: 1}], ttl: {min: 2s, max: 30s}}
  ord: {tiers: [{c1: 1}], ttl: {min: 2s, max: 30s}, cells: {shards: 10, home: {c1: [0-3, 7-9], c2: 4-6}}}
  _http._tcp.cart: {tiers: [{web: 1}], ttl: {min: 2s, max: 60s}, srv: {port: 80}}
`
	parse := func(text string) *config.Zone {
		z, problems := config.Parse("a.yaml", []byte(text), config.ParseOptions{})
		require.NoError(t, problems.Err())
		return z
	}
	a := parse(base)
	for _, tt := range []struct {
		name, old, new string
		want           []string
	}{
		{"nothing", "regions:", "# more words\nregions:", nil},
		{"shards", "{c1: [0-3, 7-9], c2: 4-6}", "{c1: [0-1, 5-8], c2: [2-4, 9]}", []string{
			"ord.a.example. cells 2-3, 9 from c1 to c2  30s: they have another home", "ord.a.example. cells 5-6 from c2 to c1  30s: they have another home",
		}},
		{"an endpoint's name", "name: two", "name: zwei", []string{
			"_http._tcp.cart.a.example. two.web.a.example. web/two 1m0s: the endpoint goes", "two.web.a.example. 192.0.2.2 web/two 1m0s: the endpoint goes",
		}},
		{"an endpoint goes", ", {name: two, addresses: [192.0.2.2], az: eu-b}", "", []string{
			"_http._tcp.cart.a.example. 192.0.2.2 web/two 1m0s: the endpoint goes",
			"_http._tcp.cart.a.example. two.web.a.example. web/two 1m0s: the endpoint goes",
			"two.web.a.example. 192.0.2.2 web/two 1m0s: the endpoint goes",
			"www.a.example. 192.0.2.2 web/two 30s: the endpoint goes",
		}},
		{"an address changes", "192.0.2.2", "192.0.2.9", []string{
			"_http._tcp.cart.a.example. 192.0.2.2 web/two 1m0s: the endpoint has other addresses",
			"two.web.a.example. 192.0.2.2 web/two 1m0s: the endpoint has other addresses",
			"www.a.example. 192.0.2.2 web/two 30s: the endpoint has other addresses",
		}},
		{"a static record goes", "{name: old, type: A, ttl: 90s, data: 192.0.2.2}, ", "", []string{
			"old.a.example. 192.0.2.2 web/two 1m30s: the static record goes",
		}},
		{"a standby goes", "{spare: 1}], ", "{web: 2}], ", []string{"www.a.example. 192.0.2.3 spare/one 30s standby: not answered any more"}},
		{"a service goes", "  www: {tiers: [{web: 1}, {spare: 1}], ttl: {min: 2s, max: 30s}}\n", "", []string{
			"www.a.example. 192.0.2.1 web/one 30s: the service goes", "www.a.example. 192.0.2.2 web/two 30s: the service goes",
			"www.a.example. 192.0.2.3 spare/one 30s standby: the service goes",
		}},
		{"a weight of nothing", "az: eu-b}", "az: eu-b, weight: 0}", []string{
			"_http._tcp.cart.a.example. 192.0.2.2 web/two 1m0s: not answered any more",
			"_http._tcp.cart.a.example. two.web.a.example. web/two 1m0s: not answered any more",
			"www.a.example. 192.0.2.2 web/two 30s: not answered any more",
		}},
		{"no last resort", "{spare: 1}], ttl", "{spare: 1}], on_all_down: nodata, ttl", []string{
			"www.a.example. 192.0.2.3 spare/one 30s standby: no last resort any more", "www.a.example. 192.0.2.1 web/one 30s standby: no last resort any more",
			"www.a.example. 192.0.2.2 web/two 30s standby: no last resort any more",
		}},
		{"tiers change places", "[{web: 1}, {spare: 1}]", "[{spare: 1}, {web: 1}]", []string{
			"www.a.example. 192.0.2.1 web/one 30s: not answered any more", "www.a.example. 192.0.2.2 web/two 30s: not answered any more",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Contains(t, base, tt.old)
			var got []string
			for _, l := range Leaves(a, parse(strings.Replace(base, tt.old, tt.new, 1)), time.Now()) {
				held := (time.Duration(l.HeldSeconds) * time.Second).String()
				if l.Standby {
					held += " standby"
				}
				got = append(got, l.Name+" "+l.Data+" "+l.Endpoint+" "+held+": "+l.Why)
			}
			require.Equal(t, tt.want, got)
		})
	}
	all := Leaves(a, nil, time.Now())
	require.NotEmpty(t, all)
	for _, l := range all {
		require.Contains(t, []string{"the zone goes", "the static record goes"}, l.Why)
	}
	require.Empty(t, Leaves(nil, a, time.Now()))
}
