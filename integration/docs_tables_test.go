package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/stretchr/testify/require"
)

// docLeft are the blocks that TestDocCommands does not run, by page and beginning, with the reason.
var docLeft = map[string]string{
	"CONTRIBUTING.md: ":                    "runs of tests, which take minutes",
	"README.md: $ fairlead status":         "a sample of what is printed",
	"README.md: make demo":                 "the block after it runs the demo",
	"docs/cluster.md: ":                    "runs of tests, which take an hour",
	"docs/deploy.md: helm":                 "wants a cluster of Kubernetes: integration/deploy renders the chart",
	"docs/deploy.md: kubectl":              "wants kubectl: TestKustomize builds it",
	"docs/deploy.md: tar":                  "wants a release and a registry: TestImageIndex reads the image",
	"docs/dnssec.md: delv":                 "wants a resolver: TestDelvValidates",
	"docs/dr.md: exec psql":                "a program for the node: TestPostgres has it ask real servers",
	"docs/hooks.md: printf":                "a line of a receiver's program",
	"docs/kubernetes.md: ":                 "wants an API of Kubernetes: `make test-kube`",
	"docs/lifeboat.md: $ fairlead":         "a sample of what is printed: TestLifeboat",
	"docs/lifeboat.md: FAIRLEAD_TRIALS":    "a run of tests, which takes an hour",
	"docs/plans.md: fairlead plan list":    "what can be done to a run at one time or another: TestPlanSurvivesItsExecutor; plans of docs/operations.md run here",
	"docs/staleness.md: FAIRLEAD_BOUNDS":   "a run of tests, which takes hours",
	"docs/staleness.md: FAIRLEAD_TRIALS":   "a run of tests, which takes an hour",
	"docs/staleness.md: make":              "a benchmark against other servers, a quarter of an hour",
	"docs/tutorial.md: ":                   "TestTutorial runs the page from end to end",
	"docs/two-speed.md: FAIRLEAD_LONG":     "a run of tests, which takes minutes",
	"docs/two-speed.md: FAIRLEAD_TRIALS":   "a run of tests, which takes 40 minutes",
	"docs/dr.md: fairlead diff":            "waits five minutes for the instant of the cut: TestShards of plugin",
	"docs/two-speed.md: curl -s -H \"Auth": "names what a stream has told: TestFeed",
}

// docHas is what the zone has that a block of docs/dr.md is about, where that is not the one before it.
var docHas = map[string]string{"docs/dr.md: fairlead get pools": "rpo: 30s"}

// docFill is what stands for something else in the commands of a page, and what it stands for.
var docFill = map[string][]string{
	"README.md": {
		"[DIR|FILE...]", "zones.d", "ID|NAME", "eu-west-1a", "service NAME", "service www", "explain NAME [TYPE]", "explain www", "az=NAME", "az=eu-west-1a",
		" [SERVICE]", "", "POOL/ENDPOINT", "web-eu/web-1a", "TEXT", "why", "az NAME", "az eu-west-1a", "endpoint NAME up|down|auto", "endpoint web-eu/web-1a up",
		"POOL=N", "web-eu=1", "failback POOL", "failback web-eu", "ready POOL", "ready ledger-us", " [ID]", "", "start NAME", "start eu-out", "rollback FILE",
		"rollback gslb.example.org.yaml", "n1=https://...", "n1=https://192.0.2.9:8443", "n2=https://...", "n2=https://192.0.2.19:8443", "man DIR", "man pages",
	},
	"docs/alerts.md": {
		"service NAME", "service www", "explain NAME", "explain www", "endpoint NAME", "endpoint web-eu/web-1a", "probe ENDPOINT", "probe web-eu/web-1a", "TEXT", "why", "ID", "eu-west-1a",
		"check FILE", "check zones.d/gslb.example.org.yaml", "stopped NAME", "stopped n3",
	},
	"docs/api.md": {"curl ", "curl -f "},
	"docs/migration.md": {
		"gdnsd --to zones.d", "gdnsd --to from-gdnsd", "yml --to zones.d", "yml --to from-gslb", "json --to zones.d", "json --to from-route53", "zone --to zones.d", "zone --to from-pdns",
	},
	"docs/two-speed.md": {"curl ", "curl -f --cacert ca.crt ", "n1.example.org", "192.0.2.9", "$TOKEN", "$(cat token)"},
}

// A docRule is what is particular to the commands that begin with line.
type docRule struct {
	page, line string
	// left is why it does not run.
	left string
	// before makes what the command speaks of.
	before func(m *docMachine)
	code   int
	// endless commands are ended once they have printed something.
	endless bool
	// wrap stands before the command.
	wrap string
}

var docRules = []docRule{
	{line: "fairlead status --watch", endless: true},
	{line: "fairlead events --follow", endless: true},
	{line: "fairlead serve", left: "the nodes were started so"},
	{line: "fairlead ui", left: "opens a browser: TestDashboard"},
	{line: "fairlead delegation", left: "wants the parent zone: TestDelegation"},
	{line: "systemctl", left: "wants systemd: TestUnit"},
	{line: "fairlead extend", before: drained},
	{line: "fairlead undrain eu-west-1a", before: drained},
	{line: "fairlead failback web-eu", before: func(m *docMachine) { m.comesBack("api", "203.0.113.10", "203.0.113.20") }},
	{line: "fairlead failback db-eu", before: func(m *docMachine) { m.comesBack("db", "203.0.113.1") }},
	{line: "fairlead unfreeze", before: func(m *docMachine) { m.must("fairlead freeze --reason first") }},
	{line: "fairlead config rollback", before: newVersion},
	{line: "fairlead diff --server", before: token},
	{line: "curl -f --cacert ca.crt -sN", before: token, endless: true},
	{line: "curl -f --cacert", before: token},
	{line: "fairlead status --server", before: token},
	{line: "fairlead nodes stopped n3", before: lost},
	{line: "fairlead nodes waive", left: "said to a node that waits at the join barrier: TestNodeOrders"},
	{line: "fairlead nodes bootstrap", left: "said to a node that waits at the join barrier: TestNodeOrders"},
	{line: "fairlead nodes max-ttl", left: "said to a node that has lost what it knew: TestInit says it on a first start"},
	{line: "fairlead import gdnsd", before: foreignInputs},
	{line: "dig @127.0.0.1 -p 5300", before: demo},
	{line: "bin/fairlead", wrap: "unset FAIRLEAD_CONTEXTS; export FAIRLEAD_SERVER=unix:$PWD/demo.sock; "},
	{line: "fairlead dnssec status", before: signed},
	{line: "fairlead drain resume", left: "wants an order that a rule suspends: TestOrders"},
	{line: "fairlead discovery accept", left: "wants a cluster of Kubernetes: `make test-kube`"},
}

// must runs a command that has to succeed.
func (m *docMachine) must(line string) string {
	m.t.Helper()
	out, code := m.shell(line, false)
	require.Zero(m.t, code, "%s\n%s", line, out)
	return out
}

// drained has an AZ drained, if it is not.
func drained(m *docMachine) {
	if !strings.Contains(m.must("fairlead intents"), "eu-west-1a") {
		m.must("fairlead drain az eu-west-1a --reason before")
	}
}

// comesBack has the endpoints of a service's first tier go down, and come back when the next one has its turn: they wait for a person.
func (m *docMachine) comesBack(service string, addresses ...string) {
	m.t.Helper()
	if m.homes != nil {
		// A block before may have frozen, or forced, what is to go down.
		m.tidy()
	}
	waits := func() bool { return strings.Contains(m.must("fairlead get pools"), "`fairlead failback") }
	for _, a := range addresses {
		m.down(a)
	}
	await(m.t, service+" to move", func() bool {
		return !strings.Contains(m.must("fairlead explain "+service), "clients get "+addresses[0])
	})
	for _, a := range addresses {
		m.up(a)
	}
	await(m.t, service+" to wait for a person", waits)
}

// newVersion has every node read another version of the zone file.
func newVersion(m *docMachine) {
	*m.versions++
	for _, home := range m.homes {
		path := filepath.Join(home, "zones.d", "gslb.example.org.yaml")
		text, err := os.ReadFile(path)
		require.NoError(m.t, err)
		m.write(path, 0o644, fmt.Sprintf("%sserial: %d\n", strings.Split(string(text), "serial:")[0], *m.versions))
	}
	for i := range m.homes {
		m.must(fmt.Sprintf("fairlead reload --node n%d", i+1))
	}
}

// token makes the files of a token.
func token(m *docMachine) {
	if _, err := os.Stat(filepath.Join(m.work, "token")); err != nil {
		m.must("fairlead token create --name docs --role viewer > token; cp token /run/secrets/fairlead; chmod 600 token /run/secrets/fairlead")
	}
}

// lost has node n3 end, if it runs.
func lost(m *docMachine) {
	m.nodes[2].stop()
	await(m.t, "n3 to be missed", func() bool {
		return strings.Contains(m.must("fairlead nodes"), "stale") || strings.Contains(m.must("fairlead nodes"), "stopped")
	})
}

// foreignInputs has the files of other systems.
func foreignInputs(m *docMachine) {
	at, err := filepath.Abs("../config/foreign/testdata")
	require.NoError(m.t, err)
	m.must(fmt.Sprintf("rm -rf /etc/gdnsd; cp -r %[1]s/gdnsd /etc/gdnsd; cp %[1]s/coredns-gslb/Corefile %[1]s/coredns-gslb/*.yml %[1]s/route53/*.json %[1]s/pdns-lua/example.org.zone .", at))
}

// demo has one run, as `make demo` does.
func demo(m *docMachine) {
	m.must("mkdir -p bin; ln -sf /usr/local/bin/fairlead bin/")
	p := &process{bin: "/usr/local/bin/fairlead", dir: m.work, dns: "127.0.0.1:5300", socket: filepath.Join(m.work, "demo.sock")}
	start(m.t, p, "demo", "--socket", p.socket)
	p.awaitHealthy()
}

// signed has the keys of the page on all nodes, and the zone file name them.
func signed(m *docMachine) {
	text, err := os.ReadFile(filepath.Join(docZones, "gslb.example.org.yaml"))
	require.NoError(m.t, err)
	if strings.Contains(string(text), "dnssec:") {
		return
	}
	for i, home := range m.homes {
		if i > 0 {
			m.must("cp -r /etc/fairlead/zones.d/keys " + filepath.Join(home, "zones.d"))
		}
		m.write(filepath.Join(home, "zones.d", "gslb.example.org.yaml"), 0o644, "dnssec: {keys: keys/}\n"+string(text))
	}
	for i := range m.homes {
		m.must(fmt.Sprintf("fairlead reload --node n%d", i+1))
	}
}

// docZone is a zone with what the pages of operations speak of.
const docZone = `zone: gslb.example.org
nameservers:
  - {name: n1.gslb.example.org, addresses: [192.0.2.9]}
  - {name: n2.gslb.example.org, addresses: [192.0.2.19]}
  - {name: n3.gslb.example.org, addresses: [192.0.2.29]}
regions:
  eu-west: {azs: [eu-west-1a, eu-west-1b]}
  us-east: {azs: [us-east-1a]}
checks:
  ready: {type: http, port: 8080, path: /readyz, interval: 500ms, timeout: 400ms, fall: 2, rise: 1}
pools:
  web-eu:
    region: eu-west
    check: ready
    endpoints:
      - {name: web-1a, addresses: [203.0.113.10], az: eu-west-1a}
      - {name: web-1b, addresses: [203.0.113.20], az: eu-west-1b}
  web-us: {region: us-east, check: ready, endpoints: [{name: web-2a, addresses: [198.51.100.10], az: us-east-1a}]}
  ledger-us: {region: us-east, check: ready, gate: manual, endpoints: [{name: ledger, addresses: [198.51.100.1], az: us-east-1a}]}
services:
  www: {tiers: [{web-eu: 70, web-us: 30}], ttl: {max: 2s, min: 1s}, failback: {hold: 0s}}
  api: {tiers: [{web-eu: 1}, {web-us: 1}], ttl: {max: 2s, min: 1s}, failback: {mode: manual, hold: 0s}}
  ledger: {tiers: [{ledger-us: 1}, {web-us: 1}, {web-eu: 1}], ttl: {max: 2s, min: 1s}, failback: {hold: 0s}}
`

// docNode is what the node files have besides; ADDRESS is the node's.
const docNode = `plans: {directory: /etc/fairlead/plans.d}
feed:
  http: "ADDRESS:8444"
  tls: {cert: /etc/fairlead/admin.crt, key: /etc/fairlead/admin.key}
`

const docPlan = `plan: eu-out
zone: gslb.example.org
practice: {day: sunday, at: "03:00", window: 1m, hold: 0s}
steps:
  - shift: {from: web-eu, to: web-us, service: www, step: 50%, every: 1s}
  - drain: {pool: web-eu}
  - verify: {bound: 3m}
`
