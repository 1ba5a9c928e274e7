package round

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"
)

const (
	// maxDetail bounds the blocks of details: they are a help for people, and every second costs them again.
	maxDetail = 4
	// maxReason bounds a reason, in octets.
	maxReason = 64
	// maxReduction is a whole weight, in percent.
	maxReduction = 100

	// A block of details begins with the version, the hash of the list, the range of indices of which it tells every reduction,
	// and how many those are.
	detailHead = 1 + len(ListHash{}) + 4 + 4 + 2
	// toTheEnd ends the last range, whatever the list.
	toTheEnd = math.MaxUint32
)

// Details are what marks cannot say, by the index of the target.
type Details struct {
	// Reasons say in words why a target fails.
	Reasons map[int]string
	// Reductions are how many percent of its weight a target asks to be relieved of.
	Reductions map[int]int
}

// EncodeDetails is the part with the details of targets of t, and how many did not fit. Reductions go first: they decide
// weights. Then come the reasons that most targets share. There is always a block, which takes back what was said before.
func EncodeDetails(t *Targets, d Details) (out []byte, left int) {
	w := detailWriter{hash: t.Hash}
	left = w.reductions(d.Reductions) + w.reasons(d.Reasons)
	for i, b := range w.blocks {
		if i > 0 {
			out = append(out, make([]byte, i*BlockSize-len(out))...)
		}
		out = append(out, b...)
	}
	return out, left
}

// A detailWriter has the blocks so far, each as long as what is in it.
type detailWriter struct {
	hash   ListHash
	blocks [][]byte
}

// begin begins a block that tells the reductions of the targets in [from, to).
func (w *detailWriter) begin(from, to uint32, count int) (b *[]byte, ok bool) {
	if len(w.blocks) == maxDetail {
		return nil, false
	}
	head := append(append(make([]byte, 0, BlockSize), version), w.hash[:]...)
	head = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(head, from), to)
	w.blocks = append(w.blocks, binary.BigEndian.AppendUint16(head, uint16(count)))
	return &w.blocks[len(w.blocks)-1], true
}

// reductions writes the distances between indices, each with the percent. One block's range ends where the next one's begins,
// so that no reduction is lost, and none doubled, when a block comes alone.
func (w *detailWriter) reductions(percent map[int]int) (left int) {
	indices := slices.Sorted(maps.Keys(percent))
	from := 0
	for {
		var list []byte
		count, last := 0, from
		for ; count < len(indices); count++ {
			i := indices[count]
			entry := append(binary.AppendUvarint(nil, uint64(i-last)), byte(min(max(percent[i], 0), maxReduction)))
			if detailHead+len(list)+len(entry) > BlockSize {
				break
			}
			list, last = append(list, entry...), i
		}
		indices = indices[count:]
		to := uint32(toTheEnd)
		if len(indices) > 0 && len(w.blocks)+1 < maxDetail {
			to = uint32(indices[0])
		}
		b, ok := w.begin(uint32(from), to, count)
		if ok {
			*b = append(*b, list...)
		}
		if to == toTheEnd {
			return len(indices)
		}
		from = indices[0]
	}
}

// reasons writes, behind the reductions, each reason and whom it concerns.
func (w *detailWriter) reasons(text map[int]string) (left int) {
	byReason := make(map[string][]int)
	for i, reason := range text {
		if reason = clean(reason); reason != "" {
			byReason[reason] = append(byReason[reason], i)
		}
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
			b := &w.blocks[len(w.blocks)-1]
			n := appendReason(b, reason, indices)
			indices = indices[n:]
			if len(indices) == 0 {
				break
			}
			if _, ok := w.begin(0, 0, 0); !ok {
				// A shorter list may still fit behind.
				left += len(indices)
				break
			}
		}
	}
	return left
}

// appendReason appends to the block the text, how many of the targets it has room for, and the distances between them.
func appendReason(block *[]byte, reason string, indices []int) (n int) {
	room := BlockSize - len(*block) - 1 - len(reason) - 2
	var list []byte
	last := 0
	for ; n < len(indices); n++ {
		longer := binary.AppendUvarint(list, uint64(indices[n]-last))
		if len(longer) > room {
			break
		}
		list, last = longer, indices[n]
	}
	if n > 0 {
		*block = append(append(*block, byte(len(reason))), reason...)
		*block = append(binary.BigEndian.AppendUint16(*block, uint16(n)), list...)
	}
	return n
}

// clean makes a reason fit for a terminal and a block.
func clean(s string) string {
	// Reasons can be long; what is cut off need not be read.
	s = s[:min(len(s), 4*maxReason)]
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			// Marks that turn the direction of the text around are no better than control characters.
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "")
	}
	return s
}

// A detailBlock is one block, as it came.
type detailBlock struct {
	hash       ListHash
	from, to   uint32
	reductions map[int32]uint8
	reasons    map[int32]string
}

func parseDetails(b []byte) (d detailBlock, err error) {
	switch {
	case len(b) < detailHead || len(b) > BlockSize:
		return d, fmt.Errorf("%w: details of %d octets", ErrMalformed, len(b))
	case b[0] != version:
		return d, fmt.Errorf("%w: %d", ErrVersion, b[0])
	}
	head := b[1+copy(d.hash[:], b[1:]):]
	d.from, d.to = binary.BigEndian.Uint32(head), binary.BigEndian.Uint32(head[4:])
	count := int(binary.BigEndian.Uint16(head[8:]))
	d.reductions, d.reasons = make(map[int32]uint8), make(map[int32]string)
	r := reader{b: b[detailHead:]}
	index := uint64(d.from)
	for k := range count {
		index = r.index(index, k > 0)
		if p := r.octets(1); p != nil && index < uint64(d.to) {
			d.reductions[int32(index)] = min(p[0], maxReduction)
		} else {
			r.short = true
		}
		if r.short {
			break
		}
	}
	for !r.short && len(r.b) > 0 && r.b[0] != 0 {
		text := r.octets(int(r.octet()))
		size := r.octets(2)
		if r.short {
			break
		}
		reason := clean(string(text))
		index := uint64(0)
		for k := range int(binary.BigEndian.Uint16(size)) {
			if index = r.index(index, k > 0); r.short {
				break
			}
			d.reasons[int32(index)] = reason
		}
	}
	if r.short {
		return d, fmt.Errorf("%w: details", ErrMalformed)
	}
	return d, nil
}

// index is the index at the next distance behind last; it ascends.
func (r *reader) index(last uint64, ascend bool) uint64 {
	step := r.uvarint()
	if step >= MaxTargets || last+step >= MaxTargets || ascend && step == 0 {
		r.short = true
	}
	if r.short {
		return 0
	}
	return last + step
}
