package round

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/fairlead-dns/fairlead/health"
)

// idOf is the id of an imaginary target; as with true ones their order says nothing.
func idOf(i int) health.TargetID {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
	return health.TargetID(sum[:])
}

func idsOf(from, to int) (ids []health.TargetID) {
	for i := from; i < to; i++ {
		ids = append(ids, idOf(i))
	}
	return ids
}

func pagesOf(t *Targets) (pages [][]byte) {
	for i := range t.Pages() {
		pages = append(pages, t.Page(i))
	}
	return pages
}

func TestTargets(t *testing.T) {
	ids := idsOf(0, 1000)
	list := NewTargets(ids)
	slices.Reverse(ids)
	if again := NewTargets(append(ids, ids[7])); again.Hash != list.Hash || again.Len() != 1000 || again.Left != 0 {
		t.Errorf("in another order, one twice: %x, %d and %d left, want %x, 1000 and 0", again.Hash, again.Len(), again.Left, list.Hash)
	}
	if other := NewTargets(ids[1:]); other.Hash == list.Hash {
		t.Error("another list has the same hash")
	}
	seen := make(map[int]bool)
	for _, id := range ids {
		i, ok := list.Index(id)
		if !ok || seen[i] || list.list[i] != PrefixOf(id) {
			t.Fatalf("index of %v: %d, %v", id, i, ok)
		}
		seen[i] = true
	}
	if _, ok := list.Index(idOf(1000)); ok {
		t.Error("an id that is not in the list has an index")
	}
}

func TestTargetsOfOnePrefix(t *testing.T) {
	ids := idsOf(0, 10)
	twin := ids[4]
	twin[15] ^= 1
	list := NewTargets(append(ids, twin))
	if list.Len() != 9 || list.Left != 2 {
		t.Errorf("%d in the list, %d left, want 9 and 2", list.Len(), list.Left)
	}
	for _, id := range []health.TargetID{ids[4], twin} {
		if _, ok := list.Index(id); ok {
			t.Errorf("%v has an index, which could be the other's", id)
		}
	}
}

func TestTargetsPages(t *testing.T) {
	for _, n := range []int{0, 1, pageSize, 2*pageSize + 1} {
		list := NewTargets(idsOf(0, n))
		pages := pagesOf(list)
		got, err := FromPages(list.Hash, pages...)
		if err != nil || !slices.Equal(got.list, list.list) {
			t.Errorf("%d targets in %d pages: %v", n, len(pages), err)
		}
		for _, b := range pages {
			if len(b) == 0 || len(b) > 800_000 {
				t.Errorf("%d targets: a page of %d octets", n, len(b))
			}
		}
	}
	list := NewTargets(idsOf(0, 3))
	b := list.Page(0)
	swapped := slices.Concat(b[8:16], b[:8], b[16:])
	bad := map[string][][]byte{
		"cut": {b[:23]}, "less": {b[:16]}, "unsorted": {swapped}, "doubled": {b, b}, "too long": {make([]byte, 8*MaxTargets), b},
	}
	for name, pages := range bad {
		if _, err := FromPages(list.Hash, pages...); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
	if list.Page(1) != nil || list.Page(-1) != nil {
		t.Error("pages that are none")
	}
}

func FuzzTargets(f *testing.F) {
	list := NewTargets(idsOf(0, 5))
	f.Add(list.Page(0), 16)
	f.Add([]byte{}, 0)
	f.Add(make([]byte, 17), 8)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		cut = min(max(cut, 0), len(b))
		hash := ListHash{}
		if len(b)%prefixSize == 0 {
			sum := sha256.Sum256(b)
			hash = ListHash(sum[:])
		}
		list, err := FromPages(hash, b[:cut], b[cut:])
		if err != nil {
			return
		}
		if again, err := FromPages(list.Hash, pagesOf(list)...); err != nil || !slices.Equal(again.list, list.list) {
			t.Fatalf("not the same again: %v", err)
		}
	})
}
