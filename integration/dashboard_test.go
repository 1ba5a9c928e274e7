package integration

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/admin/oidc/oidctest"
)

// uiDir holds the dashboard; its browser tests are in e2e, what they need of npm in node_modules (`make ui`).
const uiDir = "../plugin/admin/ui"

// browsers lets one browser run at a time: it works more than it waits.
var browsers sync.Mutex

// browse runs a browser test of the dashboard against a node; said is called with each line that it prints, env are variables beside those
// of all. Pictures go to FAIRLEAD_SHOTS, or to the test's artefacts.
func browse(t *testing.T, p *process, script string, said func(line string), env ...string) {
	t.Helper()
	shots := os.Getenv("FAIRLEAD_SHOTS")
	if shots == "" {
		shots = t.ArtifactDir()
	}
	browsers.Lock()
	defer browsers.Unlock()
	cmd := exec.Command("node", filepath.Join(uiDir, "e2e", script))
	cmd.Env = append(os.Environ(), "FAIRLEAD_BIN="+p.bin, "FAIRLEAD_SOCKET="+p.socket, "FAIRLEAD_DNS="+p.dns, "FAIRLEAD_SHOTS="+shots)
	cmd.Env = append(cmd.Env, env...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	for s := bufio.NewScanner(out); s.Scan(); {
		t.Log(s.Text())
		if said != nil {
			said(s.Text())
		}
	}
	require.NoError(t, cmd.Wait(), "%s", complaint.String())
}

// needsBrowser leaves a test out where Node or what `make ui` installs is missing: such a machine builds and runs the program all the same.
func needsBrowser(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("drives a browser")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("needs Node")
	}
	if _, err := os.Stat(filepath.Join(uiDir, "node_modules", "playwright-core")); err != nil {
		t.Skip("needs what `make ui` installs")
	}
}

// An AZ breaks and heals; grid, bar and countdown follow without a reload.
func TestDashboardOverview(t *testing.T) {
	waits(t)
	needsBrowser(t)
	browse(t, startDemo(t), "overview.mjs", nil)
}

// An AZ is drained with the wizard, to the certificate; a viewer may look, and order nothing.
func TestDashboardDrain(t *testing.T) {
	waits(t)
	needsBrowser(t)
	browse(t, startDemo(t), "drain.mjs", nil)
}

// A page that is left open goes on by itself after the node was started anew.
func TestDashboardRestart(t *testing.T) {
	waits(t)
	needsBrowser(t)
	p := startServe(t, false, corefile, map[string]string{"storm.yaml": orderZone})
	await(t, "the node", func() bool { return p.status() != nil })
	browse(t, p, "restart.mjs", func(line string) {
		switch line {
		case "stop now":
			p.stop()
		case "start now":
			start(t, &process{bin: p.bin, dir: p.dir, socket: p.socket, dns: p.dns}, "serve", "-conf", filepath.Join(p.dir, "Corefile"))
		}
	})
}

// Each page at each width in both themes; the cluster's page follows a node that is cut off.
func TestDashboardPages(t *testing.T) {
	waits(t)
	needsBrowser(t)
	browse(t, startDemo(t), "pages.mjs", nil)
}

// People log in over TCP at an OIDC issuer, in a browser, and may what their groups may.
func TestDashboardLogin(t *testing.T) {
	waits(t)
	needsBrowser(t)
	issuer := oidctest.New(t)
	issuer.Client("dashboard", "s3cret")
	issuer.Person("1", map[string]any{"email": "ada@example.org"}, "sre")
	secret := filepath.Join(t.TempDir(), "client-secret")
	require.NoError(t, os.WriteFile(secret, []byte("s3cret\n"), 0o600))
	s := startAdminWith(t, false, fmt.Sprintf(
		"  oidc:\n    issuer: %q\n    audience: fairlead\n    name: email\n    roles: {sre: operator, all: viewer}\n    login: {client: dashboard, secret_file: %q}\n", issuer.URL, secret))
	browse(t, s.process, "login.mjs", func(line string) {
		if line == "now bob" {
			issuer.Person("2", map[string]any{"email": "bob@example.org"}, "all")
		}
	}, "FAIRLEAD_URL=https://"+s.addr)
}

// practiceZone has nothing that is probed, and practicePlan a step that practice waits at for a person.
const (
	practiceZone = `zone: storm.example.org
nameservers: [{name: ns1.storm.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a]}}
pools: {web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}]}}
services: {www: {tiers: [{web: 1}], ttl: {max: 5s, min: 1s}}}
`
	practicePlan = `plan: small
says: the least that there is to practise
zone: storm.example.org
steps:
- {name: word, approve: {role: operator}, practice: true}
- {name: still, freeze: true}
`
)

// A practice run of a plan is started, approved and seen to its end; a viewer may look, and say nothing on it.
func TestDashboardPlans(t *testing.T) {
	waits(t)
	needsBrowser(t)
	dir := t.TempDir()
	p := &process{bin: binary(t, false), dir: dir, socket: filepath.Join(dir, "state", "admin.sock"), dns: fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t))}
	for _, sub := range []string{"zones", "state", "plans.d"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, sub), 0o755))
	}
	p.writeZone("storm.yaml", practiceZone)
	p.replace(filepath.Join(dir, "plans.d", "small.yaml"), practicePlan)
	p.replace(filepath.Join(dir, "node.yaml"), fmt.Sprintf("name: n1\nplans: {directory: %q}\n", filepath.Join(dir, "plans.d")))
	p.writeCorefile(strings.Replace(corefile, "zones DIR/zones", "zones DIR/zones\n\t\tnode DIR/node.yaml", 1))
	start(t, p, "serve", "-conf", filepath.Join(dir, "Corefile"))
	await(t, "the node", func() bool { s := p.status(); return s != nil && s.Ready })
	browse(t, p, "plans.mjs", nil)
}
