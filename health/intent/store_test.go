package intent

import (
	"errors"
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
	one, err := put(s, drain("a", begin, begin.Add(time.Hour)), begin)
	require.NoError(t, err)
	require.Equal(t, "n1-1-1", one.String())
	_, err = put(s, drain("b", begin.Add(time.Minute), time.Time{}), begin.Add(time.Second))
	require.NoError(t, err)
	two := health.Intent{Kind: health.IntentWeight, Weight: 7, Scope: health.Scope{Kind: health.ScopePool, Zone: "example.org.", Pool: "web"}, Service: "www.example.org.", Start: begin, Forever: true}
	_, err = put(s, two, begin.Add(time.Second))
	require.NoError(t, err)
	again := open(t, dir, begin.Add(30*time.Minute))
	require.Equal(t, s.Set().Open(begin), again.Set().Open(begin), "instants are what they were")
	id, err := put(again, drain("c", begin, time.Time{}), begin)
	require.NoError(t, err)
	require.EqualValues(t, 2, id.Incarnation, "no id is given twice")
	require.Len(t, again.Set().Open(begin.Add(2*time.Hour)), 3, "one is over")
	require.Empty(t, again.Lapsed())
	late := open(t, dir, begin.Add(2*time.Hour)).Lapsed()
	require.Len(t, late, 1)
	require.Equal(t, one, late[0].ID)
	require.NoError(t, again.End(End{Actor: "bob", At: begin.Add(2 * time.Hour)}, id))
	require.NoError(t, again.Keep(begin))
	require.ErrorIs(t, again.End(End{At: begin.Add(2 * time.Hour)}, id), health.ErrNoIntent)
	require.ErrorIs(t, again.End(End{At: begin.Add(2 * time.Hour)}, one), health.ErrNoIntent, "what ended by itself cannot be ended")
}

func TestPutReplaces(t *testing.T) {
	s := open(t, t.TempDir(), begin)
	one, err := put(s, drain("a", begin, time.Time{}), begin)
	require.NoError(t, err)
	two, err := put(s, drain("a", begin, time.Time{}), begin, one)
	require.NoError(t, err)
	left := s.Set().Open(begin)
	require.Len(t, left, 1)
	require.Equal(t, two, left[0].ID)
}

// TestClockSetBack: an intent that has 30 minutes left has no more after a restart, and after many restarts they pass.
func TestClockSetBack(t *testing.T) {
	dir := t.TempDir()
	now := begin.Add(365 * 24 * time.Hour)
	_, err := put(open(t, dir, now), drain("a", now, now.Add(30*time.Minute)), now)
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
	_, err := put(open(t, dir, begin), drain("a", begin, time.Time{}), begin)
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

// put has an intent kept, and waits for the disk.
func put(s *Store, i health.Intent, now time.Time, replaces ...health.IntentID) (health.IntentID, error) {
	id, err := s.Put(i, now, replaces...)
	if err != nil {
		return id, err
	}
	return id, s.Keep(now)
}

// TestJobs: while the disk writes, what others say is in force, an order is not, and no other order is taken; what was said meanwhile is in
// the next Job, and is not lost to the order.
func TestJobs(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, begin)
	s.SetAlone(false)
	require.Nil(t, s.Job(begin))
	id, err := s.Put(drain("a", begin, time.Time{}), begin)
	require.NoError(t, err)
	require.True(t, s.Waits())
	j := s.Job(begin)
	require.True(t, j.Order())
	require.Empty(t, s.Set().Open(begin), "not before it is on disk")
	_, err = s.Put(drain("b", begin, time.Time{}), begin)
	require.Error(t, err)
	require.Error(t, s.End(End{At: begin}, id))

	other := drain("c", begin, time.Time{})
	other.ID = health.IntentID{Node: "n2", Incarnation: 1, Counter: 1}
	changed, err := s.Merge(Set{}.Add(other), begin)
	require.NoError(t, err)
	require.True(t, changed)
	require.Len(t, s.Set().Open(begin), 1)
	require.Nil(t, s.Job(begin), "one at a time")
	require.NoError(t, j.Write())
	s.Done(j, nil)
	require.False(t, s.Waits())
	require.Len(t, s.Set().Open(begin), 2)
	require.Len(t, s.Kept().Open(begin), 1)
	require.NoError(t, s.Keep(begin))
	require.Len(t, s.Kept().Open(begin), 2)
	require.True(t, open(t, dir, begin).Set().Same(s.Set()))

	require.NoError(t, s.End(End{Actor: "ada", At: begin}, id))
	j = s.Job(begin)
	s.Done(j, errFull)
	require.False(t, s.Waits())
	require.Len(t, s.Set().Open(begin), 2, "what could not be written has not happened")
}

// TestCollectIsTold: what is over for good is told to nobody any more at once, and goes from the disk by the next Job, also after one that failed.
func TestCollectIsTold(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, begin)
	id, err := put(s, drain("a", begin, time.Time{}), begin)
	require.NoError(t, err)
	require.NoError(t, s.End(End{Actor: "ada", At: begin}, id))
	require.NoError(t, s.Keep(begin))
	require.Equal(t, 1, s.Kept().Len(), "the end")
	later := begin.Add(keepEnds + time.Hour)
	s.Collect(later)
	require.Zero(t, s.Kept().Len())
	s.Done(s.Job(later), errFull)
	j := s.Job(later)
	require.NotNil(t, j, "the disk has it still")
	require.NoError(t, j.Write())
	s.Done(j, nil)
	require.Nil(t, s.Job(later))
	require.Zero(t, open(t, dir, begin.Add(time.Minute)).Set().Len())
}

var errFull = errors.New("no space left on device")

func TestDiskThatIsFull(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	require.NoError(t, os.Mkdir(dir, 0o700))
	s := open(t, dir, begin)
	id, err := put(s, drain("a", begin, time.Time{}), begin)
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(dir))
	_, err = put(s, drain("b", begin, time.Time{}), begin)
	require.Error(t, err)
	require.NoError(t, s.End(End{At: begin}, id))
	require.Error(t, s.Keep(begin))
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
		_, err = put(s, i, begin)
	}
	require.ErrorIs(t, err, ErrFull)
	require.LessOrEqual(t, len(s.Set().Encode(begin)), maxEncoded+BlockSize)
	before := s.Set().Len()
	_, err = s.Merge(Set{}.Add(longest(1)), begin)
	require.ErrorIs(t, err, ErrFull)
	require.Equal(t, before, s.Set().Len())
	ids := s.Set().Open(begin)
	require.NoError(t, s.End(End{At: begin}, ids[0].ID), "an end is always taken")
	require.NoError(t, s.Keep(begin))
}
