package lifeboat

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMaxOpen: so many connections, or clients of UDP, may be open, and no more; one that is over makes room.
func TestMaxOpen(t *testing.T) {
	for name, sockets := range map[string]int{"TCP": 2, "UDP": 1} {
		t.Run(name, func(t *testing.T) {
			f := newFlows()
			one := func() (c []net.Conn) {
				for range sockets {
					a, b := net.Pipe()
					b.Close()
					c = append(c, a)
				}
				return c
			}
			last := one()
			require.True(t, f.add(last...))
			for range maxOpen - 1 {
				require.True(t, f.add(one()...))
			}
			require.False(t, f.add(one()...))
			f.remove(last...)
			require.True(t, f.add(one()...))
			require.False(t, f.add(one()...))
			f.end()
			require.False(t, f.add(one()...))
		})
	}
}
