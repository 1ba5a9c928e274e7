package answer

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// owners are the owner names under which an address left, or entered.
func owners(left []ledger.Departed, rdata string) (names []string) {
	for _, d := range left {
		if d.RData == rdata {
			names = append(names, d.Owner)
		}
	}
	slices.Sort(names)
	return names
}

// What leaves one name and not the others is told apart from what leaves all; every holding that left had entered.
func TestSince(t *testing.T) {
	f := newFixture("UU", "UU")
	first := f.snap
	l := f.compiler.Ledger()
	address := f.zone.Pools[1].Endpoints[1].V4.String()
	begin := first.Since(nil)
	require.Empty(t, begin.Left)
	require.Len(t, begin.Entered, l.Slots())
	names := first.Owners(100, address)
	require.NotEmpty(t, names)
	require.Len(t, first.Owners(1, address), 1)

	// It is drained for one service: the others go on with it.
	service := 2
	v := viewOf(f.zone, f.model, first.View, base.Add(time.Second), "UU", "UU")
	v.Zones[0].Scoped = map[int]*health.ServiceView{service: {Drained: map[health.EndpointRef]bool{{Pool: 1, Endpoint: 1}: true}}}
	second := f.compiler.Compile(first, v)
	swap := second.Since(first)
	require.Empty(t, swap.Entered)
	require.Equal(t, []string{f.zone.Services[service].Name}, owners(swap.Left, address))
	require.Equal(t, f.zone.Services[service].Name, swap.Left[0].Service)
	require.Equal(t, 1, swap.Left[0].Pool)
	require.Equal(t, 1, swap.Left[0].Endpoint)
	require.False(t, swap.Left[0].Gone)

	// When it is down it leaves the others, and nothing twice.
	v = viewOf(f.zone, f.model, second.View, base.Add(2*time.Second), "UU", "UD")
	v.Zones[0].Scoped = second.View.Zones[0].Scoped
	third := f.compiler.Compile(second, v)
	rest := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == f.zone.Services[service].Name })
	slices.Sort(rest)
	require.Equal(t, rest, owners(third.Since(second).Left, address))
	require.Empty(t, third.Owners(100, address))

	// Another version of the file: what is answered under the same name has neither left nor entered, whatever its pool is called.
	zone := testZone()
	zone.Pools[1].Name = "renamed"
	other := f.compiler.Compile(third, viewOf(zone, config.NewModel([]*config.Zone{zone}), nil, base.Add(3*time.Second), "UU", "UD"))
	v4 := zone.Pools[0].Endpoints[0].V4.String()
	require.Empty(t, owners(other.Since(third).Left, v4))
	// A service that goes takes its holdings along, and so does the zone.
	zone = testZone()
	zone.Services[0].Name = "elsewhere.example.org."
	moved := f.compiler.Compile(third, viewOf(zone, config.NewModel([]*config.Zone{zone}), nil, base.Add(3*time.Second), "UU", "UD"))
	swap = moved.Since(third)
	require.Contains(t, owners(swap.Left, v4), f.zone.Services[0].Name)
	require.True(t, swap.Left[0].Gone)
	none := f.compiler.Compile(third, &health.View{Model: config.NewModel(nil)})
	swap = none.Since(third)
	require.Len(t, swap.Left, len(third.Since(nil).Entered))
	require.True(t, swap.Left[0].Gone)
	runtime.KeepAlive(first)
}

// Slots are freed once no snapshot has them.
func TestSlotsGoWithSnapshots(t *testing.T) {
	f := newFixture("UU", "UU")
	l := f.compiler.Ledger()
	require.Positive(t, l.Slots())
	f.snap = nil
	require.Eventually(t, func() bool {
		runtime.GC()
		return l.Slots() == 0
	}, 10*time.Second, time.Millisecond)
}

// No answer carries more than what is on disk.
func TestLimit(t *testing.T) {
	f := newFixture("UU", "UU")
	ttl, ok := f.snap.ServiceTTL(f.zone, 0, base.Add(time.Hour))
	require.True(t, ok)
	require.Greater(t, ttl, uint32(3))
	f.compiler.Ledger().SetLimit(3)
	ttl, _ = f.snap.ServiceTTL(f.zone, 0, base.Add(time.Hour))
	require.Equal(t, uint32(3), ttl)
}
