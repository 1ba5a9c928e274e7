package fairlead

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coredns/caddy"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestReloads is docs/design.md section 2: after any number of reloads that succeed and fail at every stage, one runtime is
// there, nothing has leaked, and verdicts and counters have gone on.
func TestReloads(t *testing.T) {
	s := newSite(t)
	before, filesBefore := usage(t)
	require.NoError(t, s.start(s.corefile("", "")))
	require.Equal(t, "192.0.2.1", s.www())
	eventually(t, "a verdict", func() bool { return total(t, "fairlead_snapshot_generation") > 1 })
	n := process.node
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()

	require.NoError(t, os.Mkdir(filepath.Join(s.dir, "broken"), 0o755))
	text, err := os.ReadFile(s.path("a.yaml"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "broken", "b.yaml"), append(text, "more: 1\n"...), 0o644))
	good := s.corefile("", "")
	change := func(from, to string) caddy.Input {
		c := good.(caddy.CaddyfileInput)
		c.Contents = []byte(strings.ReplaceAll(string(c.Contents), from, to))
		return c
	}
	broken := map[int]struct {
		corefile caddy.Input
		err      string
	}{
		2:  {change("fairlead {", "fairlead {\nbogus"), `unknown option "bogus"`},
		5:  {change("/zones", "/broken"), `unknown key "more"`},
		8:  {change("/state", "/elsewhere"), "cannot become"},
		11: {s.corefile("", onPort(taken)), "address already in use"},
		14: {s.corefile("bogus", ""), "Unknown directive"},
		17: {s.corefile("rewrite ttl example.org 1-2", ""), "breaks the bound"},
	}
	require.NoError(t, s.restart(good))
	goroutines, files := settled(t)
	for i := range 20 {
		if b, ok := broken[i]; ok {
			require.ErrorContains(t, s.restart(b.corefile), b.err, "restart %d", i)
		} else {
			require.NoError(t, s.restart(good), "restart %d", i)
		}
		require.Equal(t, "192.0.2.1", s.www(), "restart %d", i)
		require.Same(t, n, process.node, "the node outlives reloads")
		require.Nil(t, process.pending)
	}
	require.NotZero(t, total(t, "fairlead_replies_total"))
	eventually(t, "goroutines and files as at the start", func() bool {
		g, f := usage(t)
		return g <= goroutines && f <= files
	})

	s.stop()
	require.NoError(t, taken.Close())
	require.Nil(t, process.node)
	eventually(t, "nothing left", func() bool { g, f := usage(t); return g <= before && f <= filesBefore })
	require.NoFileExists(t, filepath.Join(s.dir, "state", "admin.sock"))
}

// onPort is a server block for a port that somebody else has.
func onPort(l net.Listener) string {
	return fmt.Sprintf("example.net:%d {\nbind 127.0.0.1\nwhoami\n}", l.Addr().(*net.TCPAddr).Port)
}

// TestFirstStartFails: CoreDNS tells nobody when the port is taken after OnStartup.
func TestFirstStartFails(t *testing.T) {
	s := newSite(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	_, err = caddy.Start(s.corefile("", onPort(taken)))
	require.ErrorContains(t, err, "address already in use")
	require.NotNil(t, process.pending)
	// Without Abandon: the next start takes over.
	require.NoError(t, s.start(s.corefile("", "")))
	require.Equal(t, "192.0.2.1", s.www())
}

// TestStopsAndStartsAgain: metrics and locks are free again.
func TestStopsAndStartsAgain(t *testing.T) {
	s := newSite(t)
	for range 3 {
		require.NoError(t, s.start(s.corefile("", "")))
		require.Equal(t, "192.0.2.1", s.www())
		s.stop()
	}
}

func TestStartErrors(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(*testing.T, *site) caddy.Input
		want    []string
	}{
		{"broken zone file: all problems", func(_ *testing.T, s *site) caddy.Input {
			s.zone("a.yaml", 0)
			return s.corefile("", "")
		}, []string{`unknown key "more"`, "wob"}},
		{"zone outside the server block", func(t *testing.T, s *site) caddy.Input {
			c := s.corefile("", "").(caddy.CaddyfileInput)
			c.Contents = []byte(strings.Replace(string(c.Contents), "example.org:", "example.net:", 1))
			return c
		}, []string{"the zone example.org. is not at or below example.net."}},
		{"state taken", func(t *testing.T, s *site) caddy.Input {
			require.NoError(t, os.Mkdir(filepath.Join(s.dir, "state"), 0o700))
			f, err := os.Create(filepath.Join(s.dir, "state", "lock"))
			require.NoError(t, err)
			t.Cleanup(func() { f.Close() })
			_, err = f.WriteString("1\n")
			require.NoError(t, errors.Join(err, unix.Flock(int(f.Fd()), unix.LOCK_EX)))
			return s.corefile("", "")
		}, []string{"another fairlead serves this state (process "}},
		{"state is a file", func(t *testing.T, s *site) caddy.Input {
			require.NoError(t, os.WriteFile(filepath.Join(s.dir, "state"), nil, 0o600))
			return s.corefile("", "")
		}, []string{"state", "not a directory"}},
		{"admin socket answers", func(t *testing.T, s *site) caddy.Input {
			require.NoError(t, os.Mkdir(filepath.Join(s.dir, "state"), 0o700))
			l, err := net.Listen("unix", filepath.Join(s.dir, "state", "admin.sock"))
			require.NoError(t, err)
			t.Cleanup(func() { l.Close() })
			return s.corefile("", "")
		}, []string{"another fairlead serves this state"}},
		{"no such node file", func(_ *testing.T, s *site) caddy.Input {
			c := s.corefile("", "").(caddy.CaddyfileInput)
			c.Contents = []byte(strings.Replace(string(c.Contents), "fairlead {", "fairlead {\nnode "+s.dir+"/node.yaml", 1))
			return c
		}, []string{"node file", "no such file"}},
		{"two states", func(_ *testing.T, s *site) caddy.Input {
			return s.corefile("", "example.net:5 {\nfairlead {\nzones z\nstate elsewhere\n}\n}")
		}, []string{"in another block: one process has one state"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			err := s.start(tt.prepare(t, s))
			require.Error(t, err)
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
			require.Nil(t, process.node, "nothing is left")
		})
	}
}

// TestStaleSocket: what a killed process left does not hinder the next one.
func TestStaleSocket(t *testing.T) {
	s := newSite(t)
	require.NoError(t, os.Mkdir(filepath.Join(s.dir, "state"), 0o700))
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(s.dir, "state", "admin.sock"), Net: "unix"})
	require.NoError(t, err)
	l.SetUnlinkOnClose(false)
	require.NoError(t, l.Close())
	require.NoError(t, s.start(s.corefile("", "")))
	info, err := os.Stat(filepath.Join(s.dir, "state", "admin.sock"))
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
}

// TestLastGoodAtStart: a broken file with a good version behind it is no reason not to serve.
func TestLastGoodAtStart(t *testing.T) {
	s := newSite(t)
	require.NoError(t, s.start(s.corefile("", "")))
	s.stop()
	s.zone("a.yaml", 0)
	require.NoError(t, s.start(s.corefile("", "")))
	require.Equal(t, "192.0.2.1", s.www())
	require.EqualValues(t, 1, total(t, "fairlead_config_file_broken"))
	require.Positive(t, total(t, "fairlead_config_problems"))
}

// TestZoneFileChange goes the whole way: the file on disk, the poll, the model, the snapshot, the answer.
func TestZoneFileChange(t *testing.T) {
	s := newSite(t)
	require.NoError(t, s.start(s.corefile("", "")))
	s.zone("a.yaml", 77)
	eventually(t, "the new address", func() bool { return s.www() == "192.0.2.77" })
	require.NoError(t, s.restart(s.corefile("", "")))
	require.Equal(t, "192.0.2.77", s.www())
}

// TestOtherDirectoryAfterReload: a Corefile may name other directories and more blocks.
func TestOtherDirectoryAfterReload(t *testing.T) {
	s := newSite(t)
	require.NoError(t, s.start(s.corefile("", "")))
	s.zone("../more/a.yaml", 88)
	c := s.corefile("", "").(caddy.CaddyfileInput)
	c.Contents = []byte(strings.Replace(string(c.Contents), "/zones", "/more", 1))
	require.NoError(t, s.restart(c))
	eventually(t, "the other directory", func() bool { return s.www() == "192.0.2.88" })
}

// TestTwoDirectories: each block answers from its own, however the Corefile writes the path.
func TestTwoDirectories(t *testing.T) {
	s := newSite(t)
	s.zoneOf("../more/n.yaml", "example.net", 9)
	more := func(dir string) string {
		return fmt.Sprintf("example.net:%d {\nbind 127.0.0.1\nfairlead {\nzones %s\nstate %s/state\n}\n}", s.port, dir, s.dir)
	}
	require.NoError(t, s.start(s.corefile("", more(s.dir+"/more"))))
	require.NoError(t, s.restart(s.corefile("", more(s.dir+"/zones/../more/"))))
	require.Equal(t, "192.0.2.1", s.www())
	m, _, err := new(dns.Client).Exchange(new(dns.Msg).SetQuestion("www.example.net.", dns.TypeA), fmt.Sprintf("127.0.0.1:%d", s.port))
	require.NoError(t, err)
	require.Equal(t, []string{"www.example.net. 30 IN A 192.0.2.9"}, text(m.Answer))
}
