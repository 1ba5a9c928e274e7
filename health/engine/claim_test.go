package engine

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/table"
)

// TestUnclaimedHeals: a pool that keeps data comes back by itself when no other pool took its turn while it was out, and waits for a person
// when one did, also over a restart.
func TestUnclaimedHeals(t *testing.T) {
	// pools are a stateful primary in the first tier, and what stands after it.
	zone := func(edit func(standby *config.Pool, svc *config.Service)) *config.Zone {
		z := testZone("example.org.", "192.0.2.1")
		main := z.Pools[0]
		main.Stateful, main.Failbacks = true, []config.Failback{{Mode: config.FailbackManual}}
		addr := netip.MustParseAddr("192.0.2.9")
		standby := &config.Pool{Name: "standby", Check: 0, AZWeights: []config.AZWeight{{AZ: 0}}, Services: []int{0}, Failbacks: []config.Failback{{}},
			Endpoints: []*config.Endpoint{{Name: "s", V4: addr, ProbeAddr: addr, Weight: 1}}}
		z.Pools = append(z.Pools, standby)
		z.Services[0].Pools, z.Services[0].Tiers = []int{0, 1}, append(z.Services[0].Tiers, config.Tier{{Pool: 1, Weight: 1}})
		if edit != nil {
			edit(standby, z.Services[0])
		}
		return z
	}
	const main, standby = 0, 1
	tell := func(b *bed, z *config.Zone, pool int, up bool) {
		target := health.TargetOf(z.Name, z.Checks[0], z.Pools[pool].Endpoints[0])
		if up {
			b.tell(target, health.Up, 0)
		} else {
			b.tell(target, health.Down, 3)
		}
	}
	share := func(b *bed, z *config.Zone) int {
		r := b.View().Zones[0].Pools[main].Return
		percent, _ := r.Share(z.Pools[main].Failbacks[0], time.Now())
		return percent
	}
	for _, tt := range []struct {
		name string
		edit func(standby *config.Pool, svc *config.Service)
		// standby is up from the start; takes has it come up while the primary is out.
		standby, takes bool
		want           int
	}{
		{"the standby took over", nil, true, false, 0},
		{"the standby came up meanwhile", nil, false, true, 0},
		{"the standby was down too", nil, false, false, health.Whole},
		{"the standby's gate was closed", func(p *config.Pool, _ *config.Service) { p.Gate.Manual = true }, true, false, health.Whole},
		{"another tier before it answers", func(_ *config.Pool, svc *config.Service) { svc.Tiers[0], svc.Tiers[1] = svc.Tiers[1], svc.Tiers[0] }, true, false, health.Whole},
		{"one beside it answers", func(_ *config.Pool, svc *config.Service) {
			svc.Tiers = []config.Tier{{{Pool: 0, Weight: 1}, {Pool: 1, Weight: 1}}}
		}, true, false, 0},
		{"clients of a rule have another order", func(_ *config.Pool, svc *config.Service) {
			svc.Tiers[0], svc.Tiers[1] = svc.Tiers[1], svc.Tiers[0]
			svc.Clients = []config.ClientRule{{Tiers: []config.Tier{{{Pool: 0, Weight: 1}}}}}
		}, true, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, restart := range []bool{false, true} {
				z, dir := zone(tt.edit), t.TempDir()
				leave := func(b *bed) {
					tell(b, z, standby, tt.standby)
					tell(b, z, main, true)
					tell(b, z, main, false)
					if tt.takes {
						tell(b, z, standby, true)
						tell(b, z, standby, false)
					}
				}
				back := func(b *bed) {
					tell(b, z, main, true)
					require.Equal(t, tt.want, share(b, z), "restart %v", restart)
				}
				synctest.Test(t, func(t *testing.T) {
					b := start(t, Options{Model: config.NewModel([]*config.Zone{z}), State: dir})
					leave(b)
					if !restart {
						back(b)
					}
				})
				if restart {
					synctest.Test(t, func(t *testing.T) { back(start(t, Options{Model: config.NewModel([]*config.Zone{z}), State: dir})) })
				}
			}
		})
	}
}

// TestUnclaimedOnce: one that waits for a person, and goes out again while it waits, does not let itself in later.
func TestUnclaimedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1")
		z.Pools[0].Stateful, z.Pools[0].Failbacks = true, []config.Failback{{Mode: config.FailbackManual}}
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z})})
		b.report(z, 0, health.Up, 0)
		b.report(z, 0, health.Down, 3)
		// The node is told that the turn was taken, as by another pool.
		require.NoError(t, b.loop.Do(func(time.Time) error {
			view := *b.cur.Pool(table.Ref{})
			view.Return.Unclaimed = false
			b.cur.Amend(table.Ref{}, &view)
			return nil
		}))
		b.report(z, 0, health.Up, 0)
		require.True(t, b.View().Zones[0].Pools[0].Return.On())
		b.report(z, 0, health.Down, 3)
		b.report(z, 0, health.Up, 0)
		r := b.View().Zones[0].Pools[0].Return
		percent, _ := r.Share(z.Pools[0].Failbacks[0], time.Now())
		require.Zero(t, percent)
	})
}
