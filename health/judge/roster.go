package judge

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A Node is where a node of the roster stands. Region and AZ may be empty.
type Node struct{ Name, Region, AZ string }

// Isolated tells whether a node that hears so many of the roster, itself included, is cut off: fewer than half. Exactly half is
// not isolated, else a cluster of two would stand still when one is lost.
func Isolated(heard, roster int) bool { return 2*heard < roster }

// A Bench is the roster, made ready for choosing vantages. It is immutable.
type Bench struct {
	// nodes are in the order of their names; names are theirs, hashes those of the names. regions number the regions.
	nodes   []Node
	names   []string
	hashes  []uint64
	regions []int
}

// NewBench is the roster in any order.
func NewBench(roster []Node) *Bench {
	b := &Bench{nodes: slices.SortedFunc(slices.Values(roster), func(x, y Node) int { return cmp.Compare(x.Name, y.Name) })}
	numbers := make(map[string]int)
	for _, n := range b.nodes {
		h := fnv.New64a()
		h.Write([]byte(n.Name))
		if _, ok := numbers[n.Region]; !ok {
			numbers[n.Region] = len(numbers)
		}
		b.names, b.hashes, b.regions = append(b.names, n.Name), append(b.hashes, h.Sum64()), append(b.regions, numbers[n.Region])
	}
	return b
}

// Among is the bench of those nodes that v names. It is empty if it names none.
func (b *Bench) Among(v *config.Vantages) *Bench {
	if v.Anywhere() {
		return b
	}
	var named []Node
	for _, n := range b.nodes {
		if v.Names(n.Name, n.Region, n.AZ) {
			named = append(named, n)
		}
	}
	return NewBench(named)
}

// RegionOf is the region of a node; empty where it has none, and for a node that is not of the roster.
func (b *Bench) RegionOf(name string) string {
	if i, ok := slices.BinarySearch(b.names, name); ok {
		return b.nodes[i].Region
	}
	return ""
}

// InRegion tells whether a node of the roster stands in a region.
func (b *Bench) InRegion(name, region string) bool { return region != "" && b.RegionOf(name) == region }

// mix is the finalizer of splitmix64: FNV alone leaves names in a row close to each other.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// A seat is a node that asks to be a vantage. round counts the nodes of its region that have a higher rank.
type seat struct {
	rank        uint64
	round, node int
}

// fewNodes is how many nodes are ranked without memory of their own.
const fewNodes = 32

// Vantages are the names of the k nodes that probe the target, sorted; k = 0 means all of them. az is where the endpoint behind
// it stands, empty if that is not known. Nodes are ranked by rendezvous hashing, so that one that comes or goes moves no more
// than its share, and taken in turns from all regions. They are never all of the endpoint's own AZ: what takes that down would
// take them too. The result belongs to the bench: it is not to be written to.
func (b *Bench) Vantages(target health.TargetID, k int, az string) []string {
	n := len(b.nodes)
	if k <= 0 || k >= n {
		return b.names
	}
	var buf [fewNodes]seat
	seats := b.rank(buf[:0], binary.BigEndian.Uint64(target[:]))
	outside := func(s seat) bool { return az == "" || b.nodes[s.node].AZ != az }
	if !slices.ContainsFunc(seats[:k], outside) {
		if i := slices.IndexFunc(seats, outside); i >= 0 {
			seats[k-1] = seats[i]
		}
	}
	names := make([]string, k)
	for i, s := range seats[:k] {
		names[i] = b.names[s.node]
	}
	slices.Sort(names)
	return names
}

// rank appends all nodes to seats, in the order in which they are asked: in each round the best of every region that has one
// left.
func (b *Bench) rank(seats []seat, key uint64) []seat {
	for i, h := range b.hashes {
		seats = append(seats, seat{rank: mix(key ^ h), node: i})
	}
	// The order of names decides between equals.
	slices.SortFunc(seats, func(x, y seat) int { return cmp.Or(cmp.Compare(y.rank, x.rank), x.node-y.node) })
	var buf [fewNodes]int
	taken := buf[:0]
	for range b.nodes {
		taken = append(taken, 0)
	}
	for i := range seats {
		region := b.regions[seats[i].node]
		seats[i].round = taken[region]
		taken[region]++
	}
	slices.SortStableFunc(seats, func(x, y seat) int { return x.round - y.round })
	return seats
}
