package integration

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

// nobody is a user that no system gives to a person.
const nobody = 65534

// prepare lays out a node without starting it.
func prepare(t testing.TB, bin, dnsAddress, text, node string) *process {
	t.Helper()
	dir := t.TempDir()
	// The directory above is its owner's alone, and other users are to read the files.
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	p := &process{bin: bin, dir: dir, socket: filepath.Join(dir, "run", "state", "admin.sock"), dns: dnsAddress}
	for _, sub := range []string{"zones", "run"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, sub), 0o755))
	}
	p.writeZone("storm.yaml", stormZone(0))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "node.yaml"), []byte(node), 0o644))
	host, _, err := net.SplitHostPort(dnsAddress)
	require.NoError(t, err)
	text = strings.ReplaceAll(text, "bind 127.0.0.1\n", "bind "+host+"\n")
	p.writeCorefile(strings.ReplaceAll(text, "state DIR/state", "state DIR/run/state\n\t\tnode DIR/node.yaml"))
	return p
}

func (p *process) conf() string { return filepath.Join(p.dir, "Corefile") }

// kernelSays is a line of /proc/PID/status.
func (p *process) kernelSays(key string) string {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	require.NoError(p.t, err)
	m := regexp.MustCompile(`(?m)^` + key + `:[ \t]*(.*?)[ \t]*$`).FindStringSubmatch(string(text))
	require.NotNil(p.t, m, "%s in %s", key, text)
	return m[1]
}

func (p *process) awaitAnswer() {
	p.t.Helper()
	await(p.t, "the first answer", func() bool {
		select {
		case <-p.exited:
			p.t.Fatalf("ended early:\n%s", p.output())
		default:
		}
		m, _, err := ask("udp", p.dns, stormName, dns.TypeA)
		return err == nil && len(m.Answer) == 1
	})
}

// TestLeavesRoot: root starts the node, on port 53, and it goes on as somebody with one power.
func TestLeavesRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, c := range []struct{ user, groups string }{{"65534", ""}, {"nobody:65533", ""}} {
		t.Run(c.user, func(t *testing.T) {
			p := prepare(t, binary(t, true), fmt.Sprintf("127.78.%d.%d:53", os.Getpid()%250, demos.Add(1)), corefile, "user: "+strconv.Quote(c.user)+"\n")
			// The user makes the socket and the files beside it in a directory that root makes for the user.
			start(t, p, "serve", "-conf", p.conf())
			p.awaitAnswer()
			m, _, err := ask("tcp", p.dns, stormName, dns.TypeA)
			require.NoError(t, err)
			require.Len(t, m.Answer, 1)

			group := nobody
			if _, text, found := strings.Cut(c.user, ":"); found {
				group, err = strconv.Atoi(text)
				require.NoError(t, err)
			}
			four := func(id int) string { return strings.TrimSuffix(strings.Repeat(strconv.Itoa(id)+"\t", 4), "\t") }
			require.Equal(t, four(nobody), p.kernelSays("Uid"))
			require.Equal(t, four(group), p.kernelSays("Gid"))
			require.NotContains(t, strings.Fields(p.kernelSays("Groups")), "0")
			const bindService = "0000000000000400"
			for _, set := range []string{"CapPrm", "CapEff", "CapInh", "CapAmb", "CapBnd"} {
				require.Equal(t, bindService, p.kernelSays(set), set)
			}
			require.Equal(t, "1", p.kernelSays("NoNewPrivs"))
			info, err := os.Stat(filepath.Join(p.dir, "run", "state"))
			require.NoError(t, err)
			require.EqualValues(t, nobody, info.Sys().(*syscall.Stat_t).Uid)
			require.NotContains(t, p.output(), "Runs as root")
		})
	}
	t.Run("nobody of that name", func(t *testing.T) {
		p := prepare(t, binary(t, true), fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t)), corefile, "user: no-such-user\n")
		start(t, p, "serve", "-conf", p.conf())
		require.Contains(t, p.exits(), "no-such-user")
	})
	t.Run("nobody named", func(t *testing.T) {
		p := prepare(t, binary(t, true), fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t)), corefile, "name: n1\n")
		start(t, p, "serve", "-conf", p.conf())
		p.awaitAnswer()
		require.Contains(t, p.output(), "Runs as root")
	})
}

// TestServiceManager: what systemd's Type=notify is told, and when.
func TestServiceManager(t *testing.T) {
	bin := binary(t, true)
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	require.NoError(t, err)
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", manager.LocalAddr().String())
	told := func() []string {
		t.Helper()
		b := make([]byte, 4096)
		require.NoError(t, manager.SetReadDeadline(time.Now().Add(patience)))
		n, err := manager.Read(b)
		require.NoError(t, err)
		return strings.Split(string(b[:n]), "\n")
	}
	p := prepare(t, bin, fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t)), corefile, "name: n1\n")
	start(t, p, "serve", "-conf", p.conf())
	require.Contains(t, told(), "READY=1")
	m, _, err := ask("udp", p.dns, stormName, dns.TypeA)
	require.NoError(t, err, "ready is said once it answers")
	require.Equal(t, dns.RcodeSuccess, m.Rcode)

	for _, text := range []string{corefile, "broken {"} {
		p.writeCorefile(strings.ReplaceAll(text, "state DIR/state", "state DIR/run/state\n\t\tnode DIR/node.yaml"))
		require.NoError(t, p.cmd.Process.Signal(syscall.SIGHUP))
		reloading := told()
		require.Contains(t, reloading, "RELOADING=1")
		require.Regexp(t, `MONOTONIC_USEC=[1-9][0-9]+`, strings.Join(reloading, " "))
		require.Contains(t, told(), "READY=1", "also after a reload that failed")
	}
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.Contains(t, told(), "STOPPING=1")
}

// TestMemoryLimit: the limit of the cgroup is the collector's, less a tenth.
func TestMemoryLimit(t *testing.T) {
	const limit = 1 << 30
	group := memoryGroup(t, limit)
	p := prepare(t, binary(t, true), fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t)), corefile, "name: n1\n")
	real := p.bin
	p.bin = filepath.Join(p.dir, "in-group")
	require.NoError(t, os.WriteFile(p.bin, []byte("#!/bin/sh\necho $$ >"+group+"/cgroup.procs && exec "+real+" \"$@\"\n"), 0o755))
	start(t, p, "serve", "-conf", p.conf())
	p.awaitAnswer()
	require.Contains(t, p.output(), fmt.Sprintf("Memory limit %d MiB", limit*9/10>>20))
}

// memoryGroup makes a cgroup of this process's hierarchy with a limit of octets, of either version.
func memoryGroup(t *testing.T, octets int) string {
	t.Helper()
	name := fmt.Sprintf("fairlead-test-%d", os.Getpid())
	for parent, file := range map[string]string{"/sys/fs/cgroup/memory": "memory.limit_in_bytes", "/sys/fs/cgroup": "memory.max"} {
		dir := filepath.Join(parent, name)
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		// Runs after the process has been ended.
		t.Cleanup(func() {
			await(t, "the end of the cgroup", func() bool { return os.Remove(dir) == nil })
		})
		// The kernel makes the file, where this is a hierarchy with the controller.
		f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
		if err != nil {
			continue
		}
		_, err = f.WriteString(strconv.Itoa(octets))
		if errors.Join(err, f.Close()) == nil {
			return dir
		}
	}
	t.Skip("no cgroup can be made here")
	return ""
}

// TestDebugPlugins: what tells strangers about the process is not in the program.
func TestDebugPlugins(t *testing.T) {
	for _, name := range []string{"pprof", "chaos"} {
		out := startServe(t, true, strings.Replace(corefile, "errors", name, 1), map[string]string{"storm.yaml": stormZone(0)}).exits()
		require.Contains(t, out, "Unknown directive '"+name+"'")
	}
}
