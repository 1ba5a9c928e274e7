package round

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func names(from, to int) (list []string) {
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprintf("n%03d-%s", i, strings.Repeat("x", 58)))
	}
	return list
}

func TestRoster(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 200, maxNames} {
		want := names(0, n)
		part := EncodeRoster(want)
		v := NewVantage("n2")
		blocks := blocksIn(part)
		for _, i := range []int{len(blocks) - 1, 0} {
			if v.RosterWhole() {
				t.Errorf("%d names: whole after a block of %d", n, len(blocks))
			}
			if _, err := v.Take(PartRoster, i, len(blocks), blocks[i], second(1), false, nil); err != nil {
				t.Fatal(err)
			}
			if len(blocks) == 1 {
				break
			}
		}
		takeAll(t, v, PartRoster, part, second(2), false)
		if got := v.Roster(); !v.RosterWhole() || !slices.Equal(got, want) {
			t.Errorf("%d names in %d octets: got %d, whole %v", n, len(part), len(got), v.RosterWhole())
		}
	}
}

// A roster that changes is the old and the new one until the new one is whole.
func TestRosterChanges(t *testing.T) {
	v := NewVantage("n2")
	was, is := names(0, 30), names(10, 50)
	takeAll(t, v, PartRoster, EncodeRoster(was), second(1), false)
	blocks := blocksIn(EncodeRoster(is))
	for i, b := range blocks {
		if !slices.ContainsFunc(v.Roster(), func(s string) bool { return s == was[0] }) {
			t.Errorf("block %d: %s is gone before the new roster is whole", i, was[0])
		}
		if _, err := v.Take(PartRoster, i, len(blocks), b, second(2), false, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := v.Roster(); !v.RosterWhole() || !slices.Equal(got, is) {
		t.Errorf("%d names, want %d", len(got), len(is))
	}
	// It begins to change, and changes back.
	_, _ = v.Take(PartRoster, 0, 3, blocksIn(EncodeRoster(was))[0], second(3), false, nil)
	takeAll(t, v, PartRoster, EncodeRoster(is), second(4), false)
	if got := v.Roster(); !v.RosterWhole() || !slices.Equal(got, is) {
		t.Errorf("changed back: %d names, want %d", len(got), len(is))
	}
}

func TestRosterRefuses(t *testing.T) {
	if got := EncodeRoster([]string{"a", "", "b c", "a", strings.Repeat("x", 64)}); !slices.Equal(got, EncodeRoster([]string{"a"})) {
		t.Errorf("what is no name is told: %q", got)
	}
	good := EncodeRoster([]string{"n1", "n2"})
	bad := map[string][]byte{
		"cut":      good[:len(good)-1],
		"too many": append(slices.Clone(good), 1, 'x'),
		"space":    append(slices.Clone(good[:len(good)-1]), ' '),
		"hash":     append([]byte{version, 9}, good[2:]...),
		"count":    append(append(slices.Clone(good[:9]), 255, 255), good[11:]...),
	}
	for name, b := range bad {
		v := NewVantage("n2")
		if _, err := v.Take(PartRoster, 0, 1, b, second(1), false, nil); err == nil || v.RosterWhole() {
			t.Errorf("%s: %v, whole %v", name, err, v.RosterWhole())
		}
	}
}

func FuzzRoster(f *testing.F) {
	for _, b := range blocksIn(EncodeRoster(names(0, 20))) {
		f.Add(b)
	}
	f.Add(EncodeRoster(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		v := NewVantage("n")
		if _, err := v.Take(PartRoster, 0, 1, b, start, false, nil); err != nil {
			return
		}
		if len(v.Roster()) > len(b) {
			t.Fatalf("%d names of %d octets", len(v.Roster()), len(b))
		}
		if v.RosterWhole() {
			r := v.Roster()
			takeAll(t, v, PartRoster, EncodeRoster(r), start, false)
			if !v.RosterWhole() || !slices.Equal(v.Roster(), r) {
				t.Fatalf("not the same again: %q", r)
			}
		}
	})
}
