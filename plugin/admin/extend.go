package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// changeRoutes change an order that was given.
func (s *Server) changeRoutes() []route {
	return []route{
		{
			method: http.MethodPatch, path: api.IntentsPath + "/{id}", role: operator, action: "extend", doc: "Moves the end of an order to a later time.",
			body: api.ExtendRequest{}, reply: api.Intent{}, handle: s.extend,
		},
		{
			method: http.MethodPost, path: api.IntentsPath + "/{id}/resume", role: operator, action: "resume",
			doc:  "Puts an order in force that a safety rule suspends.",
			body: api.ResumeRequest{}, reply: api.Intent{}, other: map[int]any{http.StatusOK: api.Preview{}}, handle: s.resume,
		},
	}
}

func (s *Server) extend(r *http.Request) (int, any) {
	req, rec, err := asked[api.ExtendRequest](r)
	if err != nil {
		return invalid(err)
	}
	rec.Object = r.PathValue("id")
	id, err := health.ParseIntentID(r.PathValue("id"))
	switch {
	case err != nil:
		return invalid(err)
	case req.ForSeconds < 0 || req.ForSeconds > maxIntentSeconds:
		return invalid(errors.New("for_seconds: want 0 to ten years, or forever"))
	case req.Forever == (req.ForSeconds != 0):
		return invalid(errors.New("forever and for_seconds: want one of them"))
	}
	var end time.Time
	if !req.Forever {
		end = time.Now().Add(durationOf(req.ForSeconds))
	}
	if req.DryRun {
		return s.previewExtend(rec, id, end)
	}
	if err := rec.reserve(); err != nil {
		return unrecorded(err)
	}
	if rec.before(id) == nil {
		return intentRefused(fmt.Errorf("%w: %s", health.ErrNoIntent, id))
	}
	if err := s.opts.Node.Extend(id, end, req.Actor, req.Reason); err != nil {
		return intentRefused(err)
	}
	return s.taken(id, req.Wait, http.StatusOK)
}

func (s *Server) resume(r *http.Request) (int, any) {
	req, rec, err := asked[api.ResumeRequest](r)
	if err != nil {
		return invalid(err)
	}
	rec.Object = r.PathValue("id")
	id, err := health.ParseIntentID(r.PathValue("id"))
	switch {
	case err != nil:
		return invalid(err)
	case req.Reason == "":
		return invalid(errReason)
	case req.DryRun:
		return s.previewResume(rec, id, &req)
	}
	if err := rec.reserve(); err != nil {
		return unrecorded(err)
	}
	if rec.before(id) == nil {
		return intentRefused(fmt.Errorf("%w: %s", health.ErrNoIntent, id))
	}
	resumed, err := s.opts.Node.Resume(id, req.Override, req.Actor, req.Reason)
	if err != nil {
		return intentRefused(err)
	}
	return s.taken(resumed, req.Wait, http.StatusCreated)
}

// before notes in the record what an intent was before an order changed it; nil if there is none.
func (rec *record) before(id health.IntentID) *api.Intent {
	for _, i := range rec.server.opts.Node.Intents() {
		if i.ID == id {
			shown := intentShown(&i)
			rec.Before, rec.Object = encoded(shown), i.Kind.String()+" "+id.String()+", "+i.Scope.String()
			return &shown
		}
	}
	return nil
}

// taken is the reply to an order that has been carried out: it waits until another node has it too, or, with wait, all of them.
// The status is done then, else 202.
func (s *Server) taken(id health.IntentID, wait bool, done int) (int, any) {
	holding, enough := s.held(context.Background(), wait, id)
	if !enough {
		done = http.StatusAccepted
	}
	for _, shown := range intentsOf(s.opts.Node) {
		if shown.ID == id.String() {
			shown.Missing = holding.Missing
			return done, shown
		}
	}
	return intentRefused(fmt.Errorf("%w: %s was ended at once by somebody else", health.ErrNoIntent, id))
}
