package judge

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
)

// rosterOf is nodes with labels in a row, dealt out to the regions and to two AZs in each.
func rosterOf(nodes, regions int) []Node {
	var roster []Node
	for i := range nodes {
		region := fmt.Sprintf("r%d", i%regions)
		roster = append(roster, Node{Name: fmt.Sprintf("n%d", i+1), Region: region, AZ: fmt.Sprintf("%s-%d", region, i/regions%2)})
	}
	return roster
}

// targetOf is a target with a random id; ids are digests.
func targetOf(r *rand.Rand) (id health.TargetID) {
	binary.BigEndian.PutUint64(id[:], r.Uint64())
	binary.BigEndian.PutUint64(id[8:], r.Uint64())
	return id
}

// twin is the choice in words: round by round, the best of every region that has one left.
func twin(roster []Node, id health.TargetID, k int) []string {
	b := NewBench(roster)
	left := make([]int, len(b.nodes))
	for i := range left {
		left[i] = i
	}
	rank := func(i int) uint64 { return mix(binary.BigEndian.Uint64(id[:]) ^ b.hashes[i]) }
	slices.SortFunc(left, func(i, j int) int { return cmp.Compare(rank(j), rank(i)) })
	var names []string
	for len(names) < k {
		used := make(map[string]bool)
		left = slices.DeleteFunc(left, func(i int) bool {
			if len(names) == k || used[b.nodes[i].Region] {
				return false
			}
			used[b.nodes[i].Region] = true
			names = append(names, b.nodes[i].Name)
			return true
		})
	}
	slices.Sort(names)
	return names
}

func TestVantages(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		roster := rosterOf(1+r.IntN(40), 1+r.IntN(5))
		id, k := targetOf(r), 1+r.IntN(7)
		got := NewBench(roster).Vantages(id, k, "")
		require.Equal(t, twin(roster, id, min(k, len(roster))), got)
		r.Shuffle(len(roster), func(i, j int) { roster[i], roster[j] = roster[j], roster[i] })
		require.Equal(t, got, NewBench(roster).Vantages(id, k, ""), "the order of the roster matters")

		regions, wanted := make(map[string]bool), make(map[string]bool)
		for _, n := range roster {
			wanted[n.Region] = true
			if slices.Contains(got, n.Name) {
				regions[n.Region] = true
			}
		}
		require.Len(t, regions, min(len(wanted), len(got)), "regions without a vantage")
	}
	all := []string{"n1", "n2", "n3"}
	require.Equal(t, all, NewBench(rosterOf(3, 2)).Vantages(targetOf(r), 0, ""), "0 means all")
	require.Equal(t, all, NewBench(rosterOf(3, 2)).Vantages(targetOf(r), 9, ""), "there are no more")
}

func TestVantagesOutsideTheOwnAZ(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	replaced := 0
	for range 5000 {
		roster := rosterOf(2+r.IntN(8), 1+r.IntN(2))
		b, id, k := NewBench(roster), targetOf(r), 1+r.IntN(3)
		az := roster[r.IntN(len(roster))].AZ
		got := b.Vantages(id, k, az)
		elsewhere := func(n Node) bool { return n.AZ != az }
		chosen := slices.DeleteFunc(slices.Clone(roster), func(n Node) bool { return !slices.Contains(got, n.Name) })
		require.Len(t, chosen, min(k, len(roster)), "somebody was chosen twice")
		require.Equal(t, slices.ContainsFunc(roster, elsewhere), slices.ContainsFunc(chosen, elsewhere))
		if !slices.Equal(got, b.Vantages(id, k, "")) {
			replaced++
		}
	}
	require.Positive(t, replaced)
}

// TestVantagesMoveLittle: a node that comes takes one seat for each target that it is chosen for, and changes nothing else. Read
// backwards it is a node that goes.
func TestVantagesMoveLittle(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const targets = 20000
	for _, tt := range []struct{ nodes, regions, k int }{{5, 1, 3}, {20, 1, 5}, {20, 4, 5}, {19, 3, 3}} {
		before := rosterOf(tt.nodes, tt.regions)
		newcomer := Node{Name: "new", Region: "r0", AZ: "r0-0"}
		old, is := NewBench(before), NewBench(append(before, newcomer))
		moved := 0
		for range targets {
			id := targetOf(r)
			was, got := old.Vantages(id, tt.k, ""), is.Vantages(id, tt.k, "")
			if slices.Equal(was, got) {
				continue
			}
			moved++
			require.Contains(t, got, newcomer.Name)
			stayed := slices.DeleteFunc(slices.Clone(was), func(n string) bool { return !slices.Contains(got, n) })
			require.Len(t, stayed, tt.k-1)
		}
		if tt.regions == 1 {
			require.InDelta(t, float64(tt.k)/float64(tt.nodes+1), float64(moved)/targets, 0.015)
		}
	}
}

// TestVantagesSpread: nodes with names in a row probe equally many of 100,000 targets.
func TestVantagesSpread(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	const nodes, k, targets = 20, 5, 100000
	b := NewBench(rosterOf(nodes, 4))
	count := make(map[string]int)
	for range targets {
		for _, n := range b.Vantages(targetOf(r), k, "") {
			count[n]++
		}
	}
	chi := 0.0
	for _, n := range count {
		want := float64(targets) * k / nodes
		chi += (float64(n) - want) * (float64(n) - want) / want
	}
	require.Len(t, count, nodes)
	// 43.8 is exceeded once in 1,000 with 19 degrees of freedom; seats are drawn without putting back, which makes it less.
	require.Less(t, chi, 43.8)
}

func TestVantagesAllocateTheResultAlone(t *testing.T) {
	b, id := NewBench(rosterOf(20, 4)), targetOf(rand.New(rand.NewPCG(9, 9)))
	require.Equal(t, 1.0, testing.AllocsPerRun(100, func() { b.Vantages(id, 5, "r0-0") }))
	require.Zero(t, testing.AllocsPerRun(100, func() { b.Vantages(id, 0, "r0-0") }))
}

func BenchmarkVantages(b *testing.B) {
	bench, r := NewBench(rosterOf(20, 4)), rand.New(rand.NewPCG(9, 9))
	b.ReportAllocs()
	for b.Loop() {
		bench.Vantages(targetOf(r), 5, "r0-0")
	}
}

func TestIsolated(t *testing.T) {
	for _, tt := range []struct {
		heard, roster int
		isolated      bool
	}{
		{1, 1, false}, {1, 2, false}, {2, 2, false}, {1, 3, true}, {2, 3, false}, {2, 4, false}, {1, 4, true}, {2, 5, true}, {3, 5, false},
	} {
		require.Equal(t, tt.isolated, Isolated(tt.heard, tt.roster), "%d of %d", tt.heard, tt.roster)
	}
}

func TestBlind(t *testing.T) {
	dark := Sight{Probed: 10, Failing: 6, Regions: 3, FailingRegions: 2}
	with := func(change func(*Sight)) Sight {
		s := dark
		change(&s)
		return s
	}
	for _, tt := range []struct {
		name  string
		sight Sight
		want  bool
	}{
		{"neither references nor peers", dark, false},
		{"references down", with(func(s *Sight) { s.References = 2 }), true},
		{"references down, peers heard", with(func(s *Sight) { s.References, s.Peers, s.PeersHeard = 2, 4, 4 }), true},
		{"one reference up", with(func(s *Sight) { s.References, s.ReferencesUp = 2, 1 }), false},
		{"one reference up, no peer", with(func(s *Sight) { s.References, s.ReferencesUp, s.Peers = 2, 1, 4 }), false},
		{"no peer", with(func(s *Sight) { s.Peers = 4 }), true},
		{"one peer", with(func(s *Sight) { s.Peers, s.PeersHeard = 4, 1 }), false},
		{"half fails", with(func(s *Sight) { s.Peers, s.Failing = 4, 5 }), false},
		{"one region of three", with(func(s *Sight) { s.Peers, s.FailingRegions = 4, 1 }), false},
		{"one region of one", with(func(s *Sight) { s.Peers, s.Regions, s.FailingRegions = 4, 1, 1 }), true},
		{"all well, no peer", Sight{Probed: 10, Regions: 2, Peers: 4}, false},
	} {
		require.Equal(t, tt.want, tt.sight.Blind(), tt.name)
	}
}
