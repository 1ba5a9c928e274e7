package oidc

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	// maxRefusal bounds what is shown of the issuer's own words, in octets.
	maxRefusal = 200
	// exchangeTimeout bounds asking the issuer for the token of a code.
	exchangeTimeout = 8 * time.Second
)

// Why a browser that came back from the issuer is not logged in.
var (
	// ErrStranger: it did not leave from here, or too long ago.
	ErrStranger = errors.New("this login began in another browser, or too long ago; begin it anew")
	// ErrRefused: the issuer says no, or gives no token that proves who it is.
	ErrRefused = errors.New("the OIDC issuer did not log you in")
)

// These name what is derived from the one secret that the browser keeps while it is at the issuer, so that nothing of a login that is
// under way is kept here. state and nonce go to the issuer and come back, in the address and in the token; the proof goes only with the code.
const (
	stateLabel = "fairlead oidc state"
	nonceLabel = "fairlead oidc nonce"
	proofLabel = "fairlead oidc proof"
)

func derived(secret, label string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(label))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// newLogins reads the secret of the client, which has to be there at a start and is read again for each login, as it may be replaced.
func (v *Verifier) newLogins() error {
	if v.config.Login == nil {
		return nil
	}
	if _, err := v.clientSecret(); err != nil {
		return err
	}
	v.idVerifier = v.verifierFor(v.config.Login.Client)
	return nil
}

func (v *Verifier) clientSecret() (string, error) {
	path := v.config.Login.SecretFile
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path)
	secret := strings.TrimSpace(string(text))
	switch {
	case err != nil:
		return "", fmt.Errorf("admin.oidc.login.secret_file: %w", err)
	case secret == "":
		return "", fmt.Errorf("admin.oidc.login.secret_file: %s is empty", path)
	}
	return secret, nil
}

// Logins tells whether browsers can log in at the issuer.
func (v *Verifier) Logins() bool { return v.config.Login != nil }

// client is this service as the issuer knows it; back is where the issuer sends browsers.
func (v *Verifier) client(ctx context.Context, back string) (*oauth2.Config, error) {
	if err := v.keys.refreshUnknown(ctx); err != nil {
		return nil, err
	}
	secret, err := v.clientSecret()
	if err != nil {
		return nil, err
	}
	l := v.config.Login
	c := &oauth2.Config{
		ClientID: l.Client, ClientSecret: secret, Endpoint: v.keys.endpoints(), RedirectURL: back,
		Scopes: append([]string{oidc.ScopeOpenID}, l.Scopes...),
	}
	for _, at := range []string{c.Endpoint.AuthURL, c.Endpoint.TokenURL} {
		if clear := !strings.HasPrefix(at, "https://"); at == "" || clear && strings.HasPrefix(v.config.Issuer, "https://") {
			return nil, fmt.Errorf("%w: its configuration leads logins to %q", ErrRefused, at)
		}
	}
	if secret == "" {
		c.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return c, nil
}

// Begin is where a browser goes to log in: the authorization code flow with PKCE. The browser keeps secret, which nobody else may know, and
// is sent to back.
func (v *Verifier) Begin(ctx context.Context, secret, back string) (string, error) {
	c, err := v.client(ctx, back)
	if err != nil {
		return "", err
	}
	return c.AuthCodeURL(derived(secret, stateLabel), oidc.Nonce(derived(secret, nonceLabel)), oauth2.S256ChallengeOption(derived(secret, proofLabel))), nil
}

// Finish is the login of a browser that came back with a query, and kept secret. asked tells whether the issuer was asked, which strangers
// could have a node do again and again.
func (v *Verifier) Finish(ctx context.Context, secret, back string, query url.Values) (l Login, asked bool, err error) {
	if secret == "" || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(derived(secret, stateLabel))) != 1 {
		return l, false, ErrStranger
	}
	// RFC 9207: of several issuers none may pass for another.
	if iss := query.Get("iss"); iss != "" && iss != v.config.Issuer {
		return l, false, fmt.Errorf("%w: it is another issuer's word", ErrRefused)
	}
	if no := query.Get("error"); no != "" {
		return l, false, fmt.Errorf("%w: %s", ErrRefused, shown(no+" "+query.Get("error_description")))
	}
	c, err := v.client(ctx, back)
	if err != nil {
		return l, true, err
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, v.keys.client), exchangeTimeout)
	defer cancel()
	token, err := c.Exchange(ctx, query.Get("code"), oauth2.VerifierOption(derived(secret, proofLabel)))
	if err != nil {
		return l, true, fmt.Errorf("%w: %s", ErrRefused, reason(err))
	}
	text, _ := token.Extra("id_token").(string)
	l, nonce, err := v.loginOf(ctx, v.idVerifier, text)
	switch {
	case err != nil:
		return Login{}, true, err
	case subtle.ConstantTimeCompare([]byte(nonce), []byte(derived(secret, nonceLabel))) != 1:
		return Login{}, true, fmt.Errorf("%w: its token is of another login", ErrRefused)
	}
	// The token proves who it is now. How long that is good for is this service's own to say.
	l.Expires = time.Now().Add(v.config.Login.Session)
	return l, true, nil
}

// reason is why the issuer gave no token, without what it may have repeated of the code.
func reason(err error) string {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		if refused.ErrorCode != "" {
			return shown(refused.ErrorCode + " " + refused.ErrorDescription)
		}
		return http.StatusText(refused.Response.StatusCode)
	}
	var failed *url.Error
	if errors.As(err, &failed) {
		return shown(failed.Err.Error())
	}
	return shown(err.Error())
}

// shown is somebody else's text, fit for a page and a log.
func shown(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return strings.TrimSpace(s[:min(len(s), maxRefusal)])
}
