package answer

import (
	"encoding/binary"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// optFixed is the length of an OPT record without options; optRDLength is where its RDLENGTH stands (RFC 6891 section 6.1.2).
const (
	optFixed    = 11
	optRDLength = 9
)

// edeSize is the length of an Extended DNS Error option without a text (RFC 8914 section 2).
const edeSize = 6

// errorOf is the Extended DNS Error of an answer that a service gives for want of a better one; 0 for none.
func errorOf(s steer.Source) uint16 {
	switch s {
	case steer.FromLastGood:
		return dns.ExtendedErrorCodeStaleAnswer
	case steer.FromPanic, steer.FromAll, steer.FromFixed:
		return dns.ExtendedErrorCodeForgedAnswer
	}
	return 0
}

// opt is the length of the reply's OPT record; 0 without one.
func (r *reply) opt() int {
	if !r.q.EDNS {
		return 0
	}
	n := optFixed + r.q.ECS.size()
	if r.q.WithCookie {
		n += 4 + cookieLen
	}
	if r.ede != 0 {
		n += edeSize
	}
	return n
}

// putOPT writes the OPT record.
func (r *reply) putOPT() {
	n := r.opt()
	if n == 0 {
		return
	}
	begin := len(r.buf)
	r.buf = append(r.buf, 0, 0, byte(dns.TypeOPT), ednsSize>>8, ednsSize&0xff, 0, 0, 0, 0, 0, 0)
	if r.q.DO {
		r.buf[begin+7] = 1 << 7
	}
	binary.BigEndian.PutUint16(r.buf[begin+optRDLength:], uint16(n-optFixed))
	r.buf = r.q.ECS.append(r.buf, r.scope)
	if r.q.WithCookie {
		r.buf = append(r.buf, 0, byte(dns.EDNS0COOKIE), 0, cookieLen)
		r.buf = append(r.buf, r.q.Cookie[:]...)
	}
	if r.ede != 0 {
		r.buf = append(r.buf, 0, byte(dns.EDNS0EDE), 0, edeSize-4, byte(r.ede>>8), byte(r.ede))
	}
	r.additional++
}

// AppendTruncated appends a reply to q that has nothing but the question and TC: the client is to ask again over TCP.
func AppendTruncated(dst []byte, q *Question) []byte {
	r := reply{q: q, start: len(dst), outcome: Truncated, full: true}
	r.buf = append(dst, make([]byte, headerLen)...)
	r.buf = append(r.buf, q.Name...)
	r.buf = binary.BigEndian.AppendUint16(r.buf, q.Type)
	r.buf = binary.BigEndian.AppendUint16(r.buf, q.Class)
	r.finish()
	return r.buf
}
