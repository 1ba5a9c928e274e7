package fastlane

import (
	"encoding/binary"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/plugin/abuse"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

const (
	headerLen = 12
	maxLabel  = 63
	maxName   = 255
	// optFixed is an OPT record without options: the root name, type, class, TTL, RDLENGTH.
	optFixed = 11
	// maxQuery is how much of a datagram miekg's server reads. What is longer is cut, and malformed on both paths.
	maxQuery = dns.MinMsgSize
)

// The flags of a plain query, in the third and fourth octet of the header: RD, AD and CD may be set, nothing else.
const (
	plainFlags2 = 1 << 0
	plainFlags3 = 1<<5 | 1<<4
	flagRD      = 1 << 0
	flagCD      = 1 << 4
)

// A query is one plain question as it was read.
type query struct {
	answer.Question
	cookie abuse.Cookie
	// nsid is set when the client asks for the server's name (RFC 5001).
	nsid bool
}

// read reads a packet. It returns false for everything that is not a plain question: one of class IN with at most an OPT record
// behind it whose options the ordinary path either ignores or reads just so. Only Size, EDNS, DO, ECS, Name, Type, Class, ID, RD and CD are set.
func (q *query) read(p []byte) bool {
	if len(p) < headerLen+5 || len(p) >= maxQuery || p[2]&^plainFlags2 != 0 || p[3]&^plainFlags3 != 0 {
		return false
	}
	// One question, no answer, no authority; one record more at most.
	if binary.BigEndian.Uint64(p[4:]) > 1<<48|1 || binary.BigEndian.Uint64(p[4:])>>16 != 1<<32 {
		return false
	}
	at := headerLen
	for {
		n := int(p[at])
		if n == 0 {
			break
		}
		if at += 1 + n; n > maxLabel || at >= len(p)-4 {
			return false
		}
	}
	at++
	if at-headerLen > maxName || at+4 > len(p) {
		return false
	}
	q.ID, q.RD, q.CD = binary.BigEndian.Uint16(p), p[2]&flagRD != 0, p[3]&flagCD != 0
	q.Name = p[headerLen:at:at]
	q.Type, q.Class = binary.BigEndian.Uint16(p[at:]), binary.BigEndian.Uint16(p[at+2:])
	if q.Class != dns.ClassINET {
		return false
	}
	at += 4
	q.EDNS, q.DO, q.nsid, q.Size, q.ECS = false, false, false, dns.MinMsgSize, answer.ECS{}
	q.cookie, q.WithCookie, q.Length = abuse.Cookie{}, false, 0
	if p[11] == 0 {
		return at == len(p)
	}
	return q.readOPT(p[at:])
}

// readOPT reads the record behind the question, which is the rest of the packet.
func (q *query) readOPT(p []byte) bool {
	if len(p) < optFixed || p[0] != 0 || binary.BigEndian.Uint16(p[1:]) != dns.TypeOPT {
		return false
	}
	// The extended RCODE and the version are 0, and of the flags none but DO is known.
	if p[5] != 0 || p[6] != 0 || p[7]&^(1<<7) != 0 || p[8] != 0 || int(binary.BigEndian.Uint16(p[9:])) != len(p)-optFixed {
		return false
	}
	q.EDNS, q.DO = true, p[7] != 0
	q.Size = max(dns.MinMsgSize, int(binary.BigEndian.Uint16(p[3:])))
	for p = p[optFixed:]; len(p) > 0; {
		if len(p) < 4 {
			return false
		}
		code, n := binary.BigEndian.Uint16(p), int(binary.BigEndian.Uint16(p[2:]))
		if p = p[4:]; n > len(p) {
			return false
		}
		if !q.readOption(code, p[:n]) {
			return false
		}
		p = p[n:]
	}
	return true
}

// readOption reads one option. Those that miekg's server could find malformed are left to it, but for the client subnet.
func (q *query) readOption(code uint16, data []byte) bool {
	switch code {
	case dns.EDNS0NSID:
		q.nsid = true
		return true
	case dns.EDNS0PADDING:
		return true
	case dns.EDNS0COOKIE:
		c, ok := abuse.ParseCookie(data)
		if !q.cookie.Present {
			// The first counts (RFC 7873 section 5.2).
			q.cookie = c
		}
		return ok
	case dns.EDNS0SUBNET:
		return !q.ECS.Present && readSubnet(&q.ECS, data)
	}
	return false
}

// readSubnet reads a client subnet option (RFC 7871 section 6) that is in order; the ordinary path knows what to do with others.
func readSubnet(ecs *answer.ECS, data []byte) bool {
	if len(data) < 4 || data[3] != 0 {
		return false
	}
	family, source, data := binary.BigEndian.Uint16(data), int(data[2]), data[4:]
	var addr netip.Addr
	switch family {
	case 0:
		*ecs = answer.ECS{Present: true}
		return source == 0 && len(data) == 0
	case 1:
		var a [4]byte
		if source > 32 || len(data) != (source+7)/8 {
			return false
		}
		copy(a[:], data)
		addr = netip.AddrFrom4(a)
	case 2:
		var a [16]byte
		if source > 128 || len(data) != (source+7)/8 {
			return false
		}
		copy(a[:], data)
		addr = netip.AddrFrom16(a)
	default:
		return false
	}
	p, err := addr.Prefix(source)
	if err != nil || p.Addr() != addr {
		return false
	}
	*ecs = answer.ECS{Present: true, Family: family, Prefix: p}
	return true
}
