package steer

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// withEach gives endpoint i of a pool of zv verdicts on its addresses, one letter each: U up, D down.
func withEach(zv *health.ZoneView, pool, i int, letters string) {
	e := &zv.Pools[pool].Endpoints[i]
	var each health.Each
	for f, l := range letters {
		each[f] = health.Verdict{State: health.Up, Since: now.Add(-time.Hour)}
		if l == 'D' {
			each[f] = health.Verdict{State: health.Down, Left: now.Add(-time.Hour)}
		}
	}
	e.Each, e.Verdict = &each, health.Best(zv.Zone.Pools[pool].Endpoints[i], &each, e.Verdict, now)
}

// TestDeadAddress: the address that is dead is withheld and its sister goes on; the weights of a family are shared by those that are
// left. A tier without any IPv4 left has the next one answer for it, if that keeps no data; for IPv6 nobody stands in.
func TestDeadAddress(t *testing.T) {
	held := false
	for _, tt := range []struct {
		name, each, standby string
		edit                func(z *config.Zone)
		want                string
	}{
		{"all live", "UU UU", "U", nil, "tier 1 a:2 b:3 | 6 a:2 b:3"},
		{"one IPv6 dead", "UU UD", "U", nil, "tier 1 a:2 b:3 | 6 a:1"},
		{"one of each", "UD DU", "U", nil, "tier 1 a:1 | 6 b:1"},
		{"no IPv6 left", "UD UD", "U", nil, "tier 1 a:2 b:3"},
		{"no IPv4 left", "DU DU", "U", nil, "tier 1 c:1 | 6 a:2 b:3"},
		{"no IPv4 left, and the standby is down", "DU DU", "O", nil, "tier 1 | 6 a:2 b:3"},
		{"no IPv4 left, and the standby keeps data", "DU DU", "U", func(z *config.Zone) { z.Pools[1].Stateful = true }, "tier 1 | 6 a:2 b:3"},
		{"no IPv4 left, and the standby waits for its hold", "DU DU", "U", func(z *config.Zone) { held = true }, "tier 1 c:1 | 6 a:2 b:3 floor"},
		{"no IPv4 left, and the standby waits for a person", "DU DU", "U", func(z *config.Zone) { held, z.Services[0].Failback.Mode = true, config.FailbackManual }, "tier 1 c:1 | 6 a:2 b:3 floor"},
		{"both dead everywhere", "DD DD", "U", nil, "tier 2 c:1 | 6 c:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			zone := &config.Zone{Name: "example.org.", Pools: []*config.Pool{poolOf("main", 1, nil, "a6 40@0", "b6 60@0"), poolOf("spare", 1, nil, "c6 1@1")}}
			svc := &config.Service{Name: "www.example.org.", Tiers: tiersOf("0:1 | 1:1"), Pools: []int{0, 1}}
			zone.Services = []*config.Service{svc}
			if held = false; tt.edit != nil {
				tt.edit(zone)
			}
			zv := viewOf(zone, "UU "+tt.standby)
			if held {
				svc.Failback.Hold = time.Minute
				zv.Pools[1].Return = health.Return{Since: now.Add(-time.Second)}
			}
			withEach(zv, 0, 0, tt.each[:2])
			withEach(zv, 0, 1, tt.each[3:])
			got := text(zone, planOf(zv, svc))
			require.Equal(t, tt.want, got)
		})
	}
}

// TestDeaf: a tier without any IPv4 left, for which no other one with addresses answers, makes room for a CNAME, past others with addresses; without one
// that is up it lives by IPv6.
func TestDeaf(t *testing.T) {
	for _, tt := range []struct{ name, tiers, each, states, want string }{
		{"all live", "0:1 | 2:1", "UU", "U", "tier 1 a:1 | 6 a:1"},
		{"one of two", "0:1 | 2:1", "DU", "U", "tier 2 CNAME s:1"},
		{"IPv6 dead", "0:1 | 2:1", "UD", "U", "tier 1 a:1"},
		{"both dead", "0:1 | 2:1", "DD", "U", "tier 2 CNAME s:1"},
		{"the page is down", "0:1 | 2:1", "DU", "O", "tier 1 | 6 a:1"},
		{"IPv6 alone in between", "0:1 | 1:1 | 2:1", "DU", "U", "tier 3 CNAME s:1"},
		{"another tier relieves it", "0:1 | 3:1 | 2:1", "DU", "U", "tier 1 c:1 | 6 a:1"},
		{"the page first", "2:1 | 0:1", "DU", "U", "tier 1 CNAME s:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			zone := &config.Zone{Name: "example.org.", Pools: []*config.Pool{
				poolOf("main", 1, nil, "a6 1@0"), poolOf("six", 1, nil, "b+ 1@0"), poolOf("page", 1, nil, "s 1@0"), poolOf("spare", 1, nil, "c 1@1")}}
			page := zone.Pools[2].Endpoints[0]
			page.V4, page.Target = netip.Addr{}, "page.example.net."
			svc := &config.Service{Name: "www.example.org.", Kind: config.Mixed, Tiers: tiersOf(tt.tiers), Pools: []int{0, 1, 2, 3}}
			zone.Services = []*config.Service{svc}
			zv := viewOf(zone, "U U "+tt.states+" U")
			withEach(zv, 0, 0, tt.each)
			p := planOf(zv, svc)
			got := text(zone, p)
			if set := p.Sets[Target]; len(set) > 0 {
				require.Empty(t, slices.Concat(p.Sets[V4], p.Sets[V6]))
				got = fmt.Sprintf("tier %d CNAME %s:%d", p.Tier.Index+1, zone.Pools[set[0].Pool].Endpoints[set[0].Endpoint].Name, set[0].Weight)
			}
			require.Equal(t, tt.want, got)
		})
	}
}

// TestKeptInRelief: where a tier has lost every IPv4 address, who answers for it while the speed limit holds counts as kept, and answers at
// the floor; a later tier in which somebody is really up goes before one in which the limit alone has somebody.
func TestKeptInRelief(t *testing.T) {
	for _, tt := range []struct {
		name, d, last, want string
		kept                int
	}{
		{"beside one that is up", "UU", "U", "tier 2 c:1 d:1 | 6 a:1 floor", 1},
		{"alone, and another tier is up", "DU", "U", "tier 2 e:1 | 6 a:1", 0},
		{"alone, and nobody else has an IPv4 address", "DU", "O", "tier 2 c:1 | 6 a:1 floor", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			zone := &config.Zone{Name: "example.org.", Pools: []*config.Pool{
				poolOf("gone", 1, nil, "x 1@0", "y 1@1"), poolOf("main", 1, nil, "a6 1@0"), poolOf("spare", 1, nil, "c 1@0", "d6 1@1"), poolOf("last", 1, nil, "e 1@1")}}
			svc := &config.Service{Name: "www.example.org.", Tiers: tiersOf("0:1 | 1:1 | 2:1 | 3:1"), Pools: []int{0, 1, 2, 3}, Health: config.Limits{MaxRemoval: 30}}
			zone.Services = []*config.Service{svc}
			zv := viewOf(zone, "DD U DU "+tt.last)
			withEach(zv, 1, 0, "DU")
			withEach(zv, 2, 1, tt.d)
			for i, ref := range []health.EndpointRef{{Pool: 0, Endpoint: 0}, {Pool: 0, Endpoint: 1}, {Pool: 2, Endpoint: 0}} {
				zv.Pools[ref.Pool].Endpoints[ref.Endpoint].Left = now.Add(time.Duration(i-20) * time.Second)
			}
			p := planOf(zv, svc)
			require.Equal(t, tt.want, text(zone, p))
			require.Equal(t, tt.kept, p.Kept)
		})
	}
}
