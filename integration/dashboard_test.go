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
