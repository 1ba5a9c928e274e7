package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// uiDir holds the dashboard; its browser tests are in e2e, what they need of npm in node_modules (`make ui`).
const uiDir = "../plugin/admin/ui"

// browse runs a browser test of the dashboard against a node. Pictures go to FAIRLEAD_SHOTS, or to the test's artefacts.
func browse(t *testing.T, p *process, script string, env ...string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("needs Node")
	}
	if _, err := os.Stat(filepath.Join(uiDir, "node_modules", "playwright-core")); err != nil {
		t.Skip("needs what `make ui` installs")
	}
	shots := os.Getenv("FAIRLEAD_SHOTS")
	if shots == "" {
		shots = t.ArtifactDir()
	}
	cmd := exec.Command(node, filepath.Join(uiDir, "e2e", script))
	cmd.Env = append(os.Environ(), append([]string{"FAIRLEAD_BIN=" + p.bin, "FAIRLEAD_SOCKET=" + p.socket, "FAIRLEAD_SHOTS=" + shots}, env...)...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
}

func TestDashboardOverview(t *testing.T) {
	browse(t, startDemo(t), "overview.mjs")
}
