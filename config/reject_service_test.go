package config

import "testing"

// TestRejectService is about services, references and owner names.
func TestRejectService(t *testing.T) {
	runRejects(t, []rejectCase{
		{"all-zero tier", withPools, `services:
  www: {tiers: [{web: 0, web-us: 0}]}
`, []string{":11:17: error: services.www.tiers[0]: all weights of the tier are 0"}},
		{"empty tiers", withPools, `services:
  www: {tiers: []}
`, []string{":11:16: error: services.www.tiers: is empty; at least one entry is needed"}},
		{"empty tier", withPools, `services:
  www: {tiers: [{}]}
`, []string{":11:17: error: services.www.tiers[0]: is empty; at least one pool is needed"}},
		{"no tiers", withPools, `services:
  www: {answers: 1}
`, []string{":11:8: error: services.www: the key \"tiers\" is missing"}},
		{"empty services", head, `services: {}
`, []string{":3:11: error: services: is empty; at least one service is needed"}},
		{"service without value", withPools, `services:
  www:
`, []string{":11:7: error: services.www: want a mapping, got nothing"}},
		{"duplicate pool in a tier", withPools, `services:
  www: {tiers: [{web: 1, web: 2}]}
`, []string{":11:26: error: services.www.tiers[0].web: duplicate key \"web\""}},
		{"service outside the zone", withPools, `services:
  www.example.com.: {tiers: [{web: 1}]}
`, []string{":11:3: error: services.\"www.example.com.\": www.example.com. is outside the zone gslb.example.org."}},
		{"bad label", withPools, `services:
  w!w: {tiers: [{web: 1}]}
`, []string{":11:3: error: services.w!w: the character '!' in the name \"w!w\""}},
		{"hyphen", withPools, `services:
  -www: {tiers: [{web: 1}]}
`, []string{":11:3: error: services.-www: a label with a hyphen at its end in the name \"-www\""}},
		{"long label", withPools, `services:
  aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: {tiers: [{web: 1}]}
`, []string{":11:3: error: services.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…: a label of 64 octets, at most 63 fit, in the name \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""}},
		{"long name", withPools, `services:
  aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: {tiers: [{web: 1}]}
`, []string{":11:3: error: services.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…: the name \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…\" has 262 octets, at most 255 fit"}},
		{"wildcard inside", withPools, `services:
  a.*.b: {tiers: [{web: 1}]}
`, []string{":11:3: error: services.\"a.*.b\": the character '*' in the name \"a.*.b\""}},
		{"duplicate owner in other case", withPools, `services:
  www: {tiers: [{web: 1}]}
  WWW: {tiers: [{web: 1}]}
`, []string{":12:3: error: services.WWW: duplicate owner name www.gslb.example.org.: a service has it at line 11"}},
		{"duplicate owner, absolute", withPools, `services:
  www: {tiers: [{web: 1}]}
  www.gslb.example.org.: {tiers: [{web: 1}]}
`, []string{":12:3: error: services.\"www.gslb.example.org.\": duplicate owner name www.gslb.example.org.: a service has it at line 11"}},
		{"service and static record", withPools, `services:
  www: {tiers: [{web: 1}]}
records: [{name: www, type: A, data: 192.0.2.9}]
`, []string{":12:18: error: records[0].name: duplicate owner name www.gslb.example.org.: a service at line 11 does not go with a static A record"}},
		{"wildcard service and static record", withPools, `services:
  "*.a": {tiers: [{web: 1}]}
records: [{name: "*.A", type: AAAA, data: "2001:db8::1"}]
`, []string{":12:18: error: records[0].name: duplicate owner name *.a.gslb.example.org.: a service at line 11 does not go with a static AAAA record"}},
		{"CNAME service and TXT", withPools, `services:
  cdn: {tiers: [{names: 1}]}
records: [{name: cdn, type: TXT, data: x}]
`, []string{":12:18: error: records[0].name: duplicate owner name cdn.gslb.example.org.: a service at line 11 does not go with a static TXT record"}},
		{"service and name server", "", `zone: gslb.example.org
nameservers: [{name: www.gslb.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a, eu-b]}, us: {azs: [us-a]}}
checks: {ready: {type: http}}
pools:
  web: {region: eu, check: ready, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}]}
  web-us: {region: us, check: ready, endpoints: [{name: a, addresses: [192.0.2.2], az: us-a}]}
  names: {region: eu, endpoints: [{name: a, target: a.example.net, az: eu-a}]}
  data: {region: us, stateful: true, endpoints: [{name: d, addresses: [192.0.2.3], az: us-a}]}
services:
  www: {tiers: [{web: 1}]}
`, []string{":2:22: error: nameservers[0].name: duplicate owner name www.gslb.example.org.: a service has it at line 11"}},
		{"also name and service", withPools, `services:
  www: {also: [region], tiers: [{web: 1}]}
  www.eu: {tiers: [{web: 1}]}
`, []string{":11:3: error: services.www.also: duplicate owner name www.eu.gslb.example.org.: a service has it at line 12"}},
		{"cell and service", withPools, `services:
  o: {cells: {shards: 2, home: {web: 0-1}}, tiers: [{web: 1}]}
  5.o: {tiers: [{web: 1}]}
`, []string{":12:3: error: services.\"5.o\": duplicate owner name 5.o.gslb.example.org.: it is a cell of the service o.gslb.example.org."}},
		{"unknown pool", withPools, `services:
  www: {tiers: [{wbe: 1}]}
`, []string{":11:18: error: services.www.tiers[0].wbe: unknown pool \"wbe\""}},
		{"unknown check", withChecks, `pools:
  web: {region: eu, check: redy, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}]}
`, []string{":6:28: error: pools.web.check: unknown check \"redy\""}},
		{"unknown region", withChecks, `pools:
  web: {region: ue, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}]}
`, []string{":6:17: error: pools.web.region: unknown region \"ue\""}},
		{"unknown AZ", withChecks, `pools:
  web: {region: eu, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-c}]}
`, []string{":6:71: error: pools.web.endpoints[0].az: unknown AZ \"eu-c\""}},
		{"unknown check in a composite", head, `checks:
  a: {any: [b]}
`, []string{":4:13: error: checks.a.any[0]: unknown check \"b\""}},
		{"ttl.min above ttl.max", withPools, `services:
  www: {tiers: [{web: 1}], ttl: {min: 60s, max: 30s}}
`, []string{":11:39: error: services.www.ttl.min: ttl.min 60s is more than ttl.max, 30s"}},
		{"ttl.min above the default", withPools, `services:
  www: {tiers: [{web: 1}], ttl: {min: 60s}}
`, []string{":11:39: error: services.www.ttl.min: ttl.min 60s is more than the default of ttl.max, 30s"}},
		{"ttl not on the ladder", withPools, `services:
  www: {tiers: [{web: 1}], ttl: {max: 25s}}
`, []string{":11:39: error: services.www.ttl.max: 25s is not a rung of the TTL ladder"}},
		{"ttl of half a second", withPools, `services:
  www: {tiers: [{web: 1}], ttl: {min: 1500ms}}
`, []string{":11:39: error: services.www.ttl.min: a TTL has whole seconds, got 1500ms"}},
		{"ttl zero", withPools, `services:
  www: {tiers: [{web: 1}], ttl: {min: 0s}}
`, []string{":11:39: error: services.www.ttl.min: 0s is out of range, want 1s to 1h"}},
		{"apex CNAME service", withPools, `services:
  "@": {tiers: [{names: 1}]}
`, []string{":11:3: error: services.@: a CNAME at the apex: it would hide SOA and NS (RFC 1034 section 3.6.2)"}},
		{"apex CNAME record", head, `records:
  - {name: "@", type: CNAME, data: a}
`, []string{":4:23: error: records[0].type: a CNAME at the apex: it would hide SOA and NS (RFC 1034 section 3.6.2)"}},
		{"CNAME next to other data", head, `records:
  - {name: a, type: TXT, data: x}
  - {name: a, type: CNAME, data: b}
`, []string{":5:12: error: records[1].name: CNAME and other data for a.gslb.example.org.: a static TXT record stands at line 4 (RFC 1034 section 3.6.2)"}},
		{"other data next to CNAME", head, `records:
  - {name: a, type: CNAME, data: b}
  - {name: a, type: TXT, data: x}
`, []string{":5:12: error: records[1].name: CNAME and other data for a.gslb.example.org.: a static CNAME record stands at line 4 (RFC 1034 section 3.6.2)"}},
		{"two CNAMEs", head, `records:
  - {name: a, type: CNAME, data: [b, c]}
`, []string{":4:34: error: records[0].data: more than one CNAME for a.gslb.example.org."}},
	})
}
