package config

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

// TestMemoryOfZone bounds what a zone keeps for each service with a pool of four endpoints: nothing of the file or of its
// tree. It was 1.3 KiB when this was written; the limit leaves room for new keys, not for a second copy of anything.
func TestMemoryOfZone(t *testing.T) {
	suite.Large(t)
	const services, limit = 5_000, 2_000
	content := bigZone(services, services, 4)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC() // the first one may have met a collection half done
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	zone, problems := Parse("big.yaml", content, ParseOptions{})
	require.NotNil(t, zone, "%s", problems)
	got := int64(heap()-before) / services
	t.Logf("%d octets per service", got)
	require.Less(t, got, int64(limit))
	runtime.KeepAlive(content)
	runtime.KeepAlive(zone)
}
