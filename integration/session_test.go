package integration

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A terminal is a real one, of tmux, on which a person asks one node.
type terminal struct {
	t             *testing.T
	columns, rows int
	// socket is tmux's own, server the node's admin socket.
	bin, socket, server string
	asked               int
}

func openTerminal(t *testing.T, p *process, columns, rows int) *terminal {
	t.Helper()
	x := &terminal{t: t, columns: columns, rows: rows, bin: p.bin, server: "unix:" + p.socket, socket: filepath.Join(t.TempDir(), "tmux")}
	// Without a session tmux ends.
	out, err := x.tmux("new-session", "-d", "-s", "first", "exec sleep 3600").CombinedOutput()
	require.NoError(t, err, string(out))
	t.Cleanup(func() { _ = x.tmux("kill-server").Run() })
	return x
}

func (x *terminal) tmux(args ...string) *exec.Cmd {
	cmd := exec.Command("tmux", append([]string{"-f", os.DevNull, "-S", x.socket}, args...)...)
	cmd.Env = append(os.Environ(), "SHELL=/bin/sh", "TERM=xterm", "LC_ALL=C.UTF-8", "FAIRLEAD_CONTEXTS="+filepath.Join(filepath.Dir(x.socket), "contexts"))
	return cmd
}

// begin runs a command on a new terminal, which then shows "[exit CODE]".
func (x *terminal) begin(args []string) (session string) {
	x.t.Helper()
	x.asked++
	session = fmt.Sprint("s", x.asked)
	var words []string
	for _, a := range append([]string{"env", "FAIRLEAD_SERVER=" + x.server, x.bin}, args...) {
		words = append(words, "'"+a+"'")
	}
	line := strings.Join(words, " ") + "; echo \"[exit $?]\"; exec sleep 600"
	out, err := x.tmux("-u", "new-session", "-d", "-s", session, "-x", fmt.Sprint(x.columns), "-y", fmt.Sprint(x.rows), line).CombinedOutput()
	require.NoError(x.t, err, string(out))
	return session
}

// screen is what a session has shown, from its first line on with "-S -", or what stands on the screen now.
func (x *terminal) screen(session string, flags ...string) []string {
	out, err := x.tmux(append([]string{"capture-pane", "-p", "-t", session}, flags...)...).Output()
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimRight(string(out), "\n "), "\n")
}

var exitLine = regexp.MustCompile(`^\[exit (\d+)\]$`)

// ask gives a command and returns what it printed, as a person sees it; no line of it runs over the edge.
func (x *terminal) ask(code int, args ...string) []string {
	x.t.Helper()
	session := x.begin(args)
	var lines []string
	await(x.t, "the end of "+strings.Join(args, " "), func() bool {
		lines = x.screen(session, "-S", "-")
		return len(lines) > 0 && exitLine.MatchString(lines[len(lines)-1])
	})
	// The demo prints commands to paste, with paths as long as they are.
	require.True(x.t, args[0] == "demo" || len(x.screen(session, "-S", "-", "-J")) == len(lines), "a line of %v is longer than the terminal:\n%s", args, strings.Join(lines, "\n"))
	require.Equal(x.t, fmt.Sprint(code), exitLine.FindStringSubmatch(lines[len(lines)-1])[1], strings.Join(lines, "\n"))
	_ = x.tmux("kill-session", "-t", session).Run()
	return lines[:len(lines)-1]
}

// first wants patterns in the first three lines of what a command prints, and logs those.
func (x *terminal) first(code int, args []string, patterns ...string) {
	x.t.Helper()
	lines := x.ask(code, args...)
	top := lines[:min(3, len(lines))]
	x.t.Logf("%dx%d $ fairlead %s\n%s", x.columns, x.rows, strings.Join(args, " "), strings.Join(top, "\n"))
	// A word at the end of a line goes on in the next one.
	text := strings.Join(strings.Fields(strings.Join(top, " ")), " ")
	for _, p := range patterns {
		require.Regexp(x.t, p, text, "the first three lines of %v, of\n%s", args, strings.Join(lines, "\n"))
	}
}

// watched wants the headline on top of `status --watch`, on a screen that is no longer than the terminal.
func (x *terminal) watched(headline string) {
	x.t.Helper()
	session := x.begin([]string{"status", "--watch"})
	var lines []string
	await(x.t, "a drawing", func() bool {
		lines = x.screen(session)
		return len(lines) > 3 && strings.HasPrefix(lines[0], headline)
	})
	require.LessOrEqual(x.t, len(lines), x.rows)
	_ = x.tmux("kill-session", "-t", session).Run()
}

// terminals runs f for both sizes of terminal.
func terminals(t *testing.T, f func(t *testing.T, columns, rows int)) {
	suite.Long(t)
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("no tmux")
	}
	for _, size := range []struct{ columns, rows int }{{80, 24}, {120, 40}} {
		t.Run(fmt.Sprintf("%dx%d", size.columns, size.rows), func(t *testing.T) { f(t, size.columns, size.rows) })
	}
}

// stateOf is the state of an endpoint of the demo.
func stateOf(p *process, endpoint string) string {
	s := p.status()
	if s == nil {
		return ""
	}
	for _, z := range s.Zones {
		for _, pool := range z.Pools {
			for _, e := range pool.Endpoints {
				if e.Name == endpoint {
					return e.State
				}
			}
		}
	}
	return ""
}

// TestSessions are an operator's nights with the demo: each of the nine questions is answered by the first three lines of one command.
func TestSessions(t *testing.T) {
	terminals(t, func(t *testing.T, columns, rows int) {
		p := startDemo(t)
		x := openTerminal(t, p, columns, rows)
		await(t, "a calm demo", func() bool { s := p.status(); return s != nil && !s.Degraded })
		x.first(0, []string{"status"}, `^● all is well: 4 endpoints, 2 services`)

		// An AZ hangs: what is down, who says so, what do clients get, how long do caches lie.
		x.ask(0, "demo", "break", "az", "eu-b", "--hang")
		await(t, "the endpoint down", func() bool { return stateOf(p, "web-eu-b") == "down" })
		x.first(3, []string{"status"}, `^■ web-eu/web-eu-b down \(.*timeout after 500ms`)
		x.first(0, []string{"describe", "endpoint", "web-eu-b"}, `■ down since .* why n1.*: timeout after 500ms`)
		x.first(0, []string{"describe", "az", "eu-b"}, `trouble web-eu/web-eu-b down since`)
		x.first(0, []string{"explain", "www"}, `clients get 127\.10\.1\.1 70%, 127\.20\.1\.1 15%, 127\.20\.2\.1 15%`)
		await(t, "a word of every node", func() bool {
			s := p.status()
			return s != nil && s.Caches != nil && s.Caches.SafeAt != nil
		})
		x.first(0, []string{"staleness"}, `honest cache(s may hold| holds) what is not answered any more`)
		x.watched("■ web-eu/web-eu-b down")

		// What if I drain the other AZ of the region?
		x.first(0, []string{"what-if", "--drain", "az=eu-a"}, `^▲ api\.demo\.fairlead\.test falls from tier 1 to tier 2`)
		x.first(0, []string{"drain", "az", "eu-a", "--reason", "a look", "--dry-run"}, `^down already: web-eu/web-eu-b down`)
		x.ask(0, "demo", "heal", "az", "eu-b")
		p.awaitHealthy()

		// A node is cut off: is one lost?
		x.ask(0, "demo", "cut", "node", "n3")
		await(t, "n3 not heard", func() bool {
			s := p.status()
			return s != nil && s.Cluster != nil && s.Cluster.Heard == 2
		})
		x.first(0, []string{"nodes"}, `hears 2 of 3`, `■ stale n3`)
		x.first(3, []string{"status"}, `node n3 not heard since`)
		x.first(0, []string{"describe", "node", "n3"}, `■ stale`, `may still answer`, `heard .* by n1`)
		x.ask(0, "demo", "heal", "node", "n3")
		await(t, "n3 heard", func() bool { s := p.status(); return s != nil && s.Cluster.Heard == 3 })

		// The wrong AZ is drained: who did that, and how is it undone?
		x.ask(0, "drain", "az", "us-a", "--reason", "the wrong one", "--for", "10m", "--yes", "--as", "ada")
		x.first(0, []string{"describe", "az", "us-a"}, `drained by ada since .* until .*: the wrong one; .fairlead undrain n1-\d+-\d+. ends it`)
		x.first(0, []string{"intents"}, `undrain n1-`, `drain az us-a`)
		x.first(0, []string{"undrain", "az", "us-a", "--reason", "wrong AZ"}, `drain az us-a has ended`, `back (now|at)`)
		p.awaitHealthy()

		// A planned drain until it is safe to power off.
		x.first(3, []string{"safe", "az", "eu-a"}, `^■ no: .* is not drained`)
		x.ask(0, "drain", "az", "eu-a", "--reason", "power work", "--for", "10m", "--at", "+20s", "--yes")
		x.first(3, []string{"safe", "az", "eu-a"}, `^■ no`)
		x.ask(0, "safe", "az", "eu-a", "--wait", "--timeout", "2m")
		x.first(0, []string{"safe", "az", "eu-a"}, `^● yes: no honest cache (holds it|has held it since)`)
	})
}

// TestSessionRestart is the night in which a node is started anew.
func TestSessionRestart(t *testing.T) {
	suite.Long(t)
	if inNamespaces(t) {
		return
	}
	c := newCluster(t, 3)
	terminals(t, func(t *testing.T, columns, rows int) {
		x, n3 := openTerminal(t, c.nodes[0].process, columns, rows), c.nodes[2]
		await(t, "a calm cluster", func() bool { s := c.nodes[0].status(); return s != nil && !s.Degraded })
		x.first(0, []string{"status"}, `^● all is well`)
		n3.kill()
		await(t, "n3 not heard", func() bool {
			n, _ := c.nodes[0].view()
			return n != nil && n.Heard == 2
		})
		x.first(0, []string{"nodes"}, `■ stale n3`)
		x.ask(0, "nodes", "stopped", "n3", "--reason", "started anew", "--yes")
		await(t, "n3 stopped", func() bool {
			n, _ := c.nodes[0].view()
			return n != nil && slices.ContainsFunc(n.Nodes, func(n api.Node) bool { return n.State == api.NodeStopped })
		})
		x.first(0, []string{"nodes"}, `⏸ stopped n3`)
		n3.start()
		c.awaitCalm()
		// The word that it is stopped ends once it was heard for longer than what was under way when that was said.
		await(t, "no word that n3 is stopped", func() bool {
			var list api.Intents
			return c.nodes[0].call(http.MethodGet, api.IntentsPath, nil, &list) == http.StatusOK && len(list.Intents) == 0
		})
		x.first(0, []string{"nodes"}, `hears 3 of 3`)
		await(t, "a calm cluster again", func() bool { s := c.nodes[0].status(); return s != nil && !s.Degraded })
		x.first(0, []string{"status"}, `^● all is well`)
	})
}
