package round

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
)

var memoryNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func memoryKeyOf(n int) (key MemoryKey) {
	binary.BigEndian.PutUint64(key[:], uint64(n))
	return key
}

func TestMemoryRoundTrip(t *testing.T) {
	ago := func(d time.Duration) time.Time { return memoryNow.Add(-d) }
	m := Memory{
		Names: 1<<63 | 5,
		Gone:  map[MemoryKey]time.Time{memoryKeyOf(6): memoryNow.Add(time.Hour)},
		Returns: map[MemoryKey]health.Return{
			memoryKeyOf(1): {Since: ago(time.Second), Retries: []time.Time{ago(500 * time.Millisecond)}, Doubled: 3},
			memoryKeyOf(2): {Since: ago(time.Hour), Admitted: ago(time.Minute), Reloaded: ago(0)},
			memoryKeyOf(3): {Doubled: 1},
		},
		Left: map[MemoryKey]time.Time{memoryKeyOf(4): ago(24 * time.Hour), memoryKeyOf(5): ago(0)},
	}
	// The receiver's clock is another one: ages travel.
	got, err := ParseMemory(m.Encode(memoryNow), memoryNow.Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, m.Names, got.Names)
	require.WithinDuration(t, memoryNow.Add(time.Minute+time.Hour), got.Gone[memoryKeyOf(6)], 2*time.Millisecond, "what remains travels, never less of it")
	require.False(t, got.Gone[memoryKeyOf(6)].Before(memoryNow.Add(time.Minute+time.Hour)))
	require.Len(t, got.Returns, 3)
	for key, r := range m.Returns {
		shifted := health.Return{Doubled: r.Doubled}
		for from, to := range map[*time.Time]*time.Time{&r.Since: &shifted.Since, &r.Admitted: &shifted.Admitted, &r.Reloaded: &shifted.Reloaded} {
			if !from.IsZero() {
				*to = from.Add(time.Minute)
			}
		}
		for _, retry := range r.Retries {
			shifted.Retries = append(shifted.Retries, retry.Add(time.Minute))
		}
		have := got.Returns[key]
		require.True(t, shifted.Equal(&have), "%+v %+v", shifted, have)
	}
	for key, left := range m.Left {
		require.Equal(t, left.Add(time.Minute), got.Left[key])
	}
}

// TestMemoryBlocks: each block stands for itself, an empty memory is one, and there is an end to it.
func TestMemoryBlocks(t *testing.T) {
	empty := new(Memory).Encode(memoryNow)
	require.NotEmpty(t, empty)
	m, err := ParseMemory(empty, memoryNow)
	require.NoError(t, err)
	require.Empty(t, m.Left)
	big := Memory{Left: make(map[MemoryKey]time.Time)}
	for n := range 5000 {
		big.Left[memoryKeyOf(n)] = memoryNow.Add(-time.Duration(n) * time.Second)
	}
	b := big.Encode(memoryNow)
	require.LessOrEqual(t, len(b), maxMemory*BlockSize)
	all := 0
	for at := 0; at < len(b); at += BlockSize {
		m, err := ParseMemory(b[at:min(len(b), at+BlockSize)], memoryNow)
		require.NoError(t, err)
		for key, left := range m.Left {
			require.Equal(t, big.Left[key], left)
		}
		all += len(m.Left)
	}
	require.Greater(t, all, 2000)
}

func TestMemoryThatIsNone(t *testing.T) {
	_, err := ParseMemory(nil, memoryNow)
	require.ErrorIs(t, err, ErrMalformed)
	_, err = ParseMemory([]byte{9}, memoryNow)
	require.ErrorIs(t, err, ErrVersion)
	good := (&Memory{Left: map[MemoryKey]time.Time{memoryKeyOf(1): memoryNow.Add(-time.Hour)}}).Encode(memoryNow)
	for n := 2; n < len(good); n++ {
		if n == len(new(Memory).Encode(memoryNow)) {
			continue
		}
		_, err := ParseMemory(good[:n], memoryNow)
		require.ErrorIs(t, err, ErrMalformed, "cut off after %d octets", n)
	}
}

func FuzzMemory(f *testing.F) {
	f.Add((&Memory{Left: map[MemoryKey]time.Time{memoryKeyOf(1): memoryNow}, Returns: map[MemoryKey]health.Return{memoryKeyOf(2): {Since: memoryNow}}}).Encode(memoryNow))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMemory(b, memoryNow)
		if err != nil {
			return
		}
		left, returns := 0, 0
		for b := m.Encode(memoryNow); len(b) > 0; b = b[min(len(b), BlockSize):] {
			again, err := ParseMemory(b[:min(len(b), BlockSize)], memoryNow)
			if err != nil {
				t.Fatalf("%v: %+v", err, m)
			}
			left, returns = left+len(again.Left), returns+len(again.Returns)
		}
		if left != len(m.Left) || returns != len(m.Returns) {
			t.Fatalf("%+v became %d and %d", m, left, returns)
		}
	})
}
