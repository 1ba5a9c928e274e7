package admin

import (
	"errors"
	"net/http"

	"github.com/fairlead-dns/fairlead/health/hook"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func (s *Server) hookRoutes() []route {
	return []route{
		{method: http.MethodGet, path: api.HooksPath, role: viewer, doc: "The webhooks of this node and how they do.", reply: api.Hooks{}, handle: s.hooks},
		{
			method: http.MethodGet, path: api.HooksPath + "/{name}/dead", role: viewer, doc: "Events that could not be delivered.",
			reply: api.DeadLetters{}, handle: s.deadLetters,
		},
		{
			method: http.MethodPost, path: api.HooksPath + "/{name}/redeliver", role: operator, action: "redeliver", doc: "Has the dead letters of a webhook delivered again.",
			body: api.EndRequest{}, reply: api.Hooks{}, handle: s.redeliver,
		},
	}
}

func (s *Server) hooks(*http.Request) (int, any) {
	list, sends := s.opts.Hooks.Status()
	out := api.Hooks{Sends: sends, Hooks: []api.Hook{}}
	for i := range list {
		h := &list[i]
		types := h.Types
		if types == nil {
			types = []string{"*"}
		}
		out.Hooks = append(out.Hooks, api.Hook{
			Name: h.Name, URL: h.Shown(), Type: types, Waiting: h.Waiting, Dead: h.Dead, Delivered: h.Delivered,
			LastSuccess: instant(h.LastSuccess), LastError: h.LastError,
		})
	}
	return http.StatusOK, out
}

func (s *Server) deadLetters(r *http.Request) (int, any) {
	letters, err := s.opts.Hooks.Dead(r.PathValue("name"))
	if err != nil {
		return http.StatusNotFound, failure(http.StatusNotFound, err)
	}
	out := api.DeadLetters{Letters: []api.DeadLetter{}}
	for _, l := range letters {
		out.Letters = append(out.Letters, api.DeadLetter{At: l.At, Why: l.Why, Event: api.Event(l.Event)})
	}
	return http.StatusOK, out
}

func (s *Server) redeliver(r *http.Request) (int, any) {
	if _, err := endRequest(r); err != nil {
		return invalid(err)
	}
	rec := recordOf(r)
	rec.Object = "hook " + r.PathValue("name")
	if err := rec.reserve(); err != nil {
		return unrecorded(err)
	}
	switch _, err := s.opts.Hooks.Redeliver(r.PathValue("name")); {
	case errors.Is(err, hook.ErrNoHook):
		return http.StatusNotFound, failure(http.StatusNotFound, err)
	case err != nil:
		return http.StatusInsufficientStorage, failure(http.StatusInsufficientStorage, err)
	}
	return s.hooks(r)
}
