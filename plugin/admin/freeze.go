package admin

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func (s *Server) freeze(r *http.Request) (int, any)   { return s.setFreeze(r, true) }
func (s *Server) unfreeze(r *http.Request) (int, any) { return s.setFreeze(r, false) }

func (s *Server) setFreeze(r *http.Request, on bool) (int, any) {
	var req api.FreezeRequest
	if err := decode(r, &req); err != nil {
		return invalid(err)
	}
	rec := recordOf(r)
	rec.asks(req.Actor, req.Reason)
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

// decode reads the whole body as one JSON object without unknown keys, and makes who is logged in its actor.
func decode(r *http.Request, into any) error {
	// Whatever is in it: a body may be missing.
	defer attribute(r, into)
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}

// endRequest reads the body of an order that ends something, and notes who asks; an empty body is one.
func endRequest(r *http.Request) (req api.EndRequest, err error) {
	err = decode(r, &req)
	recordOf(r).asks(req.Actor, req.Reason)
	if err != nil && !errors.Is(err, io.EOF) {
		return req, err
	}
	return req, health.ValidateWords(req.Actor, req.Reason)
}

// invalid is the reply to a request that says nothing that could be done.
func invalid(err error) (int, any) {
	status := http.StatusBadRequest
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		status = http.StatusRequestEntityTooLarge
	}
	return status, failure(status, err)
}

func failure(status int, err error) *api.Problem {
	return &api.Problem{Title: http.StatusText(status), Status: status, Detail: err.Error()}
}
