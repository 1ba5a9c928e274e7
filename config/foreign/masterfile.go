package foreign

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// A line is one entry of a master file (RFC 1035 section 5) whose type may be one that is not of the DNS.
type line struct {
	file string
	at   int
	// owner is absolute; ttl is the text of the TTL, empty for none.
	owner, ttl, typ string
	// data are the tokens behind the type.
	data []token
}

// A token is one word; quoted ones may hold anything.
type token struct {
	text   string
	quoted bool
	line   int
}

// A masterFile is being read.
type masterFile struct {
	imp *importer
	// zone is the name that @Z stands for.
	zone string
	out  []line
}

// maxIncludes bounds files in files.
const maxIncludes = 10

// readMaster reads the entries of a file of the zone; $ORIGIN, $TTL and $INCLUDE are followed.
func (imp *importer) readMaster(f File, zone string) ([]line, error) {
	m := &masterFile{imp: imp, zone: zone}
	err := m.file(f, zone, "", 0)
	return m.out, err
}

func (m *masterFile) file(f File, origin, ttl string, depth int) error {
	entries, err := tokens(string(f.Content))
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	start, owner := origin, origin
	for _, e := range entries {
		first := e.words[0].text
		switch strings.ToUpper(first) {
		case "$ORIGIN":
			if len(e.words) > 1 {
				origin = m.absolute(e.words[1].text, origin, start)
			}
			continue
		case "$TTL":
			if len(e.words) > 1 {
				ttl = e.words[1].text
			}
			continue
		case "$INCLUDE":
			if err := m.include(f, e, origin, ttl, depth); err != nil {
				return err
			}
			continue
		}
		if strings.HasPrefix(first, "$") {
			m.imp.note(f.Name, e.words[0].line, "%s is not carried over", first)
			continue
		}
		if !e.indented {
			owner = m.absolute(first, origin, start)
			e.words = e.words[1:]
		}
		l := line{file: f.Name, at: e.line, owner: strings.ToLower(owner), ttl: ttl}
		for len(e.words) > 0 && l.typ == "" {
			w := e.words[0]
			e.words = e.words[1:]
			switch {
			case strings.EqualFold(w.text, "IN"):
			case w.text != "" && w.text[0] >= '0' && w.text[0] <= '9':
				l.ttl = w.text
			default:
				l.typ = strings.ToUpper(w.text)
			}
		}
		if l.data = e.words; l.typ != "" {
			m.out = append(m.out, l)
		}
		for i := range l.data {
			l.data[i].text = m.special(l.data[i], origin, start)
		}
	}
	return nil
}

func (m *masterFile) include(f File, e entry, origin, ttl string, depth int) error {
	if len(e.words) < 2 || m.imp.read == nil || depth >= maxIncludes {
		m.imp.note(f.Name, e.line, "an $INCLUDE that cannot be followed")
		return nil
	}
	path := e.words[1].text
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(f.Name), path)
	}
	content, err := m.imp.read(path)
	if err != nil {
		return fmt.Errorf("%s:%d: %w", f.Name, e.line, err)
	}
	if len(e.words) > 2 {
		origin = m.absolute(e.words[2].text, origin, origin)
	}
	return m.file(File{path, content}, origin, ttl, depth+1)
}

// absolute is a name with its final dot; start is the origin at the beginning of the file (@F of gdnsd).
func (m *masterFile) absolute(name, origin, start string) string {
	for _, special := range []struct{ mark, stands string }{{"@Z", m.zone}, {"@F", start}, {"@", origin}} {
		if name == special.mark {
			return special.stands
		}
		if rest, ok := strings.CutSuffix(name, "."+special.mark); ok && special.mark != "@" {
			return rest + "." + special.stands
		}
	}
	if strings.HasSuffix(name, ".") {
		return name
	}
	if origin == "." {
		return name + "."
	}
	return name + "." + origin
}

// special replaces gdnsd's marks in data, which dns.NewRR does not know.
func (m *masterFile) special(t token, origin, start string) string {
	if t.quoted || !strings.HasSuffix(t.text, "@Z") && !strings.HasSuffix(t.text, "@F") {
		return t.text
	}
	return m.absolute(t.text, origin, start)
}

// seconds is a TTL of a master file: seconds, or units as in 1h30m.
func seconds(text string) (uint32, bool) {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return uint32(n), true
	}
	var sum, n uint64
	for _, r := range strings.ToLower(text) {
		unit, known := map[rune]uint64{'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 604800}[r]
		switch {
		case r >= '0' && r <= '9':
			n = n*10 + uint64(r-'0')
		case known:
			sum, n = sum+n*unit, 0
		default:
			return 0, false
		}
		if n > 1<<31 || sum > 1<<31 {
			return 0, false
		}
	}
	return uint32(sum), sum > 0 && n == 0
}

// static puts an ordinary record into the zone.
func (imp *importer) static(z *zone, l line, otherwise uint32) {
	ttl := otherwise
	if l.ttl != "" {
		n, ok := seconds(l.ttl)
		if !ok {
			imp.note(l.file, l.at, "the TTL %s", l.ttl)
			return
		}
		ttl = n
	}
	var words []string
	for _, t := range l.data {
		if t.quoted {
			words = append(words, `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(t.text)+`"`)
			continue
		}
		words = append(words, t.text)
	}
	rr, err := dns.NewRR(fmt.Sprintf("$ORIGIN %s\n%s %d IN %s %s", z.name, l.owner, ttl, l.typ, strings.Join(words, " ")))
	if err != nil || rr == nil {
		imp.note(l.file, l.at, "%s %s is not understood: left out", l.owner, l.typ)
		return
	}
	imp.add(z, rr, l)
}

// add takes a record where a zone file has a place for it.
func (imp *importer) add(z *zone, rr dns.RR, l line) {
	h := rr.Header()
	switch rr := rr.(type) {
	case *dns.SOA:
		// RFC 2308 section 5: the lesser of the two.
		negative := rr.Minttl
		if h.Ttl > 0 {
			negative = min(negative, h.Ttl)
		}
		z.soa = []string{
			"mname: " + word(rr.Ns), "rname: " + word(rr.Mbox), fmt.Sprintf("negative_ttl: %ds", min(max(negative, 1), 86400)),
			fmt.Sprintf("refresh: %ds, retry: %ds, expire: %ds", rr.Refresh, rr.Retry, rr.Expire),
		}
		return
	case *dns.NS:
		if h.Name == z.name {
			z.nameservers = append(z.nameservers, nameserver{name: strings.ToLower(rr.Ns)})
			return
		}
	case *dns.RRSIG, *dns.NSEC, *dns.NSEC3, *dns.NSEC3PARAM, *dns.DNSKEY:
		imp.note(l.file, l.at, "%s of %s is not carried over: `fairlead dnssec keygen` makes keys, and signatures follow", dns.Type(h.Rrtype), h.Name)
		return
	}
	z.records = append(z.records, record{
		owner: strings.ToLower(h.Name), typ: dns.Type(h.Rrtype).String(), ttl: h.Ttl, data: strings.TrimPrefix(rr.String(), h.String()),
	})
}
