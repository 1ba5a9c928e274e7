package deploy

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// maxExposure is what `systemd-analyze security` may say of the unit, of 10.
const maxExposure = 2.0

// tool runs a program that must be there in `make test`.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("needs %s: `make test-deps`", name)
	}
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v:\n%s", name, args, out)
	return string(out)
}

// install copies a file below a root.
func install(t *testing.T, from, root, to string, mode fs.FileMode) {
	t.Helper()
	content, err := os.ReadFile(from)
	require.NoError(t, err)
	path := filepath.Join(root, to)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, content, mode))
}

const systemd = "../../deploy/systemd/"

// systemdRoot is the root of a system with our unit, whose programs are empty.
func systemdRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "etc"), 0o755))
	install(t, systemd+"fairlead.service", root, "usr/lib/systemd/system/fairlead.service", 0o644)
	install(t, systemd+"fairlead-lifeboat@.service", root, "usr/lib/systemd/system/fairlead-lifeboat@.service", 0o644)
	install(t, systemd+"fairlead.sysusers", root, "usr/lib/sysusers.d/fairlead.conf", 0o644)
	install(t, systemd+"fairlead.tmpfiles", root, "usr/lib/tmpfiles.d/fairlead.conf", 0o644)
	for _, program := range []string{"usr/bin/fairlead", "bin/kill"} {
		install(t, os.DevNull, root, program, 0o755)
	}
	// What every system has, and the unit names.
	for _, unit := range []string{"sysinit", "basic", "shutdown", "network-online", "nss-lookup", "multi-user"} {
		path := filepath.Join(root, "usr/lib/systemd/system", unit+".target")
		require.NoError(t, os.WriteFile(path, []byte("[Unit]\nDescription="+unit+"\n"), 0o644))
	}
	return root
}

func TestUnit(t *testing.T) {
	root := systemdRoot(t)
	verify := []string{"verify", "--man=no", "--recursive-errors=no", "--root=" + root, "fairlead.service"}
	require.Empty(t, tool(t, "systemd-analyze", verify...))
	t.Run("lifeboat", func(t *testing.T) {
		require.Empty(t, tool(t, "systemd-analyze", "verify", "--man=no", "--recursive-errors=no", "--root="+root, "fairlead-lifeboat@web.service"))
	})
	t.Run("a mistake is found", func(t *testing.T) {
		path := filepath.Join(root, "usr/lib/systemd/system/fairlead.service")
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(text), "ProtectHome=", "ProtectHomes=", 1)), 0o644))
		out, err := exec.Command("systemd-analyze", verify...).CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(out), "ProtectHomes")
	})
}

func TestUnitExposure(t *testing.T) {
	out := tool(t, "systemd-analyze", "security", "--offline=yes", "--no-pager", systemd+"fairlead.service")
	m := regexp.MustCompile(`Overall exposure level for fairlead.service: ([0-9.]+)`).FindStringSubmatch(out)
	require.NotNil(t, m, out)
	level, err := strconv.ParseFloat(m[1], 64)
	require.NoError(t, err)
	require.LessOrEqual(t, level, maxExposure, out)
	t.Logf("exposure %.1f", level)
}

// TestAccount: the user and the directories come about, and nobody else reads what stands in them.
func TestAccount(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	root := systemdRoot(t)
	tool(t, "systemd-sysusers", "--root="+root)
	passwd, err := os.ReadFile(filepath.Join(root, "etc/passwd"))
	require.NoError(t, err)
	require.Regexp(t, `(?m)^fairlead:[^:]*:[0-9]+:[0-9]+:Fairlead DNS:/var/lib/fairlead:.*nologin$`, string(passwd))
	tool(t, "systemd-tmpfiles", "--create", "--root="+root, "--prefix=/etc/fairlead", "--prefix=/var/lib/fairlead")
	for dir, mode := range map[string]fs.FileMode{"etc/fairlead": 0o750, "etc/fairlead/zones.d": 0o750, "var/lib/fairlead": 0o700} {
		info, err := os.Stat(filepath.Join(root, dir))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), dir)
	}
}
