package config

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// TypeName is the mnemonic of the record's type, or TYPE12345.
func (r *Record) TypeName() string { return dns.Type(r.Type).String() }

// Text is the RDATA of an RRset as zone files have it.
func (r *Record) Text() string {
	var texts []string
	for _, data := range r.RData {
		h := dns.RR_Header{Name: r.Name, Rrtype: r.Type, Class: dns.ClassINET, Ttl: r.TTL, Rdlength: uint16(len(data))}
		rr, _, err := dns.UnpackRRWithHeader(h, data, 0)
		if err != nil {
			texts = append(texts, hex.EncodeToString(data))
			continue
		}
		text := strings.TrimPrefix(rr.String(), rr.Header().String())
		if generic, ok := rr.(*dns.RFC3597); ok {
			text = fmt.Sprintf(`\# %d %s`, len(data), generic.Rdata)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}
