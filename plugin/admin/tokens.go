package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/admin/token"
)

// tokensWithin is how long the reply to an order about tokens waits for the other nodes.
const tokensWithin = 2 * time.Second

func (s *Server) tokenRoutes() []route {
	return []route{
		{
			method: http.MethodGet, path: api.TokensPath, role: administrator, doc: "The bearer tokens of the cluster, without the secrets.",
			reply: api.Tokens{}, handle: s.listTokens, tagged: true,
		},
		{
			method: http.MethodPost, path: api.TokensPath, role: administrator, action: "token", doc: "Makes a bearer token; its secret is said this once.",
			body: api.TokenRequest{}, reply: api.TokenCreated{}, handle: s.createToken, secret: true,
		},
		{
			method: http.MethodDelete, path: api.TokensPath + "/{name}", role: administrator, action: "token revoked", doc: "Revokes a bearer token at once.",
			body: api.EndRequest{}, reply: api.Token{}, handle: s.revokeToken,
		},
	}
}

func (s *Server) listTokens(r *http.Request) (int, any) {
	out, now := api.Tokens{Tokens: []api.Token{}}, time.Now()
	for _, t := range s.opts.Tokens.List() {
		out.Tokens = append(out.Tokens, tokenShown(&t, now))
	}
	if len(out.Tokens) > 0 {
		now, cancel := context.WithCancel(r.Context())
		cancel()
		out.Missing = s.opts.Node.SharedMissing(now)
	}
	return http.StatusOK, out
}

func tokenShown(t *token.Token, now time.Time) api.Token {
	out := api.Token{Name: t.Name, Role: t.Role, By: t.By, CreatedAt: t.CreatedAt, Expired: t.Expired(now)}
	if !t.ExpiresAt.IsZero() {
		out.ExpiresAt = &t.ExpiresAt
	}
	return out
}

func (s *Server) createToken(r *http.Request) (int, any) {
	req, rec, err := asked[api.TokenRequest](r)
	if err != nil {
		return invalid(err)
	}
	rec.Object = "token " + req.Name
	now := time.Now()
	var end time.Time
	switch {
	case req.Forever == (req.ForSeconds != 0):
		return invalid(errors.New("for_seconds and forever: want one of them"))
	case req.ForSeconds < 0 || req.ForSeconds > token.MaxLife.Seconds():
		return invalid(errors.New("for_seconds: want up to ten years, or forever"))
	case !req.Forever:
		end = now.Add(durationOf(req.ForSeconds))
	}
	if err := health.ValidateWords(req.Actor, req.Reason); err != nil {
		return invalid(err)
	}
	if err := rec.reserve(); err != nil {
		return unrecorded(err)
	}
	t, secret, err := s.opts.Tokens.Create(req.Name, req.Role, req.Actor, now, end)
	if err != nil {
		return tokenRefused(err)
	}
	shown := tokenShown(&t, now)
	shown.Missing = s.tokensMissing(r)
	rec.keeps = shown
	return http.StatusCreated, api.TokenCreated{Token: shown, Secret: secret}
}

func (s *Server) revokeToken(r *http.Request) (int, any) {
	rec := recordOf(r)
	rec.Object = "token " + r.PathValue("name")
	if _, err := endRequest(r); err != nil {
		return invalid(err)
	}
	if err := rec.reserve(); err != nil {
		return unrecorded(err)
	}
	t, err := s.opts.Tokens.Revoke(r.PathValue("name"), time.Now())
	if err != nil {
		return tokenRefused(err)
	}
	shown := tokenShown(&t, time.Now())
	shown.Missing = s.tokensMissing(r)
	return http.StatusOK, shown
}

// tokensMissing are the nodes that do not have a change yet that was made a moment ago; they have it once they are heard.
func (s *Server) tokensMissing(r *http.Request) []string {
	ctx, cancel := context.WithTimeout(r.Context(), tokensWithin)
	defer cancel()
	return s.opts.Node.SharedMissing(ctx)
}

// tokenRefused is the reply to an order about tokens that was not carried out.
func tokenRefused(err error) (int, any) {
	status := http.StatusInsufficientStorage
	switch {
	case errors.Is(err, token.ErrInvalid):
		status = http.StatusBadRequest
	case errors.Is(err, token.ErrExists), errors.Is(err, token.ErrFull):
		status = http.StatusConflict
	case errors.Is(err, token.ErrUnknown):
		status = http.StatusNotFound
	}
	return status, failure(status, fmt.Errorf("nothing was done: %w", err))
}
