package round

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

const (
	// maxDetail bounds the blocks of details: they are a help for people, and every second costs them again.
	maxDetail = 4
	// maxReason bounds a reason, in octets.
	maxReason = 64

	detailHead = 1 + len(ListHash{})
	// The kinds of entries; 0 is padding.
	detailReason    = 1
	detailReduction = 2
)

// Details are what marks cannot say, by the index of the target.
type Details struct {
	// Reasons say in words why a target fails.
	Reasons map[int]string
	// Reductions are how many percent of its weight a target asks to be relieved of.
	Reductions map[int]int
}

// EncodeDetails is the part with the details of targets of t, and how many did not fit. Reductions go first: they decide
// weights. Then come the reasons that most targets share.
func EncodeDetails(t *Targets, d Details) (out []byte, left int) {
	var block []byte
	// add appends an entry, in a new block if it must; it tells whether there was room.
	add := func(entry []byte) bool {
		if block == nil || len(block)+len(entry) > BlockSize {
			if block != nil && len(out)+2*BlockSize > maxDetail*BlockSize {
				return false
			}
			if block != nil {
				out = append(append(out, block...), make([]byte, BlockSize-len(block))...)
			}
			block = append(append(make([]byte, 0, BlockSize), version), t.Hash[:]...)
		}
		block = append(block, entry...)
		return true
	}
	for _, i := range slices.Sorted(maps.Keys(d.Reductions)) {
		if !add(append(binary.AppendUvarint([]byte{detailReduction}, uint64(i)), byte(d.Reductions[i]))) {
			left++
		}
	}
	byReason := make(map[string][]int)
	for i, reason := range d.Reasons {
		byReason[clean(reason)] = append(byReason[clean(reason)], i)
	}
	reasons := slices.SortedFunc(maps.Keys(byReason), func(a, b string) int {
		if n := len(byReason[b]) - len(byReason[a]); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	for _, reason := range reasons {
		indices := byReason[reason]
		slices.Sort(indices)
		for len(indices) > 0 {
			entry, n := appendReason(nil, reason, indices)
			if !add(entry) {
				left += len(indices)
				break
			}
			indices = indices[n:]
		}
	}
	return append(out, block...), left
}

// reasonRoom is what one entry takes at most: large ones would leave much of a block empty.
const reasonRoom = 256

// appendReason appends an entry for as many of the targets as it has room for: the text, how many, and the distances between
// their indices.
func appendReason(b []byte, reason string, indices []int) (entry []byte, n int) {
	var list []byte
	last := 0
	for n < len(indices) && n < 255 && len(list) < reasonRoom-maxReason {
		list = binary.AppendUvarint(list, uint64(indices[n]-last))
		last = indices[n]
		n++
	}
	b = append(b, detailReason, byte(len(reason)))
	b = append(append(b, reason...), byte(n))
	return append(b, list...), n
}

// clean makes a reason fit for a terminal and a block.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "")
	}
	return s
}

func parseDetails(b []byte) (hash ListHash, d Details, err error) {
	switch {
	case len(b) < detailHead || len(b) > BlockSize:
		return hash, d, fmt.Errorf("%w: details of %d octets", ErrMalformed, len(b))
	case b[0] != version:
		return hash, d, fmt.Errorf("%w: %d", ErrVersion, b[0])
	}
	copy(hash[:], b[1:])
	d = Details{Reasons: make(map[int]string), Reductions: make(map[int]int)}
	short := fmt.Errorf("%w: details end too early", ErrMalformed)
	for b = b[detailHead:]; len(b) > 0 && b[0] != 0; {
		kind := b[0]
		b = b[1:]
		switch kind {
		case detailReduction:
			i, n := binary.Uvarint(b)
			if n <= 0 || len(b) <= n || i >= MaxTargets {
				return hash, d, short
			}
			d.Reductions[int(i)] = min(int(b[n]), 100)
			b = b[n+1:]
		case detailReason:
			if len(b) == 0 || len(b) < 2+int(b[0]) {
				return hash, d, short
			}
			reason := clean(string(b[1 : 1+b[0]]))
			count := int(b[1+b[0]])
			b = b[2+int(b[0]):]
			index := uint64(0)
			for range count {
				step, n := binary.Uvarint(b)
				if index += step; n <= 0 || step >= MaxTargets || index >= MaxTargets {
					return hash, d, short
				}
				d.Reasons[int(index)] = reason
				b = b[n:]
			}
		default:
			return hash, d, fmt.Errorf("%w: detail of kind %d", ErrMalformed, kind)
		}
	}
	return hash, d, nil
}
