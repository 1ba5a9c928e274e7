package config

import "testing"

// TestRejectContent is about pools, checks, records and contradictions.
func TestRejectContent(t *testing.T) {
	runRejects(t, []rejectCase{
		{"mixed answer kinds in a tier", withPools, `services:
  www: {tiers: [{web-us: 1}, {web: 1, names: 1}]}
  api: {clients: [{match: {cidr: [192.0.2.0/24]}, tiers: [{names: 1, web: 1}]}], tiers: [{web: 1}]}
`, []string{
			":11:30: error: services.www.tiers[1]: mixed answer kinds in one tier: the pool \"web\" has addresses, the pool \"names\" has targets",
			":12:59: error: services.api.clients[0].tiers[0]: mixed answer kinds in one tier: the pool \"web\" has addresses, the pool \"names\" has targets",
		}},
		{"a CNAME in a later tier of the apex", withPools, `services:
  "@": {tiers: [{web: 1}, {names: 1}]}
`, []string{":11:3: error: services.@: a CNAME at the apex: it would hide SOA and NS (RFC 1034 section 3.6.2)"}},
		{"a trickle between kinds", withPools, `services:
  www: {tiers: [{web: 1}, {names: 1}], standby: {trickle: 1%}}
`, []string{":11:59: error: services.www.standby.trickle: a trickle between addresses and CNAME targets: a name never has both"}},
		{"SRV beside a later CNAME", withPools, `services:
  www: {tiers: [{web: 1}, {names: 1}], srv: {port: 25}, https: {alpn: [h2]}}
`, []string{":11:40: error: services.www.srv: srv next to CNAME targets: a CNAME stands alone"}},
		{"data beside a later CNAME", withPools + `records: [{name: www, type: TXT, data: hello}]
`, `services:
  www: {tiers: [{web: 1}, {names: 1}]}
`, []string{":10:18: error: records[0].name: duplicate owner name www.gslb.example.org.: a service at line 12 does not go with a static TXT record"}},
		{"mixed answer kinds in a pool", withChecks, `pools:
  web: {region: eu, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}, {name: b, target: b.example.net, az: eu-a}]}
`, []string{":6:3: error: pools.web: mixed answer kinds: 1 endpoints have addresses, 1 have a target"}},
		{"late hits of both kinds", withChecks, `pools:
  web: {region: eu, late_hits: {prometheus: "http://192.0.2.9", json: "http://192.0.2.9", path: "$.n"}, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}]}
`, []string{":6:32: error: pools.web.late_hits: want prometheus and query, or json and path"}},
		{"late hits behind a password", withChecks, `pools:
  web: {region: eu, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a, late_hits: {json: "http://me:hush@{address}/", path: "$.n"}}]}
`, []string{":6:95: error: pools.web.endpoints[0].late_hits.json: a URL in a zone file cannot have a user: whoever may read the file would know the password"}},
		{"late hits of no URL", withChecks, `pools:
  web: {region: eu, late_hits: {json: "{address}/n", path: "$.n"}, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}]}
`, []string{":6:39: error: pools.web.late_hits.json: want a URL that begins with http:// or https:// and a host"}},
		{"late hits of no JSONPath", withChecks, `pools:
  web: {region: eu, late_hits: {json: "http://{address}/n", path: "requests"}, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}]}
`, []string{":6:67: error: pools.web.late_hits.path: want a JSONPath, as in $.requests.total: jsonpath: unexpected identifier at position 1"}},
		{"late hits of many values", withChecks, `pools:
  web: {region: eu, late_hits: {json: "http://{address}/n", path: "$..n"}, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}]}
`, []string{":6:67: error: pools.web.late_hits.path: want a JSONPath to one value, as in $.requests.total: without wildcards, slices, filters and descendants"}},
		{"quorum of more than there are", head, `checks:
  ready: {type: tcp, port: 80, interval: 5s, timeout: 1s, quorum: 3, vantages: 2}
`, []string{":4:67: error: checks.ready.quorum: 3 of 2 vantages"}},
		{"quorum of more than are named", head, `checks:
  ready: {type: tcp, port: 80, quorum: 3, vantages: {count: 5, nodes: [n1, n2]}}
`, []string{":4:40: error: checks.ready.quorum: 3 of 2 vantages"}},
		{"vantages out of range", head, `checks:
  a: {type: tcp, port: 80, vantages: 0}
  b: {type: tcp, port: 80, vantages: {count: 1001}}
  c: {type: tcp, port: 80, vantages: {az: []}}
`, []string{":4:38: error: checks.a.vantages: 0 is out of range, want 1 to 1000", ":5:46: error: checks.b.vantages.count: 1001 is out of range, want 1 to 1000",
			":6:43: error: checks.c.vantages.az: is empty; at least one entry is needed"}},
		{"vantages of an unknown place", head, `checks:
  a: {type: tcp, port: 80, vantages: {zone: eu-a}}
`, []string{":4:39: error: checks.a.vantages.zone: unknown key \"zone\""}},
		{"silence of unknown policy", head, `checks:
  a: {type: push, on_expiry: up}
  b: {type: tcp, port: 80, on_expiry: down}
`, []string{":4:30: error: checks.a.on_expiry: unknown value \"up\"", ":5:28: error: checks.b.on_expiry: the key \"on_expiry\" does not apply to a tcp check"}},
		{"answered and NXDOMAIN", head, `checks:
  a: {type: dns, name: example.org, expect: {rcode: NXDOMAIN, answered: true}}
`, []string{":4:73: error: checks.a.expect.answered: an answer of RCODE NXDOMAIN has no record"}},
		{"vantages lost of unknown policy", withChecks, `pools:
  web: {region: eu, on_vantages_lost: up, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}]}
`, []string{":6:39: error: pools.web.on_vantages_lost: unknown value \"up\""}},
		{"timeout equals interval", head, `checks:
  a: {type: http, interval: 1s, timeout: 1s}
`, []string{":4:42: error: checks.a.timeout: the timeout 1s is not less than the interval 1s"}},
		{"interval too short", head, `checks:
  a: {type: http, interval: 1ms}
`, []string{":4:29: error: checks.a.interval: 1ms is out of range, want 100ms to 1d"}},
		{"tcp without port", head, `checks:
  a: {type: tcp}
`, []string{":4:3: error: checks.a: a tcp check needs a port"}},
		{"key of another type", head, `checks:
  a: {type: tcp, port: 1, path: /x}
`, []string{":4:27: error: checks.a.path: the key \"path\" does not apply to a tcp check"}},
		{"expectation of another type", head, `checks:
  a: {type: tcp, port: 1, expect: {status: 200}}
`, []string{":4:36: error: checks.a.expect.status: the key \"status\" does not apply to a tcp check"}},
		{"check without type", head, `checks:
  a: {port: 1}
`, []string{":4:3: error: checks.a: a check needs one of type, all, any, not, at_least"}},
		{"check with two types", head, `checks:
  a: {type: http, any: [a]}
`, []string{":4:19: error: checks.a.any: a check has one of type, all, any, not, at_least, this one has type and any"}},
		{"unknown check type", head, `checks:
  a: {type: htp}
`, []string{":4:13: error: checks.a.type: unknown value \"htp\""}},
		{"bad status range", head, `checks:
  a: {type: http, expect: {status: [299-200]}}
`, []string{":4:37: error: checks.a.expect.status[0]: the range 299-200 runs backwards"}},
		{"bad path", head, `checks:
  a: {type: http, path: readyz}
`, []string{":4:25: error: checks.a.path: a path begins with /, got \"readyz\""}},
		{"Host header", head, `checks:
  a: {type: http, headers: {Host: x}}
`, []string{":4:29: error: checks.a.headers.Host: the Host header is set by the key host"}},
		{"composite cycle", head, `checks:
  a: {any: [b]}
  b: {not: a}
`, []string{":5:3: error: checks.b: the check leads back to itself through \"a\""}},
		{"composite of itself", head, `checks:
  a: {not: a}
`, []string{":4:3: error: checks.a: the check leads back to itself through \"a\""}},
		{"at_least too many", head, `checks:
  a: {at_least: {n: 3, of: [b]}}
  b: {type: icmp}
`, []string{":4:21: error: checks.a.at_least.n: at least 3 of 1 checks can never be"}},
		{"missing certificate file", head, `checks:
  a: {type: tls, tls: {ca: ca.pem}}
`, []string{":4:28: error: checks.a.tls.ca: the file \"ca.pem\" cannot be read here"}},
		{"certificate outside the directory", head, `checks:
  a: {type: tls, tls: {ca: ../ca.pem}}
`, []string{":4:28: error: checks.a.tls.ca: the file \"../ca.pem\" is not below the zone file's directory"}},
		{"certificate without key", head, `checks:
  a: {type: tls, tls: {client_cert: probe.pem}}
`, []string{":4:37: error: checks.a.tls.client_cert: the file \"probe.pem\" cannot be read here", ":4:37: error: checks.a.tls.client_cert: client_cert needs client_key"}},
		{"exec without a path", head, `checks:
  a: {type: exec, command: [ls]}
`, []string{":4:29: error: checks.a.command[0]: the program \"ls\" is not an absolute path"}},
		{"two addresses of a family", withChecks, `pools:
  web: {region: eu, endpoints: [{name: a, addresses: [192.0.2.1, 192.0.2.2], az: eu-a}]}
`, []string{":6:66: error: pools.web.endpoints[0].addresses[1]: more than one IPv4 address in an endpoint"}},
		{"addresses and target", withChecks, `pools:
  web: {region: eu, endpoints: [{name: a, addresses: [192.0.2.1], target: a.example.net, az: eu-a}]}
`, []string{":6:75: error: pools.web.endpoints[0].target: an endpoint has addresses or a target, not both"}},
		{"neither addresses nor target", withChecks, `pools:
  web: {region: eu, endpoints: [{name: a, az: eu-a}]}
`, []string{":6:33: error: pools.web.endpoints[0]: an endpoint needs addresses, a target or a host"}},
		{"endpoint AZ of another region", withChecks, `pools:
  web: {region: eu, endpoints: [{name: a, addresses: [192.0.2.1], az: us-a}]}
`, []string{":6:71: error: pools.web.endpoints[0].az: the AZ \"us-a\" is in the region \"us\", the pool in \"eu\""}},
		{"az_weights without endpoint", withChecks, `pools:
  web: {region: eu, az_weights: {eu-a: 1, eu-b: 1}, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}]}
`, []string{":6:43: error: pools.web.az_weights.eu-b: the pool has no endpoint in the AZ \"eu-b\""}},
		{"az_weights incomplete", withChecks, `pools:
  web: {region: eu, az_weights: {eu-a: 1}, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}, {name: b, addresses: [192.0.2.2], az: eu-b}]}
`, []string{":6:33: error: pools.web.az_weights: the weight of the AZ \"eu-b\" is missing"}},
		{"duplicate endpoint", withChecks, `pools:
  web: {region: eu, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}, {name: a, addresses: [192.0.2.2], az: eu-b}]}
`, []string{":6:85: error: pools.web.endpoints[1].name: duplicate endpoint \"a\"; it stands at line 6 already"}},
		{"empty pool", withChecks, `pools:
  web: {region: eu, endpoints: []}
`, []string{":6:32: error: pools.web.endpoints: is empty; at least one entry is needed"}},
		{"min_healthy above the pool", withChecks, `pools:
  web: {region: eu, min_healthy: 2, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}]}
`, []string{":6:34: error: pools.web.min_healthy: 2 endpoints are never up in a pool of 1"}},
		{"duplicate AZ", head, `regions: {eu: {azs: [a]}, us: {azs: [a]}}
`, []string{":3:38: error: regions.us.azs[0]: duplicate AZ \"a\"; it stands at line 3 already"}},
		{"IPv4-mapped", withChecks, `pools:
  web: {region: eu, endpoints: [{name: a, addresses: ["::ffff:192.0.2.1"], az: eu-a}]}
`, []string{":6:55: error: pools.web.endpoints[0].addresses[0]: ::ffff:192.0.2.1 is an IPv4-mapped IPv6 address; write 192.0.2.1"}},
		{"zoned address", withChecks, `pools:
  web: {region: eu, endpoints: [{name: a, addresses: ["fe80::1%eth0"], az: eu-a}]}
`, []string{":6:55: error: pools.web.endpoints[0].addresses[0]: fe80::1%eth0 has an interface (%eth0); it means nothing to clients"}},
		{"unspecified address", withChecks, `pools:
  web: {region: eu, endpoints: [{name: a, addresses: [0.0.0.0], az: eu-a}]}
`, []string{":6:55: error: pools.web.endpoints[0].addresses[0]: 0.0.0.0 is the unspecified address"}},
		{"multicast address", withChecks, `pools:
  web: {region: eu, endpoints: [{name: a, addresses: [224.0.0.1], az: eu-a}]}
`, []string{":6:55: error: pools.web.endpoints[0].addresses[0]: 224.0.0.1 is a multicast or broadcast address"}},
		{"no address", withChecks, `pools:
  web: {region: eu, endpoints: [{name: a, addresses: [www.example.org], az: eu-a}]}
`, []string{":6:55: error: pools.web.endpoints[0].addresses[0]: want an IPv4 or IPv6 address, got \"www.example.org\""}},
		{"trickle into a stateful pool", withPools, `services:
  www: {tiers: [{web: 1}, {data: 1}], standby: {trickle: 1%}}
`, []string{":11:58: error: services.www.standby.trickle: a trickle into the pool \"data\", which is stateful or fenced and never answered outside its turn"}},
		{"trickle without a second tier", withPools, `services:
  www: {tiers: [{web: 1}], standby: {trickle: 1%}}
`, []string{":11:37: error: services.www.standby: a standby needs a second tier"}},
		{"ramp not ascending", withPools, `services:
  www: {tiers: [{web: 1}], failback: {ramp: [30%, 10%, 100%]}}
`, []string{":11:51: error: services.www.failback.ramp[1]: the ramp does not ascend: 10% after 30%"}},
		{"ramp not ending at 100%", withPools, `services:
  www: {tiers: [{web: 1}], failback: {ramp: [30%, 60%]}}
`, []string{":11:51: error: services.www.failback.ramp[1]: the ramp ends at 60%, it must end at 100%"}},
		{"step without ramp", withPools, `services:
  www: {tiers: [{web: 1}], failback: {step: 1m}}
`, []string{":11:45: error: services.www.failback.step: a step without a ramp"}},
		{"cells with a hole", withPools, `services:
  www: {tiers: [{web: 1}], cells: {shards: 4, home: {web: 0-1, web-us: 3}}}
`, []string{":11:64: error: services.www.cells.home.web-us: no home for the shard 2"}},
		{"cells with a hole at the end", withPools, `services:
  www: {tiers: [{web: 1}], cells: {shards: 4, home: {web: 0-1}}}
`, []string{":11:53: error: services.www.cells.home: no home for the shards 2-3"}},
		{"cells that overlap", withPools, `services:
  www: {tiers: [{web: 1}], cells: {shards: 4, home: {web: 0-2, web-us: 2-3}}}
`, []string{":11:64: error: services.www.cells.home.web-us: two homes for the shard 2"}},
		{"cells out of range", withPools, `services:
  www: {tiers: [{web: 1}], cells: {shards: 4, home: {web: 0-4}}}
`, []string{":11:59: error: services.www.cells.home.web: the shards 0-4 are not within 0-3"}},
		{"failover from and to a fence", withRegions, `pools:
  a: {region: eu, fence: true, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}]}
  b: {region: eu, endpoints: [{name: a, addresses: [192.0.2.2], az: eu-a}]}
services:
  www:
    tiers: [{a: 1}]
    cells: {shards: 2, home: {a: 0, b: 1}, failover: {a: [b], b: [a]}}
`, []string{
			":10:55: error: services.www.cells.failover.a: the pool \"a\" is fenced: its shards never leave it",
			":10:67: error: services.www.cells.failover.b[0]: the pool \"a\" is fenced: it takes no shards but its own",
		}},
		{"fence without home", withRegions, `pools:
  web: {region: eu, fence: true, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}]}
services:
  www: {tiers: [{web: 1}]}
`, []string{":5:21: error: pools.web.fence: a fence without a home: no service gives the pool shards"}},
		{"NS of a wildcard", head, `records:
  - {name: "*.sub", type: NS, data: ns1.example.net.}
`, []string{":4:27: error: records[0].type: NS records of a wildcard: what they mean is not defined (RFC 4592 section 4)"}},
		{"DS at the apex", head, `records:
  - {name: "@", type: DS, data: 1 13 2 00}
`, []string{":4:23: error: records[0].type: the DS records of the apex stand in the parent zone"}},
		{"DNAME beside NS", head, `records:
  - {name: sub, type: NS, data: ns1.example.net.}
  - {name: sub, type: DNAME, data: example.net.}
`, []string{":5:12: error: records[1].name: a DNAME at the delegation sub.gslb.example.org. (RFC 6672 section 2.3)"}},
		{"two DNAMEs", head, `records:
  - {name: sub, type: DNAME, data: [example.net., example.com.]}
`, []string{":4:12: error: records[0].name: more than one DNAME for sub.gslb.example.org."}},
		{"delegation of the apex", head, `delegations:
  "@": {nameservers: [ns1.example.net]}
`, []string{":4:3: error: delegations.@: the apex is no delegation"}},
		{"DS that is none", head, `delegations:
  sub: {nameservers: [ns1.example.net], ds: [nonsense]}
`, []string{":4:46: error: delegations.sub.ds[0]: bad data: bad DS KeyTag: \"nonsense\""}},
		{"addresses outside", head, `delegations:
  sub: {nameservers: [{name: ns1.example.net, addresses: [192.0.2.1]}]}
`, []string{":4:58: error: delegations.sub.nameservers[0].addresses: the name server ns1.example.net. is outside the zone and takes no addresses"}},
		{"service below a delegation", withPools, `delegations:
  sub: {nameservers: [ns1.example.net]}
services:
  www.sub: {tiers: [{web: 1}]}
`, []string{":13:3: error: services.\"www.sub\": www.sub.gslb.example.org. is never answered: it lies below the delegation sub.gslb.example.org. at line 11"}},
		{"service at a delegation", withPools, `delegations:
  sub: {nameservers: [ns1.example.net]}
services:
  sub: {tiers: [{web: 1}]}
`, []string{":13:3: error: services.sub: duplicate owner name sub.gslb.example.org.: the delegation sub.gslb.example.org. at line 11 delegates it"}},
		{"signature", head, `records:
  - {name: a, type: RRSIG, data: x}
`, []string{":4:21: error: records[0].type: RRSIG records are made, not written"}},
		{"NS at the apex", head, `records:
  - {name: "@", type: NS, data: ns1.example.net.}
`, []string{":4:23: error: records[0].type: the NS records of the apex are made from the key nameservers"}},
		{"SOA record", head, `records:
  - {name: "@", type: SOA, data: x}
`, []string{":4:23: error: records[0].type: the SOA is made from the key soa"}},
		{"unknown record type", head, `records:
  - {name: a, type: TXXT, data: x}
`, []string{":4:21: error: records[0].type: unknown record type \"TXXT\""}},
		{"record outside the zone", head, `records:
  - {name: a.example.com., type: A, data: 192.0.2.1}
`, []string{":4:12: error: records[0].name: a.example.com. is outside the zone gslb.example.org."}},
		{"bad record data", head, `records:
  - {name: a, type: MX, data: mail}
`, []string{":4:31: error: records[0].data: bad data: bad MX Pref: \"mail\""}},
		{"comment in record data", head, `records:
  - {name: a, type: MX, data: "10 mail ; first"}
`, []string{":4:31: error: records[0].data: a ; begins a comment; put the data in quotes"}},
		{"line break in record data", head, `records:
  - {name: a, type: MX, data: "10 a\nb A 192.0.2.1"}
`, []string{":4:31: error: records[0].data: the control character '\\n' in the text"}},
		{"fixed addresses for CNAMEs", withPools, `services:
  www: {tiers: [{names: 1}], on_all_down: [192.0.2.1]}
`, []string{":11:43: error: services.www.on_all_down: fixed addresses for a service that answers CNAMEs"}},
		{"unknown policy", withPools, `services:
  www: {tiers: [{web: 1}], on_all_down: lastgood}
`, []string{":11:41: error: services.www.on_all_down: unknown value \"lastgood\""}},
		{"safety too strict", withPools, `services:
  www: {tiers: [{web: 1}], safety: {keep_regions: 2}}
`, []string{":11:51: error: services.www.safety.keep_regions: 2 regions cannot be kept, the service has 1"}},
		{"client rule for nobody", withPools, `services:
  www: {tiers: [{web: 1}], clients: [{match: {}, tiers: [{web: 1}]}]}
`, []string{":11:46: error: services.www.clients[0].match: the rule matches nobody"}},
		{"prefix with host bits", withPools, `services:
  www: {tiers: [{web: 1}], clients: [{match: {cidr: [10.0.0.1/8]}, tiers: [{web: 1}]}]}
`, []string{":11:54: error: services.www.clients[0].match.cidr[0]: 10.0.0.1/8 has bits beyond its length; write 10.0.0.0/8"}},
		{"CNAME to itself", withRegions, `pools:
  n: {region: eu, endpoints: [{name: a, target: www.gslb.example.org, az: eu-a}]}
services: {www: {tiers: [{n: 1}]}}
`, []string{":6:12: error: services.www: the CNAME target www.gslb.example.org. leads back to itself"}},
		{"CNAME loop of records", head, `records:
  - {name: a, type: CNAME, data: b}
  - {name: b, type: CNAME, data: a}
`, []string{":5:12: error: records[1].name: the CNAME target a.gslb.example.org. leads back to itself"}},
		{"zone file that is missing", head, `zonefile: db.x
`, []string{":3:11: error: zonefile: the file \"db.x\" cannot be read here"}},
		{"billion laughs", "", `a: &a [x,x,x,x,x,x,x,x,x]
b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]
c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]
d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]
e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]
f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]
g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]
h: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g]
i: &i [*h,*h,*h,*h,*h,*h,*h,*h,*h]
`, []string{":2:8: error: aliases make the file too large"}},
	})
}
