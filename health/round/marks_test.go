package round

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
)

// blocksIn cuts a part as gossip does: one that is empty is one empty shard.
func blocksIn(part []byte) (blocks [][]byte) {
	for len(part) > BlockSize {
		blocks, part = append(blocks, part[:BlockSize]), part[BlockSize:]
	}
	return append(blocks, part)
}

func randomMarks(r *rand.Rand, n int) []Mark {
	marks := make([]Mark, n)
	for i := range marks {
		marks[i] = Mark(r.IntN(16))
	}
	return marks
}

func TestMarksRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 3, blockMarks - 1, blockMarks, blockMarks + 1, 10_000} {
		list := NewTargets(idsOf(0, n))
		marks := randomMarks(r, n)
		told := 0
		for _, b := range blocksIn(EncodeMarks(list, marks)) {
			m, err := parseMarks(b)
			if err != nil || m.hash != list.Hash || !m.covers(n) {
				t.Fatalf("%d marks: block of %d from %d on: %v", n, m.count, m.first, err)
			}
			for i := range m.count {
				if got := packedMarks(m.packed).at(i); got != marks[m.first+i] {
					t.Fatalf("%d marks: %d is %d, want %d", n, m.first+i, got, marks[m.first+i])
				}
			}
			told += m.count
		}
		if told != n {
			t.Errorf("%d marks told, want %d", told, n)
		}
	}
}

func TestMarksMalformed(t *testing.T) {
	list := NewTargets(idsOf(0, 3))
	good := EncodeMarks(list, []Mark{MarkUp, MarkDown, MarkUp})
	with := func(edit func(b []byte)) []byte {
		b := bytes.Clone(good)
		edit(b)
		return b
	}
	for name, c := range map[string]struct {
		block []byte
		want  error
	}{
		"empty":    {nil, ErrMalformed},
		"head":     {good[:marksHead-1], ErrMalformed},
		"cut":      {good[:len(good)-1], ErrMalformed},
		"longer":   {append(bytes.Clone(good), 0), ErrMalformed},
		"version":  {with(func(b []byte) { b[0]++ }), ErrVersion},
		"first":    {with(func(b []byte) { binary.BigEndian.PutUint32(b[9:], 1) }), ErrMalformed},
		"far":      {with(func(b []byte) { binary.BigEndian.PutUint32(b[9:], uint32(1<<32-blockMarks)) }), ErrMalformed},
		"odd rest": {with(func(b []byte) { b[len(b)-1] |= 1 }), ErrMalformed},
		"good":     {good, nil},
	} {
		if _, err := parseMarks(c.block); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func FuzzMarks(f *testing.F) {
	list := NewTargets(idsOf(0, blockMarks+3))
	marks := randomMarks(rand.New(rand.NewPCG(3, 4)), list.Len())
	for _, b := range blocksIn(EncodeMarks(list, marks)) {
		f.Add(b)
	}
	f.Add([]byte{})
	f.Add(EncodeMarks(NewTargets(nil), nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseMarks(b)
		if err == nil {
			again := append(append([]byte{version}, m.hash[:]...), b[marksHead-6:marksHead]...)
			if again = append(again, m.packed...); !bytes.Equal(again, b) {
				t.Fatalf("%x is not the same again: %x", b, again)
			}
		}
		// Blocks about this list are worth more than those about a list that nobody knows.
		if len(b) > marksHead {
			copy(b[1:], list.Hash[:])
		}
		v := NewVantage("n")
		for _, relayed := range []bool{true, false} {
			_, _ = v.Take(PartMarks, 0, 1, b, start, relayed, known(list))
		}
		for _, id := range idsOf(0, 3) {
			_, _ = v.Observation(id, threeFalls)
		}
	})
}
