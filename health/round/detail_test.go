package round

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// detailsOf puts the blocks of a part together, and tells what the ranges cover.
func detailsOf(t *testing.T, part []byte) Details {
	t.Helper()
	d := Details{Reasons: make(map[int]string), Reductions: make(map[int]int)}
	next := uint32(0)
	for _, b := range blocksIn(part) {
		block, err := parseDetails(b)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range block.reasons {
			d.Reasons[int(i)] = r
		}
		for i, r := range block.reductions {
			d.Reductions[int(i)] = int(r)
		}
		if block.to > block.from {
			if block.from != next {
				t.Fatalf("reductions from %d on, want %d", block.from, next)
			}
			next = block.to
		}
	}
	if next != toTheEnd {
		t.Fatalf("reductions up to %d, want all", next)
	}
	return d
}

func TestDetailsRoundTrip(t *testing.T) {
	list := NewTargets(idsOf(0, 5000))
	r := rand.New(rand.NewPCG(6, 7))
	for _, n := range []int{0, 1, 5, 300, 900} {
		want := Details{Reasons: make(map[int]string), Reductions: make(map[int]int)}
		for range n {
			want.Reasons[r.IntN(5000)] = fmt.Sprintf("reason %d", r.IntN(4))
			want.Reductions[r.IntN(5000)] = r.IntN(101)
		}
		part, left := EncodeDetails(list, want)
		got := detailsOf(t, part)
		if left != 0 || !maps.Equal(got.Reasons, want.Reasons) || !maps.Equal(got.Reductions, want.Reductions) {
			t.Errorf("%d details in %d octets are not the same again, %d left", n, len(part), left)
		}
	}
}

// What does not fit is counted, reductions are the last to be left out, and a reason that many share goes before others.
func TestDetailsLeft(t *testing.T) {
	list := NewTargets(idsOf(0, 10_000))
	d := Details{Reasons: make(map[int]string), Reductions: make(map[int]int)}
	for i := range 10_000 {
		d.Reasons[i] = fmt.Sprintf("a reason of target %d alone, in many words that nobody else has", i)
		if i%10 == 0 {
			d.Reductions[i] = 50
			d.Reasons[i] = "shared"
		}
	}
	part, left := EncodeDetails(list, d)
	got := detailsOf(t, part)
	shared := 0
	for _, r := range got.Reasons {
		if r == "shared" {
			shared++
		}
	}
	if len(part) > maxDetail*BlockSize || len(got.Reductions) != 1000 || shared != 1000 || left != 10_000-len(got.Reasons) {
		t.Errorf("%d octets, %d reductions, %d of %d reasons shared, %d left", len(part), len(got.Reductions), shared, len(got.Reasons), left)
	}
	for i := range 10_000 {
		d.Reductions[i] = 50
	}
	part, left = EncodeDetails(list, d)
	got = detailsOf(t, part)
	if len(part) > maxDetail*BlockSize || left != 20_000-len(got.Reductions)-len(got.Reasons) || len(got.Reductions) < 2000 {
		t.Errorf("%d octets, %d reductions, %d reasons, %d left", len(part), len(got.Reductions), len(got.Reasons), left)
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"connection refused":     "connection refused",
		"a\x1b[31mred\r\n":       "a [31mred  ",
		"bad \xff\xfe octets":    "bad ? octets",
		"turned \u202e around":   "turned   around",
		strings.Repeat("é", 40):  strings.Repeat("é", 32),
		strings.Repeat("€", 40):  strings.Repeat("€", 21),
		strings.Repeat("x", 999): strings.Repeat("x", 64),
	} {
		got := clean(in)
		if got != want || clean(got) != got || !utf8.ValidString(got) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// Blocks that come alone, or not at all: no reduction is lost or doubled because another target's begins or ends.
func TestVantageDetails(t *testing.T) {
	list := NewTargets(idsOf(0, 5000))
	v := NewVantage("n2")
	d := Details{Reductions: make(map[int]int)}
	for i := range 1200 {
		d.Reductions[4*i] = 50
	}
	part := func() []byte { b, _ := EncodeDetails(list, d); return b }
	if n := takeAll(t, v, PartDetail, part(), second(1), false, list); n != 0 {
		t.Errorf("%d changes of a list of which no marks have come", n)
	}
	if n := takeAll(t, v, PartMarks, EncodeMarks(list, allMarks(5000, MarkUp)), second(1), false, list); n != 5000 {
		t.Errorf("%d changes, want 5000", n)
	}
	same := func(why string) {
		t.Helper()
		for i := range 5000 {
			if got := int(v.details.reductions[int32(i)]); got != d.Reductions[i] {
				t.Fatalf("%s: the reduction of %d is %d, want %d", why, i, got, d.Reductions[i])
			}
		}
	}
	same("kept aside for the marks")
	d.Reductions[1] = 30
	if n := takeAll(t, v, PartDetail, part(), second(2), false, list); n != 1 {
		t.Errorf("%d changes, want 1, though blocks begin elsewhere", n)
	}
	same("one more")
	if n := takeAll(t, v, PartDetail, part(), second(3), false, list); n != 0 {
		t.Errorf("%d changes by a repetition", n)
	}
	d.Reductions = map[int]int{1: 30}
	if n := takeAll(t, v, PartDetail, part(), second(4), false, list); n != 1200 {
		t.Errorf("%d changes, want the 1200 that ended", n)
	}
	d.Reductions = nil
	if n := takeAll(t, v, PartDetail, part(), second(5), false, list); n != 1 {
		t.Errorf("%d changes, want the last that ended", n)
	}
	same("none")
}

// A block that repeats itself is no repetition once another one overwrote what it said.
func TestVantageDetailsLost(t *testing.T) {
	for name, c := range map[string]struct{ reasons, reductions int }{
		"reductions": {0, 1300}, "reasons": {2500, 0}, "both": {700, 700},
	} {
		t.Run(name, func(t *testing.T) { loseDetails(t, c.reasons, c.reductions) })
	}
}

func loseDetails(t *testing.T, reasons, reductions int) {
	r := rand.New(rand.NewPCG(8, 9))
	var rounds [2]Details
	for k := range rounds {
		d := Details{Reasons: make(map[int]string), Reductions: make(map[int]int)}
		for range reductions {
			d.Reductions[r.IntN(5000)] = 1 + r.IntN(99)
		}
		for range reasons {
			d.Reasons[r.IntN(5000)] = fmt.Sprintf("reason %d", r.IntN(3))
		}
		rounds[k] = d
	}
	list := NewTargets(idsOf(0, 5000))
	v := NewVantage("n2")
	takeAll(t, v, PartMarks, EncodeMarks(list, allMarks(5000, MarkUp)), second(1), false, list)
	for step := range 300 {
		d := rounds[r.IntN(2)]
		part, _ := EncodeDetails(list, d)
		for i, block := range blocksIn(part) {
			if r.IntN(3) == 0 {
				continue // lost
			}
			if _, err := v.Take(PartDetail, i, len(blocksIn(part)), block, second(step), false, known(list)); err != nil {
				t.Fatal(err)
			}
		}
		if step%5 != 4 {
			continue
		}
		// A block may take words away from one that came before it: two whole rounds put everything right.
		for range 2 {
			takeAll(t, v, PartDetail, part, second(step), false, list)
		}
		for i := range 5000 {
			if got := v.details.reasons[int32(i)].text; got != d.Reasons[i] {
				t.Fatalf("step %d: the reason of %d is %q, want %q", step, i, got, d.Reasons[i])
			}
			if got := int(v.details.reductions[int32(i)]); got != d.Reductions[i] {
				t.Fatalf("step %d: the reduction of %d is %d, want %d", step, i, got, d.Reductions[i])
			}
		}
	}
}

func TestVantageReasons(t *testing.T) {
	list := NewTargets(idsOf(0, 5000))
	v := NewVantage("n2")
	takeAll(t, v, PartMarks, EncodeMarks(list, allMarks(5000, MarkDown)), second(1), false, list)
	d := Details{Reasons: make(map[int]string)}
	for i := range 2500 {
		d.Reasons[i] = "timeout"
	}
	d.Reasons[7] = "refused"
	for _, n := range []int{2500, 10, 0} {
		maps.DeleteFunc(d.Reasons, func(i int, _ string) bool { return i >= n })
		part, _ := EncodeDetails(list, d)
		if changes := takeAll(t, v, PartDetail, part, second(2), false, list); changes != 0 || len(v.details.reasons) != n {
			t.Errorf("%d changes, %d reasons, want 0 and %d", changes, len(v.details.reasons), n)
		}
		o, _ := v.Observation(target(list, 7), threeFalls)
		if o.Reason != d.Reasons[7] {
			t.Errorf("%q, want %q", o.Reason, d.Reasons[7])
		}
	}
}

func FuzzDetail(f *testing.F) {
	list := NewTargets(idsOf(0, 3000))
	d := Details{Reasons: map[int]string{1: "refused", 2: "refused", 2999: "timeout"}, Reductions: map[int]int{0: 10, 2998: 100}}
	part, _ := EncodeDetails(list, d)
	f.Add(part, 0)
	f.Add(part[:detailHead], 1)
	f.Add([]byte{}, 0)
	for i := range 3000 {
		d.Reductions[i] = i % 100
	}
	part, _ = EncodeDetails(list, d)
	for i, b := range blocksIn(part) {
		f.Add(b, i)
	}
	f.Fuzz(func(t *testing.T, b []byte, shard int) {
		v := NewVantage("n")
		marks := blocksIn(EncodeMarks(list, allMarks(3000, MarkDown)))
		_, _ = v.Take(PartMarks, 0, 2, marks[0], start, false, known(list))
		if len(b) > detailHead {
			copy(b[1:], list.Hash[:])
		}
		_, err := v.Take(PartDetail, shard, 4, b, start, false, known(list))
		if err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) {
			t.Fatal(err)
		}
		block, err := parseDetails(b)
		if err != nil {
			return
		}
		for i, r := range block.reasons {
			if i < 0 || i >= MaxTargets || len(r) > maxReason || clean(r) != r {
				t.Fatalf("%d: %q", i, r)
			}
		}
		if len(block.reasons)+len(block.reductions) > BlockSize || bytes.Equal(b, nil) {
			t.Fatalf("%d reasons, %d reductions of %d octets", len(block.reasons), len(block.reductions), len(b))
		}
	})
}
