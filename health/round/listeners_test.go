package round

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/ledger"
)

func TestListeners(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	row := ledger.Listening{
		RData: rdataKey(1), At: now.Add(-3 * time.Second), Confirmed: 41, Waiting: 1, Liars: 2, Silent: 3, Ended: 4, Last: 300 * time.Millisecond,
		Since: now.Add(-time.Minute), Until: now.Add(30 * time.Second),
	}
	quiet := ledger.Listening{RData: rdataKey(2), At: now, Confirmed: 1, Last: 15 * time.Millisecond}
	b := EncodeListeners(Boot{7}, 5*time.Second, ledger.Listeners{Rows: []ledger.Listening{row, quiet}}, now)
	got, err := ParseListeners(b, now)
	require.NoError(t, err)
	// Rounded up: nothing was faster than it was.
	quiet.Last = 20 * time.Millisecond
	require.Equal(t, Listened{Listeners: ledger.Listeners{Rows: []ledger.Listening{row, quiet}}, Boot: Boot{7}, Clock: 5 * time.Second, At: now}, got)

	// It is one block, however much there is to say, and says that it is cut.
	many := ledger.Listeners{}
	for i := range 500 {
		r := row
		r.RData = rdataKey(i)
		many.Rows = append(many.Rows, r)
	}
	b = EncodeListeners(Boot{7}, 5*time.Second, many, now)
	require.LessOrEqual(t, len(b), BlockSize)
	got, err = ParseListeners(b, now)
	require.NoError(t, err)
	require.True(t, got.Cut)
	require.Greater(t, len(got.Rows), 30)
	require.Equal(t, row.Confirmed, got.Rows[0].Confirmed)
	for n := range len(b) {
		// Cut anywhere it is refused, or has fewer rows: no number is made up.
		if l, err := ParseListeners(b[:n], now); err == nil {
			require.Equal(t, got.Rows[:len(l.Rows)], append([]ledger.Listening{}, l.Rows...))
		}
	}
}

// FuzzListeners: whatever comes, nobody panics, and counts are bounded.
func FuzzListeners(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	f.Add(EncodeListeners(Boot{1}, time.Second, ledger.Listeners{Rows: []ledger.Listening{{RData: rdataKey(1), At: now, Confirmed: 1, Silent: 1, Since: now, Until: now}}}, now))
	f.Add([]byte{version})
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := ParseListeners(b, now)
		if err != nil {
			return
		}
		for _, r := range l.Rows {
			if r.Confirmed < 0 || r.Confirmed > maxListeners || r.Last < 0 || r.At.After(now) {
				t.Fatalf("%+v", r)
			}
		}
		again, err := ParseListeners(EncodeListeners(l.Boot, l.Clock, l.Listeners, now), now)
		if err != nil || len(again.Rows) > len(l.Rows) {
			t.Fatalf("%+v, %v, want %+v", again, err, l)
		}
	})
}
