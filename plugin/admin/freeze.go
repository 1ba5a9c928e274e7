package admin

import (
	"errors"
	"net/http"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func (s *Server) freeze(r *http.Request) (int, any)   { return s.setFreeze(r, true) }
func (s *Server) unfreeze(r *http.Request) (int, any) { return s.setFreeze(r, false) }

func (s *Server) setFreeze(r *http.Request, on bool) (int, any) {
	req, rec, err := asked[api.FreezeRequest](r)
	if err != nil {
		return invalid(err)
	}
	rec.Object = "verdicts"
	if on && req.Reason == "" {
		return invalid(errors.New("reason: required, it is shown to everybody who wonders why nothing moves"))
	}
	if err := health.ValidateWords(req.Actor, req.Reason); err != nil {
		return invalid(err)
	}
	if req.DryRun {
		rec.dryRun = true
		return http.StatusOK, s.previewFreeze(on, &req)
	}
	if err := rec.reserve(); err != nil {
		return unrecorded(err)
	}
	rec.Before = encoded(frozenOf(s.opts.Node))
	if err := s.opts.Node.Freeze(on, req.Actor, req.Reason); err != nil {
		return intentRefused(err)
	}
	return http.StatusOK, frozenOf(s.opts.Node)
}

// frozenOf is the latest order to stop verdicts.
func frozenOf(n Node) api.Freeze {
	f := n.Frozen()
	return api.Freeze{Frozen: f.On, Actor: f.Actor, Reason: f.Reason, Since: f.Since}
}
