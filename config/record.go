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
	b.buildDelegations()
	b.importZoneFile()
	b.sortRecords()
}

func (b *builder) record(n *yamlNode, at *yamlPath) {
	typeNode := field(n, "type")
	name := b.owner(field(n, "name"), at.child("name"), parseOwnerName)
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
	for i, d := range items(data) {
		where := at.child("data")
		if data.Kind == yaml.SequenceNode {
			where = where.item(i)
		}
		text := stringOf(d)
		if text == "" || lineText(text) != nil {
			continue
		}
		if name := relativeName(typ, text); name != "" {
			b.node(d, Warning, where.String(), fmt.Sprintf("without a final dot this name is %s", shorten(name+"."+b.zone.Name)),
				"names in record data are relative to the zone; a final dot makes them absolute")
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
	}
	if len(r.RData) > 1 && typ == typeCNAME {
		b.errorf(data, at.child("data"), "", "more than one CNAME for %s", name)
		return
	}
	c := b.claim(fmt.Sprintf("a static %s record", dns.Type(typ)), field(n, "name"), at.child("name"))
	c.typ = typ
	if len(r.RData) > 0 && b.owners.claimRecord(name, c) {
		b.addRecord(r, c)
	}
}

// commonTypes are suggested for a mistyped type.
var commonTypes = []string{"A", "AAAA", "CNAME", "MX", "TXT", "SRV", "CAA", "PTR", "SSHFP", "TLSA", "HTTPS", "SVCB", "NAPTR", "SPF", "NS", "DS", "DNAME"}

// A recordKey is an RRset's name and type.
type recordKey struct {
	name string
	typ  uint16
}

// addRecord freezes an RRset, together with what stands under its name and type already.
func (b *builder) addRecord(r Record, c *claim) {
	key := recordKey{r.Name, r.Type}
	at, more := b.recordAt[key]
	if !more {
		if b.recordAt == nil {
			b.recordAt = make(map[recordKey]int)
		}
		at = len(b.zone.Records)
		b.recordAt[key] = at
		b.zone.Records = append(b.zone.Records, Record{Name: r.Name, Type: r.Type, TTL: r.TTL})
	}
	set := &b.zone.Records[at]
	if set.TTL != r.TTL {
		c.say(Warning, "", "the records of one name and type have one TTL (RFC 2181 section 5.2); the least of %d and %d is used", set.TTL, r.TTL)
		set.TTL = min(set.TTL, r.TTL)
	}
	if single := r.Type == typeCNAME || r.Type == dns.TypeDNAME; single && len(set.RData)+len(r.RData) > 1 {
		all := append(set.RData, r.RData...)
		if slices.ContainsFunc(all, func(d []byte) bool { return !bytes.Equal(d, all[0]) }) {
			c.errorf("", "more than one %s for %s", dns.Type(r.Type), r.Name)
			return
		}
		// The same several times is one.
		set.RData, r.RData = nil, all[:1]
	}
	set.RData = append(set.RData, r.RData...)
	if r.Type == typeCNAME {
		if target, _, err := dns.UnpackDomainName(set.RData[0], 0); err == nil {
			b.owners.of(r.Name).target, _ = canonicalName(target)
		}
	}
}

// sortRecords gives every RRset its order, in which no record stands twice.
func (b *builder) sortRecords() {
	for i := range b.zone.Records {
		set := &b.zone.Records[i]
		slices.SortFunc(set.RData, bytes.Compare)
		set.RData = slices.CompactFunc(set.RData, bytes.Equal)
	}
}

// refused says why a static record cannot have this name and type.
func (b *builder) refused(name string, typ uint16) string {
	switch {
	case typ == dns.TypeNS && name == b.zone.Name:
		return "the NS records of the apex are made from the key nameservers"
	case (typ == dns.TypeNS || typ == dns.TypeDNAME) && strings.HasPrefix(name, "*."):
		return fmt.Sprintf("%s records of a wildcard: what they mean is not defined (RFC 4592 section 4)", dns.Type(typ))
	case typ == dns.TypeDS && name == b.zone.Name:
		return "the DS records of the apex stand in the parent zone"
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
	text, err := asciiNames(typ, text)
	if err != nil {
		return nil, err
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

// relativeName is the name at the end of RDATA if it has several labels and no final dot, as an absolute name has that lost it; else empty.
func relativeName(typ uint16, text string) string {
	switch typ {
	case dns.TypeCNAME, dns.TypeDNAME, dns.TypeNS, dns.TypeMX, dns.TypePTR, dns.TypeSRV:
	default:
		return ""
	}
	words := strings.Fields(text)
	if len(words) == 0 {
		return ""
	}
	if name := strings.ToLower(words[len(words)-1]); strings.Contains(name, ".") && !strings.HasSuffix(name, ".") {
		return name
	}
	return ""
}

// asciiNames has A-labels for the U-labels of the names in RDATA.
func asciiNames(typ uint16, text string) (string, error) {
	switch typ {
	case dns.TypeCNAME, dns.TypeDNAME, dns.TypeNS, dns.TypeMX, dns.TypePTR, dns.TypeSRV, dns.TypeHTTPS, dns.TypeSVCB, dns.TypeNAPTR:
	default:
		return text, nil
	}
	if isASCII(text) {
		return text, nil
	}
	words := strings.Fields(text)
	for i, w := range words {
		var err error
		if words[i], err = toASCII(w); err != nil {
			return "", err
		}
	}
	return strings.Join(words, " "), nil
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
	if end == rrHeaderOctets && !mayBeEmpty(rr) {
		return nil, fmt.Errorf("no %s data", dns.Type(header.Rrtype))
	}
	return slices.Clip(buf[rrHeaderOctets:end]), nil
}

// mayBeEmpty tells whether the RDATA of rr may have no octets.
func mayBeEmpty(rr dns.RR) bool {
	switch rr.(type) {
	case *dns.RFC3597, *dns.APL, *dns.NULL:
		return true
	}
	return false
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
