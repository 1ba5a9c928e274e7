package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxShards bounds the cells of a service: as many as a shard in 16 bits.
const maxShards = 65536

// Shards are some of the shards of a service, as ranges that ascend and neither overlap nor touch. The zero value is none.
type Shards []ShardRange

// A ShardRange is First..Last, both included.
type ShardRange struct{ First, Last int }

// ParseShards reads ranges and single numbers, as in "0-100, 900-1007"; they may stand in any order, but not overlap.
func ParseShards(text string) (Shards, error) {
	var list Shards
	for _, part := range strings.Split(text, ",") {
		first, last, err := parseRange(strings.TrimSpace(part), 0, maxShards-1)
		if err != nil {
			return nil, err
		}
		list = append(list, ShardRange{first, last})
	}
	slices.SortFunc(list, func(a, b ShardRange) int { return cmp.Compare(a.First, b.First) })
	for i := 1; i < len(list); i++ {
		if list[i].First <= list[i-1].Last {
			return nil, fmt.Errorf("the shard %d stands twice in %q", list[i].First, shorten(text))
		}
	}
	if len(list) == 0 {
		return nil, errors.New("want shards, as in 0-100,900-1007")
	}
	return list.join(), nil
}

// join joins ranges that touch.
func (s Shards) join() Shards {
	var out Shards
	for _, r := range s {
		if n := len(out); n > 0 && out[n-1].Last+1 == r.First {
			out[n-1].Last = r.Last
			continue
		}
		out = append(out, r)
	}
	return out
}

// ShardsWhere are those of the shards below n for which in holds.
func ShardsWhere(n int, in func(shard int) bool) (s Shards) {
	for shard := range n {
		if in(shard) {
			s = s.Append(shard, shard)
		}
	}
	return s
}

// Append is s with the shards from first to last, which are greater than all of them. What s was is not to be used any more.
func (s Shards) Append(first, last int) Shards {
	if k := len(s); k > 0 && s[k-1].Last+1 == first {
		s[k-1].Last = last
		return s
	}
	return append(s, ShardRange{first, last})
}

// String is the form that ParseShards reads, without spaces.
func (s Shards) String() string {
	texts := make([]string, len(s))
	for i, r := range s {
		texts[i] = r.String()
	}
	return strings.Join(texts, ",")
}

// String is 3-7, or 3 for a range of one.
func (r ShardRange) String() string {
	if r.First == r.Last {
		return strconv.Itoa(r.First)
	}
	return strconv.Itoa(r.First) + "-" + strconv.Itoa(r.Last)
}

// Has tells whether a shard is among them. It allocates nothing.
func (s Shards) Has(shard int) bool {
	i, found := slices.BinarySearchFunc(s, shard, func(r ShardRange, shard int) int { return cmp.Compare(r.First, shard) })
	return found || i > 0 && shard <= s[i-1].Last
}

// Meets tells whether a shard is in both.
func (s Shards) Meets(t Shards) bool {
	return slices.ContainsFunc(s, func(a ShardRange) bool {
		return slices.ContainsFunc(t, func(b ShardRange) bool { return a.First <= b.Last && b.First <= a.Last })
	})
}

// Without are those that are not in t.
func (s Shards) Without(t Shards) Shards {
	return ShardsWhere(s.Last()+1, func(shard int) bool { return s.Has(shard) && !t.Has(shard) })
}

// With are those that are in s or in t.
func (s Shards) With(t Shards) Shards {
	return ShardsWhere(max(s.Last(), t.Last())+1, func(shard int) bool { return s.Has(shard) || t.Has(shard) })
}

// Both are those that are also in t.
func (s Shards) Both(t Shards) Shards {
	return ShardsWhere(s.Last()+1, func(shard int) bool { return s.Has(shard) && t.Has(shard) })
}

// Count is how many they are.
func (s Shards) Count() (n int) {
	for _, r := range s {
		n += r.Last - r.First + 1
	}
	return n
}

// Last is the greatest of them; -1 for none.
func (s Shards) Last() int {
	if len(s) == 0 {
		return -1
	}
	return s[len(s)-1].Last
}

// maxShownRanges is how many ranges a line names; the others are counted.
const maxShownRanges = 5

// Short is for people: at most five ranges, and how many more there are.
func (s Shards) Short() string {
	text := strings.ReplaceAll(s[:min(len(s), maxShownRanges)].String(), ",", ", ")
	if more := len(s) - maxShownRanges; more > 0 {
		text += fmt.Sprintf(" and %d more ranges", more)
	}
	return text
}

// The ways in which the shard of a label is found.
const (
	ByMap    = "map"
	ByNumber = "number"
	ByHash   = "hash"
)

// Shard is the shard that a label, in lower case, stands for. It allocates nothing.
func (c *Cells) Shard(label []byte) int {
	shard, _ := c.Find(label)
	return shard
}

// Find is the shard that a label, in lower case, stands for, and how it is found: what c.Map says, else the number itself if it is one below
// c.Shards, else the hash of the label (FNV-1a 64) modulo c.Shards. It allocates nothing.
func (c *Cells) Find(label []byte) (shard int, by string) {
	if shard, mapped := c.Map[string(label)]; mapped {
		return shard, ByMap
	}
	if number, ok := c.number(label); ok {
		return number, ByNumber
	}
	h := uint64(14695981039346656037)
	for _, b := range label {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return int(h % uint64(c.Shards)), ByHash
}

// number is the shard whose number a label is, with zeros before it or without.
func (c *Cells) number(label []byte) (number int, ok bool) {
	for _, b := range label {
		if b < '0' || b > '9' || number >= c.Shards {
			return 0, false
		}
		number = number*10 + int(b-'0')
	}
	return number, len(label) > 0 && number < c.Shards
}

// HomeOf is the pool that is the home of a shard. Home must be sorted, as that of a zone without errors is. It allocates nothing.
func (c *Cells) HomeOf(shard int) int {
	i, found := slices.BinarySearchFunc(c.Home, shard, func(r CellRange, shard int) int { return cmp.Compare(r.First, shard) })
	if !found {
		i--
	}
	return c.Home[max(i, 0)].Pool
}

// Homes are the pools that are the home of shards, each once, in the order of their first shards.
func (c *Cells) Homes() (pools []int) {
	for _, r := range c.Home {
		if !slices.Contains(pools, r.Pool) {
			pools = append(pools, r.Pool)
		}
	}
	return pools
}

// ShardsAt are the shards whose home is a pool.
func (c *Cells) ShardsAt(pool int) (s Shards) {
	for _, r := range c.Home {
		if r.Pool == pool {
			s = append(s, ShardRange{r.First, r.Last})
		}
	}
	return s.join()
}

// Pools are those that may answer for a shard: homes, pools that wait for shards, and those that take over.
func (c *Cells) Pools() (pools []int) {
	pools = c.Homes()
	add := func(p int) {
		if !slices.Contains(pools, p) {
			pools = append(pools, p)
		}
	}
	for _, p := range c.Empty {
		add(p)
	}
	for _, from := range slices.Clone(pools) {
		for _, to := range c.Failover[from] {
			add(to)
		}
	}
	return pools
}
