package oidc

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/admin/oidc/oidctest"
)

// lines are what was logged.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

func verifier(t *testing.T, issuer string) (*Verifier, *lines) {
	t.Helper()
	log := new(lines)
	v, err := New(Options{
		Config: &config.AdminOIDC{Issuer: issuer, Audience: "fairlead", Claim: "groups", Name: "sub", Roles: map[string]string{"sre": "operator", "all": "viewer", "platform": "admin"}},
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	require.NoError(t, err)
	return v, log
}

// TestVerify: what is signed by the issuer, for this service and not expired is a login; everything else is none, with its reason.
func TestVerify(t *testing.T) {
	issuer, other := oidctest.New(t), oidctest.New(t)
	v, _ := verifier(t, issuer.URL)
	with := func(change func(map[string]any)) string {
		claims := issuer.Claims("fairlead", "ada", "sre")
		change(claims)
		return issuer.Sign(claims)
	}
	strange, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	good := issuer.Sign(issuer.Claims("fairlead", "ada", "sre", "all"))
	parts := strings.Split(good, ".")
	for _, tt := range []struct {
		name, token string
		role        string
		err         error
	}{
		{"good", good, "operator", nil},
		{"the greatest role", issuer.Sign(issuer.Claims("fairlead", "ada", "all", "platform", "sre")), "admin", nil},
		{"one group as a text", with(func(c map[string]any) { c["groups"] = "all" }), "viewer", nil},
		{"several audiences", with(func(c map[string]any) { c["aud"] = []string{"x", "fairlead"} }), "operator", nil},
		{"no group that has a role", issuer.Sign(issuer.Claims("fairlead", "ada", "sales")), "", nil},
		{"no groups", with(func(c map[string]any) { delete(c, "groups") }), "", nil},
		{"groups of another kind", with(func(c map[string]any) { c["groups"] = map[string]int{"sre": 1} }), "", nil},
		{"expired", with(func(c map[string]any) { c["exp"] = time.Now().Add(-time.Second).Unix() }), "", ErrExpired},
		{"without an end", with(func(c map[string]any) { delete(c, "exp") }), "", ErrExpired},
		{"not yet", with(func(c map[string]any) { c["nbf"] = time.Now().Add(time.Hour).Unix() }), "", ErrUnknown},
		{"another audience", issuer.Sign(issuer.Claims("grafana", "ada", "sre")), "", ErrUnknown},
		{"no audience", with(func(c map[string]any) { delete(c, "aud") }), "", ErrUnknown},
		{"another issuer's word", with(func(c map[string]any) { c["iss"] = other.URL }), "", ErrUnknown},
		{"another issuer's key", other.Sign(issuer.Claims("fairlead", "ada", "sre")), "", ErrUnknown},
		{"another key under the same name", oidctest.SignWith(t, strange, "1", issuer.Claims("fairlead", "ada", "sre")), "", ErrUnknown},
		{"unsigned", oidctest.Unsigned(t, issuer.Claims("fairlead", "ada", "platform")), "", ErrUnknown},
		{"signed with the public key as a secret", confused(t, issuer.Claims("fairlead", "ada", "platform")), "", ErrUnknown},
		{"other claims under the same signature", parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"groups":["platform"]}`)) + "." + parts[2], "", ErrUnknown},
		{"no name", with(func(c map[string]any) { delete(c, "sub") }), "", ErrUnknown},
		{"rubbish", "a.b.c", "", ErrUnknown},
		{"too long", good + strings.Repeat("A", maxToken), "", ErrUnknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := v.Verify(t.Context(), tt.token)
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, tt.role, l.Role)
			if tt.err == nil {
				require.Equal(t, "ada", l.Name)
				require.WithinDuration(t, time.Now().Add(time.Hour), l.Expires, time.Minute)
			}
		})
	}
	require.LessOrEqual(t, issuer.Asked.Load(), int64(2), "bad tokens make no requests")
	require.False(t, IsToken("flt_0123456789abcdef"))
}

// confused is a token whose signature is an HMAC.
func confused(t *testing.T, claims map[string]any) string {
	text, err := json.Marshal(claims)
	require.NoError(t, err)
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"HS256","kid":"1"}`)) + "." + encode(text)
	mac := hmac.New(sha256.New, []byte("1"))
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil))
}

// TestRotation: a token with a new key's name has the keys learnt at once, and one with the old key is none any more.
func TestRotation(t *testing.T) {
	issuer := oidctest.New(t)
	v, _ := verifier(t, issuer.URL)
	old := issuer.Sign(issuer.Claims("fairlead", "ada", "sre"))
	_, err := v.Verify(t.Context(), old)
	require.NoError(t, err)
	v.aged(leastPause)
	issuer.Rotate()
	_, err = v.Verify(t.Context(), issuer.Sign(issuer.Claims("fairlead", "ada", "sre")))
	require.NoError(t, err)
	_, err = v.Verify(t.Context(), old)
	require.ErrorIs(t, err, ErrUnknown)
}

// aged makes the latest look at the issuer older.
func (v *Verifier) aged(d time.Duration) {
	v.keys.mu.Lock()
	defer v.keys.mu.Unlock()
	v.keys.tried = v.keys.tried.Add(-d)
}

// TestBadTokensCost: a thousand tokens that name keys which nobody has cost the issuer one look.
func TestBadTokensCost(t *testing.T) {
	issuer := oidctest.New(t)
	v, _ := verifier(t, issuer.URL)
	strange, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	token := oidctest.SignWith(t, strange, "nobody", issuer.Claims("fairlead", "ada", "sre"))
	parts := strings.Split(token, ".")
	var wg sync.WaitGroup
	for i := range 1000 {
		wg.Go(func() {
			header := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":"RS256","kid":"k%d"}`, i))
			_, err := v.Verify(context.Background(), header+"."+parts[1]+"."+parts[2])
			if err == nil {
				t.Error("a strange key's token is a login")
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, issuer.Asked.Load())
	_, err = v.Verify(t.Context(), issuer.Sign(issuer.Claims("fairlead", "ada", "sre")))
	require.NoError(t, err, "and a good one is a login meanwhile")
}

// TestIssuerAway: nothing fails but tokens, which say so; keys that are known stay in use.
func TestIssuerAway(t *testing.T) {
	issuer := oidctest.New(t)
	issuer.Away(true)
	v, log := verifier(t, issuer.URL)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { v.Run(ctx); close(done) }()
	token := issuer.Sign(issuer.Claims("fairlead", "ada", "sre"))
	_, err := v.Verify(t.Context(), token)
	require.ErrorIs(t, err, ErrUnavailable)
	s := v.State()
	require.False(t, s.Known)
	require.Contains(t, s.Why, "503")
	require.WithinDuration(t, time.Now(), s.FailedSince, time.Minute)
	require.Equal(t, 1, log.count("OIDC issuer not readable"))
	issuer.Away(false)
	v.aged(leastPause)
	_, err = v.Verify(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, State{Issuer: issuer.URL, Known: true}, v.State())
	require.Equal(t, 1, log.count("OIDC issuer read"))
	issuer.Away(true)
	v.aged(leastPause)
	require.NoError(t, v.keys.refresh(t.Context(), leastPause))
	require.NotEmpty(t, v.State().Why)
	_, err = v.Verify(t.Context(), token)
	require.NoError(t, err)
	cancel()
	<-done
}

func TestMistakes(t *testing.T) {
	_, err := New(Options{Config: &config.AdminOIDC{CA: t.TempDir() + "/none"}})
	require.ErrorContains(t, err, "admin.oidc.ca")
	for _, body := range []string{"", "{}", `{"keys":[{"kty":"oct","k":"AAAA"}]}`, `{"keys":[{"kty":"RSA","use":"enc"}]}`} {
		_, err := parseKeys([]byte(body))
		require.Error(t, err, body)
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := parseKeys(b)
		if err == nil && (len(keys) == 0 || len(keys) > maxKeys) {
			t.Fatal(len(keys))
		}
	})
}
