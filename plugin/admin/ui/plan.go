package ui

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// plansPage are the plans of this node, and the runs of the cluster.
type plansPage struct {
	api.Plans
	Runs []api.Run
}

func loadPlans(v *visit) (any, error) {
	p := new(plansPage)
	if err := v.get(api.PlansPath, &p.Plans); err != nil {
		return nil, err
	}
	var runs api.Runs
	if err := v.get(api.RunsPath, &runs); err != nil {
		return nil, err
	}
	p.Runs = runs.Runs
	return p, nil
}

// wouldMark is the mark of what a run of a plan would come to.
func wouldMark(f *api.PlanForesight) mark {
	switch {
	case f == nil:
		return mark{"unknown", "not looked at yet"}
	case f.StopsAt > 0:
		return mark{"suspect", "would stop at step " + strconv.Itoa(f.StopsAt)}
	}
	return mark{"up", "would go through"}
}

// prospectMark is the mark of what a step would come to.
func prospectMark(p *api.PlanProspect) mark {
	switch {
	case p == nil:
		return mark{"unknown", "not looked at yet"}
	case p.Stop != "":
		return mark{"suspect", "stop"}
	case p.Skip != "":
		return mark{"unknown", "be left out"}
	}
	return mark{"up", "be done"}
}

// A planPage is one plan.
type planPage struct {
	api.Plan
	Rows []planRow
	// Runs are those of the plan.
	Runs []api.Run
}

// A planRow is a step of a plan, and what a run that began now would make of it; Would is nil where nobody has looked.
type planRow struct {
	api.PlanStep
	Would *api.PlanProspect
}

func loadPlan(v *visit) (any, error) {
	p := new(planPage)
	if err := v.get(api.PlanPath(v.r.PathValue("name")), &p.Plan); err != nil {
		return nil, err
	}
	p.Rows = planRows(&p.Plan, p.Foresight)
	var runs api.Runs
	if err := v.get(api.RunsPath, &runs); err != nil {
		return nil, err
	}
	for _, u := range runs.Runs {
		if u.Plan == p.Name {
			p.Runs = append(p.Runs, u)
		}
	}
	return p, nil
}

// planRows are the steps of a plan with what a foresight says of each.
func planRows(p *api.Plan, f *api.PlanForesight) []planRow {
	rows := make([]planRow, 0, len(p.Steps))
	for i, s := range p.Steps {
		row := planRow{PlanStep: s}
		if f != nil && i < len(f.Steps) {
			row.Would = &f.Steps[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// variants are how a plan can be carried out.
var variants = []choice{{"graceful", "graceful"}, {"ungraceful", "ungraceful: the site is gone already"}}

// A startForm is what the wizard for a run has been told so far.
type startForm struct {
	Plan     api.Plan
	Variant  string
	Practice bool
	Reason   string
	Variants []choice
	// Foresight is what the API says that the run would come to; nil before the form is whole. Refused is why there is none.
	Foresight *api.PlanForesight
	Refused   string
	Rows      []planRow
}

func startFormOf(v *visit, values url.Values) *startForm {
	f := &startForm{
		Variant: values.Get("variant"), Practice: values.Get("practice") != "", Reason: strings.TrimSpace(values.Get("reason")), Variants: variants,
	}
	if f.Variant == "" {
		f.Variant = variants[0].Value
	}
	f.Plan.Name = v.r.PathValue("name")
	return f
}

// request is the run that the form asks for.
func (f *startForm) request(l *Login) api.PlanStartRequest {
	return api.PlanStartRequest{Variant: f.Variant, Practice: f.Practice, Actor: l.Who(), Reason: f.Reason}
}

// loadStart is the wizard: the form, and once it is whole what the run would come to.
func loadStart(v *visit) (any, error) {
	f := startFormOf(v, v.r.URL.Query())
	if err := v.get(api.PlanPath(f.Plan.Name), &f.Plan); err != nil {
		return nil, err
	}
	if f.Reason == "" || !v.Login.May("operator") {
		return f, nil
	}
	req := f.request(&v.Login)
	req.DryRun = true
	f.Foresight = new(api.PlanForesight)
	if err := v.call(http.MethodPost, api.PlanStartPath(f.Plan.Name), req, f.Foresight); err != nil {
		f.Foresight, f.Refused = nil, err.Error()
		return f, nil
	}
	f.Rows = planRows(&f.Plan, f.Foresight)
	return f, nil
}

// startRun begins a run whose plan's name was typed, as at a terminal.
func startRun(v *visit) {
	if err := v.r.ParseForm(); err != nil {
		v.fail(http.StatusBadRequest, "The form could not be read.")
		return
	}
	f := startFormOf(v, v.r.PostForm)
	if !v.typed(f.Plan.Name) {
		return
	}
	var made api.Run
	err := v.call(http.MethodPost, api.PlanStartPath(f.Plan.Name), f.request(&v.Login), &made)
	v.done(err, runPath(made.ID), "")
}

// typed tells whether the form has the name that has to be typed; if not, it answers that nothing has changed.
func (v *visit) typed(name string) bool {
	typed := strings.TrimSpace(v.r.PostFormValue("typed"))
	if typed != name {
		v.fail(http.StatusConflict, fmt.Sprintf("Not confirmed: %q is not %q. Nothing has changed.", typed, name))
	}
	return typed == name
}

func planPath(name string) string { return "/ui/plans/" + url.PathEscape(name) }

func runPath(id string) string { return "/ui/runs/" + url.PathEscape(id) }
