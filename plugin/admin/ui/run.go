package ui

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/run"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A runPage is one run of a plan. What may be said of it now is the API's to decide: the buttons are those words that the API would take as the
// run stands.
type runPage struct {
	api.Run
	Rows []runRow
	// Evidence has the figures and the words of people; nil where there is none, and NoEvidence says why.
	Evidence   *run.Evidence
	NoEvidence string
	Figures    []figure
}

// A runRow is what has become of a step.
type runRow struct {
	api.RunStep
	// Node carried it out. Seconds is how long that took; nil while it has not ended.
	Node    string
	Seconds *float64
	// Now is set for the step that is next or under way.
	Now bool
	// Orders are those that it placed.
	Orders []runOrder
}

// A runOrder is an order of a step; Path is empty once no page is left of it.
type runOrder struct{ ID, Path string }

// A figure is what a run is measured by: seconds, or why they are not known.
type figure struct {
	Name, Says string
	Seconds    *float64
	Text       string
}

func loadRun(v *visit) (any, error) {
	p := new(runPage)
	if err := v.get(api.RunPath(v.r.PathValue("id")), &p.Run); err != nil {
		return nil, err
	}
	var err error
	if p.Evidence, err = v.evidence(p.ID); err != nil {
		p.NoEvidence = err.Error()
	} else {
		p.Figures = figuresOf(p.Evidence)
	}
	l := v.ui.hub.look()
	for i := range p.Steps {
		p.Rows = append(p.Rows, p.row(i, l))
	}
	return p, nil
}

func (p *runPage) row(i int, l *look) runRow {
	s := &p.Steps[i]
	row := runRow{RunStep: *s, Now: !p.Ended() && i == p.Current-1}
	if e := p.Evidence; e != nil && i < len(e.Steps) {
		row.Node, row.Seconds = e.Steps[i].Node, e.Steps[i].Seconds
	}
	for _, id := range s.Orders {
		o := runOrder{ID: id}
		if slices.ContainsFunc(l.Status.Intents, func(i api.Intent) bool { return i.ID == id }) ||
			slices.ContainsFunc(l.Incidents, func(i *ledger.Incident) bool { return i.Intent == id }) {
			o.Path = "/ui/drains/" + id
		}
		row.Orders = append(row.Orders, o)
	}
	return row
}

func figuresOf(e *run.Evidence) []figure {
	return []figure{
		{"RTO", "from the start until all was done and no honest cache held what was taken out", e.RTOSeconds, e.RTOText},
		{"RPO", "the greatest lag that a step measured", e.RPOSeconds, e.RPOText},
		{"Bound", "how long after an order caches could hold what it took out", e.BoundSeconds, e.BoundText},
	}
}

// evidence is what a run did, as the node signs it.
func (v *visit) evidence(id string) (*run.Evidence, error) {
	var signed ledger.Envelope
	if err := v.get(api.RunPath(id)+evidenceSuffix, &signed); err != nil {
		return nil, err
	}
	e := new(run.Evidence)
	return e, json.Unmarshal(signed.Payload, e)
}

const evidenceSuffix = "/evidence"

// runMarkdown is the evidence as a report.
func runMarkdown(v *visit) {
	e, err := v.evidence(v.r.PathValue("id"))
	if err != nil {
		v.failed(err)
		return
	}
	v.w.Header().Set("Content-Type", "text/markdown; charset=utf-8")
	v.w.WriteHeader(http.StatusOK)
	// Who went away has no use for it.
	_, _ = v.w.Write([]byte(e.Markdown()))
}

// Ended tells whether the run goes on no more.
func (p *runPage) Ended() bool { return run.Status(p.Status).Over() }

// Kind is the variant, and whether it is a practice.
func (p *runPage) Kind() string { return runKind(&p.Run) }

// WaitsFor says what the run waits for. The node that carries it on knows best; the others have the words of the step.
func (p *runPage) WaitsFor() string {
	switch {
	case p.Waits != "" && p.Waits != p.Why:
		// What would be typed at a terminal is a button here.
		says, _, _ := strings.Cut(p.Waits, ": fairlead plan ")
		return says
	case p.Waits == "" && p.Status == string(run.Waiting):
		if s := p.step(); s != nil {
			return "it " + s.Does
		}
	}
	return ""
}

// step is the one that is next or under way; nil if all are done.
func (p *runPage) step() *api.RunStep {
	if p.Current < 1 || p.Current > len(p.Steps) {
		return nil
	}
	return &p.Steps[p.Current-1]
}

// ToApprove is the step that waits for a person's word; nil while none does.
func (p *runPage) ToApprove() *api.RunStep {
	if s := p.step(); s != nil && s.Status == string(run.Waiting) && p.goesOn() {
		return s
	}
	return nil
}

// Failed is the step that stopped the run; nil while none has.
func (p *runPage) Failed() *api.RunStep {
	if p.Status != string(run.Stopped) {
		return nil
	}
	return p.step()
}

// goesOn tells whether the run has neither ended nor been aborted.
func (p *runPage) goesOn() bool {
	return slices.Contains([]string{string(run.Running), string(run.Waiting), string(run.PausedRun), string(run.Stopped)}, p.Status)
}

// MayPause tells whether the run could be paused.
func (p *runPage) MayPause() bool { return p.goesOn() && !p.MayResume() }

// MayResume tells whether the run is paused.
func (p *runPage) MayResume() bool { return p.Status == string(run.PausedRun) }

// MayAbort tells whether what the run did can be undone, also once all its steps are done: that is the way back, which a practice goes by itself.
func (p *runPage) MayAbort() bool {
	return p.goesOn() || p.Status == string(run.Succeeded) && !p.Practice
}

// runKind is the variant of a run, and whether it is a practice.
func runKind(u *api.Run) string {
	kind := u.Variant
	if u.Practice {
		kind += ", practice"
	}
	if u.Auto {
		kind += " by itself"
	}
	return kind
}

// atStep is how far a run is, counted from 1.
func atStep(u *api.Run) int { return min(u.Current, len(u.Steps)) }

// runMark is the mark of a run: nothing that goes on as it should looks as if it were down.
func runMark(status string) mark {
	switch run.Status(status) {
	case run.Succeeded:
		return mark{"up", status}
	case run.Running, run.Undoing:
		return mark{"drained", status}
	case run.Waiting, run.PausedRun:
		return mark{"suspect", status}
	case run.GaveUp:
		return mark{"unknown", status}
	}
	return mark{"down", status}
}

// stepMark is the mark of a step of a run.
func stepMark(status string) mark {
	switch run.Status(status) {
	case run.Succeeded:
		return mark{"up", status}
	case run.Failing, run.Uncertain, run.NotUndone:
		return mark{"down", status}
	case run.Running, run.Reverted:
		return mark{"drained", status}
	case run.Waiting:
		return mark{"suspect", status}
	}
	return mark{"unknown", status}
}

// sayOfRun sends a person's word on a run: the form has a step, or what becomes of one.
func sayOfRun(word string) func(*visit) {
	return func(v *visit) {
		id := v.r.PathValue("id")
		req := api.RunRequest{
			Step: v.r.PostFormValue("step"), As: v.r.PostFormValue("as"), Actor: v.Login.Who(), Reason: v.r.PostFormValue("reason"),
		}
		v.done(v.call(http.MethodPost, api.RunPath(id)+"/"+word, req, nil), runPath(id), "")
	}
}

// loadAbort is the page on which the end of a run is confirmed.
func loadAbort(v *visit) (any, error) {
	p := new(runPage)
	return p, v.get(api.RunPath(v.r.PathValue("id")), &p.Run)
}

// abortRun has what a run did undone, if the run's name was typed and there is a reason, as at a terminal.
func abortRun(v *visit) {
	if !v.typed(v.r.PathValue("id")) {
		return
	}
	if v.r.PostFormValue("reason") == "" {
		v.fail(http.StatusBadRequest, "Why is missing: it is what the next person reads. Nothing has changed.")
		return
	}
	sayOfRun("abort")(v)
}
