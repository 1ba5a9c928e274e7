package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// maxAssumptions bounds the work of one request.
const maxAssumptions = 100

func (s *Server) explain(r *http.Request) (int, any) {
	values, err := query(r, "name", "type", "client", "subnet", "down", "drain", "weight")
	if err != nil {
		return invalid(err)
	}
	if values.Get("name") == "" {
		return invalid(fmt.Errorf("%w: name: required, the owner name to explain", ErrInvalid))
	}
	e, err := s.opts.Node.Explainer.Explain(api.Question{
		Name: values.Get("name"), Type: values.Get("type"), Client: values.Get("client"), Subnet: values.Get("subnet"),
		Assumptions: assumptions(values),
	})
	if err != nil {
		return refused(err)
	}
	return http.StatusOK, e
}

func (s *Server) whatIf(r *http.Request) (int, any) {
	values, err := query(r, "down", "drain", "weight")
	if err != nil {
		return invalid(err)
	}
	w, err := s.opts.Node.Explainer.WhatIf(assumptions(values))
	if err != nil {
		return refused(err)
	}
	return http.StatusOK, w
}

// query is the query string, which may hold the keys that are known and no others.
func query(r *http.Request, known ...string) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("%w: query string: %w", ErrInvalid, err)
	}
	n := 0
	for key, all := range values {
		if !slices.Contains(known, key) {
			return nil, fmt.Errorf("%w: unknown parameter %q: want one of %q", ErrInvalid, key, known)
		}
		n += len(all)
	}
	if n > maxAssumptions {
		return nil, fmt.Errorf("%w: %d parameters, at most %d", ErrInvalid, n, maxAssumptions)
	}
	return values, nil
}

func assumptions(v url.Values) api.Assumptions {
	return api.Assumptions{Down: v["down"], Drain: v["drain"], Weight: v["weight"]}
}
