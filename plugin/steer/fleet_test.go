package steer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

// TestBoundOfFleet: what another fleet may need is a term of the bound, also where its check is not the slowest by itself.
func TestBoundOfFleet(t *testing.T) {
	z := &config.Zone{
		Checks: []*config.Check{
			{Name: "slow", Type: config.CheckTCP, Interval: 10 * time.Second, Timeout: time.Second, Fall: 3, Rise: 2},
			{Name: "b", Type: config.CheckFleet, Interval: 5 * time.Second, Timeout: time.Second, Fall: 2, Rise: 2, Fleet: &config.FleetCheck{Bound: time.Minute}},
		},
		Pools: []*config.Pool{{Name: "own", Check: 0}, {Name: "b", Check: 1}},
	}
	svc := &config.Service{Pools: []int{0, 1}, TTL: config.TTL{Max: 20, Min: 5}}
	a := DefaultAllowances()
	own := BoundOf(z, &config.Service{Pools: []int{0}, TTL: svc.TTL}, a)
	require.Zero(t, own.Beyond)
	plain := *z.Checks[1]
	plain.Fleet = nil
	z.Checks = append(z.Checks, &plain)
	z.Pools = append(z.Pools, &config.Pool{Name: "plain", Check: 2})
	alone := BoundOf(z, &config.Service{Pools: []int{2}, TTL: svc.TTL}, a)
	require.Less(t, alone.S, own.S)
	got := BoundOf(z, svc, a)
	require.Equal(t, "b", got.Check)
	require.Equal(t, time.Minute, got.Beyond)
	require.Equal(t, alone.S+time.Minute, got.S)
}
