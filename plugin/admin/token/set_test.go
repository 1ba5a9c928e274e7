package token

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// randomSet draws from few tokens and few ends, so that sets overlap.
func randomSet(r *rand.Rand) (s set) {
	end := func(i int) time.Time {
		if i%2 == 0 {
			return time.Time{}
		}
		return now.Add(time.Duration(i-4) * keepExpired / 2)
	}
	for i := range 8 {
		digest := fmt.Sprintf("%064x", i)
		switch r.IntN(3) {
		case 0:
			s.Tokens = append(s.Tokens, Token{Name: fmt.Sprint("t", i/2), Role: "viewer", SHA256: digest, ExpiresAt: end(i)})
		case 1:
			s.Revoked = append(s.Revoked, Revocation{SHA256: digest, ExpiresAt: end(i)})
		}
	}
	s.sort()
	return s
}

// TestMergeLaws: whoever hears whom, in whatever order and how often, all come to the same, and nothing revoked comes back.
func TestMergeLaws(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 0))
		a, b, c := randomSet(r), randomSet(r), randomSet(r)
		ab := a.merge(b, now)
		require.True(t, ab.equal(b.merge(a, now)), "commutative, seed %d", seed)
		require.True(t, ab.equal(ab.merge(b, now)), "idempotent, seed %d", seed)
		require.True(t, ab.merge(c, now).equal(a.merge(b.merge(c, now), now)), "associative, seed %d", seed)
		for _, revoked := range append(a.Revoked, b.Revoked...) {
			for _, kept := range ab.Tokens {
				require.NotEqual(t, revoked.SHA256, kept.SHA256, "seed %d", seed)
			}
		}
	}
}

func TestMerge(t *testing.T) {
	one, _ := open(t)
	two, path := open(t)
	_, first, err := one.Create("ci", "viewer", "ada", now, time.Time{})
	require.NoError(t, err)
	_, second, err := two.Create("ci", "admin", "bob", now.Add(time.Second), now.Add(time.Hour))
	require.NoError(t, err)
	tell := func(from, to *Store) bool {
		b, err := from.Encode()
		require.NoError(t, err)
		changed, err := to.Merge(b, now)
		require.NoError(t, err)
		return changed
	}
	require.True(t, tell(one, two))
	require.False(t, tell(one, two))
	require.True(t, tell(two, one))
	require.Equal(t, one.Digest(), two.Digest())
	for _, secret := range []string{first, second} {
		_, err := one.Verify(secret, now)
		require.NoError(t, err, "two nodes made one each at the same time")
	}
	old, err := two.Revoke("ci", now)
	require.NoError(t, err)
	require.Equal(t, "bob", old.By, "the latest")
	require.NotEqual(t, one.Digest(), two.Digest())
	require.False(t, tell(one, two), "what is revoked does not come back")
	require.True(t, tell(two, one))
	require.Empty(t, one.List())
	again, err := Open(path)
	require.NoError(t, err)
	require.Equal(t, one.Digest(), again.Digest(), "nor at the next start")

	for _, bad := range []string{"", "{", `{"tokens":[{}]}`, `{"tokens":[],"revoked":[{"sha256":"x"}]}`, `{"tokens":[],"more":1}`} {
		_, err := one.Merge([]byte(bad), now)
		require.Error(t, err, bad)
	}
	// A store whose file is broken takes nothing and tells nothing.
	broken := filepath.Join(t.TempDir(), "tokens.json")
	require.NoError(t, os.WriteFile(broken, []byte("x"), 0o600))
	s, err := Open(broken)
	require.Error(t, err)
	_, err = s.Encode()
	require.Error(t, err)
	b, err := two.Encode()
	require.NoError(t, err)
	_, err = s.Merge(b, now)
	require.ErrorContains(t, err, broken)
	require.Empty(t, s.List())
}

func FuzzParseSet(f *testing.F) {
	f.Add([]byte(`{"tokens":[],"revoked":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseSet(b)
		if err != nil {
			return
		}
		text, err := s.encode()
		require.NoError(t, err)
		again, err := parseSet(text)
		require.NoError(t, err)
		require.True(t, s.equal(again))
	})
}
