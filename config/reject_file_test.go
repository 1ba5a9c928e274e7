package config

import "testing"

// TestRejectFile is about the file as a whole, its scalars and its head.
func TestRejectFile(t *testing.T) {
	runRejects(t, []rejectCase{
		{"unknown key", head, `servces: {}
`, []string{":3:1: error: servces: unknown key \"servces\""}},
		{"unknown key far from all", head, `quux: 1
`, []string{":3:1: error: quux: unknown key \"quux\""}},
		{"unknown nested key", withPools, `services:
  www: {teirs: [{web: 1}], tiers: [{web: 1}]}
`, []string{":11:9: error: services.www.teirs: unknown key \"teirs\""}},
		{"duplicate key", withRegions, `ns_ttl: 1h
ns_ttl: 2h
`, []string{":5:1: error: ns_ttl: duplicate key \"ns_ttl\""}},
		{"duplicate service key", withPools, `services:
  www: {tiers: [{web: 1}]}
  www: {tiers: [{web: 1}]}
`, []string{":12:3: error: services.www: duplicate key \"www\""}},
		{"second document", head, `---
zone: b.example.org
`, []string{":3:1: error: a second document in the file"}},
		{"trailing content", head, `...
more: 1
`, []string{":3:1: error: content after the end of the document"}},
		{"empty file", "", "", []string{": error: the file is empty"}},
		{"only a comment", "", `# nothing
`, []string{": error: the file is empty"}},
		{"not a mapping", "", `- a
`, []string{":1:1: error: want a mapping, got a list"}},
		{"not YAML", head, `regions: {eu: [
`, []string{":3:1: error: not YAML: did not find expected node content"}},
		{"tab indentation", head, `soa:
	mname: ns1.example.net
`, []string{":4:2: error: not YAML: found character that cannot start any token"}},
		{"unknown anchor", head, `serial: *x
`, []string{":3:9: error: the alias *x has no anchor above it"}},
		{"recursive alias", head, `regions: &a {eu: *a}
`, []string{":3:18: error: the alias *a contains itself"}},
		{"merge key", head, `regions:
  eu: &eu {azs: [eu-a]}
  us: {<<: *eu}
`, []string{":5:8: error: regions.us: merge keys (<<) are not supported"}},
		{"tag", head, `serial: !!int 5
`, []string{":3:9: error: serial: the tag !!int: tags are not supported"}},
		{"nesting", head, `serial: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]
`, []string{":3:41: error: nested more than 32 levels deep"}},
		{"fraction", withPools, `services:
  www: {tiers: [{web: 1.5}]}
`, []string{":11:23: error: services.www.tiers[0].web: want an integer, got \"1.5\""}},
		{"exponent", withPools, `services:
  www: {tiers: [{web: 1e3}]}
`, []string{":11:23: error: services.www.tiers[0].web: want an integer, got \"1e3\""}},
		{"octal", withPools, `services:
  www: {tiers: [{web: 0644}]}
`, []string{":11:23: error: services.www.tiers[0].web: 0644 looks octal; want a decimal integer"}},
		{"octal 0o", withPools, `services:
  www: {tiers: [{web: 0o17}]}
`, []string{":11:23: error: services.www.tiers[0].web: 0o17 looks octal; want a decimal integer"}},
		{"hexadecimal", withPools, `services:
  www: {tiers: [{web: 0x1F}]}
`, []string{":11:23: error: services.www.tiers[0].web: 0x1F is hexadecimal; want a decimal integer"}},
		{"quoted integer", withPools, `services:
  www: {tiers: [{web: "1"}]}
`, []string{":11:23: error: services.www.tiers[0].web: want an integer, got the text \"1\""}},
		{"weight above", withPools, `services:
  www: {tiers: [{web: 65536}]}
`, []string{":11:23: error: services.www.tiers[0].web: 65536 is out of range, want 0 to 65535"}},
		{"weight below", withPools, `services:
  www: {tiers: [{web: -1}]}
`, []string{":11:23: error: services.www.tiers[0].web: -1 is out of range, want 0 to 65535"}},
		{"boolean yes", withChecks, `pools:
  web: {region: eu, stateful: yes, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}]}
`, []string{":6:31: error: pools.web.stateful: want true or false, got \"yes\""}},
		{"duration without unit", withPools, `services:
  www: {tiers: [{web: 1}], ttl: {max: 30}}
`, []string{":11:39: error: services.www.ttl.max: want a duration, got the number 30"}},
		{"duration nonsense", withPools, `services:
  www: {tiers: [{web: 1}], staleness: {target: soon}}
`, []string{":11:48: error: services.www.staleness.target: want a duration, got \"soon\""}},
		{"percent without sign", withPools, `services:
  www: {tiers: [{web: 1}], health: {panic_below: 30}}
`, []string{":11:50: error: services.www.health.panic_below: want a percentage, got the number 30"}},
		{"percent above", withPools, `services:
  www: {tiers: [{web: 1}], health: {panic_below: 101%}}
`, []string{":11:50: error: services.www.health.panic_below: 101% is out of range, want 0% to 100%"}},
		{"location out of range", head, `regions: {eu: {location: [95, 0], azs: [a]}}
`, []string{":3:27: error: regions.eu.location[0]: the latitude 95 is out of range, want -90 to 90"}},
		{"longitude out of range", head, `regions: {eu: {location: [0, 181], azs: [a]}}
`, []string{":3:30: error: regions.eu.location[1]: 181 is out of range, want -180 to 180"}},
		{"location with one number", head, `regions: {eu: {location: [95], azs: [a]}}
`, []string{":3:26: error: regions.eu.location: 1 entries, want 2"}},
		{"missing zone", "", `nameservers: [{name: ns1.example.net}]
`, []string{":1:1: error: the key \"zone\" is missing"}},
		{"bad zone", "", `zone: gslb..org
nameservers: [{name: ns1.example.net}]
`, []string{":1:7: error: zone: an empty label in the name \"gslb..org\""}},
		{"missing nameservers", "", `zone: gslb.example.org
`, []string{":1:1: error: the key \"nameservers\" is missing"}},
		{"name server in the zone without addresses", "", `zone: gslb.example.org
nameservers: [{name: ns1.gslb.example.org}]
`, []string{":2:22: error: nameservers[0]: the name server ns1.gslb.example.org. lies in the zone and needs addresses"}},
		{"name server outside with addresses", "", `zone: gslb.example.org
nameservers: [{name: ns1.example.net, addresses: [192.0.2.1]}]
`, []string{":2:50: error: nameservers[0].addresses: the name server ns1.example.net. is outside the zone and takes no addresses"}},
		{"relative name server", "", `zone: gslb.example.org
nameservers: [{name: ns1}]
`, []string{":2:22: error: nameservers[0].name: \"ns1\" is one label; this name is not relative to the zone"}},
		{"serial out of range", head, `serial: 4294967296
`, []string{":3:9: error: serial: 4294967296 is out of range, want 0 to 4294967295"}},
		{"serial negative", head, `serial: -1
`, []string{":3:9: error: serial: -1 is out of range, want 0 to 4294967295"}},
		{"serial twice", head, `serial: 1
soa: {serial: 1}
`, []string{":4:15: error: soa.serial: the serial is given twice, as serial and as soa.serial"}},
		{"rname with @", head, `soa: {rname: host.master@example.org}
`, []string{":3:14: error: soa.rname: an address in DNS form has a dot for the @: host\\.master.example.org"}},
		{"dnssec", head, `dnssec: {keys: keys/}
`, []string{":3:16: error: dnssec.keys: the file \"keys/\" cannot be read here"}},
		{"rrl without a rate", head, `rrl: {}
`, []string{":3:6: error: rrl: the key \"responses_per_second\" is missing"}},
		{"cookies", head, `cookies: {amplification: -1}
`, []string{":3:26: error: cookies.amplification: -1 is out of range, want 0 to 1000"}},
		{"transfer of services without a fixed answer", head, `regions: {eu: {azs: [a]}}
pools: {web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: a}]}}
services: {www: {tiers: [{web: 1}]}, fixed: {tiers: [{web: 1}], on_all_down: [192.0.2.9]}}
transfer: {view: static}
`, []string{":6:18: error: transfer.view: the service www.gslb.example.org. has no fixed answer"}},
		{"transfer of cells", head, `regions: {eu: {azs: [a]}}
pools: {web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: a}]}}
services: {www: {tiers: [{web: 1}], cells: {shards: 2, home: {web: 0-1}}}}
transfer: {view: last}
`, []string{":6:18: error: transfer.view: the cells of www.gslb.example.org. cannot be transferred: a secondary does not know which pool is home to a shard"}},
	})
}
