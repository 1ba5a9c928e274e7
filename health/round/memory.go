package round

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

// PartMemory is what a node remembers that plans depend on, beside what it sees: how far pools are on their way back, and when
// what is out left. Who missed something takes it from the others.
const PartMemory = "memory"

const (
	// maxMemory bounds its blocks.
	maxMemory = 32
	// The kinds of entries; 0 is padding.
	memoryReturn = 1
	memoryLeft   = 2
	memoryNames  = 3
	memoryGone   = 4
	// maxMemoryRetries bounds the retries of one return.
	maxMemoryRetries = 16
	// maxAge bounds the ages that are believed.
	maxAge = 10 * 365 * 24 * time.Hour
)

// A MemoryKey names a pool, an AZ of one, or an endpoint: the first half of a hash of its name.
type MemoryKey [8]byte

// A Memory is what is remembered, in instants of this process's clock.
type Memory struct {
	// Returns are the pools and AZs on their way back.
	Returns map[MemoryKey]health.Return
	// Left is when health took endpoints out that are out.
	Left map[MemoryKey]time.Time
	// Gone is until when caches may hold a static record that no file of the node has, by what it carries.
	Gone map[MemoryKey]time.Time
	// Names is the same where the same pools and AZs have names: then what is not in Returns is not on its way back.
	Names uint64
}

// Encode is the part, as of now.
func (m *Memory) Encode(now time.Time) []byte {
	var out, block []byte
	add := func(entry []byte) {
		if block != nil && len(block)+len(entry) > BlockSize {
			if len(out)/BlockSize >= maxMemory-1 {
				return
			}
			out = append(append(out, block...), make([]byte, BlockSize-len(block))...)
			block = nil
		}
		if block == nil {
			block = []byte{version}
		}
		block = append(block, entry...)
	}
	age := func(b []byte, t time.Time) []byte {
		if t.IsZero() {
			return append(b, 0)
		}
		return binary.AppendUvarint(b, uint64(max(0, now.Sub(t).Milliseconds()))+1)
	}
	add(binary.BigEndian.AppendUint64([]byte{memoryNames}, m.Names))
	for key, r := range m.Returns {
		b := append([]byte{memoryReturn}, key[:]...)
		b = age(age(age(b, r.Since), r.Admitted), r.Reloaded)
		retries := r.Retries[:min(len(r.Retries), maxMemoryRetries)]
		b = append(b, byte(min(r.Doubled, 255)), byte(len(retries)))
		for _, t := range retries {
			b = age(b, t)
		}
		add(b)
	}
	for key, t := range m.Gone {
		add(binary.AppendUvarint(append([]byte{memoryGone}, key[:]...), uint64(max(0, t.Sub(now).Milliseconds()+1))))
	}
	for key, t := range m.Left {
		add(age(append([]byte{memoryLeft}, key[:]...), t))
	}
	return append(out, block...)
}

// ParseMemory reads one block that was sent such that its ages count from at.
func ParseMemory(b []byte, at time.Time) (m Memory, err error) {
	switch {
	case len(b) == 0 || len(b) > BlockSize:
		return m, fmt.Errorf("%w: memory of %d octets", ErrMalformed, len(b))
	case b[0] != version:
		return m, fmt.Errorf("%w: %d", ErrVersion, b[0])
	}
	m = Memory{Returns: make(map[MemoryKey]health.Return), Left: make(map[MemoryKey]time.Time), Gone: make(map[MemoryKey]time.Time)}
	r := reader{b: b[1:]}
	for len(r.b) > 0 && r.b[0] != 0 {
		kind := r.octet()
		var key MemoryKey
		copy(key[:], r.octets(len(key)))
		switch kind {
		case memoryNames:
			m.Names = binary.BigEndian.Uint64(key[:])
		case memoryReturn:
			ret := health.Return{Since: r.instant(at), Admitted: r.instant(at), Reloaded: r.instant(at), Doubled: int(r.octet())}
			for range min(int(r.octet()), maxMemoryRetries) {
				ret.Retries = append(ret.Retries, r.instant(at))
			}
			if !r.short {
				m.Returns[key] = ret
			}
		case memoryGone:
			if left := r.uvarint(); !r.short {
				m.Gone[key] = at.Add(time.Duration(min(left, uint64(maxAge.Milliseconds()))) * time.Millisecond)
			}
		case memoryLeft:
			if t := r.instant(at); !r.short {
				m.Left[key] = t
			}
		default:
			return m, fmt.Errorf("%w: memory of kind %d", ErrMalformed, kind)
		}
		if r.short {
			return m, fmt.Errorf("%w: memory ends too early", ErrMalformed)
		}
	}
	return m, nil
}

// instant is the one whose age, as of at, comes next; zero where there is none.
func (r *reader) instant(at time.Time) time.Time {
	v := r.uvarint()
	if v == 0 {
		return time.Time{}
	}
	return at.Add(-time.Duration(min(v-1, uint64(maxAge.Milliseconds()))) * time.Millisecond)
}
