package answer

import (
	"encoding/binary"
	"fmt"

	"github.com/miekg/dns"
)

const (
	headerLen = 12
	// maxNameLen is the length of a name in wire format (RFC 1035 section 2.3.4).
	maxNameLen = 255
	// pointerToQName is a compression pointer to the question's name, which always follows the header.
	pointerToQName = 0xC000 | headerLen
	// rrFixed is type, class, TTL and RDLENGTH; ttlOffset is where the TTL stands behind the two octets of the owner.
	rrFixed   = 10
	ttlOffset = 6
	classIN   = 1
)

// packName is the wire format of an FQDN, lower-cased by the caller.
func packName(name string) ([]byte, error) {
	buf := make([]byte, maxNameLen)
	n, err := dns.PackDomainName(name, buf, 0, nil, false)
	if err != nil {
		return nil, fmt.Errorf("name %q: %w", name, err)
	}
	return buf[:n:n], nil
}

// mustPackName is packName for names that config has validated.
func mustPackName(name string) []byte {
	b, err := packName(name)
	if err != nil {
		panic(err)
	}
	return b
}

// lower writes the lower case of the wire-format name into buf. Octets of a label may be anything; only A to Z change.
func lower(buf *[maxNameLen]byte, name []byte) []byte {
	n := copy(buf[:], name)
	for i, c := range buf[:n] {
		if 'A' <= c && c <= 'Z' {
			buf[i] = c + 'a' - 'A'
		}
	}
	return buf[:n]
}

// appendRR appends one record whose owner is a pointer to the question's name.
func appendRR(dst []byte, typ uint16, ttl uint32, rdata []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, pointerToQName)
	dst = binary.BigEndian.AppendUint16(dst, typ)
	dst = binary.BigEndian.AppendUint16(dst, classIN)
	dst = binary.BigEndian.AppendUint32(dst, ttl)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(rdata)))
	return append(dst, rdata...)
}

// cutLabel is the name without its first label; nil for the root.
func cutLabel(name []byte) []byte {
	if len(name) <= 1 {
		return nil
	}
	return name[1+int(name[0]):]
}
