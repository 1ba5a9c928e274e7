package answer

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// ecsFixed is the length of the option without its address: code, length, family, source and scope prefix length.
const ecsFixed = 8

// octets is the length of the option's address: as many octets as the source prefix needs (RFC 7871 section 6).
func (e *ECS) octets() int { return (max(0, e.Prefix.Bits()) + 7) / 8 }

// size is the length of the whole option in octets, at most 24; 0 without one.
func (e *ECS) size() int {
	if !e.Present {
		return 0
	}
	return ecsFixed + e.octets()
}

// append appends the option as it stands in a reply: family, source prefix length and address are the query's (RFC 7871
// section 7.2.1).
func (e *ECS) append(dst []byte, scope uint8) []byte {
	if !e.Present {
		return dst
	}
	n := e.octets()
	dst = binary.BigEndian.AppendUint16(dst, dns.EDNS0SUBNET)
	dst = binary.BigEndian.AppendUint16(dst, uint16(ecsFixed-4+n))
	dst = binary.BigEndian.AppendUint16(dst, e.Family)
	dst = append(dst, byte(max(0, e.Prefix.Bits())), scope)
	if addr := e.Prefix.Addr(); addr.Is4() {
		a := addr.As4()
		return append(dst, a[:n]...)
	} else if n > 0 {
		a := addr.As16()
		return append(dst, a[:n]...)
	}
	return dst
}
