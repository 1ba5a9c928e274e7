package admin

import (
	"context"
	"errors"
	"net/http"

	"github.com/fairlead-dns/fairlead/config/zonedir"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// configRoutes are about the zone files of this node alone.
func (s *Server) configRoutes() []route {
	return []route{
		{method: http.MethodGet, path: api.ConfigPath, role: viewer, doc: "The zone files, and the versions that are kept of them.", reply: api.Config{}, handle: s.config},
		{
			method: http.MethodPost, path: api.ReloadPath, role: operator, action: "reload", doc: "Looks at the zone files now.",
			body: api.ReloadRequest{}, reply: api.ReloadResult{}, handle: s.reload,
		},
		{
			method: http.MethodPost, path: api.RollbackPath, role: administrator, action: "rollback",
			doc:  "Has a zone file run in the version before the present one, until its content changes.",
			body: api.RollbackRequest{}, reply: api.Config{}, handle: s.rollback,
		},
		{
			method: http.MethodPost, path: api.ForwardPath, role: administrator, action: "forward", doc: "Ends a rollback.",
			body: api.RollbackRequest{}, reply: api.Config{}, handle: s.forward,
		},
	}
}

func (s *Server) config(*http.Request) (int, any) { return http.StatusOK, s.opts.Node.Files.Config() }

func (s *Server) reload(r *http.Request) (int, any) {
	req, rec, err := asked[api.ReloadRequest](r)
	if err != nil {
		return invalid(err)
	}
	rec.Object = "zone files"
	if req.Force {
		rec.Object += ", by force"
	}
	if err := health.ValidateWords(req.Actor, req.Reason); err != nil {
		return invalid(err)
	}
	if err := rec.reserve(); err != nil {
		return unrecorded(err)
	}
	result, err := s.opts.Node.Files.Reload(r.Context(), req.Force)
	if err != nil {
		return configRefused(err)
	}
	return http.StatusOK, result
}

func (s *Server) rollback(r *http.Request) (int, any) {
	return s.changeFile(r, func(ctx context.Context, req *api.RollbackRequest) (api.LeftByConfig, error) {
		return s.opts.Node.Files.Rollback(ctx, req.File, req.Actor, req.Reason)
	})
}

func (s *Server) forward(r *http.Request) (int, any) {
	return s.changeFile(r, func(ctx context.Context, req *api.RollbackRequest) (api.LeftByConfig, error) {
		return s.opts.Node.Files.Forward(ctx, req.File)
	})
}

func (s *Server) changeFile(r *http.Request, do func(context.Context, *api.RollbackRequest) (api.LeftByConfig, error)) (int, any) {
	req, rec, err := asked[api.RollbackRequest](r)
	if err != nil {
		return invalid(err)
	}
	rec.Object = req.File
	if req.File == "" {
		return invalid(errors.New("file: required"))
	}
	if err := health.ValidateWords(req.Actor, req.Reason); err != nil {
		return invalid(err)
	}
	if err := rec.reserve(); err != nil {
		return unrecorded(err)
	}
	rec.Before = encoded(s.opts.Node.Files.Status())
	// A client that goes away does not undo it.
	left, err := do(context.WithoutCancel(r.Context()), &req)
	if err != nil {
		return configRefused(err)
	}
	out := s.opts.Node.Files.Config()
	out.LeftByConfig = left
	return http.StatusOK, out
}

// configRefused is the reply to what was not done to the files.
func configRefused(err error) (int, any) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, zonedir.ErrNoSuchFile):
		status = http.StatusNotFound
	case errors.Is(err, zonedir.ErrNoVersion):
		status = http.StatusConflict
	}
	return status, failure(status, err)
}
