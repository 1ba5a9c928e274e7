package round

import (
	"encoding/binary"
	"fmt"
)

const (
	// A block of marks begins with the version, the hash of the list, the index of its first target and how many it has.
	marksHead = 1 + len(ListHash{}) + 4 + 2
	// blockOctets is what is left for marks, and blockMarks how many those are.
	blockOctets = BlockSize - marksHead
	blockMarks  = 2 * blockOctets
)

// blocksOf is how many blocks the marks of n targets take. A list of no targets takes one too: it has to be said.
func blocksOf(n int) int { return max(1, (n+blockMarks-1)/blockMarks) }

// EncodeMarks is the part with the marks, which stand in the order of t, one for each target.
func EncodeMarks(t *Targets, marks []Mark) []byte {
	out := make([]byte, 0, blocksOf(len(marks))*BlockSize)
	for block := range blocksOf(len(marks)) {
		// All blocks but the last are full, so they end where gossip cuts.
		first := block * blockMarks
		chunk := marks[first:min(len(marks), first+blockMarks)]
		out = append(append(out, version), t.Hash[:]...)
		out = binary.BigEndian.AppendUint32(out, uint32(first))
		out = binary.BigEndian.AppendUint16(out, uint16(len(chunk)))
		for i := 0; i < len(chunk); i += 2 {
			b := byte(chunk[i]) << 4
			if i+1 < len(chunk) {
				b |= byte(chunk[i+1])
			}
			out = append(out, b)
		}
	}
	return out
}

// A marksBlock is one block, as it came.
type marksBlock struct {
	hash         ListHash
	first, count int
	// packed has two marks an octet, the former in the upper half; what is behind an odd last one is 0.
	packed []byte
}

func parseMarks(b []byte) (m marksBlock, err error) {
	switch {
	case len(b) < marksHead:
		return m, fmt.Errorf("%w: marks of %d octets", ErrMalformed, len(b))
	case b[0] != version:
		return m, fmt.Errorf("%w: %d", ErrVersion, b[0])
	}
	copy(m.hash[:], b[1:])
	first := binary.BigEndian.Uint32(b[1+len(m.hash):])
	m.count = int(binary.BigEndian.Uint16(b[marksHead-2:]))
	m.packed = b[marksHead:]
	if first >= MaxTargets || int(first)%blockMarks != 0 || m.count > blockMarks || len(m.packed) != (m.count+1)/2 ||
		m.count%2 == 1 && m.packed[m.count/2]&15 != 0 {
		return m, fmt.Errorf("%w: %d marks from %d on in %d octets", ErrMalformed, m.count, first, len(b))
	}
	m.first = int(first)
	return m, nil
}

// covers tells whether the block is one of those of a list of n targets.
func (m *marksBlock) covers(n int) bool {
	return m.first/blockMarks < blocksOf(n) && m.count == min(blockMarks, n-m.first)
}

// A packedMarks has two marks an octet, as they travel: what did not change is compared by the word.
type packedMarks []byte

func (p packedMarks) at(i int) Mark {
	if i%2 == 0 {
		return Mark(p[i/2] >> 4)
	}
	return Mark(p[i/2] & 15)
}

func (p packedMarks) set(i int, m Mark) {
	if i%2 == 0 {
		p[i/2] = p[i/2]&15 | byte(m)<<4
	} else {
		p[i/2] = p[i/2]&0xf0 | byte(m)
	}
}
