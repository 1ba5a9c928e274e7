package answer

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

// TestSplitIsExactFromAChangeOn: answers that older snapshots still give, and all that are given while a model is compiled
// beside the engine, are not counted against the new weights.
func TestSplitIsExactFromAChangeOn(t *testing.T) {
	weights := []int{13, 11, 7, 5, 3, 2, 1}
	worst := 0.0
	for late := range 42 {
		f := newFixture("UU", "UU")
		z := testZone()
		z.Pools[0].Endpoints = nil
		for i, w := range weights {
			z.Pools[0].Endpoints = append(z.Pools[0].Endpoints, &config.Endpoint{Name: fmt.Sprintf("e%d", i), Weight: w, V4: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})})
		}
		next := f.compiler.Compile(f.snap, viewOf(z, config.NewModel([]*config.Zone{z}), nil, base, "UUUUUUU", "UU"))
		for range late {
			f.ask(t, "www.example.org.", dns.TypeA, base)
		}
		f.snap = next
		given := make([]int, len(weights))
		for n := 1; n <= 84; n++ {
			given[f.ask(t, "www.example.org.", dns.TypeA, base).Answer[0].(*dns.A).A.To4()[3]]++
			for i, w := range weights {
				worst = max(worst, math.Abs(float64(given[i])-float64(n*w)/42))
			}
		}
	}
	require.LessOrEqual(t, worst, 1.0)
}

// sticky makes www stay with one member for each client, and gives it the `also` name www.eu.
func sticky(weights ...int) *config.Zone {
	z := testZone()
	www := z.Services[0]
	www.Sticky = &config.Sticky{V4: 24, V6: 56}
	www.Places = []config.Place{{Name: "www.eu.example.org.", AZ: -1}}
	for i, w := range weights {
		z.Pools[0].Endpoints[i].Weight = w
	}
	return z
}

// TestStickyPlaces: the `also` names of a sticky service keep their clients apart too.
func TestStickyPlaces(t *testing.T) {
	f := &fixture{zone: sticky(40, 60), compiler: NewCompiler("n1", base)}
	f.model = config.NewModel([]*config.Zone{f.zone})
	f.snap = f.compiler.Compile(nil, viewOf(f.zone, f.model, nil, base, "UU", "UU"))
	of := func(name string, client byte) string {
		q := question(name, dns.TypeA)
		q.Client = netip.AddrFrom4([4]byte{198, 51, client, 7})
		return f.reply(t, q, base).Answer[0].(*dns.A).A.String()
	}
	got := map[string]int{}
	for c := range byte(250) {
		got[of("www.eu.example.org.", c)]++
		require.Equal(t, of("www.example.org.", c), of("www.eu.example.org.", c), "client %d", c)
	}
	require.InDelta(t, 100, got["192.0.2.10"], 25, "40 %% of 250: %v", got)
}

// TestStickyWeightsAreAChange: some clients get another answer, so TTLs are short for one ttl.max, as after any change.
func TestStickyWeightsAreAChange(t *testing.T) {
	z := sticky(40, 60)
	c := NewCompiler("n1", base)
	before := c.Compile(nil, viewOf(z, config.NewModel([]*config.Zone{z}), nil, base, "UU", "UU"))
	for weight, want := range map[int]uint32{60: 30, 61: 2} {
		z := sticky(40, weight)
		after := c.Compile(before, viewOf(z, config.NewModel([]*config.Zone{z}), nil, base, "UU", "UU"))
		ttl, _ := after.ServiceTTL(z, 0, base)
		require.Equal(t, want, ttl, "40:60 becomes 40:%d", weight)
	}
}

// TestTruncatedTakesNoTurn: a client that is told to come again over TCP has its turn there.
func TestTruncatedTakesNoTurn(t *testing.T) {
	f := newFixture("UU", "UU")
	pool := f.zone.Pools[0]
	pool.Endpoints = nil
	for i := range 80 {
		pool.Endpoints = append(pool.Endpoints, &config.Endpoint{Name: fmt.Sprintf("e%d", i), Weight: 1, V4: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})})
	}
	f.zone.Services[0].Answers = 40
	f.snap = f.compiler.Compile(nil, viewOf(f.zone, f.model, nil, base, strings.Repeat("U", 80), "UU"))
	first := map[string]bool{}
	for range 80 {
		q := question("www.example.org.", dns.TypeA)
		m := f.reply(t, q, base)
		require.True(t, m.Truncated)
		require.Empty(t, m.Answer)
		q.Size = 0
		m = f.reply(t, q, base)
		require.Len(t, m.Answer, 40)
		first[m.Answer[0].(*dns.A).A.String()] = true
	}
	require.Len(t, first, 80, "everybody begins once")
}

// TestChaseStopsAtAnotherZone: what stands in a zone below ours is not for our zone to say.
func TestChaseStopsAtAnotherZone(t *testing.T) {
	z := testZone()
	target := mustPackName("www.sub.example.org.")
	z.Records = []config.Record{{Name: "alias.example.org.", Type: dns.TypeCNAME, TTL: 60, RData: [][]byte{target}}}
	below := testZone()
	below.Name, below.NameServers = "sub.example.org.", nil
	for _, s := range below.Services {
		s.Name = strings.Replace(s.Name, "example.org.", "sub.example.org.", 1)
	}
	model := config.NewModel([]*config.Zone{z, below})
	v := viewOf(z, model, nil, base, "UU", "UU")
	v.Zones = append(v.Zones, viewOf(below, model, nil, base, "UU", "UU").Zones...)
	f := &fixture{zone: z, model: model, compiler: NewCompiler("n1", base)}
	f.snap = f.compiler.Compile(nil, v)
	m := f.ask(t, "alias.example.org.", dns.TypeA, base)
	require.Equal(t, dns.RcodeSuccess, m.Rcode)
	require.Len(t, m.Answer, 1)
	require.Empty(t, m.Ns)
}
