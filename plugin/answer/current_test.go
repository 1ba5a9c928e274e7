package answer

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRenew: whoever uses the snapshot when it is renewed is waited for, by Renew and by the Swap after it.
func TestRenew(t *testing.T) {
	closed := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	var c Current
	require.True(t, closed(c.Renew()), "nothing is in force")
	s := new(Snapshot)
	c.Swap(s)
	early := c.Enter(3)
	first := c.Renew()
	require.Same(t, s, c.Load())
	late := c.Enter(0)
	require.Same(t, s, late.Snapshot)
	second := c.Renew()
	quiet := c.Swap(new(Snapshot))
	late.Leave()
	require.False(t, closed(first) || closed(second) || closed(quiet), "one who was there before the first Renew goes on")
	early.Leave()
	require.True(t, closed(first) && closed(second) && closed(quiet))
	require.True(t, closed(c.Renew()))
}
