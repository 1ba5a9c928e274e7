package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// TestReloadAndRollback: what operators type about zone files, against the real binary, with a kill in between.
func TestReloadAndRollback(t *testing.T) {
	waits(t)
	p := startServe(t, true, corefile, map[string]string{"storm.yaml": orderZone})
	p.awaitHealthy()
	p.firstStart()
	say := func(want int, args ...string) string {
		t.Helper()
		out, code := run(t, p.bin, append(args, "--server", "unix:"+p.socket)...)
		require.Equal(t, want, code, out)
		return out
	}
	answer := func() string {
		t.Helper()
		m, _, err := ask("udp", p.dns, "new.storm.example.org.", dns.TypeA)
		require.NoError(t, err)
		return dns.RcodeToString[m.Rcode]
	}
	require.Contains(t, say(0, "reload"), "storm.yaml: unchanged")
	require.Contains(t, say(5, "config", "rollback", "storm.yaml"), "no earlier version has been in force")
	require.Contains(t, say(1, "config", "rollback", "mars.yaml"), "no such zone file: mars.yaml")

	p.writeZone("storm.yaml", orderZone+"  new: {tiers: [{web: 1}]}\n")
	require.Contains(t, say(0, "reload"), "storm.yaml: taken up")
	require.Equal(t, "NOERROR", answer(), "in force when the reply comes")
	p.writeZone("storm.yaml", orderZone+"  new: {tiers: [{wob: 1}]}\n")
	out := say(3, "reload")
	require.Contains(t, out, "storm.yaml: broken, the last good version")
	require.Contains(t, out, "wob")
	p.writeZone("storm.yaml", orderZone+"  new: {tiers: [{web: 1}]}\n")
	say(0, "reload")

	out = say(0, "config", "rollback", "storm.yaml", "--reason", "INC-7")
	require.Regexp(t, `rolled back .*storm.yaml.*: INC-7`, out)
	require.Regexp(t, `(?s)2 records left the answers of this node.*new\.storm\.example\.org +192\.\S+ +\d\d:\d\d:\d\dZ +the service was removed`, out)
	require.Regexp(t, `new\.storm\.example\.org 192\.0\.2\.1 and 1 more leave the answers and caches hold what this node gave until \d\d:`, say(0, "events", "--type", "config.taken_up"))
	require.Equal(t, "NXDOMAIN", answer())
	require.Contains(t, say(0, "reload"), "storm.yaml: rolled back")

	require.NoError(t, p.cmd.Process.Signal(syscall.SIGKILL))
	<-p.exited
	again := &process{bin: p.bin, dir: p.dir, socket: p.socket, dns: p.dns}
	start(t, again, "serve", "-conf", filepath.Join(p.dir, "Corefile"))
	again.awaitHealthy()
	require.Equal(t, "NXDOMAIN", answer(), "over a kill")
	require.Contains(t, say(3, "status"), "INC-7")
	require.Contains(t, say(5, "config", "rollback", "storm.yaml"), "rolled back already")
	say(0, "config", "forward", "storm.yaml")
	require.Equal(t, "NOERROR", answer())
	require.Contains(t, say(0, "config"), "in use")

	// A version that drops too much needs a word more.
	big := orderZone
	for i := range 12 {
		big += fmt.Sprintf("  more%d: {tiers: [{web: 1}]}\n", i)
	}
	p.writeZone("storm.yaml", big)
	require.Contains(t, say(0, "reload"), "storm.yaml: taken up")
	p.writeZone("storm.yaml", orderZone)
	require.Regexp(t, `node \S+ refuses this version: it drops 12 of \d+ names, more than 30 % and at least 10`, say(1, "check", "--running", filepath.Join(p.dir, "zones")))
	require.Regexp(t, `refused: it drops 12 of \d+ names`, say(1, "diff", filepath.Join(p.dir, "zones")))
	require.Contains(t, say(3, "reload"), "and so does `fairlead reload --force`")
	require.Contains(t, say(3, "status"), "this version drops 12 of")
	require.Contains(t, say(0, "reload", "--force", "--reason", "CHG-9"), "storm.yaml: taken up")
	out, code := run(t, p.bin, "audit", filepath.Join(p.dir, "state"))
	require.Zero(t, code, out)
	require.Regexp(t, `rollback +storm.yaml +ok +INC-7`, out)
	require.Regexp(t, `reload +zone files, by force +ok +CHG-9`, out)
	require.NoError(t, os.Remove(filepath.Join(p.dir, "zones", "storm.yaml")))
	require.Contains(t, say(3, "reload"), "the file is gone")
}
