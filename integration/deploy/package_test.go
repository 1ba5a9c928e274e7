package deploy

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDeb installs the package on this Debian, looks, and takes it away again, unless somebody has installed one.
func TestDeb(t *testing.T) {
	deb := named(release(t), "-"+runtime.GOARCH+".deb")
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("no Debian")
	}
	// What a run of this test left behind that was killed is no fairlead of the machine's own.
	if out, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", "fairlead").Output(); err == nil && string(out) == strings.TrimPrefix(version, "v") {
		tool(t, "dpkg", "--purge", "fairlead")
	}
	for _, path := range []string{"/usr/bin/fairlead", "/etc/fairlead", "/var/lib/fairlead"} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Skipf("%s is there: this machine has a fairlead of its own", path)
		}
	}
	_, err := user.Lookup("fairlead")
	hadUser := err == nil
	t.Cleanup(func() {
		_ = exec.Command("dpkg", "--purge", "fairlead").Run()
		if !hadUser {
			_ = exec.Command("userdel", "fairlead").Run()
		}
	})
	tool(t, "dpkg", "-i", deb)
	require.Contains(t, tool(t, "fairlead", "--version"), version)
	account, err := user.Lookup("fairlead")
	require.NoError(t, err)
	require.NotEqual(t, "0", account.Uid)
	require.Empty(t, tool(t, "systemd-analyze", "verify", "--man=no", "--recursive-errors=no", "fairlead.service"))
	require.Empty(t, strings.TrimSpace(tool(t, "dpkg", "--verify", "fairlead")))
	info, err := os.Stat("/var/lib/fairlead")
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())

	// What the package brings is in order but for the zone, which is the operator's.
	zone := "/etc/fairlead/zones.d/zone.yaml"
	require.NoError(t, os.WriteFile(zone, []byte(imageZone), 0o640))
	require.Contains(t, tool(t, "fairlead", "check", "--node", "/etc/fairlead/node.yaml", "/etc/fairlead/zones.d"), "gslb.example.org")

	// Installed again, as an upgrade is, it keeps what the operator wrote; removed, it leaves configuration and state.
	const ours = "# the operator's\n"
	require.NoError(t, os.WriteFile("/etc/fairlead/Corefile", []byte(ours), 0o644))
	state := "/var/lib/fairlead/intents.json"
	require.NoError(t, os.WriteFile(state, []byte("{}"), 0o600))
	tool(t, "dpkg", "-i", "--force-confold", deb)
	kept, err := os.ReadFile("/etc/fairlead/Corefile")
	require.NoError(t, err)
	require.Equal(t, ours, string(kept))
	tool(t, "dpkg", "-r", "fairlead")
	require.NoFileExists(t, "/usr/bin/fairlead")
	require.NoFileExists(t, "/usr/lib/systemd/system/fairlead.service")
	for _, path := range []string{state, zone, "/etc/fairlead/Corefile"} {
		require.FileExists(t, path, "dpkg -r takes it away")
	}
	require.NoError(t, os.Remove(zone))
	tool(t, "dpkg", "--purge", "fairlead")
	require.NoDirExists(t, "/var/lib/fairlead")
	require.NoDirExists(t, "/etc/fairlead")
}

// TestApk: Alpine's package has an init script in the place of the unit, and makes the account before it unpacks.
func TestApk(t *testing.T) {
	path := named(release(t), "-"+runtime.GOARCH+".apk")
	out := tool(t, "tar", "--ignore-zeros", "-tzf", path)
	for _, file := range []string{".PKGINFO", ".pre-install", ".post-install", "etc/init.d/fairlead", "usr/bin/fairlead", "etc/fairlead/Corefile"} {
		require.Contains(t, strings.Split(out, "\n"), file)
	}
	require.NotContains(t, out, "systemd")
}

// TestRpm: the digests in it are right, it has the unit, and its configuration is not replaced.
func TestRpm(t *testing.T) {
	path := named(release(t), "-"+runtime.GOARCH+".rpm")
	tool(t, "rpm", "-K", "--nosignature", path)
	require.Contains(t, strings.Split(tool(t, "rpm", "-qlp", path), "\n"), "/usr/lib/systemd/system/fairlead.service")
	require.Equal(t, "/etc/fairlead/Corefile\n/etc/fairlead/node.yaml\n", tool(t, "rpm", "-qcp", path))
	require.Contains(t, tool(t, "rpm", "-qp", "--scripts", path), "systemd-sysusers")
}

// TestScripts: what packages run is sound for the shell that runs it.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("../../deploy/packages/*.sh")
	require.NoError(t, err)
	require.NotEmpty(t, scripts)
	for _, script := range append(scripts, "../../deploy/packages/fairlead.openrc") {
		tool(t, "sh", "-n", script)
	}
	tool(t, "bash", "-n", "../../deploy/release.sh")
}
