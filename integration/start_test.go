package integration

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

const brokenZone = `zone: storm.example.org
nameservers: [{name: ns1.storm.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a]}}
pools:
  web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-x}], weigth: 3}
services:
  www: {tiers: [{wep: 1}], ttl: {max: 30}}
`

// exits waits for the process to end by itself and returns what it printed.
func (p *process) exits() string {
	p.t.Helper()
	await(p.t, "the end of the process", func() bool {
		select {
		case <-p.exited:
			return true
		default:
			return false
		}
	})
	require.Equal(p.t, 1, p.cmd.ProcessState.ExitCode(), p.output())
	return p.output()
}

func TestStartRefusals(t *testing.T) {
	t.Run("a broken zone file names all problems", func(t *testing.T) {
		out := startServe(t, true, corefile, map[string]string{"storm.yaml": brokenZone}).exits()
		for _, want := range []string{"storm.yaml:5:", "eu-x", "weigth", "storm.yaml:7:", "wep", "30"} {
			require.Contains(t, out, want)
		}
	})
	t.Run("a zone outside the server block", func(t *testing.T) {
		out := startServe(t, true, strings.Replace(corefile, "storm.example.org:", "other.example.org:", 1), map[string]string{"storm.yaml": stormZone(0)}).exits()
		require.Contains(t, out, "storm.example.org")
	})
	t.Run("the port is taken", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
		out := startServe(t, true, strings.Replace(corefile, "PORT", port, 1), map[string]string{"storm.yaml": stormZone(0)}).exits()
		require.Contains(t, out, "address already in use")
	})
	t.Run("two nodes on one state directory", func(t *testing.T) {
		p := startServe(t, true, corefile, map[string]string{"storm.yaml": stormZone(0)})
		await(t, "the first answer", func() bool {
			m, _, err := ask("udp", p.dns, stormName, dns.TypeA)
			return err == nil && len(m.Answer) == 1
		})
		second := &process{bin: p.bin, dir: p.dir, dns: fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t)), socket: p.socket}
		second.writeCorefile(corefile)
		start(t, second, "serve", "-conf", filepath.Join(p.dir, "Corefile"))
		require.Contains(t, second.exits(), filepath.Join(p.dir, "state"))
		m, _, err := ask("udp", p.dns, stormName, dns.TypeA)
		require.NoError(t, err)
		require.Len(t, m.Answer, 1, "the first one is not disturbed")
	})
	t.Run("a state directory that cannot be written", func(t *testing.T) {
		// A file in the way also stops root, whom permissions do not.
		file := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		out := startServe(t, true, strings.Replace(corefile, "DIR/state", file+"/state", 1), map[string]string{"storm.yaml": stormZone(0)}).exits()
		require.Contains(t, out, file)
	})
}

func TestBrokenFileChangesNothing(t *testing.T) {
	other := strings.ReplaceAll(stormZone(7), "storm.example.org", "calm.storm.example.org")
	p := startServe(t, true, corefile, map[string]string{"storm.yaml": stormZone(0), "calm.yaml": other})
	answers := func(name, want string) bool {
		m, _, err := ask("udp", p.dns, name, dns.TypeA)
		return err == nil && len(m.Answer) == 1 && m.Answer[0].(*dns.A).A.String() == want
	}
	await(t, "the first answer", func() bool { return answers(stormName, stormAddress(0)) })
	p.writeZone("storm.yaml", brokenZone)
	p.writeZone("calm.yaml", strings.ReplaceAll(stormZone(8), "storm.example.org", "calm.storm.example.org"))
	await(t, "the other zone's new version", func() bool { return answers("www.calm.storm.example.org.", stormAddress(8)) })
	await(t, "the problem in status", func() bool {
		s := p.status()
		for _, f := range s.Files {
			if strings.HasSuffix(f.Path, "storm.yaml") && f.LastGood {
				return strings.Contains(strings.Join(f.Problems, "\n"), "storm.yaml:5:")
			}
		}
		return false
	})
	require.True(t, answers(stormName, stormAddress(0)), "the last good version goes on")
	// A restart over the broken file starts from the persisted version.
	p.stop()
	again := &process{bin: p.bin, dir: p.dir, dns: p.dns, socket: p.socket}
	start(t, again, "serve", "-conf", filepath.Join(p.dir, "Corefile"))
	await(t, "the persisted version", func() bool { return answers(stormName, stormAddress(0)) })
	again.writeZone("storm.yaml", stormZone(3))
	await(t, "the mended version", func() bool { return answers(stormName, stormAddress(3)) })
}

// TestStartsBesideBrokenFiles: a broken file, and a second one for a zone, stop nothing else at a start, also with an empty state
// directory.
func TestStartsBesideBrokenFiles(t *testing.T) {
	calm := strings.ReplaceAll(stormZone(7), "storm.example.org", "calm.storm.example.org")
	p := startServe(t, true, corefile, map[string]string{"calm.yaml": calm, "storm.yaml": brokenZone})
	answers := func(name, want string) func() bool {
		return func() bool {
			m, _, err := ask("udp", p.dns, name, dns.TypeA)
			return err == nil && len(m.Answer) == 1 && m.Answer[0].(*dns.A).A.String() == want
		}
	}
	await(t, "the good zone", answers("www.calm.storm.example.org.", stormAddress(7)))
	require.Contains(t, p.output(), "weigth")
	out, code := run(t, p.bin, "status", "--server", "unix:"+p.socket)
	require.Equal(t, 3, code, out)
	require.Contains(t, out, "storm.yaml: nothing of it is served")

	// Its name comes first, but the other one served before.
	p.writeZone("a.yaml", strings.ReplaceAll(stormZone(8), "storm.example.org", "calm.storm.example.org"))
	p.stop()
	start(t, p, "serve", "-conf", filepath.Join(p.dir, "Corefile"))
	await(t, "the good zone after a restart", answers("www.calm.storm.example.org.", stormAddress(7)))
	out, _ = run(t, p.bin, "status", "--server", "unix:"+p.socket)
	require.Regexp(t, `a.yaml:\d+:\d+: error: zone: the zone calm.storm.example.org. runs from \S*calm.yaml`, out)
}

// TestStartWithoutZones: a node that serves nothing is not well, and says what it found in the place of zone files.
func TestStartWithoutZones(t *testing.T) {
	for _, tt := range []struct {
		name, file, want string
	}{
		{"other names alone", "z.yml", `has no *.yaml, but "z.yml"`},
		{"a name that is none", "\x1b[31mz.yml", `has no *.yaml, but "\x1b[31mz.yml"`},
		{"an empty directory", "", "is empty"},
		{"no directory", "-", "no such file or directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			p := &process{bin: binary(t, false), dir: dir, socket: filepath.Join(dir, "state", "admin.sock"), dns: fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t))}
			zones := filepath.Join(p.dir, "zones")
			require.NoError(t, os.MkdirAll(zones, 0o755))
			require.NoError(t, os.MkdirAll(filepath.Join(dir, "state"), 0o755))
			p.writeCorefile(corefile)
			switch tt.file {
			case "":
			case "-":
				require.NoError(t, os.Remove(zones))
			default:
				p.writeZone(tt.file, stormZone(0))
			}
			start(t, p, "serve", "-conf", filepath.Join(p.dir, "Corefile"))
			var out string
			await(t, "the admin socket", func() bool {
				var code int
				out, code = run(t, p.bin, "status", "--server", "unix:"+p.socket)
				return code == 3
			})
			require.Contains(t, out, "no zone is served")
			require.Contains(t, out, tt.want)
			require.NotContains(t, p.output(), "\x1b")
			require.Contains(t, p.output(), "no zone is served, every query is refused")
			// It comes.
			require.NoError(t, os.MkdirAll(zones, 0o755))
			p.writeZone("storm.yaml", stormZone(0))
			await(t, "the first answer", func() bool {
				m, _, err := ask("udp", p.dns, stormName, dns.TypeA)
				return err == nil && len(m.Answer) == 1
			})
			require.True(t, p.status().Ready)
		})
	}
}

// TestSecondProcess: a process that is to serve an address which another one serves is refused, and the first goes on alone. The kernel
// would let both listen, and give each a part of the queries.
func TestSecondProcess(t *testing.T) {
	zone := "zone: storm.example.org\nnameservers: [{name: ns1.storm.example.org, addresses: [192.0.2.53]}]\nregions: {eu: {azs: [a]}}\n" +
		"pools: {web: {region: eu, endpoints: [{name: e, az: a, addresses: [192.0.2.1]}]}}\nservices: {www: {tiers: [{web: 1}]}}\n"
	p := startServe(t, true, corefile, map[string]string{"a.yaml": zone})
	await(t, "the first process", func() bool { _, _, err := ask("udp", p.dns, "www.storm.example.org.", dns.TypeA); return err == nil })
	dir := t.TempDir()
	second := &process{bin: p.bin, dir: dir, socket: filepath.Join(dir, "state", "admin.sock"), dns: p.dns}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "zones"), 0o755))
	second.writeZone("a.yaml", zone)
	second.writeCorefile(corefile)
	out := start(t, second, "serve", "-conf", filepath.Join(dir, "Corefile")).exits()
	require.Contains(t, out, "udp "+p.dns+": address already in use: another process serves it")
	require.Contains(t, out, "tcp "+p.dns+": address already in use: another process serves it")
	m, _, err := ask("tcp", p.dns, "www.storm.example.org.", dns.TypeA)
	require.NoError(t, err)
	require.Equal(t, "192.0.2.1", address(t, m))
}
