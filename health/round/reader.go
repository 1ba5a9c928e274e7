package round

import "encoding/binary"

// A reader takes a block apart. short is set once that is not one; nothing is read from then on.
type reader struct {
	b     []byte
	short bool
}

// octets are the next n; nil when there are not so many.
func (r *reader) octets(n int) []byte {
	if r.short || len(r.b) < n {
		r.short = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

// octet is the next one; 0 when there is none.
func (r *reader) octet() byte {
	if b := r.octets(1); b != nil {
		return b[0]
	}
	return 0
}

// uvarint is the number that comes next; 0 when there is none.
func (r *reader) uvarint() uint64 { return number(r, binary.Uvarint) }

// varint is the signed number that comes next; 0 when there is none.
func (r *reader) varint() int64 { return number(r, binary.Varint) }

func number[T int64 | uint64](r *reader, decode func([]byte) (T, int)) T {
	v, n := decode(r.b)
	if r.short || n <= 0 {
		r.short = true
		return 0
	}
	r.b = r.b[n:]
	return v
}
