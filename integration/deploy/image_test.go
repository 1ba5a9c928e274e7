package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long a test waits for what should take a second or two on an idle machine.
const patience = 60 * time.Second

const imageZone = `zone: gslb.example.org
nameservers: [{name: ns1.gslb.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a]}}
pools:
  web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}]}
services:
  www: {tiers: [{web: 1}]}
`

const imageCorefile = `gslb.example.org {
    fairlead {
        zones /etc/fairlead/zones.d
        state /var/lib/fairlead
    }
    errors
}
`

// TestImageRuns: the image, unpacked and run in namespaces of its own without capabilities, answers on port 53.
func TestImageRuns(t *testing.T) {
	root, image := imageRoot(t)
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	// The way to the root is open to the user in it.
	for dir := root; strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(root, "etc/fairlead/zones.d"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "etc/fairlead/zones.d/zone.yaml"), []byte(imageZone), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(root, "etc/fairlead/Corefile"), []byte(imageCorefile), 0o644))

	ns := fmt.Sprintf("fairlead-image-%d", os.Getpid())
	tool(t, "ip", "netns", "add", ns)
	t.Cleanup(func() { tool(t, "ip", "netns", "del", ns) })
	tool(t, "ip", "-n", ns, "link", "set", "lo", "up")
	tool(t, "ip", "netns", "exec", ns, "sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=53")

	uid, gid, _ := strings.Cut(image.Config.User, ":")
	args := append([]string{
		"netns", "exec", ns, "unshare", "--mount", "--pid", "--ipc", "--fork",
		"--root=" + root, "--wd=/etc/fairlead", "--setgid=" + gid, "--setuid=" + uid,
	}, image.Config.Entrypoint...)
	var log strings.Builder
	cmd := exec.Command("ip", append(args, image.Config.Cmd...)...)
	cmd.Stdout, cmd.Stderr = &log, &log
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		// Not unshare, whose --kill-child does not outlive the change of user. The program is process 1 of its namespace.
		if child, err := strconv.Atoi(childOf(t, cmd.Process.Pid)); err == nil {
			_ = syscall.Kill(child, syscall.SIGTERM)
		}
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("no end on SIGTERM")
			_ = cmd.Process.Kill()
		}
		if t.Failed() {
			t.Log(log.String())
		}
	})
	for _, transport := range []string{"+notcp", "+tcp"} {
		await(t, "an answer by "+transport, func() bool {
			select {
			case err := <-ended:
				ended <- err
				t.Fatalf("ended early: %v", err)
			default:
			}
			out, err := exec.Command("ip", "netns", "exec", ns, "dig", "@127.0.0.1", "www.gslb.example.org", "+short", "+time=1", "+tries=1", transport).Output()
			return err == nil && strings.TrimSpace(string(out)) == "192.0.2.1"
		})
	}
	// `ip netns exec` has become unshare, whose one child is the program.
	status, err := os.ReadFile("/proc/" + childOf(t, cmd.Process.Pid) + "/status")
	require.NoError(t, err)
	require.Regexp(t, `(?m)^CapEff:\s+0+$`, string(status))
	require.Regexp(t, `(?m)^Uid:\s+65532\s+65532\s+65532\s+65532$`, string(status))
}

// childOf is the one child of the process pid; empty if pid has none.
func childOf(t *testing.T, pid int) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if fields := strings.Fields(string(b)); err == nil && len(fields) == 1 {
		return fields[0]
	}
	return ""
}

// await polls until ok or patience ends.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited %v for %s", patience, what)
}
