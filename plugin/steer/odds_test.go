package steer

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

// oddsPrefixes is how many client prefixes the chi-square tests ask for.
const oddsPrefixes = 100_000

// chiSquareLimit is what chi-square passes by chance once in 10^4 times with so many degrees of freedom (Wilson-Hilferty). The
// seeds are fixed: a test that passes once always passes.
func chiSquareLimit(freedom int) float64 {
	const z = 3.719 // the normal quantile for 1 - 10^-4
	k := float64(freedom)
	c := 1 - 2/(9*k)
	s := z * math.Sqrt(2/(9*k))
	return k * (c + s) * (c + s) * (c + s)
}

// chiSquare is how far counts are from weights.
func chiSquare(counts []int, weights []uint64) float64 {
	sum, n, out := uint64(0), 0, 0.0
	for i := range counts {
		sum, n = sum+weights[i], n+counts[i]
	}
	for i, c := range counts {
		want := float64(n) * float64(weights[i]) / float64(sum)
		out += (float64(c) - want) * (float64(c) - want) / want
	}
	return out
}

// prefixAddr is an address in the n-th client prefix: 100,000 /24 in a row, or /56.
func prefixAddr(n int, six bool) netip.Addr {
	if six {
		var a [16]byte
		binary.BigEndian.PutUint64(a[:8], 0x20010db800000000|uint64(n)<<8)
		a[15] = 7
		return netip.AddrFrom16(a)
	}
	return netip.AddrFrom4([4]byte{byte(11 + n>>16), byte(n >> 8), byte(n), 7})
}

var oddsZones = []struct {
	name  string
	zone  *config.Zone
	tiers string
}{
	{"flat pool", &config.Zone{Pools: []*config.Pool{poolOf("flat", 1, nil, "a 1@0", "b 2@0", "c 3@1", "d 10@1", "e 100@1")}}, "0:1"},
	{"pool with AZ weights", &config.Zone{Pools: []*config.Pool{poolOf("eu", 1, map[int]int{0: 40, 1: 60}, "a 1@0", "b 3@0", "c 1@1", "d 1@1", "e 5@1")}}, "0:1"},
	{"40:60 in a region and 70:30 between regions", demo(), "0:70 1:30"},
	{"twenty equal members", twenty(), "0:1"},
	{"1 beside 999", &config.Zone{Pools: []*config.Pool{poolOf("p", 1, nil, "a 1@0", "b 999@0")}}, "0:1"},
}

func twenty() *config.Zone {
	var words []string
	for i := range 20 {
		words = append(words, fmt.Sprintf("e%d 1@0", i))
	}
	return &config.Zone{Pools: []*config.Pool{poolOf("p", 1, nil, words...)}}
}

// nameAZs gives z the names of its AZs, by which a rendezvous knows them.
func nameAZs(z *config.Zone) *config.Zone {
	z.AZs = nil
	for i := range 8 {
		z.AZs = append(z.AZs, config.AZ{Name: fmt.Sprintf("az%d", i)})
	}
	return z
}

// oddsPlan is the plan when all is up.
func oddsPlan(z *config.Zone, tiers string) *Plan {
	svc := &config.Service{Name: "www.example.org.", Tiers: tiersOf(tiers)}
	for i := range z.Pools {
		svc.Pools = append(svc.Pools, i)
	}
	states := ""
	for _, p := range z.Pools {
		for range p.Endpoints {
			states += "U"
		}
		states += " "
	}
	return planOf(viewOf(z, states), svc)
}

func weightsOf(members []Member) []uint64 {
	var w []uint64
	for _, m := range members {
		w = append(w, m.Weight)
	}
	return w
}

// TestRendezvousOdds: over many prefixes, even ones in a row, each member has its weight.
func TestRendezvousOdds(t *testing.T) {
	for _, tt := range oddsZones {
		for _, six := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, IPv6 %v", tt.name, six), func(t *testing.T) {
				members := oddsPlan(tt.zone, tt.tiers).Sets[V4]
				r, svc := NewRendezvous(nameAZs(tt.zone), members), &config.Service{Name: "www.example.org.", Sticky: &config.Sticky{V4: 24, V6: 56}}
				counts := make([]int, len(members))
				for n := range oddsPrefixes {
					key, _ := StickyKey(svc, StickySeed(svc), prefixAddr(n, six))
					counts[r.Pick(key)]++
				}
				got, limit := chiSquare(counts, weightsOf(members)), chiSquareLimit(len(members)-1)
				t.Logf("chi-square %.1f, limit %.1f: %v of %v", got, limit, counts, weightsOf(members))
				require.Less(t, got, limit)
			})
		}
	}
}

// TestServicesChooseApart: what one service picks for a client says nothing about another service.
func TestServicesChooseApart(t *testing.T) {
	z := twenty()
	members := oddsPlan(z, "0:1").Sets[V4]
	r := NewRendezvous(z, members)
	one, two := &config.Service{Name: "a.example.org.", Sticky: &config.Sticky{V4: 24}}, &config.Service{Name: "b.example.org.", Sticky: &config.Sticky{V4: 24}}
	counts, weights := make([]int, 400), make([]uint64, 400)
	for n := range oddsPrefixes {
		k1, _ := StickyKey(one, StickySeed(one), prefixAddr(n, false))
		k2, _ := StickyKey(two, StickySeed(two), prefixAddr(n, false))
		counts[20*r.Pick(k1)+r.Pick(k2)]++
	}
	for i := range weights {
		weights[i] = 1
	}
	require.Less(t, chiSquare(counts, weights), chiSquareLimit(399))
}

// fnvSlack is how many times the limit of chance chi-square may be for labels that differ in their last digits alone. FNV-1a,
// which the zone file promises, is no random function of those: 1,000 shards got 2,045 where chance allows 1,174, so a shard that
// should have 100 of 100,000 has 100 ± 14 instead of ± 10.
const fnvSlack = 2

// TestCellOdds: labels that are no shard's number are spread evenly, numbers are themselves.
func TestCellOdds(t *testing.T) {
	for _, shards := range []int{2, 3, 64, 1000, 1024} {
		c := &config.Cells{Shards: shards}
		for _, tt := range []struct {
			name  string
			label func(n int) string
			slack float64
		}{
			{"customers in a row", func(n int) string { return fmt.Sprintf("customer-%d", n) }, fnvSlack},
			{"like a UUID", func(n int) string { return fmt.Sprintf("%016x", Mix(uint64(n))) }, 1},
			{"large numbers in a row", func(n int) string { return fmt.Sprint(1_000_000 + n) }, fnvSlack},
		} {
			t.Run(fmt.Sprintf("%d shards, %s", shards, tt.name), func(t *testing.T) {
				counts, weights := make([]int, shards), make([]uint64, shards)
				for i := range weights {
					weights[i] = 1
				}
				for n := range oddsPrefixes {
					counts[c.Shard([]byte(tt.label(n)))]++
				}
				got, limit := chiSquare(counts, weights), tt.slack*chiSquareLimit(shards-1)
				t.Logf("chi-square %.1f, limit %.1f", got, limit)
				require.Less(t, got, limit)
			})
		}
		for n := range shards {
			require.Equal(t, n, c.Shard(fmt.Append(nil, n)))
		}
		require.Equal(t, 1%shards, c.Shard([]byte("0001")), "leading zeros are a number too")
	}
}

// TestSequenceDeviation: for plans as they are, from each place where counting may begin, no member is ever more than one answer
// off, and after a whole period all are exact.
func TestSequenceDeviation(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, tt := range oddsZones {
		w := weightsOf(oddsPlan(tt.zone, tt.tiers).Sets[V4])
		s := NewSequence(w)
		sum := int64(0)
		for _, x := range w {
			sum += int64(x)
		}
		require.Equal(t, int(sum), s.Period(), tt.name)
		worst := 0.0
		for range 20 {
			seq, start := s.Phase(r.Uint64())
			given := make([]int64, len(w))
			for n := int64(1); n <= 2*sum; n++ {
				given[seq.At(start+uint64(n)-1)]++
				for i := range w {
					d := float64(int64(w[i])*n-given[i]*sum) / float64(sum)
					worst = max(worst, d, -d)
				}
			}
			for i := range w {
				require.Equal(t, 2*int64(w[i]), given[i], "%s: member %d", tt.name, i)
			}
		}
		t.Logf("%s: at most %.3f answers off", tt.name, worst)
		require.LessOrEqual(t, worst, 1.0, tt.name)
	}
}
