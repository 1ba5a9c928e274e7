package round

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// outage has every third of n targets failing for one of three reasons; the marks and the words for it.
func outage(n int) ([]Mark, Details) {
	marks := allMarks(n, MarkUp)
	d := Details{Reasons: make(map[int]string)}
	reasons := []string{"connection refused", "no answer within 2s", "tls: certificate has expired"}
	for i := 0; i < n; i++ {
		// The order of ids says nothing, as that of hashes of i.
		h := idOf(i)
		if k := binary.BigEndian.Uint32(h[8:]); k%3 == 0 {
			marks[i] = MarkDown
			d.Reasons[i] = reasons[k/3%3]
		}
	}
	return marks, d
}

// TestSizes holds what a round costs (docs/design.md section 4: about 1 kB for 1,000 endpoints).
func TestSizes(t *testing.T) {
	for _, c := range []struct{ n, marks, detail int }{{1000, 515, 1024}, {10_000, 5075, maxDetail * BlockSize}} {
		list := NewTargets(idsOf(0, c.n))
		calm := EncodeMarks(list, allMarks(c.n, MarkUp))
		quiet, _ := EncodeDetails(list, Details{})
		marks, d := outage(c.n)
		stormy := EncodeMarks(list, marks)
		words, left := EncodeDetails(list, d)
		s := someStatus()
		t.Logf("%d targets: marks %d, details %d, status %d, 200 names %d octets; a third failing for 3 reasons: marks %d, details %d of %d targets, %d left",
			c.n, len(calm), len(quiet), len(s.Encode()), len(EncodeRoster(names(0, 200))), len(stormy), len(words), len(d.Reasons), left)
		if len(calm) != c.marks || len(stormy) != c.marks || len(quiet) != detailHead || len(words) > c.detail || left != 0 {
			t.Errorf("%d targets: marks %d and %d, details %d and %d octets, %d left", c.n, len(calm), len(stormy), len(quiet), len(words), left)
		}
	}
}

// benchVantage has heard list; the block given is that of the first targets, and times go on by the second.
func benchVantage(b *testing.B, n int) (*Vantage, *Targets, [][]byte) {
	list := NewTargets(idsOf(0, n))
	v := NewVantage("n2")
	blocks := blocksIn(EncodeMarks(list, allMarks(n, MarkUp)))
	for _, block := range blocks {
		if _, err := v.Take(PartMarks, 0, 1, block, start, false, known(list)); err != nil {
			b.Fatal(err)
		}
	}
	return v, list, blocks
}

func BenchmarkTakeUnchanged(b *testing.B) {
	v, _, blocks := benchVantage(b, blockMarks)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_, _ = v.Take(PartMarks, 0, 1, blocks[0], start.Add(time.Duration(i)), false, nil)
	}
}

func BenchmarkTakeThreeOf10000(b *testing.B) {
	v, list, up := benchVantage(b, 10_000)
	marks := allMarks(10_000, MarkUp)
	marks[17], marks[4000], marks[9999] = MarkDown, MarkUpFailing, MarkDown
	both := [][][]byte{blocksIn(EncodeMarks(list, marks)), up}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		changes := 0
		for k, block := range both[i%2] {
			changed, _ := v.Take(PartMarks, k, len(up), block, start.Add(time.Duration(i)), false, nil)
			changes += len(changed)
		}
		if changes != 3 {
			b.Fatalf("%d changes", changes)
		}
	}
}

func BenchmarkTakeAnotherList(b *testing.B) {
	v, list, _ := benchVantage(b, 10_000)
	other := NewTargets(idsOf(1, 10_001))
	v.Align(list)
	lists := []*Targets{other, list}
	first := [][]byte{EncodeMarks(other, allMarks(10_000, MarkUp))[:BlockSize], EncodeMarks(list, allMarks(10_000, MarkUp))[:BlockSize]}
	for i := 0; b.Loop(); i++ {
		if _, err := v.Take(PartMarks, 0, 5, first[i%2], start, false, known(lists...)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTakeDetails(b *testing.B) {
	v, list, _ := benchVantage(b, 10_000)
	_, d := outage(10_000)
	part, _ := EncodeDetails(list, d)
	blocks := blocksIn(part)
	for _, again := range []bool{true, false} {
		name := "new"
		if again {
			name = "repeated"
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				for k, block := range blocks {
					if !again { // as if it said something else
						v.details.raw[k] = nil
					}
					_, _ = v.Take(PartDetail, k, len(blocks), block, start, false, nil)
				}
			}
		})
	}
}

func BenchmarkObservation(b *testing.B) {
	v, list, _ := benchVantage(b, 10_000)
	own := NewTargets(idsOf(1, 10_001))
	ids := make([]health.TargetID, list.Len())
	for i := range ids {
		ids[i] = target(list, i)
	}
	c := &config.Check{Fall: 3}
	b.Run("search", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			_, _ = v.Observation(ids[i*7919%len(ids)], c)
		}
	})
	for name, mine := range map[string]*Targets{"index": list, "index of another list": own} {
		v.Align(mine)
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				k := i * 7919 % len(ids)
				_, _ = v.ObservationAt(k, ids[k], c)
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	list := NewTargets(idsOf(0, 10_000))
	marks, d := outage(10_000)
	b.Run("marks", func(b *testing.B) {
		for b.Loop() {
			EncodeMarks(list, marks)
		}
	})
	b.Run("details", func(b *testing.B) {
		for b.Loop() {
			EncodeDetails(list, d)
		}
	})
	b.Run("no details", func(b *testing.B) {
		for b.Loop() {
			EncodeDetails(list, Details{})
		}
	})
}
