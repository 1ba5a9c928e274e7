package steer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// TestPanicKeepsWhoIsInTurn: a pool with data answers in its turn, and no panic over its neighbours takes that away.
func TestPanicKeepsWhoIsInTurn(t *testing.T) {
	z := demo()
	z.Pools[1].Stateful = true
	svc := &config.Service{Tiers: tiersOf("2:1 | 0:9 1:1"), Pools: []int{2, 0, 1}, Health: config.Limits{PanicBelow: 50}}
	require.Equal(t, "panic 2 a:72 b:108 c:5 d:15 floor", text(z, planOf(viewOf(z, "OO UU O"), svc)))
	require.Equal(t, "panic 2 a:2 b:3 floor", text(z, planOf(viewOf(z, "UO OO O"), svc)), "it is not up: this is not its turn")
}

// TestNoPanicOverPending: nobody knows how those are who were never judged, also while they wait for their failback hold.
func TestNoPanicOverPending(t *testing.T) {
	z := demo()
	svc := &config.Service{Tiers: tiersOf("0:1 1:1"), Pools: []int{0, 1}, Health: config.Limits{PanicBelow: 50}, Failback: config.Failback{Hold: time.Minute}}
	zv := viewOf(z, "?? OO O")
	require.Equal(t, "pending 1 a:2 b:3 floor", text(z, planOf(zv, svc)))
	zv.Pools[0].Return = health.Return{Since: now}
	require.Equal(t, "held 1 a:2 b:3 floor", text(z, planOf(zv, svc)))
}
