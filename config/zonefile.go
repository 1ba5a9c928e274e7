package config

import (
	"bytes"
	"fmt"
	"path"
	"strconv"

	"github.com/miekg/dns"
)

// maxImport bounds the records of an imported zone file: $GENERATE makes 65,536 of one line.
const maxImport = 1_000_000

// A lineReader counts the lines that the zone file parser has read: it does not say where a record stands.
type lineReader struct {
	*bytes.Reader
	lines int
	// last is the octet read last.
	last byte
}

// ReadByte is what the parser reads with.
func (l *lineReader) ReadByte() (byte, error) {
	c, err := l.Reader.ReadByte()
	if err == nil {
		if l.last = c; c == '\n' {
			l.lines++
		}
	}
	return c, err
}

// line is where the record that was read last ends.
func (l *lineReader) line() int {
	if l.last == '\n' {
		return l.lines
	}
	return l.lines + 1
}

// An importer takes the records of one zone file in the format of RFC 1035 section 5.
type importer struct {
	*builder
	report *report
	// sets are the RRsets so far, in order of appearance.
	sets  []*importedSet
	byKey map[importKey]*importedSet
}

type importKey struct {
	name string
	typ  uint16
}

type importedSet struct {
	Record
	line   int
	target string
}

func (b *builder) importZoneFile() {
	n := field(b.root, "zonefile")
	if stringOf(n) == "" {
		return
	}
	content, err := b.files.get(stringOf(n))
	if err != nil {
		b.errorf(n, (*yamlPath)(nil).child("zonefile"), "", "%s", err)
		return
	}
	im := &importer{builder: b, byKey: make(map[importKey]*importedSet)}
	im.report = newReport(path.Join(path.Dir(b.file), stringOf(n)), content)
	im.run(content)
	for _, s := range im.sets {
		im.add(s)
	}
	b.problems = append(b.problems, im.report.finish()...)
}

func (im *importer) run(content []byte) {
	r := &lineReader{Reader: bytes.NewReader(content)}
	zp := dns.NewZoneParser(r, im.zone.Name, "")
	zp.SetDefaultTTL(defaultRecordTTL)
	for count := 0; ; count++ {
		rr, ok := zp.Next()
		if !ok {
			break
		}
		if count == maxImport {
			im.report.at(r.line(), 1, Error, "", fmt.Sprintf("more than %d records", maxImport), "")
			return
		}
		im.take(rr, r.line())
	}
	if err := zp.Err(); err != nil {
		line, col := 1, 1
		if m := parserPlace.FindStringSubmatch(err.Error()); m != nil {
			line, _ = strconv.Atoi(m[1])
			col, _ = strconv.Atoi(m[2])
		}
		im.report.at(max(line, 1), max(col, 1), Error, "", parserMessage(err), "")
	}
}

// take puts a record into its RRset, or says why not.
func (im *importer) take(rr dns.RR, line int) {
	h := rr.Header()
	name := dns.CanonicalName(h.Name)
	say := func(s Severity, format string, args ...any) {
		im.report.at(line, 1, s, "", fmt.Sprintf(format, args...), "")
	}
	switch {
	case h.Class != dns.ClassINET:
		say(Error, "the class %s of %s is not IN", dns.Class(h.Class), name)
		return
	case !within(name, im.zone.Name):
		say(Error, "%s is outside the zone %s", name, im.zone.Name)
		return
	case h.Rrtype == dns.TypeSOA, h.Rrtype == dns.TypeNS && name == im.zone.Name:
		say(Warning, "ignored: SOA and apex NS come from the keys soa and nameservers")
		return
	case im.isGlue(name, h.Rrtype):
		say(Warning, "ignored: the addresses of %s come from the key nameservers", name)
		return
	}
	if why := im.refused(name, h.Rrtype); why != "" {
		say(Error, "%s", why)
		return
	}
	if h.Ttl > 1<<31-1 {
		say(Error, "the TTL %d is out of range, want at most 2147483647 (RFC 2181 section 8)", h.Ttl)
		return
	}
	rdata, err := packData(rr)
	if err != nil {
		say(Error, "%s", err)
		return
	}
	key := importKey{name, h.Rrtype}
	set := im.byKey[key]
	if set == nil {
		set = &importedSet{Record: Record{Name: name, Type: h.Rrtype, TTL: h.Ttl}, line: line}
		im.byKey[key] = set
		im.sets = append(im.sets, set)
	}
	if set.TTL != h.Ttl {
		say(Warning, "the records of one name and type have one TTL (RFC 2181 section 5.2); the least of %d and %d is used", set.TTL, h.Ttl)
		set.TTL = min(set.TTL, h.Ttl)
	}
	if c, ok := rr.(*dns.CNAME); ok {
		if set.RData != nil {
			say(Error, "more than one CNAME for %s", name)
		}
		set.target = dns.CanonicalName(c.Target)
	}
	set.RData = append(set.RData, rdata)
}

func (im *importer) isGlue(name string, t uint16) bool {
	own := im.owners[name]
	return own != nil && own.main != nil && own.main.ns != nil && (t == dns.TypeA || t == dns.TypeAAAA)
}

func (im *importer) add(s *importedSet) {
	c := &claim{what: fmt.Sprintf("a static %s record", dns.Type(s.Type)), report: im.report, line: s.line, col: 1, typ: s.Type}
	if im.owners.claimRecord(s.Name, c) {
		im.addRecord(s.Record, s.target)
	}
}
