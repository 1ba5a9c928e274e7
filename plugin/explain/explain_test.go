package explain

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

const zoneText = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a]}}
pools:
  web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}]}
  both: {region: eu, endpoints: [{name: one, addresses: [192.0.2.2, "2001:db8::2"], az: eu-a}, {name: two, addresses: [192.0.2.3, "2001:db8::3"], az: eu-a}]}
  edges: {region: eu, endpoints: [{name: one, target: edge.example.net, az: eu-a}]}
services:
  www: {tiers: [{web: 1}]}
  both: {tiers: [{both: 1}], answers: all}
  edge: {tiers: [{edges: 1}]}
`

func testZone(t testing.TB) *config.Zone {
	t.Helper()
	z, problems := config.Parse("example.yaml", []byte(zoneText), config.ParseOptions{})
	require.NoError(t, problems.Err())
	return z
}

// fakeLocator knows a point for each first octet.
type fakeLocator struct{}

func (fakeLocator) Locate(addr netip.Addr) *steer.Location {
	octet := addr.As16()[12]
	l := &steer.Location{Country: "DE", Continent: "EU", ASN: 64500 + uint32(octet%4), Latitude: float64(octet)/2 - 60, Longitude: float64(octet) - 120, Bits: 8}
	l.HasPoint = octet%5 > 0
	return l
}

// randomPolicies is a zone file with a service of every policy over random pools.
func randomPolicies(r *rand.Rand) string {
	var b strings.Builder
	b.WriteString(`zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions:
  r0: {location: [50, 0], azs: [r0a, r0b]}
  r1: {location: [40, -75], azs: [r1a, r1b]}
  r2: {location: [35, 135], azs: [r2a, r2b]}
pools:
`)
	weight := func() int { return []int{1, 1 + r.IntN(5), 1 + r.IntN(100)}[r.IntN(3)] }
	for p := range 4 {
		fmt.Fprintf(&b, "  p%d:\n    region: r%d\n", p, p%3)
		if r.IntN(2) == 0 {
			fmt.Fprintf(&b, "    az_weights: {r%da: %d, r%db: %d}\n", p%3, weight(), p%3, weight())
		}
		if r.IntN(4) == 0 {
			fmt.Fprintf(&b, "    max_share: %d%%\n", 20+r.IntN(80))
		}
		b.WriteString("    endpoints:\n")
		for e := range 2 + r.IntN(3) {
			v6 := ""
			if r.IntN(3) > 0 {
				v6 = fmt.Sprintf(`, "2001:db8::%d:%d"`, p, e)
			}
			fmt.Fprintf(&b, "      - {name: e%d, addresses: [192.0.2.%d%s], az: r%d%c, weight: %d}\n", e, 10*p+e+10, v6, p%3, 'a'+e%2, weight())
		}
	}
	tiers := func() string {
		perm := r.Perm(4)
		return fmt.Sprintf("[{p%d: %d, p%d: %d}, {p%d: 1}, {p%d: 1}]", perm[0], weight(), perm[1], weight(), perm[2], perm[3])
	}
	fmt.Fprintf(&b, `services:
  www: {tiers: %s, also: [region, az], safety: {keep_regions: 2, max_drained: 80%%}}
  many: {tiers: %s, answers: 2}
  standby: {tiers: %s, standby: {trickle: %d%%}}
  geo:
    clients:
      - {match: {cidr: [10.0.0.0/8]}, tiers: %s, strict: true}
      - {match: {asn: [64501]}, tiers: %s}
    tiers: %s
  near: {order: nearest, tiers: %s}
  stay: {sticky: {v4: 24}, tiers: %s}
  orders:
    cells: {shards: 64, home: {p0: 0-31, p1: 32-63}, failover: {p0: [p2]}}
    tiers: %s
  _shop._tcp: {srv: {port: 443}, https: {alpn: [h2]}, tiers: %s}
`, tiers(), tiers(), tiers(), 1+r.IntN(20), tiers(), tiers(), tiers(), tiers(), tiers(), tiers(), tiers())
	return b.String()
}

// randomAssumptions are a few things that are down, drained or overridden.
func randomAssumptions(r *rand.Rand) api.Assumptions {
	var a api.Assumptions
	places := []string{"endpoint=p0/e0", "endpoint=p1/e1", "pool=p2", "pool=p3", "az=r0a", "az=r1b", "region=r1"}
	for range r.IntN(4) {
		a.Down = append(a.Down, places[r.IntN(len(places))])
	}
	for range r.IntN(3) {
		a.Drain = append(a.Drain, places[r.IntN(len(places))])
	}
	if r.IntN(3) == 0 {
		a.Weight = append(a.Weight, fmt.Sprintf("p%d=%d", r.IntN(4), r.IntN(200)))
	}
	return a
}

// TestExplainPredicts compares what explain says with 1,000 real answers, over 200 random models: exactly these records, and
// each within one answer of its share.
func TestExplainPredicts(t *testing.T) {
	const replies = 1000
	names := []string{"www", "many", "standby", "geo", "near", "stay", "orders", "7.orders", "acme.orders", "_shop._tcp", "www.r0", "www.r1a"}
	for seed := range suite.Cases(200, 10) {
		r := rand.New(rand.NewPCG(seed, 9))
		z, problems := config.Parse("zone.yaml", []byte(randomPolicies(r)), config.ParseOptions{})
		require.NoError(t, problems.Err())
		x := New(config.NewModel([]*config.Zone{z}), fakeLocator{}, time.Now())
		a := randomAssumptions(r)
		snap, err := x.Under(a)
		require.NoError(t, err)
		name := names[r.IntN(len(names))]
		typ := []string{"A", "A", "AAAA"}[r.IntN(3)]
		if name == "_shop._tcp" {
			typ = []string{"SRV", "HTTPS", "A"}[r.IntN(3)]
		}
		q := api.Question{Name: name + ".example.org", Type: typ, Client: fmt.Sprintf("%d.1.2.3", 1+r.IntN(200)), Assumptions: a}
		e, err := x.Explain(q, time.Now())
		require.NoError(t, err)
		predicted(t, snap, e, replies)
	}
}

// predicted asks for what e explains.
func predicted(t *testing.T, snap *answer.Snapshot, e *api.Explanation, replies int) {
	t.Helper()
	asked, err := questionOf(&e.Question)
	require.NoError(t, err)
	asked.Size, asked.Locator = dns.MinMsgSize, fakeLocator{}
	counts := make(map[string]int)
	for range replies {
		packed, _, ours := snap.Append(nil, &asked)
		require.True(t, ours, "%v", e.Question)
		m := new(dns.Msg)
		require.NoError(t, m.Unpack(packed))
		require.Len(t, m.Answer, e.Answers, "%v", e.Question)
		if len(m.Answer) > 0 {
			require.Equal(t, e.TTL.Seconds, m.Answer[0].Header().Ttl, "%v", e.Question)
			counts[dataText(m.Answer[0])]++
		}
	}
	for _, s := range e.Shares {
		want := float64(replies) * s.Fraction
		if e.Sticky {
			want = 0
			if s.Data == e.Stays {
				want = float64(replies)
			}
		}
		slack := 1.0
		if len(e.Shares) == e.Answers {
			// Everybody stands in each reply, in the order of the file.
			continue
		}
		require.InDelta(t, want, counts[s.Data], slack, "%v: %s of %v", e.Question, s.Data, e.Shares)
		delete(counts, s.Data)
	}
	if len(e.Shares) != e.Answers {
		require.Empty(t, counts, "%v: somebody answers whom explain does not name", e.Question)
	}
}

// dataText is a record's data as explain writes it.
func dataText(rr dns.RR) string {
	switch rr := rr.(type) {
	case *dns.SRV:
		return rr.Target
	case *dns.HTTPS:
		var hints []string
		for _, v := range rr.Value {
			if k := v.Key(); k == dns.SVCB_IPV4HINT || k == dns.SVCB_IPV6HINT {
				hints = append(hints, v.String())
			}
		}
		return strings.Join(hints, " ")
	}
	return dns.Field(rr, 1)
}

func TestExplainRefuses(t *testing.T) {
	x := New(config.NewModel([]*config.Zone{testZone(t)}), nil, time.Now())
	for _, q := range []api.Question{
		{Name: "www.example.com"}, {Name: strings.Repeat("a", 64) + ".example.org"}, {Name: "www.example.org", Type: "WHAT"},
		{Name: "www.example.org", Client: "me"}, {Name: "www.example.org", Subnet: "192.0.2.1"},
		{Name: "www.example.org", Assumptions: api.Assumptions{Down: []string{"az=nowhere"}}},
		{Name: "www.example.org", Assumptions: api.Assumptions{Down: []string{"planet=earth"}}},
		{Name: "www.example.org", Assumptions: api.Assumptions{Weight: []string{"web=70000"}}},
		{Name: "www.example.org", Assumptions: api.Assumptions{Weight: []string{"wib=7"}}},
	} {
		_, err := x.Explain(q, time.Now())
		require.ErrorIs(t, err, ErrInvalid, "%v", q)
	}
}

func TestWhatIf(t *testing.T) {
	x := New(config.NewModel([]*config.Zone{testZone(t)}), nil, time.Now())
	w, err := x.WhatIf(api.Assumptions{Down: []string{"endpoint=both/one"}}, time.Now())
	require.NoError(t, err)
	require.Len(t, w.Services, 1)
	require.Equal(t, "both.example.org.", w.Services[0].Service)
	require.Len(t, w.Services[0].Before.Shares, 4)
	require.Len(t, w.Services[0].After.Shares, 2)
	require.Equal(t, 2, w.Unchanged)
	same, err := x.Explain(api.Question{Name: "both.example.org"}, time.Now())
	require.NoError(t, err)
	require.Len(t, same.Shares, 2, "nothing was changed by asking")
}

// TestAssumedNames: names are the full ones or the ends of them that one thing alone has, as for orders.
func TestAssumedNames(t *testing.T) {
	x := New(config.NewModel([]*config.Zone{testZone(t)}), nil, time.Now())
	want, err := x.WhatIf(api.Assumptions{Down: []string{"endpoint=example.org/both/one"}}, time.Now())
	require.NoError(t, err)
	require.NotEmpty(t, want.Services)
	for _, name := range []string{"both/one", "example.org./both/one"} {
		w, err := x.WhatIf(api.Assumptions{Down: []string{"endpoint=" + name}}, time.Now())
		require.NoError(t, err)
		require.Equal(t, want.Services[0].After, w.Services[0].After, name)
	}
	for text, want := range map[string]string{
		"endpoint=one": "that is any of example.org/", "pool=bth": `did you mean "both"?`, "az=eu-aa": `did you mean "eu-a"?`, "az=mars": "no az of that name",
	} {
		_, err := x.WhatIf(api.Assumptions{Drain: []string{text}}, time.Now())
		require.ErrorIs(t, err, ErrInvalid)
		require.ErrorContains(t, err, want)
	}
	for _, text := range []string{"both=0", "example.org/both=0"} {
		w, err := x.WhatIf(api.Assumptions{Weight: []string{text}}, time.Now())
		require.NoError(t, err)
		require.NotEmpty(t, w.Services, text)
	}
	_, err = x.WhatIf(api.Assumptions{Weight: []string{"bth=3"}}, time.Now())
	require.ErrorContains(t, err, `did you mean "both"?`)
}
