package intent

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
)

func drain(az string, start, end time.Time) health.Intent {
	return health.Intent{Kind: health.IntentDrain, Scope: health.Scope{Kind: health.ScopeAZ, Name: az}, Actor: "ada", Reason: "CHG-1",
		Override: []string{health.RuleKeepAZs}, Start: start, End: end, Forever: end.IsZero(), Confirmed: true}
}

func open(t *testing.T, dir string, now time.Time) *Store {
	t.Helper()
	s, err := Open(dir, "n1", 0, now)
	require.NoError(t, err)
	return s
}

func TestStoreOutlivesARestart(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, begin)
	one, err := s.Put(drain("a", begin, begin.Add(time.Hour)), begin)
	require.NoError(t, err)
	require.Equal(t, "n1-1-1", one.String())
	_, err = s.Put(drain("b", begin.Add(time.Minute), time.Time{}), begin.Add(time.Second))
	require.NoError(t, err)
	two := health.Intent{Kind: health.IntentWeight, Weight: 7, Scope: health.Scope{Kind: health.ScopePool, Zone: "example.org.", Pool: "web"}, Service: "www.example.org.", Start: begin, Forever: true}
	_, err = s.Put(two, begin.Add(time.Second))
	require.NoError(t, err)
	again := open(t, dir, begin.Add(30*time.Minute))
	require.Equal(t, s.Set().Open(begin), again.Set().Open(begin), "instants are what they were")
	id, err := again.Put(drain("c", begin, time.Time{}), begin)
	require.NoError(t, err)
	require.EqualValues(t, 2, id.Incarnation, "no id is given twice")
	require.Len(t, again.Set().Open(begin.Add(2*time.Hour)), 3, "one is over")
	require.NoError(t, again.End(End{Actor: "bob", At: begin.Add(2 * time.Hour)}, id))
	require.ErrorIs(t, again.End(End{At: begin.Add(2 * time.Hour)}, id), health.ErrNoIntent)
	require.ErrorIs(t, again.End(End{At: begin.Add(2 * time.Hour)}, one), health.ErrNoIntent, "what ended by itself cannot be ended")
}

func TestPutReplaces(t *testing.T) {
	s := open(t, t.TempDir(), begin)
	one, err := s.Put(drain("a", begin, time.Time{}), begin)
	require.NoError(t, err)
	two, err := s.Put(drain("a", begin, time.Time{}), begin, one)
	require.NoError(t, err)
	left := s.Set().Open(begin)
	require.Len(t, left, 1)
	require.Equal(t, two, left[0].ID)
}

// TestClockSetBack: an intent that has 30 minutes left has no more after a restart, and after many restarts they pass.
func TestClockSetBack(t *testing.T) {
	dir := t.TempDir()
	now := begin.Add(365 * 24 * time.Hour)
	_, err := open(t, dir, now).Put(drain("a", now, now.Add(30*time.Minute)), now)
	require.NoError(t, err)
	for n := range 4 {
		now = begin.Add(time.Duration(n) * 10 * time.Minute)
		left := open(t, dir, now).Set().Open(now)
		if n == 3 {
			require.Empty(t, left)
			break
		}
		require.Equal(t, time.Duration(30-10*n)*time.Minute, left[0].End.Sub(now))
	}
}

func TestFileThatIsNotUnderstood(t *testing.T) {
	dir := t.TempDir()
	_, err := open(t, dir, begin).Put(drain("a", begin, time.Time{}), begin)
	require.NoError(t, err)
	path := filepath.Join(dir, FileName)
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	refused := func(b []byte, what string, args ...any) {
		t.Helper()
		require.NoError(t, os.WriteFile(path, b, 0o600))
		s, err := Open(dir, "n1", 0, begin)
		require.NoError(t, err, append([]any{what}, args...)...)
		require.ErrorContains(t, s.Damaged(), path, append([]any{what}, args...)...)
		require.Empty(t, s.Set().Open(begin))
		require.GreaterOrEqual(t, s.incarnation, uint64(begin.Unix()), "no id comes again")
	}
	for n := range good {
		refused(good[:n], "cut off after %d octets", n)
		flipped := append([]byte(nil), good...)
		flipped[n] ^= 1
		require.NoError(t, os.WriteFile(path, flipped, 0o600))
		s, err := Open(dir, "n1", 0, begin)
		require.NoError(t, err)
		if s.Damaged() == nil {
			require.Equal(t, "a", s.Set().Open(begin)[0].Scope.Name, "octet %d: nothing but what was written", n)
		} else {
			require.ErrorContains(t, s.Damaged(), path)
		}
	}
	refused([]byte(`{"version":9,"sha256":"","content":{}}`), "a later version")
	refused(append(append([]byte(nil), good...), good...), "twice")
}

func TestDiskThatIsFull(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	require.NoError(t, os.Mkdir(dir, 0o700))
	s := open(t, dir, begin)
	id, err := s.Put(drain("a", begin, time.Time{}), begin)
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(dir))
	_, err = s.Put(drain("b", begin, time.Time{}), begin)
	require.Error(t, err)
	require.Error(t, s.End(End{At: begin}, id))
	left := s.Set().Open(begin)
	require.Len(t, left, 1, "nothing is half applied")
	require.Equal(t, id, left[0].ID)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"version":1,"sha256":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","content":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := parse(b); err == nil {
			c.set(begin)
		}
	})
}

// TestFull: there are no more intents than a round of gossip can carry, whoever made them.
func TestFull(t *testing.T) {
	s := open(t, "", begin)
	var err error
	for n := uint64(0); err == nil; n++ {
		require.Less(t, n, uint64(2*fewEntries))
		i := longest(n)
		i.ID = health.IntentID{}
		_, err = s.Put(i, begin)
	}
	require.ErrorIs(t, err, ErrFull)
	require.LessOrEqual(t, len(s.Set().Encode(begin)), maxEncoded+BlockSize)
	before := s.Set().Len()
	_, err = s.Merge(Set{}.Add(longest(1)), begin)
	require.ErrorIs(t, err, ErrFull)
	require.Equal(t, before, s.Set().Len())
	ids := s.Set().Open(begin)
	require.NoError(t, s.End(End{At: begin}, ids[0].ID), "an end is always taken")
}
