package judge

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// TestBind: an order holds for the addresses behind what it named, under any name, pool and AZ, and for nothing that had them beside.
func TestBind(t *testing.T) {
	addressed := func() *config.Zone {
		z := drainZone()
		for pi, p := range z.Pools {
			for i, e := range p.Endpoints {
				e.V4 = netip.AddrFrom4([4]byte{192, 0, 2, byte(10*pi + i)})
			}
		}
		z.Pools[0].Endpoints[1].Cluster = "k1"
		return z
	}
	of := func(z *config.Zone, i *health.Intent) (names []string) {
		for _, ref := range Endpoints(z, i) {
			names = append(names, z.Pools[ref.Pool].Name+"/"+z.Pools[ref.Pool].Endpoints[ref.Endpoint].Name)
		}
		resolved := Resolve([]*config.Zone{z}, []*health.Intent{i})[0][0]
		require.ElementsMatch(t, Endpoints(z, i), resolved, "one by one and all at once")
		return names
	}
	for _, tt := range []struct {
		name  string
		order *health.Intent
		edit  func(z *config.Zone)
		want  []string
	}{
		{"as it was", drainOf(1, health.ScopeEndpoint, "eu-a"), func(*config.Zone) {}, []string{"eu/eu-a"}},
		{"renamed", drainOf(1, health.ScopeEndpoint, "eu-a"), func(z *config.Zone) { z.Pools[0].Endpoints[0].Name = "new" }, []string{"eu/new"}},
		{"readdressed", drainOf(1, health.ScopeEndpoint, "eu-a"), func(z *config.Zone) { z.Pools[0].Endpoints[0].V4 = netip.MustParseAddr("192.0.2.99") }, []string{"eu/eu-a"}},
		{"its pool renamed", drainOf(1, health.ScopePool, "eu"), func(z *config.Zone) { z.Pools[0].Name = "web" }, []string{"web/eu-a", "web/eu-b"}},
		{"moved to another pool", drainOf(1, health.ScopePool, "eu"), func(z *config.Zone) {
			z.Pools[1].Endpoints = append(z.Pools[1].Endpoints, z.Pools[0].Endpoints[0])
			z.Pools[0].Endpoints = z.Pools[0].Endpoints[1:]
		}, []string{"eu/eu-b", "us/eu-a"}},
		{"moved to another AZ", drainOf(1, health.ScopeAZ, "eu-a"), func(z *config.Zone) { z.Pools[0].Endpoints[0].AZ = 1 }, []string{"eu/eu-a"}},
		{"given by a cluster", drainOf(1, health.ScopeKubernetes, "k1"), func(z *config.Zone) {
			z.Pools[1].Endpoints = append(z.Pools[1].Endpoints, &config.Endpoint{Name: "k1.192-0-2-98", Cluster: "k1", V4: netip.MustParseAddr("192.0.2.98"), Weight: 1})
		}, []string{"eu/eu-b", "us/k1.192-0-2-98"}},
		{"given by another one", drainOf(1, health.ScopeKubernetes, "k1"), func(z *config.Zone) { z.Pools[0].Endpoints[1].Cluster = "k2" }, []string{"eu/eu-b"}},
		{"its AZ renamed", drainOf(1, health.ScopeAZ, "eu-a"), func(z *config.Zone) { z.AZs[0].Name = "eu-x" }, []string{"eu/eu-a"}},
		{"gone", drainOf(1, health.ScopeEndpoint, "eu-a"), func(z *config.Zone) { z.Pools[0].Endpoints = z.Pools[0].Endpoints[1:] }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z := addressed()
			tt.order.Bound = Bind([]*config.Zone{z}, tt.order)
			require.NotZero(t, tt.order.Bound.Len())
			tt.edit(z)
			require.Equal(t, tt.want, of(z, tt.order))
		})
	}
	shared := addressed()
	shared.Pools[1].Endpoints[0].V4 = shared.Pools[0].Endpoints[0].V4
	one := drainOf(1, health.ScopeEndpoint, "eu-a")
	one.Bound = Bind([]*config.Zone{shared}, one)
	require.Equal(t, []string{"eu/eu-a"}, of(shared, one), "what two share does not drain the other")
	weight := drainOf(1, health.ScopePool, "eu")
	weight.Kind, weight.Weight = health.IntentWeight, 7
	require.Zero(t, Bind([]*config.Zone{addressed()}, weight).Len(), "the weight of a pool is the pool's")
}
