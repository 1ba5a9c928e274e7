package integration

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
	// endpoints are the addresses of all endpoints that are probed; listeners are those of the ones that listen.
	endpoints []string
	listeners map[string]net.Listener
	// mu guards the rest, which the endpoints read. ailments are those of endpoints that are down; agents are the User-Agents that came.
	mu       sync.Mutex
	ailments map[string]ailment
	agents   map[string]bool
	p        *process
}

// An ailment is why an endpoint is down.
type ailment int

const (
	// refuses: nobody listens.
	refuses ailment = iota + 1
	// fails: it answers 503 over HTTP.
	fails
	// strange: it answers 200 over HTTP, with another text than it should.
	strange
	// silent: it takes connections and says nothing.
	silent
)

// questions is how many are asked for each name in each state of health.
const questions = 1000

// odds is how far the share of an answer may be off: five times what chance does with that many throws.
const odds = 0.08

// A yardstick is what is compared of two systems' answers.
type yardstick int

const (
	// bySet: how often each set of addresses is answered.
	bySet yardstick = iota
	// byMember: how often each address is in an answer, and how many are.
	byMember
	// byClient: each client gets one answer again and again, and how many clients get which.
	byClient
)

// An inquiry is a name that both systems are asked for.
type inquiry struct {
	name string
	// typ is A unless it is said.
	typ uint16
	by  yardstick
	// tiers are the endpoints that are probed, in the order in which sets of them take over; none for a name that nothing is probed for.
	tiers [][]string
}

// newForeigner starts the endpoints and the other system, which answers the name ready once it runs.
func newForeigner(t *testing.T, program string, endpoints []string, files map[string]string, args []string, ready string) *foreigner {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is not installed: make test-long-deps installs it", program)
	}
	f := &foreigner{t: t, dir: t.TempDir(), port: suite.FreePort(t), endpoints: endpoints, listeners: make(map[string]net.Listener), agents: make(map[string]bool)}
	at := suite.FreePort(t)
	f.server = fmt.Sprintf("127.0.0.1:%d", at)
	fill := strings.NewReplacer("DIR", f.dir, "DNS", fmt.Sprint(at), "PORT", fmt.Sprint(f.port))
	for name, text := range files {
		path := filepath.Join(f.dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(fill.Replace(text)), 0o644))
	}
	f.health(nil)
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
		for _, l := range f.listeners {
			l.Close()
		}
	})
	await(t, program+" to answer", func() bool { return f.answer(f.server, inquiry{name: ready}, nil) != "" })
	return f
}

// health gives endpoints their ailments, and all others their health back. Fairlead, once it runs, knows when it returns.
func (f *foreigner) health(ailments map[string]ailment) {
	f.t.Helper()
	f.mu.Lock()
	f.ailments = ailments
	f.mu.Unlock()
	for _, a := range f.endpoints {
		switch l := f.listeners[a]; {
		case ailments[a] == refuses && l != nil:
			l.Close()
			delete(f.listeners, a)
		case ailments[a] != refuses && l == nil:
			l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", a, f.port))
			require.NoError(f.t, err)
			f.listeners[a] = l
			go func() { _ = http.Serve(l, f.endpoint(a)) }()
		}
	}
	if f.p == nil {
		return
	}
	await(f.t, fmt.Sprint("Fairlead to know ", ailments), func() bool {
		s := f.p.status()
		if s == nil {
			return false
		}
		for _, z := range s.Zones {
			for _, p := range z.Pools {
				for _, e := range p.Endpoints {
					well := len(e.Addresses) == 0 || ailments[e.Addresses[0]] == 0
					if (e.State == "up") != well || e.State == "suspect" {
						return false
					}
				}
			}
		}
		return true
	})
}

// endpoint answers http://www.example.org/ready at an address, as its health is; anything else is asked by mistake.
func (f *foreigner) endpoint(address string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		ill := f.ailments[address]
		f.agents[r.UserAgent()] = true
		f.mu.Unlock()
		// Some name the port too.
		host, _, _ := strings.Cut(r.Host, ":")
		switch {
		case host != "www.example.org" || r.URL.RequestURI() != "/ready?deep=1":
			http.Error(w, "nothing of that name is here", http.StatusNotFound)
		case ill == fails:
			http.Error(w, "fine it is not", http.StatusServiceUnavailable)
		case ill == strange:
			_, _ = io.WriteString(w, "be back soon\n")
		case ill == silent:
			<-r.Context().Done()
		default:
			_, _ = io.WriteString(w, "all is fine\n")
		}
	}
}

// importBy imports what lies at path, checks it, and serves it.
func (f *foreigner) importBy(system, path string) {
	t := f.t
	bin := binary(t, false)
	zones := filepath.Join(t.TempDir(), "zones")
	out, code := run(t, bin, "import", system, path, "--to", zones)
	require.Zero(t, code, out)
	t.Log(out)
	out, code = run(t, bin, "check", zones)
	require.Zero(t, code, out)
	text, err := os.ReadFile(filepath.Join(zones, "example.org.yaml"))
	require.NoError(t, err)
	f.p = startServe(t, false, "example.org:PORT {\n bind 127.0.0.1\n fairlead {\n  zones DIR/zones\n  state DIR/state\n }\n errors\n}\n",
		map[string]string{"example.org.yaml": string(text)})
	f.health(nil)
}

// answer is what stands in the answer for a name, in order. The question comes from the address given, by default from whichever address leads there.
func (f *foreigner) answer(server string, q inquiry, from net.IP) string {
	if q.typ == 0 {
		q.typ = dns.TypeA
	}
	c := dns.Client{Timeout: 2 * time.Second}
	if from != nil {
		c.Dialer = &net.Dialer{LocalAddr: &net.UDPAddr{IP: from}}
	}
	m, _, err := c.Exchange(new(dns.Msg).SetQuestion(q.name+".example.org.", q.typ), server)
	if err != nil {
		return ""
	}
	var out []string
	for _, rr := range m.Answer {
		switch rr := rr.(type) {
		case *dns.A:
			out = append(out, rr.A.String())
		case *dns.AAAA:
			out = append(out, rr.AAAA.String())
		case *dns.CNAME:
			out = append(out, rr.Target)
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// source is the address of the i-th of many clients.
func source(i int) net.IP { return net.IPv4(127, 20, byte(i>>8), byte(i)) }

// standing are the addresses that are answered for q by turns: those of the first tier that has some up, or all of them.
func (f *foreigner) standing(q inquiry) (out []string) {
	for _, tier := range q.tiers {
		for _, a := range tier {
			if f.ailments[a] == 0 {
				out = append(out, a)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return slices.Concat(q.tiers...)
}

// settles waits until the other system answers, for each name that something is probed for, what stands, and all of it.
func (f *foreigner) settles(all []inquiry) {
	f.t.Helper()
	for _, q := range all {
		if q.tiers == nil {
			continue
		}
		seen := make(map[string]bool)
		agrees := func() bool {
			clear(seen)
			for i := range 80 {
				for a := range strings.FieldsSeq(f.answer(f.server, q, source(i*7))) {
					seen[a] = true
				}
			}
			return slices.Equal(slices.Sorted(maps.Keys(seen)), f.standing(q))
		}
		// The other system's checks are its own: nothing but its answers tells that they have seen what is down.
		for deadline := time.Now().Add(patience); !agrees() && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		}
		require.Equal(f.t, f.standing(q), slices.Sorted(maps.Keys(seen)), "%s, down: %v", q.name, f.ailments)
	}
}

// compare asks both the same questions: whatever one answers the other answers too, and as often.
func (f *foreigner) compare(all []inquiry) {
	f.t.Helper()
	began := time.Now()
	for _, q := range all {
		theirs, ours := f.count(f.server, q), f.count(f.p.dns, q)
		said := fmt.Sprintf("%s, down: %v: theirs %v, ours %v", q.name, f.ailments, theirs, ours)
		require.Equal(f.t, slices.Sorted(maps.Keys(theirs)), slices.Sorted(maps.Keys(ours)), said)
		require.NotContains(f.t, ours, "", said)
		for answer, count := range ours {
			require.InDelta(f.t, float64(theirs[answer])/questions, float64(count)/questions, odds, said)
		}
	}
	f.t.Logf("down: %v: %d questions to each for each of %d names, in %v", f.ailments, questions, len(all), time.Since(began).Round(time.Millisecond))
}

// count is how often a server answers what.
func (f *foreigner) count(server string, q inquiry) map[string]int {
	out := make(map[string]int)
	for i := range questions {
		switch q.by {
		case bySet:
			out[f.answer(server, q, nil)]++
		case byMember:
			members := strings.Fields(f.answer(server, q, nil))
			for _, a := range append(members, fmt.Sprint(len(members), " addresses")) {
				out[a]++
			}
		case byClient:
			first := f.answer(server, q, source(i))
			require.Equal(f.t, first, f.answer(server, q, source(i)), "%s from %v", q.name, source(i))
			out[first]++
		}
	}
	return out
}
