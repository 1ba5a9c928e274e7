package token

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var now = time.Date(2026, 5, 17, 3, 0, 0, 0, time.UTC)

func open(t *testing.T) (*Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.json")
	s, err := Open(path)
	require.NoError(t, err)
	return s, path
}

func TestStore(t *testing.T) {
	s, path := open(t)
	require.Empty(t, s.List())
	require.NoFileExists(t, path)
	made, secret, err := s.Create("ci", "operator", "ada", now, now.Add(time.Hour))
	require.NoError(t, err)
	require.Regexp(t, regexp.MustCompile(`^flt_[0-9a-f]{64}$`), secret)
	_, other, err := s.Create("backup", "viewer", "ada", now, time.Time{})
	require.NoError(t, err)
	require.NotEqual(t, secret, other)

	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NotContains(t, string(content), secret[len(Prefix):])

	// A process that starts anew knows the same.
	again, err := Open(path)
	require.NoError(t, err)
	for _, s := range []*Store{s, again} {
		require.Equal(t, []string{"backup", "ci"}, []string{s.List()[0].Name, s.List()[1].Name})
		got, err := s.Verify(secret, now)
		require.NoError(t, err)
		require.Equal(t, made, got)
		got, err = s.Verify(secret, now.Add(time.Hour-1))
		require.NoError(t, err)
		require.Equal(t, "operator", got.Role)
		got, err = s.Verify(secret, now.Add(time.Hour))
		require.ErrorIs(t, err, ErrExpired)
		require.Equal(t, "ci", got.Name)
		_, err = s.Verify(other, now.Add(20*MaxLife))
		require.NoError(t, err, "it has no end")
		for _, wrong := range []string{"", Prefix, secret[:len(secret)-1], secret + "0", strings.ToUpper(secret), secret[len(Prefix):]} {
			_, err = s.Verify(wrong, now)
			require.ErrorIs(t, err, ErrUnknown, wrong)
		}
	}

	old, err := s.Revoke("ci", now)
	require.NoError(t, err)
	require.Equal(t, made, old)
	_, err = s.Verify(secret, now)
	require.ErrorIs(t, err, ErrUnknown)
	_, err = s.Revoke("ci", now)
	require.ErrorIs(t, err, ErrUnknown)
	again, err = Open(path)
	require.NoError(t, err)
	require.Len(t, again.List(), 1)
}

func TestCreateRefuses(t *testing.T) {
	s, _ := open(t)
	_, _, err := s.Create("ci", "viewer", "ada", now, now.Add(time.Hour))
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		name, role string
		end        time.Time
		want       error
	}{
		"no name":          {"", "viewer", time.Time{}, ErrInvalid},
		"64 characters":    {strings.Repeat("x", 64), "viewer", time.Time{}, ErrInvalid},
		"a path":           {"../x", "viewer", time.Time{}, ErrInvalid},
		"a line":           {"a\nb", "viewer", time.Time{}, ErrInvalid},
		"no role":          {"x", "", time.Time{}, ErrInvalid},
		"another role":     {"x", "root", time.Time{}, ErrInvalid},
		"over already":     {"x", "viewer", now, ErrInvalid},
		"eleven years":     {"x", "viewer", now.Add(MaxLife + time.Second), ErrInvalid},
		"there is one":     {"ci", "admin", time.Time{}, ErrExists},
		"the longest life": {"y", "viewer", now.Add(MaxLife), nil},
		"63 characters":    {strings.Repeat("x", 63), "viewer", time.Time{}, nil},
	} {
		_, _, err := s.Create(tt.name, tt.role, "ada", now, tt.end)
		require.ErrorIs(t, err, tt.want, name)
	}
	_, _, err = s.Create("ci", "admin", "ada", now.Add(time.Hour), time.Time{})
	require.NoError(t, err, "the other one has expired")
	require.Equal(t, "admin", s.List()[0].Role)
}

func TestFull(t *testing.T) {
	s, _ := open(t)
	for i := range MaxTokens {
		s.kept.Tokens = append(s.kept.Tokens, Token{Name: fmt.Sprint("t", i), Role: "viewer", SHA256: fmt.Sprintf("%064x", i)})
	}
	_, _, err := s.Create("one-more", "viewer", "ada", now, time.Time{})
	require.ErrorIs(t, err, ErrFull)
}

// TestBrokenFile: nobody logs in, and what is there is not overwritten.
func TestBrokenFile(t *testing.T) {
	good := `{"name":"a","role":"admin","sha256":"` + strings.Repeat("0", 64) + `","by":"","created_at":"2026-05-17T03:00:00Z"}`
	for name, content := range map[string]string{
		"empty":         "",
		"no JSON":       "x",
		"unknown key":   `{"tokens":[],"more":1}`,
		"short digest":  strings.Replace(`{"tokens":[`+good+`]}`, "00", "", 1),
		"unknown role":  strings.Replace(`{"tokens":[`+good+`]}`, `"admin"`, `"root"`, 1),
		"one twice":     `{"tokens":[` + good + `,` + good + `]}`,
		"9 MiB":         `{"tokens":[]}` + strings.Repeat(" ", 9<<20),
		"too many":      `{"tokens":[` + strings.Repeat(good+",", maxSet) + good + `]}`,
		"a name of two": strings.Replace(`{"tokens":[`+good+`]}`, `"a"`, `"a b"`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tokens.json")
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			s, err := Open(path)
			require.ErrorContains(t, err, path)
			require.Empty(t, s.List())
			_, _, err = s.Create("x", "viewer", "ada", now, time.Time{})
			require.ErrorContains(t, err, path)
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, content, string(after))
		})
	}
}

// TestNotWritten: what is not on disk did not happen.
func TestNotWritten(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(filepath.Join(dir, "gone", "tokens.json"))
	require.NoError(t, err)
	_, _, err = s.Create("x", "viewer", "ada", now, time.Time{})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Empty(t, s.List())
}

// TestDoubt: what was revoked elsewhere while a node was away is no login there when it is back.
func TestDoubt(t *testing.T) {
	s, path := open(t)
	_, kept, err := s.Create("ci", "operator", "ada", now, time.Time{})
	require.NoError(t, err)
	_, leaked, err := s.Create("deploy", "operator", "ada", now, time.Time{})
	require.NoError(t, err)
	digest := func(name string) string {
		for _, t := range s.List() {
			if t.Name == name {
				return t.SHA256
			}
		}
		return ""
	}
	ci, deploy := digest("ci"), digest("deploy")
	elsewhere, err := Open(filepath.Join(t.TempDir(), "tokens.json"))
	require.NoError(t, err)
	all, err := s.Encode()
	require.NoError(t, err)
	_, err = elsewhere.Merge(all, now)
	require.NoError(t, err)
	back := func() *Store {
		again, err := Open(path)
		require.NoError(t, err)
		again.Doubt()
		for _, secret := range []string{kept, leaked} {
			_, err = again.Verify(secret, now)
			require.ErrorIs(t, err, ErrUnheard)
		}
		require.False(t, again.Good("ci", ci, now))
		return again
	}

	// The other one keeps the same: both are logins again.
	again := back()
	again.Agreed()
	for _, secret := range []string{kept, leaked} {
		_, err = again.Verify(secret, now)
		require.NoError(t, err)
	}

	// One was revoked there.
	_, err = elsewhere.Revoke("deploy", now)
	require.NoError(t, err)
	again = back()
	_, made, err := again.Create("new", "viewer", "ada", now, time.Time{})
	require.NoError(t, err)
	_, err = again.Verify(made, now)
	require.NoError(t, err, "nobody can have revoked what was made in this life")
	all, err = elsewhere.Encode()
	require.NoError(t, err)
	_, err = again.Merge([]byte("{"), now)
	require.Error(t, err)
	_, err = again.Verify(kept, now)
	require.ErrorIs(t, err, ErrUnheard, "what was not understood says nothing")
	_, err = again.Merge(all, now)
	require.NoError(t, err)
	_, err = again.Verify(kept, now)
	require.NoError(t, err)
	require.True(t, again.Good("ci", ci, now))
	_, err = again.Verify(leaked, now)
	require.ErrorIs(t, err, ErrUnknown)
	require.False(t, again.Good("deploy", deploy, now))
}
