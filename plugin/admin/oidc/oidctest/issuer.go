// Package oidctest is an OpenID Connect issuer for tests, on a loopback address: its configuration, its keys, and the logins of browsers over
// real HTTP.
package oidctest

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

// An Issuer signs tokens with its latest key, and tells its public keys to whoever asks.
type Issuer struct {
	// URL is the issuer's; Asked counts how often somebody wanted its keys.
	URL   string
	Asked atomic.Int64

	flow   flow
	t      testing.TB
	server *httptest.Server
	mu     sync.Mutex
	// The rest is guarded by mu. Only the latest key is told. While away is set nothing is answered but 503.
	key  *rsa.PrivateKey
	kid  int
	away bool
}

// New is an issuer with one key that listens until the test ends.
func New(t testing.TB) *Issuer {
	i := &Issuer{t: t}
	i.server = httptest.NewServer(i)
	i.URL = i.server.URL
	t.Cleanup(i.server.Close)
	i.Rotate()
	return i
}

// Rotate makes a new key, which takes the place of the one before.
func (i *Issuer) Rotate() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(i.t, err)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.key, i.kid = key, i.kid+1
}

// Away has the issuer answer nothing, or answer again.
func (i *Issuer) Away(on bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.away = on
}

func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	away, key, kid := i.away, i.key, i.kid
	i.mu.Unlock()
	var doc any
	switch {
	case away:
		http.Error(w, "away", http.StatusServiceUnavailable)
		return
	case r.URL.Path == "/.well-known/openid-configuration":
		doc = map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys", "authorization_endpoint": i.URL + "/auth", "token_endpoint": i.URL + "/token"}
	case r.URL.Path == "/auth":
		i.authorize(w, r)
		return
	case r.URL.Path == "/token":
		i.token(w, r)
		return
	case r.URL.Path == "/keys":
		i.Asked.Add(1)
		doc = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: strconv.Itoa(kid), Use: "sig", Algorithm: "RS256"}}}
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(doc)
}

// Claims are those of a good token for audience: of subject, for an hour, with groups.
func (i *Issuer) Claims(audience, subject string, groups ...string) map[string]any {
	now := time.Now()
	return map[string]any{"iss": i.URL, "aud": audience, "sub": subject, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "groups": groups}
}

// Sign is a token with claims, signed with the latest key.
func (i *Issuer) Sign(claims map[string]any) string {
	i.mu.Lock()
	key, kid := i.key, i.kid
	i.mu.Unlock()
	return SignWith(i.t, key, strconv.Itoa(kid), claims)
}

// SignWith is a token that key signed, under a key's name that may be another one's.
func SignWith(t testing.TB, key *rsa.PrivateKey, kid string, claims map[string]any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, (&jose.SignerOptions{}).WithType("JWT"))
	require.NoError(t, err)
	text, err := json.Marshal(claims)
	require.NoError(t, err)
	signed, err := signer.Sign(text)
	require.NoError(t, err)
	out, err := signed.CompactSerialize()
	require.NoError(t, err)
	return out
}

// Unsigned is a token with claims that says it needs no signature.
func Unsigned(t testing.TB, claims map[string]any) string {
	text, err := json.Marshal(claims)
	require.NoError(t, err)
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + encode(text) + "."
}
