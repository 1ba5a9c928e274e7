package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/intent"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// maxIntentSeconds bounds a start and an end that are given: ten years.
const maxIntentSeconds = 10 * 365 * 24 * 3600

// errReason is what a drain without a reason gets.
var errReason = errors.New("reason: required, it is what the next person reads")

func (s *Server) listIntents(*http.Request) (int, any) {
	return http.StatusOK, api.Intents{Intents: intentsOf(s.opts.Node)}
}

func (s *Server) oneIntent(r *http.Request) (int, any) {
	id, err := health.ParseIntentID(r.PathValue("id"))
	if err != nil {
		return invalid(err)
	}
	for _, i := range s.opts.Node.Intents() {
		if i.ID == id {
			return http.StatusOK, intentShown(&i)
		}
	}
	return intentRefused(fmt.Errorf("%w: %s", health.ErrNoIntent, id))
}

func (s *Server) createIntent(r *http.Request) (int, any) {
	req, rec, err := asked[api.IntentRequest](r)
	if err != nil {
		return invalid(err)
	}
	rec.dryRun = req.DryRun
	rec.Object = req.Scope.Kind + " " + req.Scope.Name
	i, err := intentOf(&req, time.Now())
	if i.Kind != 0 {
		rec.Action = i.Kind.String()
	}
	if err != nil {
		return invalid(err)
	}
	if req.DryRun {
		return s.preview(i)
	}
	if err := s.opts.Node.Explainer.Boat(i); err != nil {
		return intentRefused(err)
	}
	return s.intend(rec, i, req.Wait)
}

// intentOf is the order that req makes at now.
func intentOf(req *api.IntentRequest, now time.Time) (i health.Intent, err error) {
	var kind health.ScopeKind
	switch req.Kind {
	case "drain":
		i.Kind = health.IntentDrain
	case "weight":
		i.Kind = health.IntentWeight
	case "force":
		i.Kind = health.IntentForce
	default:
		return i, fmt.Errorf("kind %q: want drain, weight or force; ready and failback have paths of their own", req.Kind)
	}
	if err := kind.UnmarshalText([]byte(req.Scope.Kind)); err != nil {
		return i, err
	}
	if i.Scope, err = health.ParseScope(kind, req.Scope.Name); err != nil {
		return i, err
	}
	if req.Service != "" {
		i.Service = fqdn(req.Service)
	}
	i.Actor, i.Reason, i.Override, i.Start, i.Forever = req.Actor, req.Reason, req.Override, now.Add(durationOf(req.StartsInSeconds)), req.Forever
	i.Lifeboat = req.Lifeboat
	switch {
	case req.Reason == "":
		return i, errReason
	case (req.State != "") != (i.Kind == health.IntentForce):
		return i, errors.New("state: required for kind force, and for no other")
	case (req.Weight != nil) != (i.Kind == health.IntentWeight):
		return i, errors.New("weight: required for kind weight, and for no other")
	case req.StartsInSeconds < 0 || req.StartsInSeconds > maxIntentSeconds:
		return i, errors.New("starts_in_seconds: want 0 to ten years")
	case req.ForSeconds < 0 || req.ForSeconds > maxIntentSeconds:
		return i, errors.New("for_seconds: want 0 to ten years, or forever")
	case req.Forever && req.ForSeconds != 0:
		return i, errors.New("forever and for_seconds: want one of them")
	case req.ForSeconds != 0:
		i.End = i.Start.Add(durationOf(req.ForSeconds))
	}
	if req.Weight != nil {
		i.Weight = *req.Weight
	}
	if i.Kind == health.IntentForce {
		i.State, err = forcedState(req.State)
	}
	return i, err
}

// forcedState is what an endpoint is forced to count as.
func forcedState(word string) (health.State, error) {
	for _, s := range []health.State{health.Up, health.Down} {
		if word == s.String() {
			return s, nil
		}
	}
	return health.Unknown, fmt.Errorf("state %q: want up or down; the end of the intent is auto", word)
}

func durationOf(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func (s *Server) ready(r *http.Request) (int, any) {
	// A gate that closed by itself would take a pool out of service that somebody let in.
	return s.poolIntent(r, health.Intent{Kind: health.IntentReady, Forever: true})
}

func (s *Server) failback(r *http.Request) (int, any) {
	return s.poolIntent(r, health.Intent{Kind: health.IntentFailback})
}

func (s *Server) poolIntent(r *http.Request, i health.Intent) (int, any) {
	req, rec, err := asked[api.PoolRequest](r)
	if err != nil {
		return invalid(err)
	}
	if i.Scope, err = poolOf(r); err != nil {
		return invalid(err)
	}
	i.Actor, i.Reason, i.Override = req.Actor, req.Reason, req.Override
	if len(i.Override) > 0 && i.Reason == "" {
		return invalid(errReason)
	}
	if req.DryRun {
		rec.dryRun = true
		return s.preview(i)
	}
	return s.intend(rec, i, false)
}

// preview is what an order would do; nothing changes.
func (s *Server) preview(i health.Intent) (int, any) {
	i.Fill(time.Now())
	p, err := s.opts.Node.Explainer.Preview(i)
	if err != nil {
		return intentRefused(err)
	}
	p.Intent = intentShown(&health.IntentState{Intent: i, Planned: true})
	p.Intent.ID = ""
	return http.StatusOK, p
}

// poolOf is the pool that the path names.
func poolOf(r *http.Request) (health.Scope, error) {
	return health.ParseScope(health.ScopePool, r.PathValue("zone")+"/"+r.PathValue("pool"))
}

// intend gives an order and waits until another node has it too, or, with wait, all of them: 201 then, else 202.
func (s *Server) intend(rec *record, i health.Intent, wait bool) (int, any) {
	rec.Object = i.Scope.String()
	if i.Service != "" {
		rec.Object += " for " + i.Service
	}
	if err := rec.reserve(); err != nil {
		return unrecorded(err)
	}
	id, err := s.opts.Node.Intend(i)
	if err != nil {
		return intentRefused(err)
	}
	return s.taken(id, wait, http.StatusCreated)
}

func (s *Server) endIntent(r *http.Request) (int, any) {
	id, err := health.ParseIntentID(r.PathValue("id"))
	if err != nil {
		return invalid(err)
	}
	return s.end(r, func(i *health.IntentState) bool { return i.ID == id }, id.String())
}

func (s *Server) unready(r *http.Request) (int, any) {
	scope, err := poolOf(r)
	if err != nil {
		return invalid(err)
	}
	return s.end(r, func(i *health.IntentState) bool { return i.Kind == health.IntentReady && i.Scope == scope }, "ready for "+scope.String())
}

// end ends the intents that match, and answers with what they were.
func (s *Server) end(r *http.Request, match func(*health.IntentState) bool, what string) (int, any) {
	rec := recordOf(r)
	rec.Object = what
	req, err := endRequest(r)
	if err != nil {
		return invalid(err)
	}
	var ids []health.IntentID
	ended := api.Intents{Intents: []api.Intent{}}
	for _, i := range s.opts.Node.Intents() {
		if match(&i) {
			ids = append(ids, i.ID)
			ended.Intents = append(ended.Intents, intentShown(&i))
			rec.Object = i.Kind.String() + " " + i.ID.String() + ", " + i.Scope.String()
		}
	}
	if len(ids) == 0 {
		return intentRefused(fmt.Errorf("%w: %s", health.ErrNoIntent, what))
	}
	if req.DryRun {
		return s.previewEnd(rec, &req, ids, ended)
	}
	if err := rec.reserve(); err != nil {
		return unrecorded(err)
	}
	if err := s.opts.Node.EndIntent(ids, req.Actor, req.Reason); err != nil {
		return intentRefused(err)
	}
	holding, done := s.held(context.Background(), req.Wait, ids...)
	ended.Missing = holding.Missing
	if !done {
		return http.StatusAccepted, ended
	}
	return http.StatusOK, ended
}

// intentRefused is the reply to an order that was not carried out.
func intentRefused(err error) (int, any) {
	status := http.StatusInsufficientStorage
	switch {
	case errors.Is(err, health.ErrInvalidIntent):
		status = http.StatusBadRequest
	case errors.Is(err, health.ErrNotJoined), errors.Is(err, intent.ErrFull):
		status = http.StatusServiceUnavailable
	case errors.Is(err, health.ErrNothingNamed), errors.Is(err, health.ErrNoIntent):
		status = http.StatusNotFound
	case errors.Is(err, health.ErrIntentConflict):
		status = http.StatusConflict
	}
	if refused, ok := errors.AsType[*health.RuleError](err); ok {
		p := failure(http.StatusConflict, err)
		p.Rule, p.Service = refused.Rule, refused.Service
		return p.Status, p
	}
	return status, failure(status, err)
}

func intentsOf(n Node) []api.Intent {
	states := n.Intents()
	shown := make([]api.Intent, 0, len(states))
	for i := range states {
		shown = append(shown, intentShown(&states[i]))
	}
	return shown
}

func intentShown(i *health.IntentState) api.Intent {
	out := api.Intent{
		ID: i.ID.String(), Kind: i.Kind.String(), Scope: api.Scope{Kind: i.Scope.Kind.String(), Name: i.Scope.Path()}, Service: i.Service,
		Missing: i.Missing, State: api.IntentInForce, Actor: i.Actor, Reason: i.Reason, Override: slices.Clone(i.Override), StartsAt: i.Start, Lifeboat: i.Lifeboat,
	}
	if i.Bound.Len() > 0 {
		out.Bound = i.Bound.Texts()
	}
	if i.Kind == health.IntentWeight {
		weight := i.Weight
		out.Weight = &weight
	}
	if i.Kind == health.IntentForce {
		out.Forced = i.Intent.State.String()
	}
	if !i.Forever {
		end := i.End
		out.EndsAt = &end
	}
	switch {
	case i.Planned && !i.Nothing:
		out.State = api.IntentPlanned
	case i.Suspended != nil:
		out.State, out.Rule, out.RuleService = api.IntentSuspended, i.Suspended.Rule, i.Suspended.Service
	case i.Nothing:
		out.State, out.Note = api.IntentDangling, "it names nothing in the configuration"
	case i.NoEffect != "":
		out.State, out.Note = api.IntentNoEffect, i.NoEffect
	case len(i.Elsewhere) > 0:
		out.Note = "holds for " + strings.Join(i.Elsewhere, ", ") + " by address"
	}
	return out
}
