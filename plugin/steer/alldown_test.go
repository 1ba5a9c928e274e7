package steer

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

// TestPanicKeepsWhoIsInTurn: a pool with data answers in its turn, and no panic over its neighbours takes that away.
func TestPanicKeepsWhoIsInTurn(t *testing.T) {
	z := demo()
	z.Pools[1].Stateful = true
	svc := &config.Service{Tiers: tiersOf("2:1 | 0:9 1:1"), Pools: []int{2, 0, 1}, Health: config.Limits{PanicBelow: 50}}
	require.Equal(t, "panic 2 a:72 b:108 c:5 d:15 floor", text(z, planOf(viewOf(z, "OO UU O"), svc)))
	require.Equal(t, "panic 2 a:2 b:3 floor", text(z, planOf(viewOf(z, "UO OO O"), svc)), "it is not up: this is not its turn")
}
