package answer

import (
	"bytes"
	"crypto"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// keyFiles makes BIND key files for a zone. kinds are "csk", "ksk" and "zsk", each with a blank and times for the private file behind.
func keyFiles(t testing.TB, zone string, algorithm uint8, kinds ...string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	for i, kind := range kinds {
		kind, times, _ := strings.Cut(kind, " ")
		k := &dns.DNSKEY{Hdr: dns.RR_Header{Name: zone, Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 3600}, Flags: 257, Protocol: 3, Algorithm: algorithm}
		if kind == "zsk" {
			k.Flags = 256
		}
		bits := 256
		if algorithm == dns.RSASHA256 {
			bits = 2048
		}
		secret, err := k.Generate(bits)
		require.NoError(t, err)
		base := fmt.Sprintf("keys/K%s+%03d+%05d%c", zone, algorithm, k.KeyTag(), 'a'+i)
		files[base+".key"] = []byte(k.String() + "\n")
		files[base+".private"] = []byte(k.PrivateKeyString(crypto.PrivateKey(secret)) + strings.ReplaceAll(times, ",", "\n") + "\n")
	}
	var names []string
	for name := range files {
		names = append(names, strings.TrimPrefix(name, "keys/"))
	}
	slices.Sort(names)
	files["keys/"] = []byte(strings.Join(names, "\n") + "\n")
	return files
}

const signedServices = `dnssec: {keys: keys}
regions: {eu: {azs: [eu-a]}}
pools:
  web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}, {name: two, addresses: [192.0.2.2, "2001:db8::2"], az: eu-a}]}
  edge: {region: eu, endpoints: [{name: one, target: Edge.example.net, az: eu-a}, {name: in, target: three.example.org, az: eu-a}]}
  four: {region: eu, endpoints: [{name: one, addresses: [192.0.2.4], az: eu-a}]}
services:
  www: {tiers: [{web: 1}], ttl: {max: 30s}}
  all: {tiers: [{web: 1}], ttl: {max: 30s}, answers: all}
  cdn: {tiers: [{edge: 1}], ttl: {max: 30s}}
  "*.apps": {tiers: [{web: 1}], ttl: {max: 30s}, also: [az]}
  near: {tiers: [{web: 1}], ttl: {max: 30s}, also: [region], srv: {port: 443}, https: {alpn: [h2]}}
  far: {alias: far.example.net}
  mix: {tiers: [{four: 1}, {edge: 1}], ttl: {max: 30s}, https: {alpn: [h2]}}
  shards: {tiers: [{four: 1}], cells: {shards: 2, home: {four: 0-1}, failover: {four: [edge]}}, ttl: {max: 30s}}
  cells: {tiers: [{web: 1}], cells: {shards: 4, home: {web: 0-1, four: 2-3}}, ttl: {max: 30s}}
`

type signedFixture struct {
	zone     *config.Zone
	compiler *Compiler
	snap     *Snapshot
	model    *config.Model
}

// newSigned serves staticMaster and services, signed.
func newSigned(t testing.TB, keys map[string][]byte, at time.Time, down ...string) *signedFixture {
	t.Helper()
	files := maps.Clone(keys)
	files["db"] = []byte(staticMaster)
	z, problems := config.Parse("z.yaml", []byte("zone: example.org\nzonefile: db\n"+signedServices), config.ParseOptions{ReadFile: func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return text, nil
		}
		return nil, fs.ErrNotExist
	}})
	require.NotNil(t, z, "%s", problems)
	f := &signedFixture{zone: z, compiler: NewCompiler("n1", base), model: config.NewModel([]*config.Zone{z})}
	f.move(at, down...)
	return f
}

// move has all endpoints up but those of the pools that are named.
func (f *signedFixture) move(at time.Time, down ...string) {
	zv := &health.ZoneView{Zone: f.zone}
	for i, p := range f.zone.Pools {
		pv := &health.PoolView{At: at, Calm: true}
		for range p.Endpoints {
			state := health.Up
			if slices.Contains(down, p.Name) {
				state = health.Down
			}
			pv.Endpoints = append(pv.Endpoints, health.EndpointView{Verdict: health.Verdict{State: state, Since: base}})
		}
		if f.snap != nil && fmt.Sprint(f.snap.View.Zones[0].Pools[i].Endpoints) == fmt.Sprint(pv.Endpoints) {
			pv = f.snap.View.Zones[0].Pools[i]
		}
		zv.Pools = append(zv.Pools, pv)
	}
	f.snap = f.compiler.Compile(f.snap, &health.View{At: at, Model: f.model, Zones: []*health.ZoneView{zv}})
}

func (f *signedFixture) ask(t testing.TB, name string, qtype uint16, do bool, at time.Time) *dns.Msg {
	t.Helper()
	q := question(name, qtype)
	q.Size, q.EDNS, q.DO = 0, do, do
	b, _, ok := f.snap.AppendAt(nil, q, at)
	require.True(t, ok)
	m := new(dns.Msg)
	require.NoError(t, m.Unpack(b))
	return m
}

// keysOf are the keys in force.
func (f *signedFixture) keysOf(t testing.TB, at time.Time) (keys []*dns.DNSKEY) {
	for _, rr := range f.ask(t, "example.org.", dns.TypeDNSKEY, true, at).Answer {
		if k, ok := rr.(*dns.DNSKEY); ok {
			keys = append(keys, k)
		}
	}
	return keys
}

// verify checks that every RRset of ours has a valid signature, with the RRset's TTL, and returns how many there were.
func (f *signedFixture) verify(t testing.TB, m *dns.Msg, keys []*dns.DNSKEY, at time.Time) (valid int) {
	t.Helper()
	for _, section := range [][]dns.RR{m.Answer, m.Ns} {
		for _, set := range rrsets(section) {
			h := set[0].Header()
			if h.Rrtype == dns.TypeNS && !m.Authoritative || h.Rrtype == dns.TypeNS && h.Name != "example.org." || h.Rrtype == dns.TypeCNAME && belowDNAME(m, h.Name) {
				continue
			}
			ok := false
			for _, rr := range section {
				sig, is := rr.(*dns.RRSIG)
				if !is || sig.TypeCovered != h.Rrtype || !strings.EqualFold(sig.Hdr.Name, h.Name) {
					continue
				}
				require.Equal(t, h.Ttl, sig.Hdr.Ttl, "%s", set[0])
				require.GreaterOrEqual(t, sig.OrigTtl, h.Ttl, "%s", set[0])
				require.True(t, sig.ValidityPeriod(at), "%s at %s", sig, at)
				for _, k := range keys {
					if k.KeyTag() == sig.KeyTag && sig.Verify(k, set) == nil {
						ok = true
					}
				}
			}
			require.True(t, ok, "no valid signature for %s in\n%s", set[0], m)
			valid++
		}
	}
	return valid
}

func belowDNAME(m *dns.Msg, name string) bool {
	return slices.ContainsFunc(m.Answer, func(rr dns.RR) bool {
		return rr.Header().Rrtype == dns.TypeDNAME && strings.HasSuffix(name, "."+rr.Header().Name)
	})
}

// rrsets are the sets of a section without signatures, each record once.
func rrsets(section []dns.RR) (sets [][]dns.RR) {
	at := make(map[string]int)
	for _, rr := range section {
		if rr.Header().Rrtype == dns.TypeRRSIG {
			continue
		}
		key := strings.ToLower(rr.Header().Name) + dns.Type(rr.Header().Rrtype).String()
		i, ok := at[key]
		if !ok {
			i = len(sets)
			at[key] = i
			sets = append(sets, nil)
		}
		sets[i] = append(sets[i], rr)
	}
	return sets
}

// covers tells whether an NSEC denies a name, matches whether it stands at it.
func covers(n *dns.NSEC, name string) bool {
	a, b, c := mustPackName(strings.ToLower(n.Hdr.Name)), mustPackName(strings.ToLower(name)), mustPackName(strings.ToLower(n.NextDomain))
	if compareNames(a, c) >= 0 {
		return compareNames(a, b) < 0
	}
	return compareNames(a, b) < 0 && compareNames(b, c) < 0
}

// questions are those of staticCases, and those of services.
func signedQuestions() (out [][2]string) {
	for _, tt := range staticCases {
		if !strings.HasPrefix(tt.name, "grand.") {
			out = append(out, [2]string{tt.name, tt.qtype})
		}
	}
	for _, name := range []string{"www", "all", "cdn", "near", "eu.near", "a.apps", "b.a.apps", "apps", "*.apps", "cells", "3.cells", "x.3.cells", "mix", "shards", "1.shards", "far", "one.web", "two.web", "web", "nope", "a.nope", "zzz", "0"} {
		for _, qtype := range []string{"A", "AAAA", "SRV", "HTTPS", "TXT", "CNAME", "DS", "ANY", "NSEC"} {
			out = append(out, [2]string{name + ".example.org.", qtype})
		}
	}
	for _, qtype := range []string{"DNSKEY", "CDS", "CDNSKEY", "SOA", "NS", "TXT", "A", "ANY"} {
		out = append(out, [2]string{"example.org.", qtype})
	}
	return out
}

// TestSigned: every reply of a signed zone has what a validator wants, whatever is up; and without DO it is what it was.
func TestSigned(t *testing.T) {
	for name, algorithm := range map[string]uint8{"ECDSA": dns.ECDSAP256SHA256, "Ed25519": dns.ED25519, "RSA": dns.RSASHA256} {
		t.Run(name, func(t *testing.T) {
			kinds := []string{"ksk", "zsk"}
			if algorithm == dns.ED25519 {
				kinds = []string{"csk"}
			}
			f := newSigned(t, keyFiles(t, "example.org.", algorithm, kinds...), base)
			for _, down := range [][]string{nil, {"web"}, {"four"}, {"web", "four", "edge"}, nil} {
				f.move(base, down...)
				keys := f.keysOf(t, base)
				require.Len(t, keys, len(kinds))
				for _, q := range signedQuestions() {
					for range 3 {
						m := f.ask(t, q[0], typeOf(q[1]), true, base)
						n := f.verify(t, m, keys, base)
						require.True(t, n > 0 || !m.Authoritative, "%s", m)
						f.proven(t, m)
					}
				}
			}
		})
	}
}

// proven checks that what a reply denies is denied by its NSEC records.
func (f *signedFixture) proven(t testing.TB, m *dns.Msg) {
	t.Helper()
	name, qtype := strings.ToLower(m.Question[0].Name), m.Question[0].Qtype
	for _, rr := range m.Answer {
		if c, ok := rr.(*dns.CNAME); ok && qtype != dns.TypeCNAME {
			name = strings.ToLower(c.Target)
		}
	}
	var denials []*dns.NSEC
	soa := false
	for _, rr := range m.Ns {
		switch rr := rr.(type) {
		case *dns.NSEC:
			denials = append(denials, rr)
		case *dns.SOA:
			soa = true
		}
	}
	denied := func(name string) bool {
		return slices.ContainsFunc(denials, func(n *dns.NSEC) bool { return covers(n, name) })
	}
	matched := func(name string) *dns.NSEC {
		for _, n := range denials {
			if strings.EqualFold(n.Hdr.Name, name) {
				return n
			}
		}
		return nil
	}
	switch {
	case m.Rcode == dns.RcodeNameError:
		require.True(t, denied(name), "%s", m)
		wild := false
		for up := name; up != "example.org."; {
			i, _ := dns.NextLabel(up, 0)
			up = up[i:]
			wild = wild || denied("*."+up)
		}
		require.True(t, wild, "no proof that there is no wildcard\n%s", m)
	case soa:
		if at := matched(name); at != nil {
			require.NotContains(t, at.TypeBitMap, qtype, "%s", m)
			require.True(t, qtype == dns.TypeNSEC || !slices.Contains(at.TypeBitMap, dns.TypeCNAME), "%s", m)
			return
		}
		require.True(t, denied(name), "%s", m)
		for _, n := range denials {
			if strings.HasSuffix(n.NextDomain, "."+name) {
				// An empty non-terminal.
				return
			}
		}
		for _, n := range denials {
			if qtype != dns.TypeNSEC && strings.HasPrefix(n.Hdr.Name, "*.") && strings.HasSuffix(name, n.Hdr.Name[1:]) {
				require.NotContains(t, n.TypeBitMap, qtype, "%s", m)
			}
		}
	case !m.Authoritative:
		cut := m.Ns[0].Header().Name
		if !slices.ContainsFunc(m.Ns, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeDS }) {
			n := matched(cut)
			require.NotNil(t, n, "%s", m)
			require.NotContains(t, n.TypeBitMap, dns.TypeDS)
			require.Contains(t, n.TypeBitMap, dns.TypeNS)
		}
	default:
		for _, rr := range m.Answer {
			sig, ok := rr.(*dns.RRSIG)
			if ok && int(sig.Labels) < dns.CountLabel(sig.Hdr.Name) && !strings.HasPrefix(sig.Hdr.Name, "*.") {
				require.True(t, denied(sig.Hdr.Name), "a wildcard's answer without proof\n%s", m)
			}
		}
	}
}

// TestUnsignedRepliesStay: without DO a signed zone answers, octet for octet, as one that is not signed.
func TestUnsignedRepliesStay(t *testing.T) {
	f := newSigned(t, keyFiles(t, "example.org.", dns.ED25519, "csk"), base)
	plain := newSigned(t, keyFiles(t, "example.org.", dns.ED25519, "csk"), base)
	plain.zone.DNSSEC = nil
	plain.snap = nil
	plain.move(base)
	for _, q := range signedQuestions() {
		if q[1] == "DNSKEY" || q[1] == "CDS" || q[1] == "CDNSKEY" || strings.HasPrefix(q[0], "x.3.") {
			continue
		}
		for _, edns := range []bool{false, true} {
			ask := question(q[0], typeOf(q[1]))
			ask.EDNS, ask.Size = edns, 512
			a, _, _ := f.snap.AppendAt(nil, ask, base)
			b, _, _ := plain.snap.AppendAt(nil, ask, base)
			require.Equal(t, b, a, "%s", q)
		}
	}
}

// TestSameSignatures: nodes with the same keys sign alike, and a flip that comes back costs no signature.
func TestSameSignatures(t *testing.T) {
	keys := keyFiles(t, "example.org.", dns.ECDSAP256SHA256, "ksk", "zsk")
	a, b := newSigned(t, keys, base), newSigned(t, keys, base.Add(time.Second))
	require.Equal(t, a.snap.zones[0].sec.Load().chain, b.snap.zones[0].sec.Load().chain)
	require.Equal(t, a.snap.zones[0].services[0].seals[0].p.Load(), b.snap.zones[0].services[0].seals[0].p.Load())
	a.move(base, "web")
	before := len(a.compiler.signatures.young)
	a.move(base)
	a.move(base, "web")
	require.Len(t, a.compiler.signatures.young, before)
}

// TestResign: signatures are made anew long before they expire, and when keys come and go, without a new snapshot.
func TestResign(t *testing.T) {
	day := 24 * time.Hour
	stamp := func(d time.Duration) string { return base.Add(d).UTC().Format("20060102150405") }
	f := newSigned(t, keyFiles(t, "example.org.", dns.ECDSAP256SHA256, "ksk",
		"zsk Inactive: "+stamp(10*day)+",Delete: "+stamp(12*day),
		"zsk Publish: "+stamp(8*day)+",Activate: "+stamp(10*day)), base)
	var resigned int
	for hour := range 40 * 24 {
		at := base.Add(time.Duration(hour) * time.Hour)
		resigned += f.compiler.Resign(f.snap, at)
		if hour%6 != 0 {
			continue
		}
		keys := f.keysOf(t, at)
		want := 2
		if at.Sub(base) >= 8*day && at.Sub(base) < 12*day {
			want = 3
		}
		require.Len(t, keys, want, "at %s", at.Sub(base))
		for _, q := range [][2]string{{"www.example.org.", "A"}, {"nope.example.org.", "A"}, {"mx.example.org.", "MX"}, {"x.apps.example.org.", "A"}, {"example.org.", "DNSKEY"}} {
			m := f.ask(t, q[0], typeOf(q[1]), true, at)
			require.NotZero(t, f.verify(t, m, keys, at))
			for _, rr := range m.Answer {
				if sig, ok := rr.(*dns.RRSIG); ok {
					require.Greater(t, int64(sig.Expiration)-at.Unix(), int64(10*day/time.Second), "a cache of a week must not outlive it")
				}
			}
		}
	}
	// Every 3.5 days, and at 8, 10 and 12 days.
	require.InDelta(t, 40/3.5+3, resigned, 1.5)
}

// TestNoActiveKey: a zone whose keys do not sign yet is answered without signatures, and signed once they do.
func TestNoActiveKey(t *testing.T) {
	f := newSigned(t, keyFiles(t, "example.org.", dns.ED25519, "csk Activate: "+base.Add(time.Hour).UTC().Format("20060102150405")), base)
	require.Len(t, f.ask(t, "www.example.org.", dns.TypeA, true, base).Answer, 1)
	later := base.Add(2 * time.Hour)
	require.Equal(t, 1, f.compiler.Resign(f.snap, later))
	require.Len(t, f.ask(t, "www.example.org.", dns.TypeA, true, later).Answer, 2)
	require.Zero(t, f.compiler.Resign(f.snap, later))
}

func TestTypeBitmap(t *testing.T) {
	// RFC 4034 section 4.3.
	want := append([]byte("\x00\x06\x40\x01\x00\x00\x00\x03\x04\x1b"), make([]byte, 26)...)
	require.Equal(t, append(want, 0x20), typeBitmap([]uint16{1234, dns.TypeNSEC, dns.TypeRRSIG, dns.TypeMX, dns.TypeA}))
}

// TestCanonicalOrder is the example of RFC 4034 section 6.1.
func TestCanonicalOrder(t *testing.T) {
	var names [][]byte
	for _, n := range []string{"example.", "a.example.", "yljkjljk.a.example.", "z.a.example.", "zabc.a.example.", "z.example.", `\001.z.example.`, "*.z.example.", `\200.z.example.`} {
		names = append(names, mustPackName(n))
	}
	require.True(t, slices.IsSortedFunc(names, compareNames))
	slices.Reverse(names)
	slices.SortFunc(names, compareNames)
	require.True(t, bytes.Equal(names[0], mustPackName("example.")))
}
