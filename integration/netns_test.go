package integration

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// namespaceEnv marks the process that runs tests inside its own namespaces.
const namespaceEnv = "FAIRLEAD_IN_NAMESPACE"

// inNamespaces runs the test of that name again in a process with network, mount and process namespaces of its own, as root in
// there. All that it makes, interfaces, rules and processes, goes with it. It returns false in that process: go on.
func inNamespaces(t *testing.T) (done bool) {
	t.Helper()
	if os.Getenv(namespaceEnv) != "" {
		return false
	}
	// Built here, where the caches are.
	bin := binary(t, false)
	for _, tool := range []string{"ip", "nft", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s on this system", tool)
		}
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v", "-test.timeout", "60m")
	cmd.Env = append(os.Environ(), namespaceEnv+"="+bin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Skipf("this system lets us have no namespaces: %v", err)
	}
	t.Logf("%s", out)
	require.NoError(t, err)
	return true
}

// sh runs a command of the system.
func sh(t testing.TB, input string, args ...string) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%v: %s", args, out)
}

const (
	netBridge = "br0"
	netHost   = "10.77.0.254"
)

func netNode(i int) string     { return fmt.Sprintf("10.77.0.%d", i+1) }
func netEndpoint(i int) string { return fmt.Sprintf("10.77.1.%d", i+1) }

// A wire is a network of namespaces, one for each node, behind a bridge in this process's, which has the endpoints' addresses.
type wire struct {
	t     testing.TB
	nodes int
	// loss is in percent, drops are the pairs of nodes over which nothing comes from the first to the second.
	loss  int
	drops map[[2]int]bool
	// unreached are the endpoints that a node's probes do not reach, by node.
	unreached map[int][]int
}

func newWire(t testing.TB, nodes, endpoints int) *wire {
	t.Helper()
	w := &wire{t: t, nodes: nodes, drops: make(map[[2]int]bool)}
	sh(t, "", "mount", "--make-rprivate", "/")
	sh(t, "", "mount", "-t", "tmpfs", "tmpfs", "/run")
	sh(t, "", "ip", "link", "set", "lo", "up")
	sh(t, "", "ip", "link", "add", netBridge, "type", "bridge")
	sh(t, "", "ip", "addr", "add", netHost+"/16", "dev", netBridge)
	sh(t, "", "ip", "link", "set", netBridge, "up")
	for i := range endpoints {
		sh(t, "", "ip", "addr", "add", netEndpoint(i)+"/32", "dev", netBridge)
	}
	for i := range nodes {
		ns, veth := fmt.Sprintf("n%d", i+1), fmt.Sprintf("v%d", i+1)
		sh(t, "", "ip", "netns", "add", ns)
		sh(t, "", "ip", "link", "add", veth, "type", "veth", "peer", "name", "eth0", "netns", ns)
		sh(t, "", "ip", "link", "set", veth, "master", netBridge, "up")
		for _, args := range [][]string{{"link", "set", "lo", "up"}, {"addr", "add", netNode(i) + "/16", "dev", "eth0"}, {"link", "set", "eth0", "up"}} {
			sh(t, "", append([]string{"ip", "-n", ns}, args...)...)
		}
	}
	return w
}

// enter is the command line before one that is to run in the namespace of a node.
func enter(i int) []string { return []string{"nsenter", fmt.Sprintf("--net=/run/netns/n%d", i+1)} }

// apply makes the rules of each node's namespace: what comes in from other nodes is dropped there, so that each direction is cut
// or lossy by itself.
func (w *wire) apply() {
	w.t.Helper()
	for to := range w.nodes {
		var b bytes.Buffer
		b.WriteString("flush ruleset\ntable inet wire { chain in { type filter hook input priority 0;\n")
		for from := range w.nodes {
			switch {
			case from == to:
			case w.drops[[2]int{from, to}]:
				fmt.Fprintf(&b, "ip saddr %s drop\n", netNode(from))
			case w.loss > 0:
				fmt.Fprintf(&b, "ip saddr %s numgen random mod 100 < %d drop\n", netNode(from), w.loss)
			}
		}
		b.WriteString("}\nchain out { type filter hook output priority 0;\n")
		for _, e := range w.unreached[to] {
			fmt.Fprintf(&b, "ip daddr %s drop\n", netEndpoint(e))
		}
		b.WriteString("}\n}\n")
		sh(w.t, b.String(), append(enter(to), "nft", "-f", "-")...)
	}
}

// cut drops all from one node to another, and not the way back.
func (w *wire) cut(from, to int) { w.drops[[2]int{from, to}] = true }

// partition lets nodes talk within their group only.
func (w *wire) partition(group func(node int) int) {
	for a := range w.nodes {
		for b := range w.nodes {
			if group(a) != group(b) {
				w.cut(a, b)
			}
		}
	}
	w.apply()
}

// heal mends everything.
func (w *wire) heal() {
	w.loss, w.drops, w.unreached = 0, make(map[[2]int]bool), nil
	w.apply()
}
