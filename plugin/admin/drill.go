package admin

import (
	"fmt"
	"net/http"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func (s *Server) drillRoutes() []route {
	return []route{
		{method: http.MethodGet, path: api.DrillsPath, role: viewer, doc: "Rehearsals, the newest first.", reply: api.Drills{}, handle: s.listDrills},
		{
			method: http.MethodPost, path: api.DrillsPath, role: operator, action: "drill", handle: s.startDrill,
			doc: "Drains something for a time, and ends that earlier if a condition holds.", body: api.DrillRequest{}, reply: api.Drill{},
			other: map[int]any{http.StatusOK: api.Preview{}},
		},
		{method: http.MethodGet, path: api.DrillsPath + "/{id}", role: viewer, doc: "One rehearsal and its report.", reply: api.Drill{}, handle: s.showDrill},
		{
			method: http.MethodDelete, path: api.DrillsPath + "/{id}", role: operator, action: "abort drill", handle: s.abortDrill,
			doc: "Ends a rehearsal before its time.", body: api.EndRequest{}, reply: api.Drill{},
		},
	}
}

func (s *Server) listDrills(*http.Request) (int, any) {
	return http.StatusOK, api.Drills{Drills: s.opts.Node.Drills.List()}
}

func (s *Server) showDrill(r *http.Request) (int, any) {
	for _, d := range s.opts.Node.Drills.List() {
		if d.ID == r.PathValue("id") {
			return http.StatusOK, d
		}
	}
	return http.StatusNotFound, failure(http.StatusNotFound, fmt.Errorf("no drill %q", r.PathValue("id")))
}

func (s *Server) startDrill(r *http.Request) (int, any) {
	req, rec, err := asked[api.DrillRequest](r)
	if err != nil {
		return invalid(err)
	}
	rec.Object = req.Scope.Kind + " " + req.Scope.Name
	drain, err := DrainOf(&req, time.Now())
	switch {
	case err != nil:
		return invalid(err)
	case req.DryRun:
		rec.dryRun = true
		return s.preview(drain)
	}
	if err := rec.reserve(); err != nil {
		return unrecorded(err)
	}
	d, err := s.opts.Node.Drills.Start(&req, drain)
	if err != nil {
		return intentRefused(err)
	}
	return http.StatusCreated, d
}

// DrainOf is the drain of a drill that begins at now.
func DrainOf(req *api.DrillRequest, now time.Time) (health.Intent, error) {
	drain := req.Drain()
	return intentOf(&drain, now)
}

func (s *Server) abortDrill(r *http.Request) (int, any) {
	req, err := endRequest(r)
	if err != nil {
		return invalid(err)
	}
	rec := recordOf(r)
	rec.Object = "drill " + r.PathValue("id")
	if err := rec.reserve(); err != nil {
		return unrecorded(err)
	}
	d, err := s.opts.Node.Drills.Abort(r.PathValue("id"), req.Actor, req.Reason)
	if err != nil {
		return intentRefused(err)
	}
	return http.StatusOK, d
}
