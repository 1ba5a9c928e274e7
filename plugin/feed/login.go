package feed

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/admin/door"
	"github.com/fairlead-dns/fairlead/plugin/admin/token"
)

// The reasons for which requests are refused, as metrics name them.
const (
	refusedLogin   = "login"
	refusedLocked  = "locked_out"
	refusedRate    = "rate"
	refusedUnheard = "unheard"
)

// A refusal is why somebody is not served, with a status of HTTP.
type refusal struct {
	why    string
	status int
	detail string
	retry  time.Duration
}

// admit tells who may listen: on a loopback address without TLS everybody, else whoever has a token of any role, or a certificate that client_ca
// signed, which crypto/tls has verified. remote is the other end, authorization the header of that name.
func (s *Server) admit(remote string, certified bool, authorization []string, now time.Time) *refusal {
	source := door.SourceOf(remote)
	if !s.rates.allow(source, now) {
		return &refusal{refusedRate, http.StatusTooManyRequests, "too many requests from this address", time.Second}
	}
	if s.certificate == nil || certified && len(authorization) == 0 {
		return nil
	}
	if wait := s.lockout.Wait(source, now); wait > 0 {
		return &refusal{refusedLocked, http.StatusTooManyRequests, "too many logins failed from this address", wait}
	}
	if len(authorization) == 0 {
		return &refusal{refusedLogin, http.StatusUnauthorized, "a bearer token or a client certificate is required", 0}
	}
	scheme, secret, _ := strings.Cut(authorization[0], " ")
	err := errors.New("want one header Authorization: Bearer TOKEN")
	if len(authorization) == 1 && strings.EqualFold(scheme, "Bearer") {
		_, err = s.opts.Tokens.Verify(strings.TrimSpace(secret), now)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, token.ErrUnheard):
		return &refusal{refusedUnheard, http.StatusServiceUnavailable, err.Error(), time.Second}
	}
	if s.lockout.Failed(source, now) {
		s.opts.Logger.Warn("logins to feeds locked out", "from", source.String(), "for_seconds", door.Window.Seconds())
	}
	return &refusal{refusedLogin, http.StatusUnauthorized, "no such token on this node", 0}
}

// certified tells whether the connection of r proved itself by a certificate that has not ended since.
func certified(r *http.Request, now time.Time) bool {
	return r.TLS != nil && len(r.TLS.VerifiedChains) > 0 && !now.After(r.TLS.PeerCertificates[0].NotAfter)
}

// addressOf is the address of the other end.
func addressOf(remote string) (netip.Addr, uint32) {
	a, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}, 0
	}
	return a.Addr().Unmap().WithZone(""), uint32(a.Port())
}
