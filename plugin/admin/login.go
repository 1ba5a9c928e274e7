package admin

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/door"
	"github.com/fairlead-dns/fairlead/plugin/admin/oidc"
	"github.com/fairlead-dns/fairlead/plugin/admin/token"
)

// maxLoginName bounds the name that a certificate gives, in octets. A token's is never longer.
const maxLoginName = 63

// Tokens are the bearer tokens of the node: a token.Store.
type Tokens interface {
	Create(name, role, by string, now, end time.Time) (t token.Token, secret string, err error)
	Revoke(name string, now time.Time) (token.Token, error)
	List() []token.Token
	Verify(secret string, now time.Time) (token.Token, error)
	Good(name, digest string, now time.Time) bool
}

// A login is who asks. On the unix socket, which proves nothing but that somebody could open it, it has no name.
type login struct {
	name string
	role role
	// token is the digest of the bearer token that proved it, if one did.
	token string
	// how says in words what proved it, after where the connection came from: "token ci", "certificate CN=ada".
	how string
}

// socketLogin is the login of everybody who can open the unix socket.
var socketLogin = login{role: administrator}

// roleRank orders the roles: each may do what those of a lesser rank may.
var roleRank = map[role]int{anyone: 0, viewer: 1, operator: 2, administrator: 3}

func (r role) may(want role) bool { return roleRank[r] >= roleRank[want] }

// actor is who is recorded: the name of the login, whatever the body says, and behind it what the body says, cut to fit.
func (l *login) actor(says string) string {
	if l.name == "" {
		return says
	}
	if says == "" || says == l.name {
		return l.name
	}
	room := health.MaxActor - len(l.name) - len(" (as )")
	return fmt.Sprintf("%s (as %s)", l.name, cut(says, room))
}

// cut is at most n octets of s, whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

type loginKey struct{}

func withLogin(r *http.Request, l login) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), loginKey{}, l))
}

func loginOf(ctx context.Context) login {
	l, _ := ctx.Value(loginKey{}).(login)
	return l
}

// A loginError is why a request is not handled: 401, 429 or 503.
type loginError struct {
	status int
	detail string
	// challenge is the header WWW-Authenticate, retry what Retry-After says.
	challenge string
	retry     time.Duration
}

func (e *loginError) Error() string { return e.detail }

// The reasons for which logins are refused, as metrics name them.
const (
	refusedNone      = "none"
	refusedMalformed = "malformed"
	refusedUnknown   = "unknown"
	refusedExpired   = "expired"
	refusedLocked    = "locked_out"
	refusedRole      = "role"
	refusedUnheard   = "unheard"
	// refusedIssuer: the keys of the OIDC issuer are not known.
	refusedIssuer = "issuer"
)

const challenge = `Bearer realm="fairlead"`

func unauthorized(detail string, invalid bool) *loginError {
	e := &loginError{status: http.StatusUnauthorized, detail: detail, challenge: challenge}
	if invalid {
		e.challenge += `, error="invalid_token"`
	}
	return e
}

// tcpLogin finds out who asks over TCP: by a bearer token, else by the certificate of the connection. An address from which too
// many logins failed gets none, whatever it brings.
func (s *Server) tcpLogin(r *http.Request) (login, *loginError) {
	source, now := door.SourceOf(r.RemoteAddr), time.Now()
	if wait := s.lockout.Wait(source, now); wait > 0 {
		s.metrics.refused(refusedLocked)
		return login{}, &loginError{status: http.StatusTooManyRequests, retry: wait, detail: "too many logins failed from this address"}
	}
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		if l, ok := s.certLogin(r, now); ok {
			return l, nil
		}
		s.metrics.refused(refusedNone)
		return login{}, unauthorized("a bearer token or a client certificate is required", false)
	}
	l, why, err := s.tokenLogin(r.Context(), headers, now)
	if err == nil {
		return l, nil
	}
	s.metrics.refused(why)
	if why == refusedUnheard || why == refusedIssuer {
		// That is no guess, and in a second or two it may be a login.
		return login{}, &loginError{status: http.StatusServiceUnavailable, retry: time.Second, detail: err.Error() + "; the unix socket and certificates work meanwhile"}
	}
	if s.lockout.Failed(source, now) {
		s.metrics.lockouts.Inc()
		s.opts.Logger.Warn("admin logins locked out", "from", source.String(), "for_seconds", door.Window.Seconds())
	}
	return login{}, unauthorized(err.Error(), true)
}

func (s *Server) tokenLogin(ctx context.Context, headers []string, now time.Time) (l login, why string, err error) {
	scheme, secret, _ := strings.Cut(headers[0], " ")
	if len(headers) > 1 || !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return l, refusedMalformed, errors.New("want one header Authorization: Bearer TOKEN")
	}
	secret = strings.TrimSpace(secret)
	if s.oidc != nil && oidc.IsToken(secret) {
		return s.oidcLogin(ctx, secret)
	}
	t, err := s.opts.Tokens.Verify(secret, now)
	switch {
	case errors.Is(err, token.ErrExpired):
		return l, refusedExpired, err
	case errors.Is(err, token.ErrUnheard):
		return l, refusedUnheard, err
	case err != nil:
		return l, refusedUnknown, errors.New("no such token on this node")
	}
	return login{name: t.Name, role: role(t.Role), token: t.SHA256, how: "token " + t.Name}, "", nil
}

// oidcPrefix begins what stands for the digest of an OIDC token: when the token ends, in seconds since 1970.
const oidcPrefix = "oidc:"

// oidcLogin is the login of a token of the OIDC issuer. One whose claim has no role is known, and may nothing.
func (s *Server) oidcLogin(ctx context.Context, secret string) (l login, why string, err error) {
	got, err := s.oidc.Verify(ctx, secret)
	switch {
	case errors.Is(err, oidc.ErrUnavailable):
		return l, refusedIssuer, err
	case errors.Is(err, oidc.ErrExpired):
		return l, refusedExpired, err
	case err != nil:
		return l, refusedUnknown, err
	}
	return oidcLoginOf(&got), "", nil
}

// oidcLoginOf is the login that the issuer proved.
func oidcLoginOf(got *oidc.Login) login {
	name := loginName(got.Name)
	l := login{name: name, role: role(got.Role), token: oidcPrefix + strconv.FormatInt(got.Expires.Unix(), 10), how: "OIDC " + name}
	if got.Role == "" {
		l.role = nobody
	}
	return l
}

// tokenGood tells whether the token behind a login to the dashboard still stands.
func (s *Server) tokenGood(name, digest string, now time.Time) bool {
	if text, ok := strings.CutPrefix(digest, oidcPrefix); ok {
		end, err := strconv.ParseInt(text, 10, 64)
		return err == nil && s.oidc != nil && now.Before(time.Unix(end, 0))
	}
	return s.opts.Tokens.Good(name, digest, now)
}

// certLogin is the login of the certificate that the connection proved, if any. crypto/tls has verified it against client_ca.
func (s *Server) certLogin(r *http.Request, now time.Time) (login, bool) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return login{}, false
	}
	cert := r.TLS.PeerCertificates[0]
	if now.After(cert.NotAfter) {
		// The connection is older than that.
		return login{}, false
	}
	name, rl := certRole(cert, s.opts.TLS.Roles)
	return login{name: name, role: rl, how: "certificate " + name}, true
}

// certRole is the greatest role that roles gives to one of the names of cert, and that name; without one it is a viewer by its
// common name, or its first URI.
func certRole(cert *x509.Certificate, roles map[string]string) (string, role) {
	var names []string
	if cert.Subject.CommonName != "" {
		names = append(names, cert.Subject.CommonName)
	}
	for _, u := range cert.URIs {
		names = append(names, u.String())
	}
	if len(names) == 0 {
		names = []string{"serial " + cert.SerialNumber.Text(16)}
	}
	name, best := names[0], viewer
	for _, n := range names {
		if r := role(roles[n]); roleRank[r] > roleRank[best] {
			name, best = n, r
		}
	}
	return loginName(name), best
}

// loginName makes what a certificate says fit for a terminal and for the journal.
func loginName(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return cut(s, maxLoginName)
}
