package config

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// maxImport bounds the records of an imported zone file: $GENERATE makes 65,536 of one line.
const maxImport = 1_000_000

// An importedApex is what an imported zone file says of the apex; keys of the YAML file go before it.
type importedApex struct {
	soa *dns.SOA
	// servers are in order of appearance; ttl is that of their RRset.
	servers []NameServer
	ttl     uint32
	// at is where the first server stands; nil without any.
	at *claim
	// failed is set when the file could not be read to its end: what is missing may stand behind that.
	failed bool
}

// An importer takes the records of one zone file in the format of RFC 1035 section 5.
type importer struct {
	*builder
	includes *includes
	// sets are the RRsets so far, in order of appearance.
	sets  []*importedSet
	byKey map[recordKey]*importedSet
	// keyed is set when the name servers stand in the YAML file.
	keyed bool
	// signed is set once it has been said that signatures are ignored, apex once the same was said of name servers.
	signed, apex bool
}

type importedSet struct {
	Record
	report *report
	line   int
}

func (b *builder) importZoneFile() {
	n := field(b.root, "zonefile")
	if stringOf(n) == "" {
		return
	}
	im := &importer{builder: b, byKey: make(map[recordKey]*importedSet), includes: newIncludes(b.files, path.Dir(b.file))}
	im.keyed = field(b.root, "nameservers") != nil
	name := path.Clean(stringOf(n))
	if _, err := im.includes.read(name); err != nil {
		b.errorf(n, (*yamlPath)(nil).child("zonefile"), "", "%s", err)
		b.imported.failed = true
		return
	}
	im.run(name)
	for _, s := range im.sets {
		c := &claim{what: fmt.Sprintf("a static %s record", dns.Type(s.Type)), report: s.report, line: s.line, col: 1, typ: s.Type, imported: true}
		if im.owners.claimRecord(s.Name, c) {
			im.addRecord(s.Record, c)
		}
	}
	// Reports are finished when the owners have been checked.
	b.includes = im.includes
}

func (im *importer) run(name string) {
	in := im.includes
	zp := dns.NewZoneParser(in.current(), im.zone.Name, name)
	zp.SetDefaultTTL(defaultRecordTTL)
	zp.SetIncludeAllowed(true)
	zp.SetIncludeFS(in)
	for count := 0; ; count++ {
		rr, ok := zp.Next()
		if !ok {
			break
		}
		if count == maxImport {
			in.current().report.at(in.current().line(), 1, Error, "", fmt.Sprintf("more than %d records", maxImport), "")
			return
		}
		im.take(rr)
	}
	if err := zp.Err(); err != nil {
		im.imported.failed = true
		line, col := 1, 1
		if m := parserPlace.FindStringSubmatch(err.Error()); m != nil {
			line, _ = strconv.Atoi(m[1])
			col, _ = strconv.Atoi(m[2])
		}
		report := in.current().report
		if name, _, ok := strings.Cut(err.Error(), ": dns: "); ok && in.reports[name] != nil {
			// The parser has left the file already.
			report = in.reports[name]
		}
		report.at(max(line, 1), max(col, 1), Error, "", parserMessage(err), "")
	}
}

// say reports what is wrong with the record that was read last.
func (im *importer) say(s Severity, format string, args ...any) {
	at := im.includes.current()
	at.report.at(at.line(), 1, s, "", fmt.Sprintf(format, args...), "")
}

// take puts a record into its RRset, or says why not.
func (im *importer) take(rr dns.RR) {
	h := rr.Header()
	name, err := canonicalName(h.Name)
	switch {
	case err != nil:
		im.say(Error, "%s", err)
		return
	case h.Class != dns.ClassINET:
		im.say(Error, "the class %s of %s is not IN", dns.Class(h.Class), name)
		return
	case !Within(name, im.zone.Name):
		im.say(Error, "%s is outside the zone %s", name, im.zone.Name)
		return
	case h.Ttl > 1<<31-1:
		im.say(Error, "the TTL %d is out of range, want at most 2147483647 (RFC 2181 section 8)", h.Ttl)
		return
	case im.takeApex(rr, name), im.leftOut(name, h.Rrtype):
		return
	}
	if why := im.refused(name, h.Rrtype); why != "" {
		im.say(Error, "%s", why)
		return
	}
	rdata, err := packData(rr)
	if err != nil {
		im.say(Error, "%s", err)
		return
	}
	key := recordKey{name, h.Rrtype}
	set := im.byKey[key]
	if set == nil {
		at := im.includes.current()
		set = &importedSet{Record: Record{Name: name, Type: h.Rrtype, TTL: h.Ttl}, report: at.report, line: at.line()}
		im.byKey[key] = set
		im.sets = append(im.sets, set)
	}
	if set.TTL != h.Ttl {
		im.say(Warning, "the records of one name and type have one TTL (RFC 2181 section 5.2); the least of %d and %d is used", set.TTL, h.Ttl)
		set.TTL = min(set.TTL, h.Ttl)
	}
	if h.Rrtype == typeCNAME && len(set.RData) > 0 && !slices.EqualFunc(set.RData[:1], [][]byte{rdata}, slices.Equal) {
		im.say(Error, "more than one CNAME for %s", name)
		return
	}
	set.RData = append(set.RData, rdata)
}

// takeApex takes the SOA, and the name servers of the apex unless they stand in the YAML file.
func (im *importer) takeApex(rr dns.RR, name string) bool {
	a := &im.imported
	switch rr := rr.(type) {
	case *dns.SOA:
		switch {
		case name != im.zone.Name:
			im.say(Error, "a SOA below the apex, for %s", name)
		case a.soa == nil:
			a.soa = rr
		case !dns.IsDuplicate(a.soa, rr):
			im.say(Error, "more than one SOA")
		}
		return true
	case *dns.NS:
		if name != im.zone.Name {
			return false
		}
		if im.keyed {
			if !im.apex {
				im.say(Warning, "ignored: the NS records of the apex come from the key nameservers")
			}
			im.apex = true
			return true
		}
		im.takeServer(rr)
		return true
	}
	return false
}

func (im *importer) takeServer(rr *dns.NS) {
	a := &im.imported
	target, err := canonicalName(rr.Ns)
	if err != nil {
		im.say(Error, "%s", err)
		return
	}
	if a.at == nil {
		a.ttl = rr.Hdr.Ttl
		a.at = &claim{report: im.includes.current().report, line: im.includes.current().line(), col: 1}
	}
	a.ttl = min(a.ttl, rr.Hdr.Ttl)
	if !slices.ContainsFunc(a.servers, func(s NameServer) bool { return s.Name == target }) {
		a.servers = append(a.servers, NameServer{Name: target})
	}
}

// leftOut tells whether a record is not taken for a reason that is none to complain: it says so once.
func (im *importer) leftOut(name string, typ uint16) bool {
	switch typ {
	case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeNSEC3PARAM, dns.TypeSIG, dns.TypeNXT:
		if !im.signed {
			im.say(Warning, "ignored: signatures and denials of the file (%s and the like); the zone is signed here or not at all", dns.Type(typ))
		}
		im.signed = true
		return true
	case dns.TypeA, dns.TypeAAAA:
		if own := im.owners[name]; own != nil && own.main != nil && own.main.ns != nil && len(own.main.ns.Addresses) > 0 {
			im.say(Warning, "ignored: the addresses of %s come from the key nameservers", name)
			return true
		}
	}
	return false
}
