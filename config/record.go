package config

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/miekg/dns"
	"gopkg.in/yaml.v3"
)

const typeCNAME = dns.TypeCNAME

// rrHeaderOctets is what PackRR writes before the RDATA when the owner name is the root.
const rrHeaderOctets = 1 + 10

func (b *builder) buildRecords() {
	root := (*yamlPath)(nil).child("records")
	for i, item := range items(field(b.root, "records")) {
		if item.Kind == yaml.MappingNode {
			b.record(item, root.item(i))
		}
	}
	b.importZoneFile()
}

func (b *builder) record(n *yamlNode, at *yamlPath) {
	typeNode := field(n, "type")
	name := b.ownerName(field(n, "name"), at.child("name"))
	typ, known := parseType(stringOf(typeNode))
	if !known {
		if s := stringOf(typeNode); s != "" {
			b.errorf(typeNode, at.child("type"), didYouMean(s, commonTypes, ""), "unknown record type %q", shorten(s))
		}
		return
	}
	if name == "" {
		return
	}
	if why := b.refused(name, typ); why != "" {
		b.errorf(typeNode, at.child("type"), "", "%s", why)
		return
	}
	data := field(n, "data")
	r := Record{Name: name, Type: typ, TTL: ttlOf(field(n, "ttl"), defaultRecordTTL)}
	target := ""
	for i, d := range items(data) {
		where := at.child("data")
		if data.Kind == yaml.SequenceNode {
			where = where.item(i)
		}
		text := stringOf(d)
		if text == "" || lineText(text) != nil {
			continue
		}
		rr, err := parseData(b.zone.Name, typ, text)
		if err == nil {
			var rdata []byte
			if rdata, err = packData(rr); err == nil {
				r.RData = append(r.RData, rdata)
			}
		}
		if err != nil {
			b.errorf(d, where, "", "%s", err)
			continue
		}
		if c, ok := rr.(*dns.CNAME); ok {
			target = dns.CanonicalName(c.Target)
		}
	}
	if len(r.RData) > 1 && typ == typeCNAME {
		b.errorf(data, at.child("data"), "", "more than one CNAME for %s", name)
	}
	c := b.claim(fmt.Sprintf("a static %s record", dns.Type(typ)), field(n, "name"), at.child("name"))
	c.typ = typ
	if b.owners.claimRecord(name, c) && len(r.RData) > 0 {
		b.addRecord(r, target)
	}
}

// commonTypes are suggested for a mistyped type.
var commonTypes = []string{"A", "AAAA", "CNAME", "MX", "TXT", "SRV", "CAA", "PTR", "SSHFP", "TLSA", "HTTPS", "SVCB", "NAPTR", "SPF"}

// addRecord freezes an RRset.
func (b *builder) addRecord(r Record, target string) {
	slices.SortFunc(r.RData, bytes.Compare)
	r.RData = slices.CompactFunc(r.RData, bytes.Equal)
	b.zone.Records = append(b.zone.Records, r)
	if target != "" {
		b.owners.of(r.Name).target = target
	}
}

// refused says why a static record cannot have this name and type.
func (b *builder) refused(name string, typ uint16) string {
	switch {
	case typ == dns.TypeNS && name == b.zone.Name:
		return "the NS records of the apex are made from the key nameservers"
	case typ == dns.TypeNS:
		return fmt.Sprintf("NS records below the apex: delegations are not supported (%s)", relative(name, b.zone.Name))
	case typ == typeCNAME && name == b.zone.Name:
		return "a CNAME at the apex: it would hide SOA and NS (RFC 1034 section 3.6.2)"
	}
	return refusedType(typ)
}

// parseData reads RDATA in presentation format; names without a final dot are relative to the zone. Text records may be
// given without quotes.
func parseData(zone string, typ uint16, text string) (dns.RR, error) {
	switch typ {
	case dns.TypeTXT, dns.TypeSPF:
		text = quoteText(text)
	case dns.TypeA, dns.TypeAAAA:
		if _, err := parseAddress(text); err != nil {
			return nil, err
		}
	}
	if hasComment(text) {
		return nil, fmt.Errorf("a ; begins a comment; put the data in quotes")
	}
	line := fmt.Sprintf("%s 0 IN %s %s\n", zone, dns.Type(typ), text)
	zp := dns.NewZoneParser(strings.NewReader(line), zone, "")
	rr, ok := zp.Next()
	if !ok {
		if err := zp.Err(); err != nil {
			return nil, errors.New(parserMessage(err))
		}
		return nil, fmt.Errorf("no data")
	}
	return rr, nil
}

// packData is the RDATA in wire format, names uncompressed.
func packData(rr dns.RR) ([]byte, error) {
	header := *rr.Header()
	rr.Header().Name = "."
	defer func() { *rr.Header() = header }()
	buf := make([]byte, rrHeaderOctets+dns.Len(rr)+64)
	end, err := dns.PackRR(rr, buf, 0, nil, false)
	if err != nil {
		return nil, fmt.Errorf("bad %s data: %s", dns.Type(header.Rrtype), strings.TrimPrefix(err.Error(), "dns: "))
	}
	if end == rrHeaderOctets {
		return nil, fmt.Errorf("no %s data", dns.Type(header.Rrtype))
	}
	return slices.Clip(buf[rrHeaderOctets:end]), nil
}

var parserPlace = regexp.MustCompile(` at line: ([0-9]+):([0-9]+)$`)

// parserMessage is the error of the zone file parser without its place.
func parserMessage(err error) string {
	msg := parserPlace.ReplaceAllString(err.Error(), "")
	msg = strings.TrimPrefix(msg[strings.Index(msg, "dns: ")+len("dns: "):], " ")
	return "bad data: " + msg
}

// quoteText makes character-strings of text that has no quotes around it, of at most 255 octets each.
func quoteText(text string) string {
	if strings.HasPrefix(text, `"`) {
		return text
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(text); i++ {
		if i > 0 && i%255 == 0 {
			b.WriteString(`" "`)
		}
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < 0x20 || c >= 0x7F:
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// hasComment tells whether text has a semicolon outside quotes.
func hasComment(text string) bool {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		case ';':
			if !quoted {
				return true
			}
		}
	}
	return false
}
