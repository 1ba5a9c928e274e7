package admin

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/admin/door"
	"github.com/fairlead-dns/fairlead/plugin/admin/oidc"
	"github.com/fairlead-dns/fairlead/plugin/admin/ui"
)

// uiIssuer is the OIDC issuer as the dashboard uses it; nil where people do not log in there.
func (s *Server) uiIssuer() *ui.Issuer {
	if s.oidc == nil || !s.oidc.Logins() {
		return nil
	}
	name := s.opts.OIDC.Issuer
	if u, err := url.Parse(name); err == nil {
		name = u.Host
	}
	// The issuer sends browsers only to addresses that it was told beforehand, whatever a request calls this node.
	back := func(r *http.Request) string { return "https://" + r.Host + ui.ReturnPath }
	return &ui.Issuer{
		Name: name,
		Begin: func(r *http.Request, secret string) (string, error) {
			return s.oidc.Begin(r.Context(), secret, back(r))
		},
		Finish: func(r *http.Request, secret string) (ui.Login, time.Duration, error) {
			return s.issuerLogin(r, secret, back(r))
		},
	}
}

// issuerLogin is the login of a browser that comes back from the issuer, and how long it lasts. An address whose logins failed too often
// gets none: each one has the issuer asked.
func (s *Server) issuerLogin(r *http.Request, secret, back string) (ui.Login, time.Duration, error) {
	source, now := door.SourceOf(r.RemoteAddr), time.Now()
	if s.lockout.Wait(source, now) > 0 {
		s.metrics.refused(refusedLocked)
		return ui.Login{}, 0, errors.New("too many logins failed from this address")
	}
	got, asked, err := s.oidc.Finish(r.Context(), secret, back, r.URL.Query())
	if err == nil && got.Role == "" {
		err = errors.New(loginName(got.Name) + " has no role here")
		s.metrics.refused(refusedRole)
		return ui.Login{}, 0, err
	}
	if err != nil {
		why := refusedUnknown
		if errors.Is(err, oidc.ErrUnavailable) {
			why, asked = refusedIssuer, false
		}
		s.metrics.refused(why)
		if asked && s.lockout.Failed(source, now) {
			s.metrics.lockouts.Inc()
			s.opts.Logger.Warn("admin logins locked out", "from", source.String(), "for_seconds", door.Window.Seconds())
		}
		return ui.Login{}, 0, err
	}
	l := oidcLoginOf(&got)
	return s.uiLogin(&l), got.Expires.Sub(now), nil
}
