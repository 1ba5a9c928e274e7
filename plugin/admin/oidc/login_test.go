package oidc

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/admin/oidc/oidctest"
)

const backAt = "https://node.example.org/ui/login/return"

// loginVerifier logs browsers in at an issuer, as a client with a secret unless that is empty.
func loginVerifier(t *testing.T, issuer *oidctest.Issuer, secret string) *Verifier {
	t.Helper()
	l := &config.OIDCLogin{Client: "dash", Scopes: []string{"profile", "groups"}, Session: time.Hour}
	if secret != "" {
		l.SecretFile = filepath.Join(t.TempDir(), "secret")
		require.NoError(t, os.WriteFile(l.SecretFile, []byte(secret+"\n"), 0o600))
	}
	v, err := New(Options{Config: &config.AdminOIDC{
		Issuer: issuer.URL, Audience: "fairlead", Claim: "groups", Name: "sub", Roles: map[string]string{"sre": "operator"}, Login: l,
	}})
	require.NoError(t, err)
	return v
}

// sentBack is the query with which the issuer sends a browser back that was sent to an address.
func sentBack(t *testing.T, at string) url.Values {
	t.Helper()
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := c.Get(at)
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	require.Equal(t, http.StatusSeeOther, r.StatusCode)
	to, err := r.Location()
	require.NoError(t, err)
	require.Equal(t, backAt, "https://"+to.Host+to.Path)
	return to.Query()
}

// TestBrowserLogin: who comes back from the issuer in the browser that left is logged in, by a client with a secret and by a public one.
func TestBrowserLogin(t *testing.T) {
	for _, secret := range []string{"", "s3cret"} {
		issuer := oidctest.New(t)
		issuer.Client("dash", secret)
		issuer.Person("ada", nil, "sre")
		v := loginVerifier(t, issuer, secret)
		to, err := v.Begin(t.Context(), "browser's own", backAt)
		require.NoError(t, err)
		u, err := url.Parse(to)
		require.NoError(t, err)
		require.Equal(t, "openid profile groups", u.Query().Get("scope"))
		require.NotContains(t, to, "browser")
		q := sentBack(t, to)
		l, asked, err := v.Finish(t.Context(), "browser's own", backAt, q)
		require.NoError(t, err)
		require.True(t, asked)
		require.Equal(t, "ada", l.Name)
		require.Equal(t, "operator", l.Role)
		require.WithinDuration(t, time.Now().Add(time.Hour), l.Expires, time.Minute)

		_, _, err = v.Finish(t.Context(), "browser's own", backAt, q)
		require.ErrorIs(t, err, ErrRefused, "a code is good once")
		require.ErrorContains(t, err, "invalid_grant")
		_, err = v.Verify(t.Context(), issuer.Sign(issuer.Claims("dash", "ada", "sre")))
		require.ErrorIs(t, err, ErrUnknown, "a token for the dashboard is none for the API")
	}
}

// TestBrowserLoginRefused: whoever did not leave from here, and whatever is not for this login, gets none.
func TestBrowserLoginRefused(t *testing.T) {
	issuer := oidctest.New(t)
	issuer.Client("dash", "")
	issuer.Client("other", "")
	issuer.Person("ada", nil, "sre")
	v := loginVerifier(t, issuer, "")
	begin := func(secret string) url.Values {
		to, err := v.Begin(t.Context(), secret, backAt)
		require.NoError(t, err)
		return sentBack(t, to)
	}
	with := func(q url.Values, key, value string) url.Values {
		out := url.Values{}
		for k := range q {
			out.Set(k, q.Get(k))
		}
		out.Set(key, value)
		return out
	}
	for _, tt := range []struct {
		name, secret string
		query        url.Values
		asked        bool
		err          error
	}{
		{"without the browser's secret", "", begin("mine"), false, ErrStranger},
		{"with another browser's secret", "yours", begin("mine"), false, ErrStranger},
		{"another login's code", "mine", with(begin("mine"), "code", begin("yours").Get("code")), true, ErrRefused},
		{"another issuer's word", "mine", with(begin("mine"), "iss", "https://elsewhere.example.org"), false, ErrRefused},
		{"a made-up code", "mine", with(begin("mine"), "code", "x"), true, ErrRefused},
		{"an error of the issuer", "mine", with(begin("mine"), "error", "access_denied"), false, ErrRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := issuer.Exchanged()
			l, asked, err := v.Finish(t.Context(), tt.secret, backAt, tt.query)
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, tt.asked, asked)
			require.Equal(t, tt.asked, issuer.Exchanged() > before, "strangers do not have the issuer asked")
			require.Zero(t, l)
		})
	}

	// A token with another nonce: somebody else's login, put under this one's code.
	issuer.Person("ada", nil, "sre")
	q := begin("mine")
	issuer.SetNonce(q.Get("code"), "another")
	_, _, err := v.Finish(t.Context(), "mine", backAt, q)
	require.ErrorContains(t, err, "another login")

	issuer.Away(true)
	_, _, err = v.Finish(t.Context(), "mine", backAt, begin2(t, v, "mine"))
	require.ErrorIs(t, err, ErrRefused)
	fresh := loginVerifier(t, issuer, "")
	_, err = fresh.Begin(t.Context(), "mine", backAt)
	require.ErrorIs(t, err, ErrUnavailable)
}

// begin2 is the query of a browser that came back before the issuer went away.
func begin2(t *testing.T, v *Verifier, secret string) url.Values {
	t.Helper()
	to, err := v.Begin(t.Context(), secret, backAt)
	require.NoError(t, err)
	u, err := url.Parse(to)
	require.NoError(t, err)
	return url.Values{"state": {u.Query().Get("state")}, "code": {"x"}}
}

// TestSecretFile: a client's secret that is not there fails the start, not the first login.
func TestSecretFile(t *testing.T) {
	_, err := New(Options{Config: &config.AdminOIDC{Issuer: "http://127.0.0.1:1", Login: &config.OIDCLogin{SecretFile: filepath.Join(t.TempDir(), "none")}}})
	require.ErrorContains(t, err, "admin.oidc.login.secret_file")
}
