package fairlead

import (
	"runtime"
	"runtime/metrics"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDeepStacks: goroutines begin with a stack that a query fits into, once the ordinary path serves.
func TestDeepStacks(t *testing.T) {
	deepStacks()
	sample := []metrics.Sample{{Name: "/gc/stack/starting-size:bytes"}}
	// The goroutines that stand still have to be there when their stacks are counted.
	for range 100 {
		runtime.GC()
		metrics.Read(sample)
		if sample[0].Value.Uint64() >= 8<<10 {
			break
		}
	}
	require.EqualValues(t, 8<<10, sample[0].Value.Uint64())
}
