package explain

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/answer/answertest"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// explainer explains what n serves.
func explainer(n *answertest.Node) *Explainer {
	return &Explainer{Compiler: n.Compiler, Snapshot: n.Current.Load()}
}

// preview is what an order would do to what n serves.
func preview(n *answertest.Node, i health.Intent) (*api.Preview, error) {
	a := steer.DefaultAllowances()
	a.Gossip = 0
	return explainer(n).Preview(i, n.Admissible(i), a, time.Now())
}

// checkedPolicies is a zone of randomPolicies in which half of the pools are probed, with small weights.
func checkedPolicies(t *testing.T, r *rand.Rand) *config.Zone {
	text := strings.Replace(randomPolicies(r), "\npools:\n", "\nchecks: {ready: {type: tcp, port: 80}}\npools:\n", 1)
	for p := range 4 {
		if name := fmt.Sprintf("  p%d:\n", p); r.IntN(2) == 0 {
			text = strings.Replace(text, name, name+"    check: ready\n", 1)
		}
	}
	// Of weights up to 100 on three levels some answers would come once in a million.
	text = regexp.MustCompile(`(weight|r\d[ab]|p\d): \d+\b[^-]`).ReplaceAllStringFunc(text, func(s string) string {
		key, value, _ := strings.Cut(s, ": ")
		n, _ := strconv.Atoi(value[:len(value)-1])
		return fmt.Sprintf("%s: %d%s", key, (n-1)%3+1, value[len(value)-1:])
	})
	z, problems := config.Parse("zone.yaml", []byte(text), config.ParseOptions{Geo: config.GeoPresent})
	require.NoError(t, problems.Err(), text)
	return z
}

// weather has every endpoint that is probed seen up, then some down, and some of these up again, at random instants.
func weather(n *answertest.Node, z *config.Zone, r *rand.Rand) {
	for _, wave := range []struct {
		state health.State
		odds  int
	}{{health.Up, 1}, {health.Down, 3}, {health.Up, 2}} {
		for _, p := range z.Pools {
			for _, e := range p.Endpoints {
				if p.Check < 0 || r.IntN(wave.odds) > 0 {
					continue
				}
				for _, target := range health.TargetsOf(z.Name, z.Checks[p.Check], e) {
					o := health.Observation{Target: target.ID, State: wave.state, At: time.Now(), Next: time.Now().Add(5 * time.Second)}
					if wave.state == health.Down {
						o.Failures, o.Reason = 3, "refused"
					}
					n.Observe(o)
				}
			}
		}
		synctest.Wait()
		time.Sleep(time.Duration(r.IntN(4)) * time.Second)
	}
}

// randomOrder is a drain, a weight or a force.
func randomOrder(r *rand.Rand) health.Intent {
	i := health.Intent{Kind: health.IntentDrain, Actor: "ada", Reason: "preview", Forever: true}
	endpoint := fmt.Sprintf("example.org./p%d/e%d", r.IntN(4), r.IntN(2))
	if r.IntN(3) == 0 {
		i.Kind, i.State = health.IntentForce, []health.State{health.Up, health.Down}[r.IntN(2)]
		i.Scope, _ = health.ParseScope(health.ScopeEndpoint, endpoint)
		return i
	}
	if r.IntN(3) == 0 {
		i.Service = []string{"www.example.org.", "geo.example.org.", "stay.example.org."}[r.IntN(3)]
	}
	if r.IntN(3) == 0 {
		i.Kind, i.Weight = health.IntentWeight, r.IntN(100)
		i.Scope, _ = health.ParseScope(health.ScopePool, "example.org./"+[]string{"p0", "p1", "p2"}[r.IntN(3)])
		if r.IntN(3) == 0 {
			i.Scope, _ = health.ParseScope(health.ScopeEndpoint, endpoint)
		}
		return i
	}
	switch r.IntN(4) {
	case 0:
		i.Scope, _ = health.ParseScope(health.ScopePool, "example.org./p1")
	case 1:
		i.Scope, _ = health.ParseScope(health.ScopeEndpoint, endpoint)
	case 2:
		i.Scope, _ = health.ParseScope(health.ScopeAZ, "r1a")
	default:
		i.Scope, _ = health.ParseScope(health.ScopeRegion, []string{"r0", "r1", "r2"}[r.IntN(3)])
	}
	return i
}

// served are the RRsets, without their TTLs, that a client gets for a name in so many answers, and how: in time each of them comes.
func served(t *testing.T, s *answer.Snapshot, name string, typ uint16, client netip.Addr, answers int) []string {
	wire := make([]byte, 255)
	end, err := dns.PackDomainName(name, wire, 0, nil, false)
	require.NoError(t, err)
	q := answer.Question{Name: wire[:end], Type: typ, Class: dns.ClassINET, Client: client, Locator: fakeLocator{}}
	raw := make(map[string]bool)
	var buf [1024]byte
	now := time.Now()
	for range answers {
		out, _, ok := s.AppendAt(buf[:0], &q, now)
		require.True(t, ok, name)
		raw[string(out)] = true
	}
	sets := make(map[string]bool)
	for out := range raw {
		m := new(dns.Msg)
		require.NoError(t, m.Unpack([]byte(out)))
		var rrs []string
		for _, rr := range slices.Concat(m.Answer, m.Ns) {
			rr.Header().Ttl = 0
			rrs = append(rrs, rr.String())
		}
		slices.Sort(rrs)
		sets[dns.RcodeToString[m.Rcode]+" "+strings.Join(rrs, "; ")] = true
	}
	return slices.Sorted(maps.Keys(sets))
}

// previewNames are owner names of every kind that the zone has, with the types to ask for.
var previewNames = map[string][]uint16{
	"www": {dns.TypeA, dns.TypeAAAA}, "many": {dns.TypeA}, "standby": {dns.TypeA}, "geo": {dns.TypeA}, "near": {dns.TypeA, dns.TypeAAAA}, "stay": {dns.TypeA},
	"orders": {dns.TypeA}, "7.orders": {dns.TypeA}, "40.orders": {dns.TypeAAAA}, "_shop._tcp": {dns.TypeSRV, dns.TypeHTTPS},
	"www.r0": {dns.TypeA}, "www.r1": {dns.TypeA}, "www.r1a": {dns.TypeA}, "www.r2b": {dns.TypeAAAA}, "ns1": {dns.TypeA}, "nothing": {dns.TypeA},
}

// sameRRsets compares two snapshots RRset by RRset. Where rare answers differ it asks again, as often as the weights may need.
func sameRRsets(t *testing.T, seed uint64, got, want *answer.Snapshot, count *int) {
	require.Equal(t, want.PlanHash(), got.PlanHash(), "seed %d", seed)
	for _, label := range slices.Sorted(maps.Keys(previewNames)) {
		for _, typ := range previewNames[label] {
			for _, client := range []string{"10.0.0.1", "81.2.3.4", "200.1.2.3"} {
				name, addr := label+".example.org.", netip.MustParseAddr(client)
				for answers := 8; ; answers *= 16 {
					a, b := served(t, got, name, typ, addr, answers), served(t, want, name, typ, addr, answers)
					if slices.Equal(a, b) {
						*count += len(a)
						break
					}
					require.Less(t, answers, 100_000, "seed %d: %s %s for %s:\npreview %q\nresult  %q", seed, name, dns.TypeToString[typ], client, a, b)
				}
			}
		}
	}
}

// TestPreviewIsTheResult: on 1,000 random models in random weather, with a random order each, what the preview says is what every
// class of clients gets once the order is given, record by record, and a refusal that it foresees comes.
func TestPreviewIsTheResult(t *testing.T) {
	models := int(suite.Cases(1000, 50))
	refused, touched, rrsets := 0, 0, 0
	kinds := make(map[health.IntentKind]int)
	for seed := range uint64(models) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 21))
			z := checkedPolicies(t, r)
			n := answertest.Start(t, z)
			weather(n, z, r)
			for range r.IntN(5) {
				_, _ = n.Intend(randomOrder(r))
			}
			order := randomOrder(r)
			p, err := preview(n, order)
			if err != nil {
				require.ErrorIs(t, err, health.ErrNothingNamed, "seed %d: the service does not use the pool", seed)
				return
			}
			kinds[order.Kind]++
			x := explainer(n)
			foreseen := x.Foresee(order)
			_, err = n.Intend(order)
			if p.Rule != "" {
				refused++
				require.ErrorContains(t, err, p.Rule, "seed %d", seed)
				order.Override = health.Rules()
				_, err = n.Intend(order)
			}
			require.NoError(t, err, "seed %d", seed)
			got := x.Compare(n.Current.Load(), time.Now())
			touched += len(got.Services)
			require.Len(t, p.WhatIf.Services, len(got.Services), "seed %d: %+v", seed, order)
			for k := range got.Services {
				require.Equal(t, got.Services[k].Service, p.WhatIf.Services[k].Service)
				require.Equal(t, got.Services[k].After.Shares, p.WhatIf.Services[k].After.Shares, "seed %d: %s", seed, got.Services[k].Service)
				require.Equal(t, got.Services[k].After.Source, p.WhatIf.Services[k].After.Source, "seed %d", seed)
			}
			if len(got.Services) > 0 {
				require.InDelta(t, 30+5.25, p.ForgottenWithinSeconds, 1e-9)
			}
			sameRRsets(t, seed, foreseen, n.Current.Load(), &rrsets)
		})
	}
	t.Logf("%d models, %v orders by kind, %d refused, %d plans moved, %d RRsets compared", models, kinds, refused, touched, rrsets)
	require.Greater(t, refused, models/100)
	require.Greater(t, touched, 2*models)
	require.Greater(t, min(kinds[health.IntentDrain], kinds[health.IntentWeight], kinds[health.IntentForce]), models/10)
	require.Greater(t, rrsets, 100*models)
}

func TestPreviewOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := answertest.Start(t, testZone(t))
		scope, err := health.ParseScope(health.ScopeAZ, "mars")
		require.NoError(t, err)
		_, err = preview(n, health.Intent{Kind: health.IntentDrain, Scope: scope, Reason: "x"})
		require.ErrorIs(t, err, health.ErrNothingNamed)
		require.NotErrorIs(t, err, ErrInvalid)
		require.Empty(t, n.Intents())
	})
}

// TestPreviewCountsWhatIsLeft: the rules count what gates and orders leave, and beside it stands what of that is up.
func TestPreviewCountsWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, problems := config.Parse("zone.yaml", []byte(`zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [a]}}
checks: {ready: {type: tcp, port: 80}}
pools:
  one: {region: eu, endpoints: [{name: e, addresses: [192.0.2.1], az: a}]}
  two: {region: eu, check: ready, endpoints: [{name: e, addresses: [192.0.2.2], az: a}, {name: f, addresses: [192.0.2.3], az: a}]}
  behind: {region: eu, gate: manual, endpoints: [{name: e, addresses: [192.0.2.4], az: a}]}
services:
  www: {tiers: [{one: 1}, {two: 1}]}
  dr: {tiers: [{one: 1}, {behind: 1}]}
`), config.ParseOptions{})
		require.NoError(t, problems.Err())
		n := answertest.Start(t, z)
		order := func(service string) health.Intent {
			return health.Intent{Kind: health.IntentDrain, Scope: health.Scope{Kind: health.ScopePool, Zone: "example.org.", Pool: "one"}, Service: service, Reason: "x"}
		}
		p, err := preview(n, order("www.example.org."))
		require.NoError(t, err)
		require.Empty(t, p.Rule, "health refuses nothing")
		require.Equal(t, []api.Left{{Service: "www.example.org.", Endpoints: 2}}, p.Left)
		p, err = preview(n, order(""))
		require.NoError(t, err)
		require.Equal(t, []any{"never_empty", "dr.example.org."}, []any{p.Rule, p.RuleService})
		require.Contains(t, p.Refused, "pool behind does not count, its gate is closed")
		require.Equal(t, []api.Left{{Service: "www.example.org.", Endpoints: 2}, {Service: "dr.example.org."}}, p.Left)
	})
}
