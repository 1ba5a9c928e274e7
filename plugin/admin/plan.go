package admin

import (
	"errors"
	"net/http"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/run"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func (s *Server) planRoutes() []route {
	word := func(name, action, doc string, handle func(*http.Request) (int, any)) route {
		return route{method: http.MethodPost, path: api.RunsPath + "/{id}/" + name, role: operator, action: action, doc: doc, body: api.RunRequest{}, reply: api.Run{}, handle: handle}
	}
	return []route{
		{method: http.MethodGet, path: api.PlansPath, role: viewer, doc: "Plans of this node, and what a run of each would come to.", reply: api.Plans{}, handle: s.listPlans},
		{method: http.MethodGet, path: api.PlansPath + "/{name}", role: viewer, doc: "One plan.", reply: api.Plan{}, handle: s.showPlan},
		{
			method: http.MethodPost, path: api.PlansPath + "/{name}/start", role: operator, action: "plan", handle: s.startPlan,
			doc: "Begins a run of a plan.", body: api.PlanStartRequest{}, reply: api.Run{}, other: map[int]any{http.StatusOK: api.PlanForesight{}},
		},
		{method: http.MethodGet, path: api.RunsPath, role: viewer, doc: "Runs of plans of the whole cluster, the latest first.", reply: api.Runs{}, handle: s.listRuns},
		{method: http.MethodGet, path: api.RunsPath + "/{id}", role: viewer, doc: "One run of a plan.", reply: api.Run{}, handle: s.showRun},
		word("approve", "approve", "Lets a run go on that waits for a person.", s.approveRun),
		word("pause", "pause run", "Has a run do nothing more until it is resumed.", s.runWord(func(id string, req *api.RunRequest) (*api.Run, error) { return s.opts.Node.Plans.Pause(id, req) })),
		word("resume", "resume run", "Has a run go on that is paused, or whose step has failed.", s.runWord(func(id string, req *api.RunRequest) (*api.Run, error) { return s.opts.Node.Plans.Resume(id, req) })),
		word("abort", "abort run", "Has what a run did undone, the last step first.", s.runWord(func(id string, req *api.RunRequest) (*api.Run, error) { return s.opts.Node.Plans.Abort(id, req) })),
		{
			method: http.MethodGet, path: api.RunsPath + "/{id}/evidence", role: viewer, doc: "What a run did and how long it took, signed by this node.",
			reply: ledger.Envelope{}, handle: s.runEvidence,
		},
	}
}

// plansInBrief are the plans that want somebody to look.
func plansInBrief(n Node) (out []api.PlanBrief) {
	if n.Plans == nil {
		return nil
	}
	for _, p := range n.Plans.List().Plans {
		b := api.PlanBrief{Name: p.Name, Run: p.Run}
		if p.Foresight != nil {
			b.Text, b.StopsAt = p.Foresight.Text, p.Foresight.StopsAt
		}
		if p.Run != "" {
			if u, err := n.Plans.ShowRun(p.Run); err == nil {
				b.RunStatus = u.Status
			}
		}
		if b.StopsAt > 0 || b.Run != "" {
			out = append(out, b)
		}
	}
	return out
}

func (s *Server) listPlans(*http.Request) (int, any) { return http.StatusOK, s.opts.Node.Plans.List() }

func (s *Server) showPlan(r *http.Request) (int, any) {
	for _, p := range s.opts.Node.Plans.List().Plans {
		if p.Name == r.PathValue("name") {
			return http.StatusOK, p
		}
	}
	return http.StatusNotFound, failure(http.StatusNotFound, errors.New("no plan "+r.PathValue("name")))
}

func (s *Server) startPlan(r *http.Request) (int, any) {
	req, rec, err := asked[api.PlanStartRequest](r)
	if err != nil {
		return invalid(err)
	}
	name := r.PathValue("name")
	rec.Object, rec.dryRun = "plan "+name, req.DryRun
	if req.DryRun {
		f, err := s.opts.Node.Plans.Foresee(name, &req)
		if err != nil {
			return runRefused(err)
		}
		return http.StatusOK, f
	}
	if req.Reason == "" {
		return invalid(errReason)
	}
	if err := health.ValidateWords(req.Actor, req.Reason); err != nil {
		return invalid(err)
	}
	if err := rec.reserve(); err != nil {
		return unrecorded(err)
	}
	u, err := s.opts.Node.Plans.Start(r.Context(), name, &req)
	if err != nil {
		return runRefused(err)
	}
	return http.StatusCreated, u
}

func (s *Server) listRuns(*http.Request) (int, any) { return http.StatusOK, s.opts.Node.Plans.Runs() }

func (s *Server) showRun(r *http.Request) (int, any) {
	u, err := s.opts.Node.Plans.ShowRun(r.PathValue("id"))
	if err != nil {
		return runRefused(err)
	}
	return http.StatusOK, u
}

// approveRun takes the word of whoever is logged in: on the unix socket the name that the request says, and every role.
func (s *Server) approveRun(r *http.Request) (int, any) {
	l := loginOf(r.Context())
	return s.runWord(func(id string, req *api.RunRequest) (*api.Run, error) {
		name := l.name
		if name == "" {
			name = req.Actor
		}
		return s.opts.Node.Plans.Approve(id, name, l.role.may(administrator), req)
	})(r)
}

// runWord handles a person's word on a run.
func (s *Server) runWord(say func(id string, req *api.RunRequest) (*api.Run, error)) func(*http.Request) (int, any) {
	return func(r *http.Request) (int, any) {
		req, rec, err := asked[api.RunRequest](r)
		if err != nil {
			return invalid(err)
		}
		rec.Object = r.PathValue("id")
		if err := rec.reserve(); err != nil {
			return unrecorded(err)
		}
		u, err := say(r.PathValue("id"), &req)
		if err != nil {
			return runRefused(err)
		}
		return http.StatusOK, u
	}
}

func (s *Server) runEvidence(r *http.Request) (int, any) {
	e, err := s.opts.Node.Plans.Evidence(r.PathValue("id"))
	if err != nil {
		return runRefused(err)
	}
	return http.StatusOK, e
}

func runRefused(err error) (int, any) {
	if errors.Is(err, run.ErrNotYours) {
		return http.StatusForbidden, failure(http.StatusForbidden, err)
	}
	if errors.Is(err, run.ErrFull) {
		return http.StatusServiceUnavailable, failure(http.StatusServiceUnavailable, err)
	}
	return intentRefused(err)
}
