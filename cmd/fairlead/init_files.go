package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/deploy/systemd"
)

// What stands in the directory beside those of the nodes.
const zonesDir, caDir, contextsName = "zones.d", "ca", "contexts.json"

// unitName is the systemd unit in the directory of a machine, placesName the geo database beside the example.
const unitName, placesName = "fairlead.service", "places.mmdb"

// make makes all files. What it made before an error stays, for a look at it.
func (l *initLayout) make() error {
	if err := free(l.dir); err != nil {
		return err
	}
	for _, n := range l.nodes {
		for _, dir := range []string{n.dir, filepath.Join(n.dir, zonesDir)} {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return err
			}
		}
		var err error
		if n.PublicKey, err = newIdentity(filepath.Join(n.dir, "identity.key")); err != nil {
			return err
		}
	}
	keyring := newKeyring()
	if err := l.makeCertificates(); err != nil {
		return err
	}
	zones := map[string]string{l.zone + ".yaml": l.zoneFile()}
	if l.example {
		if err := l.addExample(zones); err != nil {
			return err
		}
	}
	for name, text := range zones {
		if err := writeInit(l.dir, filepath.Join(zonesDir, name), text); err != nil {
			return err
		}
	}
	for _, n := range l.nodes {
		if err := config.WriteKeyring(filepath.Join(n.dir, "gossip.keys"), keyring); err != nil {
			return err
		}
		files := map[string]string{"Corefile": l.fill(initCorefile, n), "node.yaml": l.fill(initNodeFile, n)}
		if !l.local {
			for name, text := range zones {
				files[filepath.Join(zonesDir, name)] = text
			}
			files[unitName] = strings.Replace(systemd.Unit, "=/usr/bin/", "=/usr/local/bin/", 1)
		}
		if l.example {
			places, err := examplePlaces()
			if err != nil {
				return err
			}
			files[placesName] = places
		}
		for name, text := range files {
			if err := writeInit(n.dir, name, text); err != nil {
				return err
			}
		}
		if l.local {
			// One file for all: they run where it lies.
			if err := os.Remove(filepath.Join(n.dir, zonesDir)); err != nil {
				return err
			}
			if err := os.MkdirAll(n.State, 0o700); err != nil {
				return err
			}
		}
	}
	return l.writeContexts()
}

func writeInit(dir, name, text string) error {
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o600)
}

// writeContexts writes the file by which commands find the nodes.
func (l *initLayout) writeContexts() error {
	x := &serverContext{Nodes: make(map[string]string)}
	for _, n := range l.nodes {
		x.Nodes[n.Name] = "https://" + n.Admin.String()
	}
	x.CA, x.Cert, x.Key = l.caFile("ca.crt"), l.caFile(initOperator+".crt"), l.caFile(initOperator+".key")
	name := strings.ReplaceAll(l.zone, ".", "-")
	text, err := json.MarshalIndent(&contextFile{Version: contextsVersion, Current: name, Contexts: map[string]*serverContext{name: x}}, "", "  ")
	if err != nil {
		return err
	}
	return writeInit(l.dir, contextsName, string(text)+"\n")
}

func (l *initLayout) caFile(name string) string { return filepath.Join(l.dir, caDir, name) }

// zoneFile is the first zone file.
func (l *initLayout) zoneFile() string {
	if l.example {
		return string(config.ZoneExample)
	}
	return l.fill(initZoneFile, nil)
}

// fill fills one of the templates below for a node, which may be nil.
func (l *initLayout) fill(text string, n *initNode) string {
	data := struct {
		Self     *initNode
		Nodes    []*initNode
		Regions  []initRegion
		Zone     string
		Zones    string
		Operator string
		Local    bool
		// Socket is where commands look for the node of a machine.
		Socket   string
		Examples bool
		Places   string
		Port     uint16
	}{Self: n, Nodes: l.nodes, Zone: l.zone, Operator: initOperator, Local: l.local, Socket: systemSocket, Examples: l.examples}
	for _, r := range l.regions {
		if len(r.Endpoints) > 0 && data.Port == 0 {
			data.Port = r.Endpoints[0].Addr.Port()
		}
	}
	data.Regions = l.regions
	if n != nil && l.example {
		data.Places = filepath.Join(n.Home, placesName)
	}
	if n != nil {
		data.Zones = filepath.Join(n.Home, zonesDir)
		if l.local {
			data.Zones = filepath.Join(l.dir, zonesDir)
		}
	}
	var b strings.Builder
	if err := template.Must(template.New("").Parse(text)).Execute(&b, data); err != nil {
		// The templates are ours, and so is the data.
		panic(fmt.Sprintf("a file of init: %v", err))
	}
	return b.String()
}

const initCorefile = `# Node {{.Self.Name}}: fairlead serve -conf {{.Self.Home}}/Corefile
{{.Zone}}:{{.Self.DNS.Port}} {
    bind {{.Self.DNS.Addr}}
    fairlead {
        zones {{printf "%q" .Zones}}
        node  {{printf "%q" (printf "%s/node.yaml" .Self.Home)}}
        state {{printf "%q" .Self.State}}
    }
    prometheus {{.Self.Metrics}}
    errors
}
`

const initNodeFile = `# Node {{.Self.Name}}. node.example.yaml has every key once.
name: {{.Self.Name}}
{{if .Local}}admin:                                    # beside the unix socket in the state directory
{{else}}admin:
  socket: {{printf "%q" .Socket}}    # where commands on this machine look for it
{{end}}  listen: "{{.Self.Admin}}"
  tls:
    cert: {{printf "%q" (printf "%s/admin.crt" .Self.Home)}}
    key: {{printf "%q" (printf "%s/admin.key" .Self.Home)}}
    client_ca: {{printf "%q" (printf "%s/ca.crt" .Self.Home)}}
    roles: {{"{"}}{{.Operator}}: admin{{"}"}}
cluster:
  name: {{.Zone}}
  nodes:                                  # the same list on every node
{{range .Nodes}}    - {name: {{.Name}}, address: "{{.Gossip}}", public_key: "{{.PublicKey}}", region: {{.Region}}, az: {{.AZ}}}
{{end}}  gossip:
    listen: "{{.Self.Gossip}}"
    identity: {{printf "%q" (printf "%s/identity.key" .Self.Home)}}
    keyring: {{printf "%q" (printf "%s/gossip.keys" .Self.Home)}}
{{if .Places}}geo: {databases: [{{printf "%q" .Places}}]}
probe: {exec: true}                       # the example has a check that runs a program
{{end}}`

const initZoneFile = `# The first zone, made by "fairlead init". zone.example.yaml has every key once; "fairlead check" says what is wrong, and where.
zone: {{.Zone}}

nameservers:{{range $i, $n := .Nodes}}
  - {name: {{$n.Name}}.{{$.Zone}}, addresses: ["{{$n.DNS.Addr}}"]}{{end}}

regions:{{range .Regions}}
  {{.Name}}: {azs: [{{range $i, $az := .AZs}}{{if $i}}, {{end}}{{$az}}{{end}}]}{{end}}

checks:
  ready: {type: tcp, port: {{.Port}}, interval: 2s, timeout: 1s, fall: 3, rise: 2}

pools:{{range .Regions}}{{if .Endpoints}}
  web-{{.Name}}:
    region: {{.Name}}
    check: ready
    endpoints:{{range .Endpoints}}
      - {name: {{.Name}}, addresses: ["{{.Addr.Addr}}"], az: {{.AZ}}{{if ne .Addr.Port $.Port}}, probe: {port: {{.Addr.Port}}}{{end}}}{{end}}{{end}}{{end}}

services:
  www:                                    # the first region answers; the next one when it cannot
    tiers: [{{range $i, $r := .Regions}}{{if $r.Endpoints}}{{if $i}}, {{end}}{web-{{$r.Name}}: 1}{{end}}{{end}}]
    ttl: {max: 10s, min: 2s}
`
