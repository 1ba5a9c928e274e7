package round

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

var (
	start      = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	threeFalls = &config.Check{Fall: 3}
)

// second is n seconds after the start.
func second(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }

func known(lists ...*Targets) func(ListHash) *Targets {
	return func(h ListHash) *Targets {
		for _, t := range lists {
			if t.Hash == h {
				return t
			}
		}
		return nil
	}
}

func allMarks(n int, m Mark) []Mark { return slices.Repeat([]Mark{m}, n) }

// takeAll takes in all blocks of a part; it gives how many changes were reported.
func takeAll(t *testing.T, v *Vantage, name string, part []byte, at time.Time, relayed bool, lists ...*Targets) (changes int) {
	t.Helper()
	blocks := blocksIn(part)
	for i, b := range blocks {
		changed, err := v.Take(name, i, len(blocks), b, at, relayed, known(lists...))
		if err != nil {
			t.Fatalf("%s, block %d of %d: %v", name, i, len(blocks), err)
		}
		changes += len(changed)
	}
	return changes
}

func TestVantage(t *testing.T) {
	list := NewTargets(idsOf(0, 5000))
	v := NewVantage("n2")
	if _, ok := v.Observation(idOf(1), threeFalls); ok {
		t.Error("nothing was said, and there is an observation")
	}
	marks := allMarks(5000, MarkUp)
	failing, _ := list.Index(idOf(1))
	marks[failing] = MarkUpFailing + 1
	none, _ := list.Index(idOf(2))
	marks[none] = MarkNone
	if n := takeAll(t, v, PartMarks, EncodeMarks(list, marks), second(1), false, list); n != 4999 {
		t.Errorf("%d changes at first, want 4999", n)
	}
	detail, _ := EncodeDetails(list, Details{Reasons: map[int]string{failing: "connection refused"}, Reductions: map[int]int{failing: 30}})
	takeAll(t, v, PartDetail, detail, second(1), false, list)
	o, ok := v.Observation(idOf(1), threeFalls)
	want := health.Observation{
		Target: idOf(1), Vantage: "n2", State: health.Up, Failures: 1, At: second(1), Reason: "connection refused", Reduction: 30,
	}
	if !ok || o != want {
		t.Errorf("got %+v, %v, want %+v", o, ok, want)
	}
	if _, ok := v.Observation(idOf(2), threeFalls); ok {
		t.Error("an observation of a target that the node says nothing of")
	}
	marks[failing] = MarkUp
	if n := takeAll(t, v, PartMarks, EncodeMarks(list, marks), second(2), false, list); n != 1 {
		t.Errorf("%d changes, want 1", n)
	}
	if o, _ := v.Observation(idOf(1), threeFalls); o.Reason != "" || o.Reduction != 30 || !o.At.Equal(second(2)) {
		t.Errorf("after a success: %+v", o)
	}
}

// What relays bring is news, and counts as heard from the node only once that was so.
func TestVantageRelayed(t *testing.T) {
	list := NewTargets(idsOf(0, 3000))
	v := NewVantage("n2")
	up, down := EncodeMarks(list, allMarks(3000, MarkUp)), EncodeMarks(list, allMarks(3000, MarkDown))
	takeAll(t, v, PartMarks, up, second(1), true, list)
	if _, ok := v.Observation(idOf(1), threeFalls); ok {
		t.Error("an observation that was never heard straight")
	}
	if n := takeAll(t, v, PartMarks, up, second(2), false, list); n != 3000 {
		t.Errorf("%d changes when they begin to count, want 3000", n)
	}
	takeAll(t, v, PartMarks, down, second(3), true, list)
	o, _ := v.Observation(idOf(1), threeFalls)
	times, ok := v.Times(idOf(1))
	if o.State != health.Down || !o.At.Equal(second(2)) || !ok || times != (Times{Direct: second(2), Heard: second(3)}) {
		t.Errorf("relayed: %v at %v, times %v", o.State, o.At, times)
	}
	if n := takeAll(t, v, PartMarks, down, second(4), false, list); n != 0 {
		t.Errorf("%d changes by a repetition, want 0", n)
	}
}

func TestVantageRefuses(t *testing.T) {
	list, other := NewTargets(idsOf(0, 5000)), NewTargets(idsOf(0, 4000))
	v := NewVantage("n2")
	takeAll(t, v, PartMarks, EncodeMarks(list, allMarks(5000, MarkUp)), second(1), false, list)
	from := func(list *Targets, edit func(b []byte) []byte) []byte {
		return edit(blocksIn(EncodeMarks(list, allMarks(list.Len(), MarkDown)))[0])
	}
	short := func(b []byte) []byte {
		binary.BigEndian.PutUint16(b[marksHead-2:], 2)
		return b[:marksHead+1]
	}
	beyond := func(b []byte) []byte { binary.BigEndian.PutUint32(b[9:], uint32(10*blockMarks)); return b }
	for name, c := range map[string]struct {
		part  string
		shard int
		block []byte
		want  error
	}{
		"a part of the block":       {PartMarks, 0, from(list, short), ErrMalformed},
		"beyond the end":            {PartMarks, 0, from(list, beyond), ErrMalformed},
		"beyond another list's end": {PartMarks, 0, from(other, beyond), ErrMalformed},
		"unknown list":              {PartMarks, 0, EncodeMarks(NewTargets(idsOf(0, 3)), allMarks(3, MarkUp)), ErrUnknownTargets},
		"unknown part":              {"weather", 0, []byte{version}, ErrUnknownPart},
		"details beyond the end":    {PartDetail, maxDetail, []byte{version}, ErrMalformed},
		"empty details":             {PartDetail, 0, nil, ErrMalformed},
		"empty roster":              {PartRoster, 0, nil, ErrMalformed},
	} {
		changed, err := v.Take(c.part, c.shard, 9, c.block, second(9), false, known(list, other))
		o, ok := v.Observation(idOf(1), threeFalls)
		if !errors.Is(err, c.want) || len(changed) != 0 || !ok || o.State != health.Up || !o.At.Equal(second(1)) || v.targets != list {
			t.Errorf("%s: %v, want %v; %d changes, %+v", name, err, c.want, len(changed), o)
		}
	}
	unknown := NewTargets(idsOf(0, 3))
	_, err := v.Take(PartMarks, 0, 1, EncodeMarks(unknown, allMarks(3, MarkUp)), second(9), false, known(list))
	var u *UnknownTargetsError
	if !errors.As(err, &u) || u.Hash != unknown.Hash {
		t.Errorf("%v does not say which list to fetch", err)
	}
}

// A node starts anew with another list: what it said goes on until it says it again, block by block.
func TestVantageAnotherList(t *testing.T) {
	was, is := NewTargets(idsOf(0, 5000)), NewTargets(idsOf(1000, 6000))
	v := NewVantage("n2")
	takeAll(t, v, PartMarks, EncodeMarks(was, allMarks(5000, MarkUp)), second(1), false, was, is)
	detail, _ := EncodeDetails(was, Details{Reductions: map[int]int{indexOf(was, 4999): 20}})
	takeAll(t, v, PartDetail, detail, second(1), false, was, is)

	block := blocksIn(EncodeMarks(is, allMarks(5000, MarkDown)))
	changed, err := v.Take(PartMarks, 1, 3, block[1], second(2), false, known(was, is))
	if err != nil || len(changed) != 1000+blockMarks {
		t.Errorf("%d changes, %v, want those that are no more and those of the block: %d", len(changed), err, 1000+blockMarks)
	}
	for i := range 6000 {
		o, ok := v.Observation(idOf(i), threeFalls)
		j, in := is.Index(idOf(i))
		switch {
		case in && j/blockMarks == 1:
			if !ok || o.State != health.Down || !o.At.Equal(second(2)) {
				t.Fatalf("%d, in the block: %+v, %v", i, o, ok)
			}
		case in && i < 5000:
			if !ok || o.State != health.Up || !o.At.Equal(second(1)) {
				t.Fatalf("%d, carried over: %+v, %v", i, o, ok)
			}
		case ok:
			t.Fatalf("%d: %+v, of which nothing was said", i, o)
		}
	}
	if o, _ := v.Observation(idOf(4999), threeFalls); o.Reduction != 20 {
		t.Errorf("the reduction is %d, want 20 until the node says otherwise", o.Reduction)
	}
	if n := v.StaleBlocks(second(1)); n != 2 {
		t.Errorf("%d of 3 blocks are stale, want 2", n)
	}
	takeAll(t, v, PartMarks, EncodeMarks(is, allMarks(5000, MarkDown)), second(3), false, is)
	if n := v.StaleBlocks(second(2)); n != 0 {
		t.Errorf("%d blocks are stale, want 0", n)
	}
	if v.origin != nil || len(v.times) != 3 {
		t.Errorf("all blocks came, and %d times are kept for 3", len(v.times))
	}
}

func indexOf(list *Targets, i int) int {
	k, ok := list.Index(idOf(i))
	if !ok {
		panic("not in the list")
	}
	return k
}

func TestVantageAlign(t *testing.T) {
	said, own := NewTargets(idsOf(0, 5000)), NewTargets(idsOf(500, 5500))
	v := NewVantage("n2")
	check := func(own *Targets) {
		t.Helper()
		for i := range 5600 {
			k, in := own.Index(idOf(i))
			if !in {
				continue
			}
			got, gotOK := v.ObservationAt(k, idOf(i), threeFalls)
			want, wantOK := v.Observation(idOf(i), threeFalls)
			if got != want || gotOK != wantOK {
				t.Fatalf("target %d: %+v, want %+v", i, got, want)
			}
		}
	}
	check(own)
	v.Align(own)
	check(own)
	takeAll(t, v, PartMarks, EncodeMarks(said, allMarks(5000, MarkUp)), second(1), false, said)
	check(own)
	takeAll(t, v, PartMarks, EncodeMarks(own, allMarks(5000, MarkDown)), second(2), false, own)
	check(own)
	v.Align(said)
	check(said)
}

// target is an id of which the list says the prefix at index i.
func target(list *Targets, i int) (id health.TargetID) {
	binary.BigEndian.PutUint64(id[:], uint64(list.list[i]))
	return id
}
