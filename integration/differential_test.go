package integration

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

const (
	differentialZones   = 50
	differentialQueries = 100
)

// A zoneMaker makes up master files, and questions about them.
type zoneMaker struct {
	r     *rand.Rand
	zone  string
	lines []string
	// names are owner names relative to the zone; taken has those that nothing else may stand at.
	names []string
	taken map[string]bool
}

var labels = []string{"a", "b", "c", "d", "mail", "www", "_sip._tcp", "0", "x-y", `a\.b`, "UPPER"}

// name is a new owner name, often below one that there is.
func (z *zoneMaker) name() string {
	for {
		name := labels[z.r.IntN(len(labels))] + fmt.Sprint(z.r.IntN(4))
		if len(z.names) > 0 && z.r.IntN(3) > 0 {
			name += "." + z.names[z.r.IntN(len(z.names))]
		}
		if !z.taken[strings.ToLower(name)] && !strings.Contains(name, "*") && len(name) < 100 {
			return name
		}
	}
}

// any is a name that there may be.
func (z *zoneMaker) any() string {
	if len(z.names) == 0 || z.r.IntN(8) == 0 {
		return z.name()
	}
	return z.names[z.r.IntN(len(z.names))]
}

func (z *zoneMaker) add(name, rest string) {
	z.lines = append(z.lines, name+"\t"+rest)
	if !slices.Contains(z.names, name) {
		z.names = append(z.names, name)
	}
}

// make makes up a zone of some 30 names: hosts, wildcards, empty non-terminals, delegations, DNAMEs and chains.
func (z *zoneMaker) make() string {
	z.lines = []string{"$ORIGIN " + z.zone, "$TTL 300", "@ SOA ns1 hostmaster 1 7200 3600 1209600 60", "@ NS ns1", "@ NS ns2.example.net.", "ns1 A 192.0.2.53", "ns1 AAAA 2001:db8::53"}
	z.taken = map[string]bool{"ns1": true}
	var cuts []string
	for range 22 {
		name := z.name()
		if slices.ContainsFunc(cuts, func(c string) bool { return strings.HasSuffix(strings.ToLower(name), "."+strings.ToLower(c)) }) {
			continue
		}
		z.taken[strings.ToLower(name)] = true
		switch z.r.IntN(12) {
		case 0, 1, 2:
			z.add(name, fmt.Sprintf("A 192.0.2.%d", z.r.IntN(250)+1))
			z.add(name, "AAAA 2001:db8::1")
			z.add(name, "TXT \"text\" \"more\"")
		case 3:
			z.add("*."+name, fmt.Sprintf("A 192.0.2.%d", z.r.IntN(250)+1))
			z.add("*."+name, "MX 10 "+z.any())
		case 4:
			// What lies above it is empty.
			z.add("deep.er."+name, "TXT deep")
		case 5:
			z.add(name, "NS ns."+name)
			z.add(name, "NS ns.example.com.")
			z.lines = append(z.lines, "ns."+name+"\tA 192.0.2.99")
			if z.r.IntN(2) == 0 {
				z.lines = append(z.lines, name+"\tDS 12345 13 2 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
			}
			cuts = append(cuts, name)
		case 6:
			z.add(name, "DNAME "+z.any())
			cuts = append(cuts, name)
		case 7, 8:
			z.add(name, "CNAME "+z.any())
		case 9:
			z.add(name, "CNAME elsewhere.example.net.")
		case 10:
			z.add(name, "MX 10 "+z.any())
			z.add(name, "MX 20 ns1")
			z.add(name, "SRV 0 0 443 "+z.any())
		case 11:
			z.add("*."+name, "CNAME "+z.any())
			z.add(name, "CAA 0 issue \"ca.example.net\"")
		}
	}
	return strings.Join(z.lines, "\n") + "\n"
}

var questionTypes = []uint16{dns.TypeA, dns.TypeA, dns.TypeAAAA, dns.TypeTXT, dns.TypeMX, dns.TypeNS, dns.TypeCNAME, dns.TypeDS, dns.TypeSRV, dns.TypeSOA, dns.TypeDNAME, dns.TypeCAA, 65280}

// question asks for a name that there is, one near it, one below it, or one in between.
func (z *zoneMaker) question() *dns.Msg {
	name := z.names[z.r.IntN(len(z.names))]
	switch z.r.IntN(7) {
	case 0:
		name = "nope." + name
	case 1:
		name = "a.b." + name
	case 2:
		if _, up, ok := strings.Cut(strings.ReplaceAll(name, `\.`, "\x00"), "."); ok {
			name = strings.ReplaceAll(up, "\x00", `\.`)
		}
	case 3:
		name = strings.Replace(name, "*", "wild", 1)
	case 4:
		name = z.name()
	}
	return new(dns.Msg).SetQuestion(strings.TrimPrefix(name, "@")+"."+z.zone, questionTypes[z.r.IntN(len(questionTypes))])
}

// compared is what of a reply is compared: code, flags, and each section as a set. Additional records are those of referrals: the others
// are a matter of taste.
func compared(m *dns.Msg) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s aa=%v tc=%v\n", dns.RcodeToString[m.Rcode], m.Authoritative, m.Truncated)
	sections := [][]dns.RR{m.Answer, m.Ns}
	if len(m.Answer) == 0 && !m.Authoritative {
		sections = append(sections, m.Extra)
	}
	for i, section := range sections {
		var lines []string
		for _, rr := range section {
			if rr.Header().Rrtype != dns.TypeOPT {
				lines = append(lines, fmt.Sprintf("%d\t%s\n", i, strings.ToLower(rr.String())))
			}
		}
		slices.Sort(lines)
		b.WriteString(strings.Join(lines, ""))
	}
	return b.String()
}

// TestDifferential asks Fairlead, NSD, Knot and BIND 5,000 questions about 50 zones. Where the three agree Fairlead agrees with them; where
// they do not, it does as one of them. What is left is listed, with its reason, in testdata/differential.txt.
func TestDifferential(t *testing.T) {
	bin := binary(t, false)
	zones, files := map[string]string{}, map[string]string{}
	var nsd, knot, bind strings.Builder
	var makers []*zoneMaker
	for i := range differentialZones {
		z := &zoneMaker{r: rand.New(rand.NewPCG(20, uint64(i))), zone: fmt.Sprintf("z%d.test.", i)}
		makers = append(makers, z)
		file := fmt.Sprintf("z%d.db", i)
		files[file] = z.make()
		zones[file], zones[fmt.Sprintf("z%d.yaml", i)] = files[file], fmt.Sprintf("zone: z%d.test\nzonefile: %s\n", i, file)
		fmt.Fprintf(&nsd, "zone:\n\tname: z%d.test\n\tzonefile: %s\n", i, file)
		if i == 0 {
			knot.WriteString("zone:\n")
		}
		fmt.Fprintf(&knot, "  - domain: z%d.test\n    file: \"DIR/%s\"\n", i, file)
		fmt.Fprintf(&bind, "zone \"z%d.test\" { type primary; file \"DIR/%s\"; };\n", i, file)
	}
	p := startServeBy(t, bin, "test:PORT {\n  bind 127.0.0.1\n  fairlead {\n    zones DIR/zones\n    state DIR/state\n  }\n}\n", zones)
	peers := []*nameServer{newNSD(nsd.String(), files), newKnot(knot.String(), files), newBIND(bind.String(), files)}
	addresses := []string{p.dns}
	for _, s := range peers {
		s.start(t)
		addresses = append(addresses, s.address)
	}
	for _, a := range addresses {
		await(t, a+" to serve all zones", func() bool {
			for _, z := range makers {
				if m, _, err := ask("udp", a, z.zone, dns.TypeSOA); err != nil || len(m.Answer) != 1 {
					return false
				}
			}
			return true
		})
	}
	d := &differential{t: t, explained: readExplained(t), seen: map[string]int{}}
	for _, z := range makers {
		for range differentialQueries {
			d.compare(z.question(), addresses)
		}
	}
	d.report()
}

// A differential counts what differs.
type differential struct {
	t         *testing.T
	explained map[string]string
	seen      map[string]int
	asked     int
	// apart is how many questions the others do not agree on.
	apart int
	shown int
}

func (d *differential) compare(q *dns.Msg, addresses []string) {
	d.t.Helper()
	var got []string
	for _, a := range addresses {
		r, _, err := (&dns.Client{Timeout: 5 * time.Second}).Exchange(q, a)
		require.NoError(d.t, err, "%s asks %s", a, q.Question[0].String())
		got = append(got, compared(r))
	}
	d.asked++
	ours, others := got[0], got[1:]
	if others[0] != others[1] || others[1] != others[2] {
		d.apart++
	}
	if slices.Contains(others, ours) && (others[0] != others[1] || others[1] != others[2] || ours == others[0]) {
		return
	}
	kind := kindOf(q, got)
	d.seen[kind]++
	if d.explained[kind] == "" && d.shown < 10 {
		d.shown++
		d.t.Errorf("%s: %s\nFairlead: %s\nNSD: %s\nKnot: %s\nBIND: %s", kind, q.Question[0].String(), got[0], got[1], got[2], got[3])
	}
}

// kindOf names a difference by what is different: the first line, or a section.
func kindOf(q *dns.Msg, got []string) string {
	ours, _, _ := strings.Cut(got[0], "\n")
	theirs, _, _ := strings.Cut(got[1], "\n")
	if ours != theirs {
		return fmt.Sprintf("%s: %s, not %s", dns.Type(q.Question[0].Qtype), ours, theirs)
	}
	return fmt.Sprintf("%s: records of a reply with %s", dns.Type(q.Question[0].Qtype), ours)
}

func (d *differential) report() {
	for kind, n := range d.seen {
		why := d.explained[kind]
		d.t.Logf("%d times %s: %s", n, kind, why)
		if why == "" {
			d.t.Errorf("not explained, %d times: %s", n, kind)
		}
	}
	for kind := range d.explained {
		if d.seen[kind] == 0 {
			d.t.Errorf("explained, and not seen: %s", kind)
		}
	}
	d.t.Logf("%d questions; the others differ among themselves on %d", d.asked, d.apart)
}

// readExplained reads the differences that have a reason: a line for each, kind and reason with a tab between them.
func readExplained(t *testing.T) map[string]string {
	t.Helper()
	f, err := os.Open("testdata/differential.txt")
	require.NoError(t, err)
	defer f.Close()
	out := map[string]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if kind, why, ok := strings.Cut(s.Text(), "\t"); ok && !strings.HasPrefix(kind, "#") {
			out[kind] = why
		}
	}
	return out
}
