package round

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/ledger"
)

func TestCells(t *testing.T) {
	services := []ledger.ServiceShards{{Service: "a.example.org.", Hash: 1<<63 | 7}, {Service: "b.example.org."}}
	b := EncodeCells(Boot{7}, 5*time.Second, services)
	got, err := ParseCells(b)
	require.NoError(t, err)
	require.Equal(t, Cells{Boot: Boot{7}, Clock: 5 * time.Second, Of: CellsOf{ledger.OwnerKeyOf("a.example.org."): 1<<63 | 7, ledger.OwnerKeyOf("b.example.org."): 0}}, got)

	// It is one block, however much there is to say.
	for i := range 100 {
		services = append(services, ledger.ServiceShards{Service: fmt.Sprintf("s%d.example.org.", i), Hash: uint64(i)})
	}
	b = EncodeCells(Boot{7}, 5*time.Second, services)
	require.LessOrEqual(t, len(b), BlockSize)
	got, err = ParseCells(b)
	require.NoError(t, err)
	require.Greater(t, len(got.Of), 50)
	require.NotContains(t, got.Of, ledger.OwnerKeyOf("s99.example.org."))
	for n := range len(b) {
		if c, err := ParseCells(b[:n]); err == nil {
			require.Less(t, len(c.Of), len(got.Of))
		}
	}
}

// FuzzCells: whatever comes, nobody panics, and what is read is said again.
func FuzzCells(f *testing.F) {
	f.Add(EncodeCells(Boot{1}, time.Second, []ledger.ServiceShards{{Service: "a.example.org.", Hash: 3}}))
	f.Add([]byte{version})
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := ParseCells(b); err == nil && (c.Clock < 0 || len(c.Of) > BlockSize/cellsRow) {
			t.Fatalf("%+v", c)
		}
	})
}
