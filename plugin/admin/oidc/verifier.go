package oidc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/fairlead-dns/fairlead/config"
)

// maxToken bounds a token, in octets: one with a hundred groups has some 8 kB.
const maxToken = 16 << 10

// Why a token is no login.
var (
	// ErrUnavailable: nobody can tell, since the issuer's keys have never been read.
	ErrUnavailable = errors.New("the OIDC issuer's keys are not known yet")
	ErrExpired     = errors.New("the OIDC token has expired")
	// ErrUnknown: it is of another issuer or for another audience, or none of the issuer's keys signed it.
	ErrUnknown = errors.New("no OIDC token of the issuer for this service")
)

// A Login is what a token proves.
type Login struct {
	// Name is that of the token's subject, or of another claim. Role is viewer, operator or admin; empty if the claim has no value that is
	// given a role.
	Name, Role string
	Expires    time.Time
}

// State is how the issuer is.
type State struct {
	Issuer string
	// Known tells whether its keys are known. FailedSince is since when it cannot be asked, Why is why; zero while it can be.
	Known       bool
	FailedSince time.Time
	Why         string
}

// Options are what a Verifier needs. Config is required.
type Options struct {
	Config *config.AdminOIDC
	Logger *slog.Logger
	// Failed is called for each look at the issuer that failed; nil for nobody.
	Failed func()
}

// A Verifier tells what tokens prove.
type Verifier struct {
	config   *config.AdminOIDC
	keys     *keySet
	verifier *oidc.IDTokenVerifier
	// idVerifier is for the tokens that browsers bring about; nil where they do not log in at the issuer.
	idVerifier *oidc.IDTokenVerifier
}

// New reads the file of CAs, and asks nobody.
func New(opts Options) (*Verifier, error) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: fetchTimeout, DisableKeepAlives: true}
	if path := opts.Config.CA; path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("admin.oidc.ca: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("admin.oidc.ca: %s has no certificate", path)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	v := &Verifier{config: opts.Config}
	v.keys = &keySet{issuer: opts.Config.Issuer, client: &http.Client{
		Transport:     bounded{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, looked: told(&opts)}
	v.verifier = v.verifierFor(opts.Config.Audience)
	return v, v.newLogins()
}

// verifierFor takes the issuer's tokens for an audience.
func (v *Verifier) verifierFor(audience string) *oidc.IDTokenVerifier {
	algs := make([]string, 0, len(algorithms))
	for _, a := range algorithms {
		algs = append(algs, string(a))
	}
	return oidc.NewVerifier(v.config.Issuer, v.keys, &oidc.Config{ClientID: audience, SupportedSigningAlgs: algs})
}

// told logs that the issuer cannot be asked, and that it can be again, once each.
func told(opts *Options) func(error) {
	failing, first := false, true
	return func(err error) {
		switch {
		case err != nil:
			if opts.Failed != nil {
				opts.Failed()
			}
			if !failing {
				opts.Logger.Warn("OIDC issuer not readable", "issuer", opts.Config.Issuer, "err", err)
			}
		case failing || first:
			opts.Logger.Info("OIDC issuer read", "issuer", opts.Config.Issuer)
		}
		failing, first = err != nil, false
	}
}

// Run keeps the keys of the issuer known, until ctx ends.
func (v *Verifier) Run(ctx context.Context) {
	for {
		_ = v.keys.refresh(ctx, leastPause)
		wait := refreshEvery
		if v.State().Why != "" {
			wait = retryAfter
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// State is how the issuer is.
func (v *Verifier) State() State {
	v.keys.mu.Lock()
	defer v.keys.mu.Unlock()
	s := State{Issuer: v.config.Issuer, Known: v.keys.known, FailedSince: v.keys.failed}
	if v.keys.why != nil {
		s.Why = v.keys.why.Error()
	}
	return s
}

// IsToken tells whether text has the form of a signed token: three parts with dots between them. Tokens of the cluster have none.
func IsToken(text string) bool { return strings.Count(text, ".") == 2 && len(text) <= maxToken }

// Verify is what a token proves. Its errors are those of this package.
func (v *Verifier) Verify(ctx context.Context, text string) (Login, error) {
	l, _, err := v.loginOf(ctx, v.verifier, text)
	return l, err
}

// loginOf is what a token proves to a verifier, and the token's nonce.
func (v *Verifier) loginOf(ctx context.Context, verifier *oidc.IDTokenVerifier, text string) (l Login, nonce string, err error) {
	if !IsToken(text) {
		return l, "", ErrUnknown
	}
	token, err := verifier.Verify(ctx, text)
	if err != nil {
		var expired *oidc.TokenExpiredError
		switch {
		case errors.As(err, &expired):
			return l, "", ErrExpired
		case !v.State().Known:
			return l, "", ErrUnavailable
		}
		return l, "", ErrUnknown
	}
	var claims map[string]json.RawMessage
	if err := token.Claims(&claims); err != nil {
		return l, "", ErrUnknown
	}
	if name := texts(claims[v.config.Name]); len(name) == 1 {
		l.Name = name[0]
	}
	if l.Name == "" {
		// Orders need a name to be recorded under.
		return Login{}, "", ErrUnknown
	}
	l.Expires, l.Role = token.Expiry, v.role(texts(claims[v.config.Claim]))
	return l, token.Nonce, nil
}

// role is the greatest role that one of the values has.
func (v *Verifier) role(values []string) string {
	best := ""
	rank := map[string]int{"viewer": 1, "operator": 2, "admin": 3}
	for _, value := range values {
		if r := v.config.Roles[value]; rank[r] > rank[best] {
			best = r
		}
	}
	return best
}

// texts are the values of a claim that is a text or a list of texts.
func texts(claim json.RawMessage) []string {
	var one string
	if json.Unmarshal(claim, &one) == nil {
		return []string{one}
	}
	var many []string
	if json.Unmarshal(claim, &many) == nil {
		return many
	}
	return nil
}
