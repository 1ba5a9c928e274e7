package answer

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

// TestSplitOverNames: 1,000 names, each over a pool of its own with 40:60 between two AZs of two endpoints. The n-th answers of
// all of them share the load AZ by AZ, after a start and after a flip, on each node; and each name keeps its exactness.
func TestSplitOverNames(t *testing.T) {
	const names, tolerance = 1000, 1
	z := testZone()
	z.Services, z.Pools = nil, nil
	for i := range names {
		p := &config.Pool{Name: fmt.Sprintf("p%d", i), Explicit: true, Services: []int{i},
			AZWeights: []config.AZWeight{{AZ: 0, Weight: 40}, {AZ: 1, Weight: 60}}}
		for k := range 4 {
			address := netip.AddrFrom4([4]byte{10, byte(k), byte(i >> 8), byte(i)})
			p.Endpoints = append(p.Endpoints, &config.Endpoint{Name: fmt.Sprint("e", k), AZ: k / 2, Weight: 1, V4: address})
		}
		z.Pools = append(z.Pools, p)
		z.Services = append(z.Services, &config.Service{Name: fmt.Sprintf("svc%04d.example.org.", i), Answers: 1, Pools: []int{i},
			Tiers: []config.Tier{{{Pool: i, Weight: 1}}}, TTL: config.TTL{Mode: config.Ceiling, Min: 2, Max: 30}})
	}
	states := func(each string) (out []string) {
		for range names {
			out = append(out, each)
		}
		return out
	}
	for _, node := range []string{"n1", "n2"} {
		t.Run(node, func(t *testing.T) {
			f := &fixture{zone: z, model: config.NewModel([]*config.Zone{z}), compiler: NewCompiler(node, base)}
			f.snap = f.compiler.Compile(nil, viewOf(z, f.model, nil, base, states("UUUU")...))
			for _, round := range []struct {
				what, states string
				answers      int
			}{{"after a start", "UUUU", 10}, {"after a flip", "DUUU", 10}, {"after another", "DUUD", 3}} {
				f.move(base, states(round.states)...)
				given := make([]int, names)
				for n := 1; n <= round.answers; n++ {
					first := 0
					for i, svc := range z.Services {
						if f.ask(t, svc.Name, dns.TypeA, base.Add(time.Second)).Answer[0].(*dns.A).A.To4()[1] < 2 {
							first++
							given[i]++
						}
						require.InDelta(t, float64(n)*0.4, given[i], 2, "%s: %s after %d answers", round.what, svc.Name, n)
					}
					require.InDelta(t, 40, 100*float64(first)/names, tolerance, "%s: answer %d of %d names", round.what, n, names)
				}
			}
		})
	}
}
