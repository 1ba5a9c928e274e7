package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

const (
	demoZone = "demo.fairlead.test"
	// demoDNS is where the first node answers; 53 would need root.
	demoDNS = "127.0.0.1:5300"

	// With these a dead endpoint leaves the answers within about 3 s, and one that heals is back after about 7 s: short
	// enough to watch, long enough to see the hold.
	demoInterval = time.Second
	demoTimeout  = 500 * time.Millisecond
	demoFall     = 2
	demoRise     = 2
	demoHold     = 5 * time.Second

	// demoNodes is how many nodes run: with three, one can be cut off and the others still judge.
	demoNodes = 3
)

// A place is one demo endpoint: where it stands, and the address it listens on.
type place struct {
	Region, AZ, Pool, Name string
	Addr                   netip.AddrPort
}

// demoPlaces has one endpoint for each AZ, so that the shares of www are the weights themselves: 28:42:15:15.
func demoPlaces(port uint16) []place {
	at := func(region, az, ip string) place {
		return place{Region: region, AZ: az, Pool: "web-" + region, Name: "web-" + az,
			Addr: netip.AddrPortFrom(netip.MustParseAddr(ip), port)}
	}
	return []place{
		at("eu", "eu-a", "127.10.1.1"), at("eu", "eu-b", "127.10.2.1"),
		at("us", "us-a", "127.20.1.1"), at("us", "us-b", "127.20.2.1"),
	}
}

// azsOf are the AZs of places, in order.
func azsOf(places []place) []string {
	var out []string
	for _, p := range places {
		if !slices.Contains(out, p.AZ) {
			out = append(out, p.AZ)
		}
	}
	return out
}

// flipWithin is when the last answer that names a dead endpoint has been given, after the death.
func flipWithin() time.Duration {
	a := steer.DefaultAllowances()
	interval := demoInterval + demoInterval*health.JitterPercent/100
	return demoFall*interval + demoTimeout + a.ProbeLag + a.Gossip + a.Quiesce
}

// returnsWithin is how long a healed AZ waits before it is answered again.
func returnsWithin() time.Duration {
	interval := demoInterval + demoInterval*health.JitterPercent/100
	return demoRise*interval + demoHold
}

// demoFiles are the files of one node, by name below its directory.
func demoFiles(n *node, nodes []*node, places []place) (map[string]string, error) {
	data := struct {
		Self                                      *node
		Nodes                                     []*node
		Zone, DNSHost, DNSPort, Node, Dir, Socket string
		Interval, Timeout, Hold                   time.Duration
		Fall, Rise                                int
		Port                                      uint16
		EU, US                                    []place
	}{
		Self: n, Nodes: nodes, Zone: demoZone, DNSHost: n.dns.Addr().String(), DNSPort: fmt.Sprint(n.dns.Port()), Node: n.name, Dir: n.dir, Socket: n.socket,
		Interval: demoInterval, Timeout: demoTimeout, Hold: demoHold, Fall: demoFall, Rise: demoRise,
		Port: places[0].Addr.Port(), EU: inRegion(places, "eu"), US: inRegion(places, "us"),
	}
	files := map[string]string{}
	for name, text := range map[string]string{"Corefile": demoCorefile, "node.yaml": demoNodeFile, "zones.d/demo.yaml": demoZoneFile} {
		t, err := template.New(name).Parse(text)
		if err != nil {
			return nil, fmt.Errorf("demo file %s: %w", name, err)
		}
		var b strings.Builder
		if err := t.Execute(&b, data); err != nil {
			return nil, fmt.Errorf("demo file %s: %w", name, err)
		}
		files[name] = b.String()
	}
	return files, nil
}

func inRegion(places []place, region string) []place {
	var out []place
	for _, p := range places {
		if p.Region == region {
			out = append(out, p)
		}
	}
	return out
}

const demoCorefile = `{{.Zone}}:{{.DNSPort}} {
    bind {{.DNSHost}}
    fairlead {
        zones {{printf "%q" (printf "%s/zones.d" .Dir)}}
        node  {{printf "%q" (printf "%s/node.yaml" .Dir)}}
        state {{printf "%q" (printf "%s/state" .Dir)}}
    }
    errors
}
`

const demoNodeFile = `name: {{.Node}}
admin: {socket: {{printf "%q" .Socket}}}
metrics: {endpoints: 100}
cluster:
  name: demo
  nodes:
{{range .Nodes}}    - {name: {{.Name}}, address: "{{.Gossip}}", public_key: "{{.PublicKey}}", region: {{.Region}}, az: {{.AZ}}}
{{end}}  gossip:
    listen: "{{.Self.Gossip}}"
    identity: {{printf "%q" (printf "%s/identity.key" .Dir)}}
    keyring: {{printf "%q" .Self.Keyring}}
`

const demoZoneFile = `# Made by "fairlead demo"; gone when the demo ends.
zone: {{.Zone}}

soa: {mname: ns1.{{.Zone}}, rname: hostmaster.{{.Zone}}, negative_ttl: 5s}
nameservers:
  - {name: ns1.{{.Zone}}, addresses: ["{{.DNSHost}}"]}

regions:
  eu: {azs: [eu-a, eu-b]}
  us: {azs: [us-a, us-b]}

checks:
  ready: {type: http, port: {{.Port}}, path: /readyz, interval: {{.Interval}}, timeout: {{.Timeout}}, fall: {{.Fall}}, rise: {{.Rise}}}

pools:
  web-eu:
    region: eu
    check: ready
    az_weights: {eu-a: 40, eu-b: 60}
    late_hits: {json: "http://{address}:{{.Port}}/stats", path: $.requests}
    endpoints:
{{range .EU}}      - {name: {{.Name}}, addresses: [{{.Addr.Addr}}], az: {{.AZ}}}
{{end}}  web-us:
    region: us
    check: ready
    az_weights: {us-a: 50, us-b: 50}
    late_hits: {json: "http://{address}:{{.Port}}/stats", path: $.requests}
    endpoints:
{{range .US}}      - {name: {{.Name}}, addresses: [{{.Addr.Addr}}], az: {{.AZ}}}
{{end}}
services:
  www:                                    # active-active: eu 70, us 30
    tiers: [{web-eu: 70, web-us: 30}]
    ttl: {mode: ceiling, max: 10s, min: 2s}
    staleness: {target: 20s}
    failback: {hold: {{.Hold}}}
  api:                                    # active-standby: us answers when eu cannot
    tiers: [{web-eu: 1}, {web-us: 1}]
    ttl: {mode: ceiling, max: 10s, min: 2s}
    staleness: {target: 20s}
    failback: {hold: {{.Hold}}}
`
