package round

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
)

func TestLags(t *testing.T) {
	now := time.Now()
	l := Lags{Measured: make(map[Prefix]health.Lag), Entered: map[MemoryKey]bool{{1}: true, {2}: true}}
	for k := range 100 {
		l.Measured[Prefix(k)] = health.Lag{Value: float64(k) / 8, At: now.Add(-time.Duration(k) * time.Second), Seq: uint64(k)}
	}
	out, left := l.Encode(now)
	require.Zero(t, left)
	got := Lags{Measured: make(map[Prefix]health.Lag), Entered: make(map[MemoryKey]bool)}
	blocks := 0
	for ; len(out) > 0; blocks++ {
		n := min(len(out), BlockSize)
		said, err := ParseLags(out[:n], now)
		require.NoError(t, err)
		for target, m := range said.Measured {
			age := now.Sub(l.Measured[target].At)
			require.GreaterOrEqual(t, now.Sub(m.At), age, "nothing looks newer than it is")
			require.Less(t, now.Sub(m.At), age+2*time.Millisecond)
			m.At = l.Measured[target].At
			got.Measured[target] = m
		}
		for key := range said.Entered {
			got.Entered[key] = true
		}
		out = out[n:]
	}
	require.Greater(t, blocks, 1, "each block stands for itself")
	require.Equal(t, l, got)

	for k := range 10_000 {
		l.Measured[Prefix(k)] = health.Lag{At: now}
	}
	out, left = l.Encode(now)
	require.Len(t, out, len(out))
	require.LessOrEqual(t, len(out), maxLags*BlockSize)
	require.Positive(t, left)
}

func FuzzLags(f *testing.F) {
	now := time.Now()
	l := Lags{Measured: map[Prefix]health.Lag{7: {Value: 4.5, At: now.Add(-time.Second), Seq: 3}}, Entered: map[MemoryKey]bool{{1}: true}}
	b, _ := l.Encode(now)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := ParseLags(b, now)
		if err != nil {
			return
		}
		out, left := l.Encode(now)
		require.Zero(t, left)
		require.LessOrEqual(t, len(l.Measured), BlockSize)
		for len(out) > 0 {
			n := min(len(out), BlockSize)
			_, err := ParseLags(out[:n], now)
			require.NoError(t, err)
			out = out[n:]
		}
	})
}
