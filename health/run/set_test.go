package run

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// randomSet has runs of a few ids, with entries of a few keys: many of them meet.
func randomSet(r *rand.Rand) set {
	s := set{}
	for range r.IntN(3) {
		run := &Run{
			ID: fmt.Sprintf("run-p-%08x", r.IntN(3)), Plan: "p", Text: "plan: p\nsteps: [{freeze: true}]\n", Variant: "graceful", Node: "n1", StartedAt: noon,
			Reason: []string{"a", "b"}[r.IntN(2)],
		}
		for range r.IntN(6) {
			run.Entries = append(run.Entries, Entry{
				Kind: kinds[r.IntN(len(kinds))], Step: r.IntN(2), Attempt: r.IntN(2), Sub: r.IntN(2), Node: []string{"n1", "n2"}[r.IntN(2)],
				At: noon.Add(time.Duration(r.IntN(3)) * time.Second), Text: []string{"", "x"}[r.IntN(2)],
			})
		}
		s[run.ID] = run.merge(run)
	}
	return s
}

func TestMergeLaws(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		a, b, c := randomSet(r), randomSet(r), randomSet(r)
		text := func(s set) string {
			out, err := s.encode()
			require.NoError(t, err)
			return string(out)
		}
		require.Equal(t, text(a.merge(b)), text(b.merge(a)), "commutative, seed %d", seed)
		require.Equal(t, text(a.merge(b).merge(c)), text(a.merge(b.merge(c))), "associative, seed %d", seed)
		require.Equal(t, text(a.merge(b)), text(a.merge(b).merge(b).merge(a)), "idempotent, seed %d", seed)
		again, err := parseSet([]byte(text(a)))
		require.NoError(t, err)
		require.True(t, again.equal(a))
	}
}

// What a store keeps is on disk, comes back, and is the same on the node that hears of it.
func TestStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs.json")
	s, err := Open(path, noon)
	require.NoError(t, err)
	f := begin(t, seven, nil)
	r := f.store.Run(f.run)
	changed := 0
	s.OnChange(func() { changed++ }, func() {})
	require.NoError(t, s.Start(r, noon))
	require.ErrorIs(t, s.Start(New(f.plan, "n1", noon), noon), health.ErrIntentConflict, "one run of a plan at a time")
	require.ErrorIs(t, s.Add("run-other-00000000", noon, Entry{Kind: Held}), ErrNoRun)
	e := Entry{Kind: Began, Attempt: 1, Node: "n1", At: noon}
	require.NoError(t, s.Add(r.ID, noon, e))
	require.NoError(t, s.Add(r.ID, noon.Add(time.Minute), e), "the same once more")
	assert.Equal(t, time.Hour, s.Since(r.ID, &e, noon.Add(time.Hour)))

	other, err := Open("", noon)
	require.NoError(t, err)
	b, err := s.Encode()
	require.NoError(t, err)
	news, err := other.Merge(b, noon.Add(time.Minute))
	require.NoError(t, err)
	assert.True(t, news)
	assert.Equal(t, s.Digest(), other.Digest())
	assert.Equal(t, time.Minute, other.Since(r.ID, &e, noon.Add(2*time.Minute)), "what it has not heard for long has not been for long")
	news, err = other.Merge(b, noon)
	require.NoError(t, err)
	assert.False(t, news)

	again, err := Open(path, noon.Add(time.Hour))
	require.NoError(t, err)
	assert.Equal(t, s.Digest(), again.Digest())
	require.NoError(t, os.WriteFile(path, []byte(`{"version":9}`), 0o600))
	broken, err := Open(path, noon)
	require.ErrorContains(t, err, "version 9")
	require.Error(t, broken.Start(New(f.plan, "n1", noon), noon), "the file is left as it is")
}

// The earliest runs that have ended make room, on every node the same ones.
func TestCollect(t *testing.T) {
	s := set{}
	for i := range maxKept + 5 {
		r := &Run{ID: fmt.Sprintf("run-p-%08x", i), Plan: "p", Variant: "graceful", StartedAt: noon.Add(time.Duration(i) * time.Minute)}
		if i != 2 {
			r.Entries = []Entry{{Kind: Ended, At: noon}}
		}
		s[r.ID] = r
	}
	s = s.merge(set{})
	assert.Len(t, s, maxKept+1)
	assert.NotNil(t, s["run-p-00000002"], "it has not ended")
	assert.Nil(t, s["run-p-00000003"])
}

func FuzzMerge(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 5 {
		b, _ := randomSet(r).encode()
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Open("", noon)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Merge(b, noon); err != nil {
			return
		}
		out, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if changed, err := s.Merge(out, noon); changed || err != nil {
			t.Fatal("what it says itself is news to it", err)
		}
	})
}
