package admin

import (
	"errors"
	"net/http"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/explain"
)

// Errors that a Node returns, for the status of the reply.
var (
	// ErrNoEndpoint: no such endpoint, or no such check behind it.
	ErrNoEndpoint = errors.New("no such endpoint")
	// ErrInvalid: the request contradicts itself or the configuration.
	ErrInvalid = errors.New("invalid request")
)

func (s *Server) probe(r *http.Request) (int, any) {
	var req api.ProbeRequest
	if err := decode(r, &req); err != nil {
		return invalid(err)
	}
	results, err := s.opts.Node.Endpoints.Probe(r.Context(), req.Endpoint)
	if err != nil {
		return refused(err)
	}
	return http.StatusOK, api.ProbeReply{Node: s.opts.Node.Name(), Endpoint: req.Endpoint, Results: results}
}

func (s *Server) report(r *http.Request) (int, any) {
	var req api.ReportRequest
	if err := decode(r, &req); err != nil {
		return invalid(err)
	}
	if len(req.Reason) > api.MaxText {
		return invalid(errors.New("reason has at most 1,000 octets"))
	}
	if err := s.opts.Node.Endpoints.Report(req); err != nil {
		return refused(err)
	}
	return http.StatusOK, req
}

func refused(err error) (int, any) {
	status := http.StatusServiceUnavailable
	switch {
	case errors.Is(err, ErrNoEndpoint):
		status = http.StatusNotFound
	case errors.Is(err, ErrInvalid), errors.Is(err, explain.ErrInvalid):
		status = http.StatusBadRequest
	}
	return status, failure(status, err)
}
