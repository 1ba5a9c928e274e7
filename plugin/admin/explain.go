package admin

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

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

func assumptions(v url.Values) api.Assumptions {
	return api.Assumptions{Down: v["down"], Drain: v["drain"], Weight: v["weight"]}
}
