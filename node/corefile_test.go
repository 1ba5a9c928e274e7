package node

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBlocksThatShareADirectory(t *testing.T) {
	c := new(Corefile)
	c.Serve("z", []string{"b.example."})
	c.Serve("z/", []string{"a.example.", "b.example."})
	c.Serve("y", []string{"c.example."})
	dirs := c.wanted()
	require.Len(t, dirs, 2)
	require.Equal(t, []string{"a.example.", "b.example."}, dirs[0].origins)
	require.Equal(t, []string{"c.example."}, dirs[1].origins)
}
