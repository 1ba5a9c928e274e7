package judge

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"slices"

	"github.com/fairlead-dns/fairlead/health"
)

// A Node is where a node of the roster stands. Region and AZ may be empty.
type Node struct{ Name, Region, AZ string }

// Isolated tells whether a node that hears so many of the roster, itself included, is cut off: fewer than half. Exactly half is
// not isolated, else a cluster of two would stand still when one is lost.
func Isolated(heard, roster int) bool { return 2*heard < roster }

// Majority tells whether a node hears more than half of the roster, itself included.
func Majority(heard, roster int) bool { return 2*heard > roster }

// A Bench is the roster, made ready for choosing vantages. It is immutable.
type Bench struct {
	nodes  []Node
	hashes []uint64
}

// NewBench is the roster in any order.
func NewBench(roster []Node) *Bench {
	b := &Bench{nodes: slices.SortedFunc(slices.Values(roster), func(x, y Node) int { return cmp.Compare(x.Name, y.Name) })}
	for _, n := range b.nodes {
		h := fnv.New64a()
		h.Write([]byte(n.Name))
		b.hashes = append(b.hashes, h.Sum64())
	}
	return b
}

// mix is the finalizer of splitmix64: FNV alone leaves names in a row close to each other.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// Vantages are the names of the k nodes that probe the target, sorted; k = 0 means all of them. az is where the endpoint behind
// it stands, empty if that is not known. Nodes are ranked by rendezvous hashing, so that one that comes or goes moves no more
// than its share, and taken in turns from all regions. They are never all of the endpoint's own AZ: what takes that down would
// take them too.
func (b *Bench) Vantages(target health.TargetID, k int, az string) []string {
	n := len(b.nodes)
	if k <= 0 || k >= n {
		names := make([]string, n)
		for i, node := range b.nodes {
			names[i] = node.Name
		}
		return names
	}
	key := binary.BigEndian.Uint64(target[:])
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	rank := func(i int) uint64 { return mix(key ^ b.hashes[i]) }
	slices.SortFunc(order, func(i, j int) int {
		return cmp.Or(cmp.Compare(rank(j), rank(i)), cmp.Compare(b.nodes[i].Name, b.nodes[j].Name))
	})
	chosen := b.spread(order, k)
	inAZ := func(i int) bool { return az != "" && b.nodes[i].AZ == az }
	if !slices.ContainsFunc(chosen, func(i int) bool { return !inAZ(i) }) {
		if i := slices.IndexFunc(order, func(i int) bool { return !inAZ(i) }); i >= 0 {
			chosen[k-1] = order[i]
		}
	}
	names := make([]string, k)
	for i, c := range chosen {
		names[i] = b.nodes[c].Name
	}
	slices.Sort(names)
	return names
}

// spread takes k of order, in rounds: in each, the best of every region that has one left.
func (b *Bench) spread(order []int, k int) []int {
	left := slices.Clone(order)
	var chosen []int
	for len(chosen) < k {
		var used []string
		left = slices.DeleteFunc(left, func(i int) bool {
			region := b.nodes[i].Region
			if len(chosen) == k || slices.Contains(used, region) {
				return false
			}
			used, chosen = append(used, region), append(chosen, i)
			return true
		})
	}
	return chosen
}
