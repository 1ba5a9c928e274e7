package round

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/fairlead-dns/fairlead/health"
)

const (
	// MaxTargets bounds a list: 8 MB as a list, half of it more where a node tells of it. The marks of so many just fit what
	// one node may tell at once (gossip's MaxState).
	MaxTargets = 1_000_000
	// prefixSize is that of a Prefix, in octets.
	prefixSize = 8
	// pageSize is how many targets one page holds: 800 kB, which is less than a reply of gossip may be.
	pageSize = 100_000
	// MaxPages is how many pages the longest list takes: whoever fetches one asks for no more.
	MaxPages = MaxTargets / pageSize
)

// A Prefix is the first half of a health.TargetID, as a number in network order.
type Prefix uint64

// PrefixOf is the first half of id.
func PrefixOf(id health.TargetID) Prefix { return Prefix(binary.BigEndian.Uint64(id[:])) }

// A ListHash names a list of targets.
type ListHash [8]byte

// Targets is a sorted list of targets, by prefix. It is immutable.
type Targets struct {
	// Hash is over the prefixes, so that who has fetched the list can check it.
	Hash ListHash
	// Left is how many targets are not in the list because another one begins with the same octets (a chance of 1 in 10^8 for
	// a million targets): nobody tells of either, rather than of one in the other's name.
	Left int
	list []Prefix
}

// NewTargets is the list of ids, in whatever order they come. The same id twice is one target.
func NewTargets(ids []health.TargetID) *Targets {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b health.TargetID) int { return slices.Compare(a[:], b[:]) })
	ids = slices.Compact(ids)
	list := make([]Prefix, 0, len(ids))
	for i, id := range ids {
		p := PrefixOf(id)
		if i > 0 && PrefixOf(ids[i-1]) == p || i+1 < len(ids) && PrefixOf(ids[i+1]) == p {
			continue
		}
		list = append(list, p)
	}
	t := newTargets(list)
	t.Left = len(ids) - len(list)
	return t
}

func newTargets(list []Prefix) *Targets {
	h := sha256.New()
	var b [prefixSize]byte
	for _, p := range list {
		binary.BigEndian.PutUint64(b[:], uint64(p))
		_, _ = h.Write(b[:]) // a hash takes everything
	}
	return &Targets{Hash: ListHash(h.Sum(nil)), list: list}
}

// Len is how many targets there are.
func (t *Targets) Len() int { return len(t.list) }

// Index is where id stands.
func (t *Targets) Index(id health.TargetID) (int, bool) {
	return slices.BinarySearch(t.list, PrefixOf(id))
}

// Pages is how many pages the list takes.
func (t *Targets) Pages() int { return (len(t.list) + pageSize - 1) / pageSize }

// Page is a part of the list, to be put together by FromPages; empty when there is no such page.
func (t *Targets) Page(i int) []byte {
	if i < 0 || i >= t.Pages() {
		return nil
	}
	chunk := t.list[i*pageSize : min(len(t.list), (i+1)*pageSize)]
	b := make([]byte, 0, prefixSize*len(chunk))
	for _, p := range chunk {
		b = binary.BigEndian.AppendUint64(b, uint64(p))
	}
	return b
}

// FromPages is the list in pages, which must have the hash.
func FromPages(hash ListHash, pages ...[]byte) (*Targets, error) {
	octets := 0
	for _, b := range pages {
		octets += len(b)
		if len(b)%prefixSize != 0 || octets > MaxTargets*prefixSize {
			return nil, fmt.Errorf("%w: a list of %d octets", ErrMalformed, octets)
		}
	}
	list := make([]Prefix, 0, octets/prefixSize)
	for _, b := range pages {
		for ; len(b) > 0; b = b[prefixSize:] {
			p := Prefix(binary.BigEndian.Uint64(b))
			if len(list) > 0 && p <= list[len(list)-1] {
				return nil, fmt.Errorf("%w: a list that is not sorted", ErrMalformed)
			}
			list = append(list, p)
		}
	}
	t := newTargets(list)
	if t.Hash != hash {
		return nil, fmt.Errorf("%w: a list with the hash %x, want %x", ErrMalformed, t.Hash, hash)
	}
	return t, nil
}
