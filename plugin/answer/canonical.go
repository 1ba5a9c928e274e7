package answer

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/miekg/dns"
)

// canonicalNames says where the RDATA of a type has names that are signed in lower case (RFC 4034 section 6.2, RFC 6840 section 5.1):
// count of them after prefix octets.
func canonicalNames(typ uint16) (prefix, count int) {
	switch typ {
	case dns.TypeRP:
		return 0, 2
	case dns.TypeDNAME:
		return 0, 1
	case dns.TypeAFSDB, dns.TypeRT, dns.TypeKX:
		return 2, 1
	case dns.TypePX:
		return 2, 2
	case dns.TypeSRV:
		return 6, 1
	}
	return namesIn(typ)
}

// canonicalData is RDATA as it is signed.
func canonicalData(typ uint16, rdata []byte) []byte {
	prefix, count := canonicalNames(typ)
	if typ == dns.TypeNAPTR {
		// Order and preference, then three character-strings (RFC 3403 section 4.1).
		prefix, count = 4, 1
		for range 3 {
			prefix += 1 + int(rdata[prefix])
		}
	}
	if count == 0 {
		return rdata
	}
	out := bytes.Clone(rdata)
	for at := prefix; count > 0; count-- {
		n := nameLen(out[at:])
		for i := at; i < at+n; i++ {
			out[i] = lowerOctet(out[i])
		}
		at += n
	}
	return out
}

// labelCount is how many labels a name has but for the root and a leading asterisk (RFC 4034 section 3.1.3).
func labelCount(name []byte) (n byte) {
	wild := len(name) > 2 && name[0] == 1 && name[1] == '*'
	for i := 0; name[i] != 0; i += 1 + int(name[i]) {
		n++
	}
	if wild {
		n--
	}
	return n
}

// signedData is what a signature is over: the RDATA of the RRSIG but for the signature, then the records in canonical order
// (RFC 4034 section 3.1.8.1).
func signedData(head, owner []byte, typ uint16, ttl uint32, rdata [][]byte) []byte {
	canonical := make([][]byte, len(rdata))
	size := len(head)
	for i, d := range rdata {
		canonical[i] = canonicalData(typ, d)
		size += len(owner) + rrFixed + len(d)
	}
	slices.SortFunc(canonical, bytes.Compare)
	out := append(make([]byte, 0, size), head...)
	for _, d := range canonical {
		out = append(out, owner...)
		out = binary.BigEndian.AppendUint16(out, typ)
		out = binary.BigEndian.AppendUint16(out, classIN)
		out = binary.BigEndian.AppendUint32(out, ttl)
		out = binary.BigEndian.AppendUint16(out, uint16(len(d)))
		out = append(out, d...)
	}
	return out
}

// compareNames is the canonical order of names in lower case (RFC 4034 section 6.1): by labels, from the last one on.
func compareNames(a, b []byte) int {
	var x, y [128]uint8
	i, j := labelStarts(a, &x), labelStarts(b, &y)
	for i > 0 && j > 0 {
		i, j = i-1, j-1
		p, q := a[x[i]:], b[y[j]:]
		if c := bytes.Compare(p[1:1+p[0]], q[1:1+q[0]]); c != 0 {
			return c
		}
	}
	return i - j
}

// labelStarts is where the labels of a name begin, and how many there are.
func labelStarts(name []byte, at *[128]uint8) (n int) {
	for i := 0; name[i] != 0; i += 1 + int(name[i]) {
		at[n] = uint8(i)
		n++
	}
	return n
}
