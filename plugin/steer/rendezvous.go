package steer

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"net/netip"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
)

// A Rendezvous gives each client prefix one member, in proportion to the weights over many prefixes: weighted rendezvous
// hashing (C. Schindelhauer, G. Schomaker, "Weighted distributed hash tables", SPAA 2005), pool by pool, then AZ by AZ where
// the file gives AZs weights, then endpoint by endpoint. So a member that leaves moves only its own prefixes, to the rest of
// its AZ before its pool, and to that before other pools; a weight that changes moves only the difference; whoever comes back
// gets the same prefixes back. It is immutable, and the same on all nodes.
type Rendezvous struct{ root []branch }

// A branch is a pool, an AZ or an endpoint.
type branch struct {
	id     uint64
	weight float64
	below  []branch
	// member is set for endpoints.
	member int
}

// NewRendezvous makes the rendezvous of the members of one set of a plan for a service of z.
func NewRendezvous(z *config.Zone, members []Member) *Rendezvous {
	r := new(Rendezvous)
	for i, m := range members {
		pool := z.Pools[m.Pool]
		e := pool.Endpoints[m.Endpoint]
		path := []string{pool.Name}
		if pool.Explicit {
			path = append(path, z.AZs[e.AZ].Name)
		}
		level := &r.root
		for _, name := range append(path, e.Name) {
			level = descend(level, nameHash(name), float64(m.Weight), i)
		}
	}
	return r
}

// Equal tells whether r and o pick the same members for all keys. Both may be nil.
func (r *Rendezvous) Equal(o *Rendezvous) bool {
	return r == o || r != nil && o != nil && slices.EqualFunc(r.root, o.root, branch.equal)
}

func (b branch) equal(c branch) bool {
	return b.id == c.id && b.weight == c.weight && b.member == c.member && slices.EqualFunc(b.below, c.below, branch.equal)
}

// descend adds weight to the branch with that id, which it makes if need be, and returns what lies below.
func descend(level *[]branch, id uint64, weight float64, member int) *[]branch {
	for i := range *level {
		if b := &(*level)[i]; b.id == id {
			b.weight += weight
			return &b.below
		}
	}
	*level = append(*level, branch{id: id, weight: weight, member: member})
	return &(*level)[len(*level)-1].below
}

// Pick is the member, an index of what NewRendezvous was given, for a key.
func (r *Rendezvous) Pick(key uint64) int {
	level := r.root
	for {
		b := pick(level, key)
		if b.below == nil {
			return b.member
		}
		level, key = b.below, Mix(key)
	}
}

// pick is the branch with the least -ln(u)/weight, where u in (0, 1) is the hash of key and branch.
func pick(level []branch, key uint64) *branch {
	best, least := 0, math.Inf(1)
	for i := range level {
		u := (float64(Mix(key^level[i].id)>>11) + 0.5) / (1 << 53)
		if score := -math.Log(u) / level[i].weight; score < least {
			best, least = i, score
		}
	}
	return &level[best]
}

// StickyKey is the key of a client for a service: the same for all addresses of its prefix, whose length is bits.
func StickyKey(svc *config.Service, seed uint64, addr netip.Addr) (key uint64, bits int) {
	bits = svc.Sticky.V6
	if addr.Is4() {
		bits = svc.Sticky.V4
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return seed, 0
	}
	raw := p.Addr().As16()
	key = Mix(seed ^ binary.BigEndian.Uint64(raw[:8]))
	return Mix(key ^ binary.BigEndian.Uint64(raw[8:])), bits
}

// StickySeed keeps the choices of different services apart.
func StickySeed(svc *config.Service) uint64 { return nameHash(svc.Name) }

func nameHash(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return Mix(h.Sum64())
}

// Mix spreads every bit over all bits: the finalizer of splitmix64 (S. Vigna, "Further scramblings of Marsaglia's xorshift
// generators", 2017).
func Mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
