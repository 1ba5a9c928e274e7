package fastlane

import (
	"encoding/binary"
	"slices"

	"github.com/miekg/dns"
)

// Refusable is p, or a query in its place that gets FORMERR on CoreDNS's path, with the same id, question and EDNS: miekg's server takes
// counts that lie for right ones, ends a question that is cut off, and pads or cuts the address of a client subnet.
func Refusable(p []byte) []byte {
	if len(p) < headerLen || p[2]>>3&0xf != dns.OpcodeQuery || dns.DefaultMsgAcceptFunc(headerOf(p)) != dns.MsgAccept {
		// Its rules for headers are right: no answers, one question, few records.
		return p
	}
	question, edns, ok := wellFormed(p)
	if ok || new(dns.Msg).Unpack(p) != nil {
		// What it cannot read it refuses by itself.
		return p
	}
	out := slices.Clone(p[:headerLen])
	copy(out[4:], []byte{0, 0, 0, 0, 0, 0, 0, 0})
	if question == 0 || !edns {
		// A header alone is what it refuses by itself.
		return out
	}
	out[5], out[11] = 1, 1
	out = append(out, p[headerLen:question]...)
	// A scope in a query is refused (RFC 7871 section 6).
	return append(out, 0, 0, byte(dns.TypeOPT), 0x04, 0xd0, 0, 0, 0, 0, 0, 8, 0, byte(dns.EDNS0SUBNET), 0, 4, 0, 1, 0, 1)
}

// headerOf is the header of p.
func headerOf(p []byte) (h dns.Header) {
	for i, to := range []*uint16{&h.Id, &h.Bits, &h.Qdcount, &h.Ancount, &h.Nscount, &h.Arcount} {
		*to = binary.BigEndian.Uint16(p[2*i:])
	}
	return h
}

// wellFormed tells whether the records of a query with one question are where its header says, or miekg's server sees by itself that they
// are not, as where one is cut off in its middle. question is where its question ends, 0 where that is cut off; edns is set where an OPT
// record was seen.
func wellFormed(p []byte) (question int, edns, ok bool) {
	at := skipName(p, headerLen)
	if at < 0 || at+4 > len(p) {
		return 0, false, false
	}
	at += 4
	question = at
	left := int(binary.BigEndian.Uint16(p[6:])) + int(binary.BigEndian.Uint16(p[8:])) + int(binary.BigEndian.Uint16(p[10:]))
	for ; left > 0; left-- {
		if at == len(p) {
			return question, edns, false
		}
		if at = skipName(p, at); at < 0 || at+rrFixed > len(p) {
			return question, edns, true
		}
		typ, n := binary.BigEndian.Uint16(p[at:]), int(binary.BigEndian.Uint16(p[at+rrFixed-2:]))
		if at += rrFixed; at+n > len(p) {
			return question, edns, true
		}
		switch typ {
		case dns.TypeOPT:
			edns = true
			if !subnetsFit(p[at : at+n]) {
				return question, edns, false
			}
		case dns.TypeTSIG:
			// It is the last record (RFC 8945 section 5.1).
			if left > 1 {
				return question, edns, false
			}
		}
		at += n
	}
	return question, edns, at == len(p)
}

// rrFixed is type, class, TTL and RDLENGTH.
const rrFixed = 10

// skipName is where the name at at ends; -1 where it does not. A pointer ends it, wherever it leads.
func skipName(p []byte, at int) int {
	for at < len(p) {
		switch n := int(p[at]); {
		case n == 0:
			return at + 1
		case n&0xC0 == 0xC0:
			if at+2 > len(p) {
				return -1
			}
			return at + 2
		case n > maxLabel:
			return -1
		default:
			at += 1 + n
		}
	}
	return -1
}

// subnetsFit tells whether the client subnets of an OPT record's options have as many octets as their source prefixes need. Other faults
// are found by those who read them.
func subnetsFit(options []byte) bool {
	for len(options) >= 4 {
		code, n := binary.BigEndian.Uint16(options), int(binary.BigEndian.Uint16(options[2:]))
		if options = options[4:]; n > len(options) {
			return true
		}
		if data := options[:n]; code == dns.EDNS0SUBNET && n >= 4 {
			family, source := binary.BigEndian.Uint16(data), int(data[2])
			if (family == 1 || family == 2) && n-4 != (source+7)/8 {
				return false
			}
		}
		options = options[n:]
	}
	return true
}
