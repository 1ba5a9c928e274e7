package integration

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

// A foreigner is another system, and Fairlead with what was imported from it, over the same endpoints.
type foreigner struct {
	t      *testing.T
	dir    string
	server string
	port   int
	// up are the listeners of the endpoints that are up.
	up map[string]net.Listener
	p  *process
}

// questions is how many are asked for each name in each state of health.
const questions = 1000

// odds is how far the share of a member may be off: five times what chance does with that many throws.
const odds = 0.08

// TestImportGdnsd: gdnsd and Fairlead on the imported zone answer alike in three states of health.
func TestImportGdnsd(t *testing.T) {
	suite.Long(t)
	f := newForeigner(t, "gdnsd", map[string]string{
		"run/.keep": "", "state/.keep": "",
		"config": `options => { listen => 127.0.0.1:DNS, run_dir => DIR/run, state_dir => DIR/state }
service_types => { web => { plugin => tcp_connect, port => PORT, interval => 2, timeout => 1, up_thresh => 1, ok_thresh => 1, down_thresh => 2 } }
plugins => {
  multifo => { service_types => web, up_thresh => 0.4, three => { a => 127.8.0.11, b => 127.8.0.12, c => 127.8.0.13 } }
  weighted => { service_types => web, up_thresh => 0.2, split => { a = [ 127.8.0.21, 5 ], b = [ 127.8.0.22, 3 ], c = [ 127.8.0.23, 2 ] } }
  simplefo => { service_types => web, pair => { primary => 127.8.0.31, secondary => 127.8.0.32 } }
  metafo => { service_types => web, resources => { prod => { datacenters => [ one, two ]
    dcmap => { one => { a => 127.8.0.41, b => 127.8.0.42 }, two => [ 127.8.0.43, 127.8.0.44 ] } } } }
}
`,
		"zones/example.org": `@ SOA ns1 hostmaster 1 7200 1800 259200 60
@ NS ns1
ns1 A 127.0.0.1
mail 300 A 192.0.2.25
@ 300 MX 10 mail
three 60/10 DYNA multifo!three
split 60/10 DYNA weighted!split
pair 60/10 DYNA simplefo!pair
prod 60/10 DYNA metafo!prod
prod-two 60/10 DYNA metafo!prod/two
`}, []string{"gdnsd", "-c", "DIR", "start"}, "mail")
	f.importBy("gdnsd", f.dir)
	names := []string{"three", "split", "pair", "prod", "prod-two"}
	settled := func() bool {
		out, err := exec.Command("gdnsdctl", "-c", f.dir, "states").Output()
		if err != nil {
			return false
		}
		for _, a := range f.addresses() {
			state := map[bool]string{true: "UP", false: "DOWN"}[f.up[a] != nil]
			if !strings.Contains(string(out), fmt.Sprintf(`"%s/web": {"state": %q`, a, state)) {
				return false
			}
		}
		// It publishes what it knows up to a second later. In every state something is up behind these names, or nothing behind three.
		for _, name := range []string{"split", "pair", "prod"} {
			for range 30 {
				for a := range strings.FieldsSeq(f.answer(f.server, name)) {
					if f.up[a] == nil {
						return false
					}
				}
			}
		}
		return f.answer(f.server, "three") == f.standing("127.8.0.11", "127.8.0.12", "127.8.0.13")
	}
	for _, down := range []string{"", "127.8.0.11 127.8.0.22 127.8.0.31 127.8.0.41", "127.8.0.11 127.8.0.12 127.8.0.13 127.8.0.21 127.8.0.31 127.8.0.41 127.8.0.42"} {
		f.health(down)
		await(t, "gdnsd to know "+down, settled)
		f.compare(down, names)
	}
}

// TestImportPowerDNS: PowerDNS and Fairlead on the imported zone answer alike in three states of health.
func TestImportPowerDNS(t *testing.T) {
	suite.Long(t)
	f := newForeigner(t, "pdns_server", map[string]string{
		"pdns.conf": `launch=bind
bind-config=DIR/named.conf
local-address=127.0.0.1
local-port=DNS
socket-dir=DIR
enable-lua-records=yes
lua-health-checks-interval=1
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
daemon=no
guardian=no
`,
		"named.conf": `zone "example.org" { type native; file "DIR/example.org"; };
`,
		"example.org": `$ORIGIN example.org.
@ 60 IN SOA ns1.example.org. hostmaster.example.org. 1 7200 1800 259200 60
@ 60 IN NS ns1.example.org.
ns1 60 IN A 127.0.0.1
mail 300 IN A 192.0.2.25
port 60 IN LUA A "ifportup(PORT, {'127.8.0.11', '127.8.0.12', '127.8.0.13'})"
every 60 IN LUA A "ifportup(PORT, {'127.8.0.21', '127.8.0.22', '127.8.0.23'}, {selector='all', backupSelector='all'})"
rnd 60 IN LUA A "pickrandom({'192.0.2.1', '192.0.2.2'})"
wrnd 60 IN LUA A "pickwrandom({ {30, '192.0.2.3'}, {10, '192.0.2.4'} })"
all 60 IN LUA A "all({'192.0.2.5', '192.0.2.6'})"
view 60 IN LUA A "view({ {{'127.0.0.0/8'}, {'192.0.2.7'}}, {{'0.0.0.0/0'}, {'192.0.2.8'}} })"
`}, []string{"pdns_server", "--config-dir=DIR"}, "mail")
	f.importBy("pdns-lua", filepath.Join(f.dir, "example.org"))
	names := []string{"port", "every", "rnd", "wrnd", "all", "view"}
	for _, down := range []string{"", "127.8.0.11 127.8.0.22", "127.8.0.11 127.8.0.12 127.8.0.13 127.8.0.21 127.8.0.22 127.8.0.23"} {
		f.health(down)
		// There is no way to ask it for states: what it answers to the name that answers all of them shows them.
		await(t, "PowerDNS to know "+down, func() bool {
			for range 20 {
				if f.answer(f.server, "port") == "" || f.up[f.answer(f.server, "port")] == nil && !strings.HasSuffix(down, "23") {
					return false
				}
			}
			return f.answer(f.server, "every") == f.standing("127.8.0.21", "127.8.0.22", "127.8.0.23")
		})
		f.compare(down, names)
	}
}

// newForeigner starts the endpoints and the other system, which answers the name ready once it runs.
func newForeigner(t *testing.T, program string, files map[string]string, args []string, ready string) *foreigner {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is not installed: make test-deps installs it", program)
	}
	f := &foreigner{t: t, dir: t.TempDir(), port: suite.FreePort(t), up: make(map[string]net.Listener)}
	at := suite.FreePort(t)
	f.server = fmt.Sprintf("127.0.0.1:%d", at)
	fill := strings.NewReplacer("DIR", f.dir, "DNS", fmt.Sprint(at), "PORT", fmt.Sprint(f.port))
	for name, text := range files {
		path := filepath.Join(f.dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(fill.Replace(text), "DNSSEC", "")), 0o644))
	}
	f.health("")
	for i := range args {
		args[i] = fill.Replace(args[i])
	}
	cmd := exec.Command(args[0], args[1:]...)
	log, err := os.Create(filepath.Join(f.dir, "log"))
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, f.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		log.Close()
		for _, l := range f.up {
			l.Close()
		}
	})
	await(t, program+" to answer", func() bool { return f.answer(f.server, ready) != "" })
	return f
}

// standing are those of addresses that are up, or all of them if none is.
func (f *foreigner) standing(addresses ...string) string {
	up := slices.DeleteFunc(slices.Clone(addresses), func(a string) bool { return f.up[a] == nil })
	if len(up) == 0 {
		up = addresses
	}
	return strings.Join(up, " ")
}

// addresses are those of all endpoints that are probed.
func (f *foreigner) addresses() (out []string) {
	for i := 1; i <= 4; i++ {
		for k := 1; k <= 4; k++ {
			out = append(out, fmt.Sprintf("127.8.0.%d%d", i, k))
		}
	}
	return slices.DeleteFunc(out, func(a string) bool {
		return slices.Contains([]string{"127.8.0.14", "127.8.0.24", "127.8.0.33", "127.8.0.34"}, a)
	})
}

// health has all endpoints listen but those that are down.
func (f *foreigner) health(down string) {
	f.t.Helper()
	for _, a := range f.addresses() {
		switch l := f.up[a]; {
		case strings.Contains(down, a) && l != nil:
			l.Close()
			delete(f.up, a)
		case !strings.Contains(down, a) && l == nil:
			l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", a, f.port))
			require.NoError(f.t, err)
			f.up[a] = l
			go func() {
				for c, err := l.Accept(); err == nil; c, err = l.Accept() {
					c.Close()
				}
			}()
		}
	}
	if f.p != nil {
		await(f.t, "Fairlead to know "+down, func() bool {
			s := f.p.status()
			if s == nil {
				return false
			}
			for _, z := range s.Zones {
				for _, p := range z.Pools {
					for _, e := range p.Endpoints {
						listens := f.up[e.Addresses[0]] != nil || strings.HasPrefix(e.Addresses[0], "192.0.2.")
						if (e.State == "up") != listens || e.State == "suspect" {
							return false
						}
					}
				}
			}
			return true
		})
	}
}

// importBy imports what lies at path, checks it, and serves it.
func (f *foreigner) importBy(system, path string) {
	t := f.t
	bin := binary(t, false)
	zones := filepath.Join(t.TempDir(), "zones")
	out, code := run(t, bin, "import", system, path, "--to", zones)
	require.Zero(t, code, out)
	out, code = run(t, bin, "check", zones)
	require.Zero(t, code, out)
	text, err := os.ReadFile(filepath.Join(zones, "example.org.yaml"))
	require.NoError(t, err)
	f.p = startServe(t, false, "example.org:PORT {\n bind 127.0.0.1\n fairlead {\n  zones DIR/zones\n  state DIR/state\n }\n errors\n}\n",
		map[string]string{"example.org.yaml": string(text)})
	f.health("")
}

// answer are the addresses in the answer for a name, in order.
func (f *foreigner) answer(server, name string) string {
	m, _, err := ask("udp", server, name+".example.org.", dns.TypeA)
	if err != nil {
		return ""
	}
	var out []string
	for _, rr := range m.Answer {
		if a, ok := rr.(*dns.A); ok {
			out = append(out, a.A.String())
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// compare asks both the same questions: whatever one answers the other answers too, and as often.
func (f *foreigner) compare(down string, names []string) {
	f.t.Helper()
	began := time.Now()
	for _, name := range names {
		theirs, ours := make(map[string]int), make(map[string]int)
		for range questions {
			theirs[f.answer(f.server, name)]++
			ours[f.answer(f.p.dns, name)]++
		}
		for answer := range theirs {
			require.Contains(f.t, ours, answer, "%s, down: %s: theirs %v, ours %v", name, down, theirs, ours)
		}
		for answer, count := range ours {
			require.InDelta(f.t, float64(theirs[answer])/questions, float64(count)/questions, odds, "%s, down: %s: theirs %v, ours %v", name, down, theirs, ours)
		}
	}
	f.t.Logf("down: %q: %d questions to each for each of %d names, in %v", down, questions, len(names), time.Since(began).Round(time.Millisecond))
}
