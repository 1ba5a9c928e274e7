package round

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// A twin is a Vantage's marks, as plain as can be.
type twin struct {
	list *Targets
	m    map[Prefix]twinMark
}

type twinMark struct {
	mark Mark
	Times
}

func (w *twin) take(list *Targets, first int, marks []Mark, at int, relayed bool) (changed []Prefix) {
	if w.list != list {
		next := make(map[Prefix]twinMark)
		for p, m := range w.m {
			_, in := slices.BinarySearch(list.list, p)
			switch {
			case m.mark == MarkNone:
			case in:
				next[p] = m
			default:
				changed = append(changed, p)
			}
		}
		w.list, w.m = list, next
	}
	for i, mark := range marks {
		p := list.list[first+i]
		was := w.m[p]
		is := twinMark{mark, Times{Direct: was.Direct, Heard: second(at)}}
		if !relayed {
			is.Direct = second(at)
		}
		if was.mark != mark || mark != MarkNone && was.Direct.IsZero() && !relayed {
			changed = append(changed, p)
		}
		w.m[p] = is
	}
	slices.Sort(changed)
	return slices.Compact(changed)
}

// Blocks of several lists, straight and relayed, in any order: a Vantage says what its twin says, and reports the same changes.
func TestVantageTwin(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 5))
		var lists []*Targets
		for range 4 {
			from := r.IntN(3000)
			lists = append(lists, NewTargets(idsOf(from, from+r.IntN(6000))))
		}
		v, w := NewVantage("n2"), &twin{}
		list := lists[0]
		marks := randomMarks(r, list.Len())
		for step := 1; step <= 60; step++ {
			if r.IntN(8) == 0 {
				list = lists[r.IntN(len(lists))]
				marks = randomMarks(r, list.Len())
			}
			for range r.IntN(4) {
				if len(marks) > 0 {
					marks[r.IntN(len(marks))] = Mark(r.IntN(16))
				}
			}
			blocks := blocksIn(EncodeMarks(list, marks))
			k, relayed := r.IntN(len(blocks)), r.IntN(3) == 0
			got, err := v.Take(PartMarks, k, len(blocks), blocks[k], second(step), relayed, known(lists...))
			want := w.take(list, k*blockMarks, marks[k*blockMarks:min(len(marks), (k+1)*blockMarks)], step, relayed)
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("seed %d, step %d: %d changes, %v, want %d", seed, step, len(got), err, len(want))
			}
			compareTwins(t, v, w)
		}
	}
}

func compareTwins(t *testing.T, v *Vantage, w *twin) {
	t.Helper()
	for i, p := range w.list.list {
		want := w.m[p]
		if got := v.marks.at(i); got != want.mark {
			t.Fatalf("mark of %x: %d, want %d", p, got, want.mark)
		}
		if got := v.timesAt(i); want.mark != MarkNone && got != want.Times {
			t.Fatalf("times of %x: %v, want %v", p, got, want.Times)
		}
	}
}
