package node

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRounded(t *testing.T) {
	for _, tt := range []struct{ in, want float64 }{{0, 0}, {0.28333, 0.28}, {0.0008123, 0.00081}, {1, 1}, {0.996, 1}, {123, 120}} {
		require.InDelta(t, tt.want, rounded(tt.in), 1e-12, "%v", tt.in)
	}
}
