package rollover

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

const transit = 5 * time.Second

// A keyFile is a key pair in BIND's form.
type keyFile struct {
	name, public, private string
	tag                   uint16
}

func newKey(t *testing.T, ksk bool, times string) keyFile {
	t.Helper()
	k := &dns.DNSKEY{Hdr: dns.RR_Header{Name: "example.org.", Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 3600}, Flags: 256, Protocol: 3, Algorithm: dns.ED25519}
	if ksk {
		k.Flags = 257
	}
	secret, err := k.Generate(256)
	require.NoError(t, err)
	return keyFile{fmt.Sprintf("Kexample.org.+015+%05d", k.KeyTag()), k.String() + "\n", k.PrivateKeyString(secret) + times, k.KeyTag()}
}

func stamp(name string, at time.Time) string {
	return name + ": " + at.UTC().Format("20060102150405") + "\n"
}

// zoneOf is a zone with a static record of the TTL, signed with the keys, of which none are for a zone that is not signed.
func zoneOf(t *testing.T, keysTTL, ttl int, keys ...keyFile) *config.Zone {
	t.Helper()
	text := fmt.Sprintf("zone: example.org\nnameservers: [ns1.example.net]\nns_ttl: 1s\nsoa: {negative_ttl: 1s}\nrecords: [{name: st, type: TXT, data: x, ttl: %ds}]\n", ttl)
	files := make(map[string][]byte)
	if len(keys) > 0 {
		text += fmt.Sprintf("dnssec: {keys: keys, ttl: %ds}\n", keysTTL)
		var names []string
		for _, k := range keys {
			files["keys/"+k.name+".key"], files["keys/"+k.name+".private"] = []byte(k.public), []byte(k.private)
			names = append(names, k.name+".key", k.name+".private")
		}
		slices.Sort(names)
		files["keys/"] = []byte(strings.Join(names, "\n"))
	}
	z, problems := config.Parse("z.yaml", []byte(text), config.ParseOptions{ReadFile: func(name string) ([]byte, error) {
		if b, ok := files[name]; ok {
			return b, nil
		}
		return nil, fs.ErrNotExist
	}})
	require.NotNil(t, z, "%s", problems)
	return z
}

// A server is what serves zones, and the record of that.
type server struct {
	t        *testing.T
	dir      string
	compiler *answer.Compiler
	current  *answer.Current
	record   *Record
	snap     *answer.Snapshot
	zone     *config.Zone
	stop     func()
	// before and why are what is known of earlier processes.
	before time.Time
	why    string
}

// start begins a process over the state directory.
func (s *server) start() {
	s.compiler, s.current, s.snap = answer.NewCompiler("n1", time.Now()), new(answer.Current), nil
	s.record = Open(Options{Path: filepath.Join(s.dir, FileName), Current: s.current, Logger: slog.New(slog.DiscardHandler),
		Earlier: func() (time.Time, string) { return s.before, s.why }})
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.record.Run(ctx)
	}()
	s.stop = func() { cancel(); <-done }
	// What a test looks at lies between two turns.
	time.Sleep(interval * 2 / 5)
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir()}
	s.start()
	return s
}

// serve serves a zone from now on; nil for none.
func (s *server) serve(z *config.Zone) {
	s.t.Helper()
	v := &health.View{At: time.Now(), Model: config.NewModel(nil)}
	if s.zone = z; z != nil {
		v.Model = config.NewModel([]*config.Zone{z})
		v.Zones = []*health.ZoneView{{Zone: z}}
	}
	s.record.Around(func() <-chan struct{} {
		s.snap = s.compiler.Compile(s.snap, v)
		return s.current.Swap(s.snap)
	})
	synctest.Wait()
}

// resign is what a node does every minute.
func (s *server) resign() {
	s.record.Around(func() <-chan struct{} {
		s.compiler.Resign(s.snap, time.Now())
		return s.current.Renew()
	})
}

func (s *server) node() Node {
	return Node{Name: "n1", Word: s.record.Word("example.org.", time.Now()), At: time.Now()}
}

// step is what is said of a step of a key: "now", "unknown: …", "not_yet: …", or for how many seconds caches speak against it.
func (s *server) step(k keyFile, step string, others ...Node) string {
	s.t.Helper()
	nodes := append([]Node{s.node()}, others...)
	out := Judge(s.zone, nodes[0].Word.Signed, nodes, transit, time.Now())
	for _, one := range out.Steps {
		if one.Tag != k.tag || one.Step != step {
			continue
		}
		switch one.Safe {
		case api.KeySafeNow:
			return "now"
		case api.KeySafeFrom:
			return fmt.Sprint(math.Ceil(time.Until(*one.SafeAt).Seconds()))
		}
		return one.Safe + ": " + one.Why
	}
	return "no such step"
}

func (s *server) trouble(others ...Node) string {
	nodes := append([]Node{s.node()}, others...)
	return strings.Join(Judge(s.zone, nodes[0].Word.Signed, nodes, transit, time.Now()).Trouble, "; ")
}

// TestLate: files of a key that come to a node long after the key was made: what counts is when the node answered without it for the last time.
func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		defer func() { s.stop() }()
		a, b := newKey(t, true, ""), newKey(t, true, "")
		s.serve(zoneOf(t, 20, 1, a))
		require.Equal(t, "26", s.step(a, api.KeyStepDS), "what others answered before")
		time.Sleep(time.Hour)
		require.Equal(t, "now", s.step(a, api.KeyStepDS))
		lease := s.current.Enter(0)
		s.serve(zoneOf(t, 20, 1, a, b))
		time.Sleep(30 * time.Second)
		require.Equal(t, "not_yet: n1 answers the DNSKEY RRset without it", s.step(b, api.KeyStepDS), "an older answer is not written yet")
		require.Equal(t, "now", s.step(a, api.KeyStepDS))
		lease.Leave()
		time.Sleep(time.Second)
		require.Equal(t, "25", s.step(b, api.KeyStepDS), "noticed a moment later")
		time.Sleep(23 * time.Second)
		require.Equal(t, "2", s.step(b, api.KeyStepDS))
		time.Sleep(2 * time.Second)
		require.Equal(t, "now", s.step(b, api.KeyStepDS))
	})
}

// TestLoweredTTL: what an older file allowed is in caches after the TTL was lowered.
func TestLoweredTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		defer func() { s.stop() }()
		a, b := newKey(t, true, ""), newKey(t, true, "")
		s.serve(zoneOf(t, 120, 1, a))
		time.Sleep(time.Hour)
		s.serve(zoneOf(t, 5, 1, a))
		time.Sleep(3 * time.Second)
		s.serve(zoneOf(t, 5, 1, a, b))
		time.Sleep(7 * time.Second)
		require.Equal(t, "116", s.step(b, api.KeyStepDS))
		require.Equal(t, "now", s.step(a, api.KeyStepDS))
		time.Sleep(117 * time.Second)
		require.Equal(t, "now", s.step(b, api.KeyStepDS))
	})
}

// TestFirst: a zone that was answered without signatures is signed: unsigned answers of every name count, for their longest TTL.
func TestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		defer func() { s.stop() }()
		a := newKey(t, true, "")
		s.serve(zoneOf(t, 0, 120))
		time.Sleep(time.Hour)
		out := Judge(s.zone, false, []Node{s.node()}, transit, time.Now())
		require.Equal(t, []api.KeyStep{{Step: api.KeyStepNoDS, Safe: api.KeySafeNow}}, out.Steps)
		s.serve(zoneOf(t, 20, 30, a))
		require.Contains(t, s.step(a, api.KeyStepDS), "not_yet", "the swap is not noticed to be over")
		time.Sleep(time.Second)
		require.Equal(t, "125", s.step(a, api.KeyStepDS))
		time.Sleep(125 * time.Second)
		require.Equal(t, "now", s.step(a, api.KeyStepDS))

		// And back, while an older answer is still being written.
		lease := s.current.Enter(0)
		defer lease.Leave()
		s.serve(zoneOf(t, 0, 120))
		require.Equal(t, []api.KeyStep{{Step: api.KeyStepNoDS, Safe: api.KeySafeNow}}, Judge(s.zone, s.node().Word.Signed, []Node{s.node()}, transit, time.Now()).Steps)
	})
}

// TestCeases: a key that ceases to sign may leave once what it signed is out of caches, and says so if it left before.
func TestCeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		defer func() { s.stop() }()
		at := time.Now().Add(2 * time.Hour)
		k, old, next := newKey(t, true, ""), newKey(t, false, stamp("Inactive", at)), newKey(t, false, stamp("Publish", at.Add(-time.Hour))+stamp("Activate", at))
		s.serve(zoneOf(t, 20, 120, k, old, next))
		time.Sleep(time.Hour)
		require.Equal(t, "not_yet: n1 answers the DNSKEY RRset without it", s.step(next, api.KeyStepSign), "not signed anew yet")
		s.resign()
		time.Sleep(time.Second)
		require.Equal(t, "25", s.step(next, api.KeyStepSign))
		time.Sleep(25 * time.Second)
		require.Equal(t, "now", s.step(next, api.KeyStepSign))
		time.Sleep(time.Hour - 20*time.Second)
		require.Equal(t, "not_yet: n1 answers what it signs", s.step(old, api.KeyStepLeave))
		s.resign()
		time.Sleep(time.Second)
		require.Equal(t, "125", s.step(old, api.KeyStepLeave))
		require.Empty(t, s.trouble())
		// Its files go too early.
		s.serve(zoneOf(t, 20, 120, k, next))
		time.Sleep(time.Second)
		require.Regexp(t, fmt.Sprintf("^key %d has left, and until .* caches hold what it signed: validators refuse that$", old.tag), s.trouble())
		time.Sleep(125 * time.Second)
		require.Empty(t, s.trouble())
	})
}

// TestTooEarly: a key that signs before caches know it is said.
func TestTooEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		defer func() { s.stop() }()
		k, old, next := newKey(t, true, ""), newKey(t, false, ""), newKey(t, false, "")
		s.serve(zoneOf(t, 60, 1, k, old))
		time.Sleep(time.Hour)
		s.serve(zoneOf(t, 60, 1, k, next))
		time.Sleep(time.Second)
		require.Regexp(t, fmt.Sprintf("key %d signs, and until .* caches hold the DNSKEY RRset without it", next.tag), s.trouble())
		time.Sleep(65 * time.Second)
		require.Empty(t, s.trouble())
	})
}

// TestRestart: a process goes on from what the one before it knew; without that, or with half of it, it waits.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		defer func() { s.stop() }()
		a, b := newKey(t, true, ""), newKey(t, true, "")
		s.serve(zoneOf(t, 120, 1, a))
		time.Sleep(time.Hour)
		s.serve(zoneOf(t, 5, 1, a))
		time.Sleep(10 * time.Second)
		s.stop()
		time.Sleep(10 * time.Second)
		s.start()
		s.serve(zoneOf(t, 5, 1, a, b))
		time.Sleep(time.Second)
		require.Equal(t, "now", s.step(a, api.KeyStepDS))
		// What was left at the last write, 120 s, counts from the start on.
		require.Equal(t, "124", s.step(b, api.KeyStepDS))
		time.Sleep(190 * time.Second)
		require.Equal(t, "now", s.step(b, api.KeyStepDS))
		// When all of it is over a restart costs nothing.
		s.stop()
		s.start()
		s.serve(zoneOf(t, 5, 1, a, b))
		time.Sleep(time.Second)
		require.Equal(t, "now", s.step(b, api.KeyStepDS))
		for name, spoil := range map[string]func(path string) error{
			"lost":    os.Remove,
			"damaged": func(path string) error { return os.WriteFile(path, []byte(`{"version": 1, "zo`), 0o600) },
		} {
			s.stop()
			require.NoError(t, spoil(filepath.Join(s.dir, FileName)), name)
			s.before, s.why = time.Now().Add(40*time.Second), "nobody knows"
			s.start()
			s.serve(zoneOf(t, 5, 1, a, b))
			time.Sleep(time.Second)
			require.Equal(t, "unknown: n1: nobody knows", s.step(b, api.KeyStepDS), name)
			s.why = ""
			require.Equal(t, "44", s.step(b, api.KeyStepDS), name)
			time.Sleep(46 * time.Second)
			require.Equal(t, "now", s.step(b, api.KeyStepDS), name)
		}
	})
}

// TestNodes: a step is safe when every node has said so, and not sooner.
func TestNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := newServer(t), newServer(t)
		defer func() { s.stop(); o.stop() }()
		a, b := newKey(t, true, ""), newKey(t, true, "")
		s.serve(zoneOf(t, 20, 1, a))
		o.serve(zoneOf(t, 20, 1, a))
		time.Sleep(time.Hour)
		s.serve(zoneOf(t, 20, 1, a, b))
		time.Sleep(time.Hour)
		other := func() Node { n := o.node(); n.Name = "n2"; return n }
		require.Equal(t, "now", s.step(b, api.KeyStepDS))
		require.Equal(t, "not_yet: n2 answers the DNSKEY RRset without it", s.step(b, api.KeyStepDS, other()))
		require.Equal(t, "unknown: n2 is not heard", s.step(b, api.KeyStepDS, Node{Name: "n2", Why: "is not heard"}))
		o.serve(zoneOf(t, 20, 1, a, b))
		time.Sleep(time.Second)
		require.Equal(t, "25", s.step(b, api.KeyStepDS, other()))
		time.Sleep(25 * time.Second)
		require.Equal(t, "now", s.step(b, api.KeyStepDS, other()))
		o.serve(nil)
		time.Sleep(time.Hour)
		require.Equal(t, "now", s.step(b, api.KeyStepDS, other()))
		require.Contains(t, s.trouble(other()), "node n2 does not answer the zone")
	})
}

// TestGone: of a zone that is not served nothing is kept once caches have forgotten it.
func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		defer func() { s.stop() }()
		s.serve(zoneOf(t, 20, 1, newKey(t, true, "")))
		s.serve(nil)
		time.Sleep(time.Second)
		kept := func() int {
			s.record.mu.Lock()
			defer s.record.mu.Unlock()
			return len(s.record.past) + len(s.record.changes)
		}
		require.Equal(t, 1, kept())
		time.Sleep(2 * time.Hour)
		require.Zero(t, kept())
	})
}

// TestOtherSigner: a key of another signer may sign once caches know it.
func TestOtherSigner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		defer func() { s.stop() }()
		a, other := newKey(t, true, ""), newKey(t, false, "")
		s.serve(zoneOf(t, 20, 1, a))
		time.Sleep(time.Hour)
		z := zoneOf(t, 20, 1, a)
		rr, err := dns.NewRR(other.public)
		require.NoError(t, err)
		buf := make([]byte, 512)
		n, err := dns.PackRR(rr, buf, 0, nil, false)
		require.NoError(t, err)
		data := buf[n-int(rr.Header().Rdlength) : n]
		z.Records = append(z.Records, config.Record{Name: z.Name, Type: dns.TypeDNSKEY, TTL: 20, RData: [][]byte{data}})
		s.serve(z)
		require.Equal(t, "not_yet: n1 answers the DNSKEY RRset without it", s.step(other, api.KeyStepSign))
		time.Sleep(time.Second)
		require.Equal(t, "25", s.step(other, api.KeyStepSign))
		time.Sleep(25 * time.Second)
		require.Equal(t, "now", s.step(other, api.KeyStepSign))
		require.Empty(t, s.trouble())
	})
}
