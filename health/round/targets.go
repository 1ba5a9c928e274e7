package round

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/fairlead-dns/fairlead/health"
)

// MaxTargets bounds a list. What one node may tell at once (gossip's MaxState) is full long before.
const MaxTargets = 500_000

// A Prefix is the first half of a health.TargetID. In a list no two are the same but by a chance of one in 10^8 for a million
// targets; then one of the two is judged by what others see of the other.
type Prefix [8]byte

// PrefixOf is the first half of id.
func PrefixOf(id health.TargetID) Prefix { return Prefix(id[:len(Prefix{})]) }

// A ListHash names a list of targets.
type ListHash [8]byte

// Targets is a sorted list of targets. It is immutable.
type Targets struct {
	Hash  ListHash
	list  []Prefix
	index map[Prefix]int32
}

// NewTargets is the list of ids, in whatever order they come.
func NewTargets(ids []health.TargetID) *Targets {
	list := make([]Prefix, len(ids))
	for i, id := range ids {
		list[i] = PrefixOf(id)
	}
	slices.SortFunc(list, func(a, b Prefix) int { return bytes.Compare(a[:], b[:]) })
	return newTargets(slices.Compact(list))
}

func newTargets(list []Prefix) *Targets {
	t := &Targets{list: list, index: make(map[Prefix]int32, len(list))}
	h := sha256.New()
	for i, p := range list {
		t.index[p] = int32(i)
		h.Write(p[:])
	}
	t.Hash = ListHash(h.Sum(nil))
	return t
}

// Len is how many targets there are.
func (t *Targets) Len() int { return len(t.list) }

// Index is where id stands.
func (t *Targets) Index(id health.TargetID) (int, bool) {
	i, ok := t.index[PrefixOf(id)]
	return int(i), ok
}

// pageSize is how many targets one page holds: 800 kB, which is less than a reply of gossip may be.
const pageSize = 100_000

// Pages is how many pages the list takes.
func (t *Targets) Pages() int { return (len(t.list) + pageSize - 1) / pageSize }

// Page is a part of the list, to be put together by FromPages.
func (t *Targets) Page(i int) []byte {
	var b []byte
	for _, p := range t.list[min(len(t.list), i*pageSize):min(len(t.list), (i+1)*pageSize)] {
		b = append(b, p[:]...)
	}
	return b
}

// FromPages is the list in pages, which must have the hash.
func FromPages(hash ListHash, pages ...[]byte) (*Targets, error) {
	b := bytes.Join(pages, nil)
	n := len(b) / len(Prefix{})
	if n > MaxTargets || len(b)%len(Prefix{}) != 0 {
		return nil, fmt.Errorf("%w: a list of %d octets", ErrMalformed, len(b))
	}
	list := make([]Prefix, n)
	for i := range list {
		copy(list[i][:], b[i*len(Prefix{}):])
		if i > 0 && bytes.Compare(list[i-1][:], list[i][:]) >= 0 {
			return nil, fmt.Errorf("%w: a list that is not sorted", ErrMalformed)
		}
	}
	t := newTargets(list)
	if t.Hash != hash {
		return nil, fmt.Errorf("%w: a list with the hash %x, want %x", ErrMalformed, t.Hash, hash)
	}
	return t, nil
}
