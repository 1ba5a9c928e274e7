package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRPO(t *testing.T) {
	const zone = `zone: example.org
nameservers: [ns1.example.net]
regions: {eu: {azs: [a]}}
checks: {up: {type: tcp, port: 80}, lag: {type: lag, lease: 30s}, octets: {type: lag, command: [/bin/lag], unit: bytes}}
pools:
  a: {region: eu, check: up, lag: lag, stateful: true, endpoints: [{name: e, az: a, addresses: [192.0.2.1]}]}
  b: {region: eu, check: up, lag: lag, stateful: true, endpoints: [{name: e, az: a, addresses: [192.0.2.2]}]}
  c: {region: eu, check: up, lag: octets, stateful: true, endpoints: [{name: e, az: a, addresses: [192.0.2.3]}]}
  d: {region: eu, check: up, stateful: true, endpoints: [{name: e, az: a, addresses: [192.0.2.4]}]}
`
	tests := []struct{ name, text, want string }{
		{"seconds", "services: {db: {tiers: [{a: 1}, {b: 1}], rpo: 1m30s}}", ""},
		{"octets", "services: {db: {tiers: [{d: 1}, {c: 1}], rpo: 16MiB, on_rpo: enter_and_report}}", ""},
		{"mixed", "services: {db: {tiers: [{a: 1}, {c: 1}], rpo: 30s}}", `the lag of the pool "c" is in bytes, the rpo in seconds`},
		{"no lag", "services: {db: {tiers: [{d: 1}], rpo: 30s}}", "an rpo, and none of the service's pools that keep data says how far it is behind"},
		{"one without", "services: {db: {tiers: [{a: 1}, {d: 1}], rpo: 30s}}", `the pool "d" keeps data and has no ` + "`lag`"},
		{"no rpo", "services: {db: {tiers: [{a: 1}], on_rpo: hold}}", "on_rpo without an rpo"},
		{"no unit", "services: {db: {tiers: [{a: 1}], rpo: 30}}", "want a duration, as in 30s, or octets"},
		{"too short", "services: {db: {tiers: [{a: 1}], rpo: 10ms}}", "10ms is out of range, want 100ms to 30d"},
		{"cells", "services: {db: {tiers: [{a: 1}, {b: 1}], rpo: 30s, cells: {shards: 2, home: {a: 0-1}}}}", "an rpo does not go with cells"},
		{"client rules", "services: {db: {tiers: [{a: 1}, {b: 1}], rpo: 30s, clients: [{match: {cidr: [10.0.0.0/8]}, tiers: [{b: 1}]}]}}", "an order of its own for the pool \"b\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			z, problems := Parse("z", []byte(zone+tt.text), ParseOptions{})
			if tt.want == "" {
				require.Empty(t, problems.String())
				require.True(t, z.Services[0].RPO.On())
				return
			}
			require.Contains(t, problems.String(), tt.want)
		})
	}
}

func TestLagCheckKeys(t *testing.T) {
	const zone = "zone: example.org\nnameservers: [ns1.example.net]\nregions: {eu: {azs: [a]}}\n"
	pool := func(keys string) string {
		return "\npools: {p: {region: eu, " + keys + ", endpoints: [{name: e, az: a, addresses: [192.0.2.1]}]}}\n"
	}
	tests := []struct{ name, text, want string }{
		{"nothing to read", "checks: {c: {type: lag}}", "a lag check needs one of source, command and lease"},
		{"two", "checks: {c: {type: lag, lease: 30s, command: [/bin/lag]}}", "a lag check needs one of source, command and lease"},
		{"a host in a source", `checks: {c: {type: lag, source: {json: "http://{endpoint}/", path: $.lag}}}`, "neither {endpoint} nor {az}"},
		{"reported by a schedule", "checks: {c: {type: lag, lease: 30s, interval: 2s}}", `the key "interval" does not apply to a lag that is reported`},
		{"as a check", "checks: {c: {type: lag, lease: 30s}}" + pool("check: c"), "is of type lag: it says how far data is behind"},
		{"as a gate", "checks: {c: {type: lag, lease: 30s}}" + pool("gate: c"), "is of type lag: it says how far data is behind"},
		{"in a composite", "checks: {c: {type: lag, lease: 30s}, u: {type: icmp}, d: {all: [c, u]}}" + pool("check: d"), "is of type lag: it says how far data is behind"},
		{"another check as a lag", "checks: {c: {type: icmp}}" + pool("lag: c"), `the check "c" is not of type lag`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := Parse("z", []byte(zone+tt.text), ParseOptions{})
			require.Contains(t, problems.String(), tt.want)
		})
	}
}

func TestLagText(t *testing.T) {
	for want, v := range map[string]float64{"0 s": 0, "4.2 s": 4.2, "0.1 s": 0.001, "90 s": 90} {
		require.Equal(t, want, LagText(v, LagSeconds), "rounded up")
	}
	for want, v := range map[string]float64{"0 octets": 0, "17 octets": 17, "1 KiB": 1024, "1.5 MiB": 1.5 * (1 << 20), "2 GiB": 2 << 30} {
		require.Equal(t, want, LagText(v, LagOctets))
	}
}
