package ui

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// drainKinds are what can be drained.
var drainKinds = []string{"endpoint", "pool", "az", "region", "cluster", "node"}

// A choice is a chip of a form: what is sent, and what it is called.
type choice struct{ Value, Word string }

// durations are how long a drain may be asked for by a click; starts when it begins. An hour and now are the API's own defaults.
var (
	durations = []choice{{"900", "15 min"}, {"3600", "1 h"}, {"14400", "4 h"}, {"86400", "24 h"}, {"forever", "forever"}}
	starts    = []choice{{"0", "now"}, {"900", "in 15 min"}, {"3600", "in 1 h"}}
)

const defaultDuration = "3600"

// A drainForm is what the wizard has been told so far.
type drainForm struct {
	Kind, Name, Service, For, At, Reason string
	Override                             []string
	// Rule is one that was met, for which an override may be asked for.
	Kinds     []string
	Durations []choice
	Starts    []choice
	// Known are the names of the kind, for the list of suggestions.
	Known map[string][]string
	// Preview is what the API says would happen; nil before the form is whole. Refused is why there is none.
	Preview *api.Preview
	Refused string
	Changes []change
	// Typed is what has to be typed to go on; empty where a second click does.
	Typed string
}

// A change is one class of clients of one service before and after.
type change struct {
	Service, Class string
	Before, After  []azShare
	AfterSource    string
	Dark           bool
	Moved          float64
}

func drainFormOf(v *visit, values url.Values) *drainForm {
	f := &drainForm{
		Kind: values.Get("kind"), Name: strings.TrimSpace(values.Get("name")), Service: strings.TrimSpace(values.Get("service")),
		For: values.Get("for"), At: values.Get("at"), Reason: strings.TrimSpace(values.Get("reason")), Override: values["override"],
		Kinds: drainKinds, Durations: durations, Starts: starts,
	}
	if !slices.Contains(drainKinds, f.Kind) {
		f.Kind = "az"
	}
	if f.For == "" {
		f.For = defaultDuration
	}
	if f.At == "" {
		f.At = "0"
	}
	f.Known = namesOf(v.ui.hub.look().Status)
	return f
}

// namesOf are the names of what can be drained, by kind.
func namesOf(s *api.Status) map[string][]string {
	out := map[string][]string{}
	add := func(kind, name string) {
		if len(out[kind]) < maxNames && !slices.Contains(out[kind], name) {
			out[kind] = append(out[kind], name)
		}
	}
	for _, z := range s.Zones {
		for _, p := range z.Pools {
			pool := display(z.Name) + "/" + p.Name
			add("pool", pool)
			add("region", p.Region)
			for _, e := range p.Endpoints {
				add("az", e.AZ)
				add("endpoint", pool+"/"+e.Name)
			}
		}
		for _, svc := range z.Services {
			add("service", display(svc.Name))
		}
	}
	for _, c := range s.Discovery {
		add("cluster", c.Name)
	}
	if s.Cluster != nil {
		for _, n := range s.Cluster.Nodes {
			add("node", n.Name)
		}
	}
	return out
}

// maxNames bounds the list of suggestions of a field.
const maxNames = 500

// request is the order that the form makes.
func (f *drainForm) request(l *Login) (api.IntentRequest, error) {
	r := api.IntentRequest{
		Kind: "drain", Scope: api.Scope{Kind: f.Kind, Name: f.Name}, Service: f.Service, Reason: f.Reason, Override: f.Override, Actor: l.Who(),
	}
	if r.Forever = f.For == "forever"; !r.Forever {
		seconds, err := strconv.ParseFloat(f.For, 64)
		if err != nil || seconds <= 0 {
			return r, &problem{http.StatusBadRequest, "how long: want a number of seconds, or forever"}
		}
		r.ForSeconds = seconds
	}
	var err error
	if r.StartsInSeconds, err = strconv.ParseFloat(f.At, 64); err != nil || r.StartsInSeconds < 0 {
		return r, &problem{http.StatusBadRequest, "from when on: want a number of seconds"}
	}
	return r, nil
}

// loadNewDrain is the wizard: the form, and once it is whole what the order would do.
func loadNewDrain(v *visit) (any, error) {
	f := drainFormOf(v, v.r.URL.Query())
	if f.Name == "" || f.Reason == "" || !v.Login.May("operator") {
		return f, nil
	}
	f.preview(v)
	return f, nil
}

// preview asks what the order would do. With an override the API still names the rules that are not overridden.
func (f *drainForm) preview(v *visit) {
	r, err := f.request(&v.Login)
	if err == nil {
		r.DryRun = true
		f.Preview = new(api.Preview)
		err = v.call(http.MethodPost, api.IntentsPath, r, f.Preview)
	}
	if err != nil {
		f.Preview, f.Refused = nil, err.Error()
		return
	}
	tone := tonesOf(v.ui.hub.look().Status)
	wide := false
	for i := range f.Preview.WhatIf.Services {
		c := changeOf(&f.Preview.WhatIf.Services[i], tone)
		wide = wide || c.Moved > wideMove || c.Dark
		f.Changes = append(f.Changes, c)
	}
	slices.SortStableFunc(f.Changes, func(a, b change) int { return int(1000 * (b.Moved - a.Moved)) })
	if wide || slices.Contains([]string{"az", "region", "cluster"}, f.Kind) || len(f.Override) > 0 {
		f.Typed = f.Name[strings.LastIndex(f.Name, "/")+1:]
	}
}

// wideMove is the part of a service's answers above which a name has to be typed, as at a terminal.
const wideMove = 0.5

func changeOf(s *api.WhatIfService, tone map[string]int) change {
	c := change{
		Service: s.Service, Class: s.Class, Before: azShares(s.Before.Shares, tone), After: azShares(s.After.Shares, tone),
		AfterSource: s.After.Source, Dark: s.After.Source == "nodata" && s.Before.Source != "nodata",
	}
	for _, b := range c.Before {
		left := b.Fraction
		for _, a := range c.After {
			if a.AZ == b.AZ {
				left -= a.Fraction
			}
		}
		c.Moved += max(0, left)
	}
	return c
}

// createDrain gives the order, if it has been confirmed.
func createDrain(v *visit) {
	if err := v.r.ParseForm(); err != nil {
		v.fail(http.StatusBadRequest, "The form could not be read.")
		return
	}
	f := drainFormOf(v, v.r.PostForm)
	f.preview(v)
	if typed := strings.TrimSpace(v.r.PostForm.Get("typed")); f.Preview != nil && f.Typed != "" && typed != f.Typed && typed != f.Name {
		v.fail(http.StatusConflict, fmt.Sprintf("Not confirmed: %q is not %q. Nothing has changed.", typed, f.Typed))
		return
	}
	r, err := f.request(&v.Login)
	var made api.Intent
	if err == nil {
		err = v.call(http.MethodPost, api.IntentsPath, r, &made)
	}
	if err != nil {
		v.failed(err)
		return
	}
	http.Redirect(v.w, v.r, "/ui/drains/"+url.PathEscape(made.ID), http.StatusSeeOther)
}

// A drainPage is one order and what came of it.
type drainPage struct {
	// Order is nil once it is over.
	Order    *api.Intent
	ID       string
	Incident *ledger.Incident
	Caches   incidentCaches
	// Durations are for its extension.
	Durations []choice
}

func loadDrain(v *visit) (any, error) {
	p := &drainPage{ID: v.r.PathValue("id"), Durations: durations}
	l := v.ui.hub.look()
	for i := range l.Status.Intents {
		if l.Status.Intents[i].ID == p.ID {
			p.Order = &l.Status.Intents[i]
		}
	}
	for _, i := range l.Incidents {
		if i.Intent == p.ID {
			p.Incident = i
			p.Caches = cachesOf(v, i)
			break
		}
	}
	if p.Order == nil && p.Incident == nil {
		return nil, &problem{http.StatusNotFound, "This node knows no order " + p.ID + " any more."}
	}
	return p, nil
}

func endDrain(v *visit) {
	id := v.r.PathValue("id")
	err := v.call(http.MethodDelete, api.IntentPath(id), api.EndRequest{Actor: v.Login.Who(), Reason: v.r.PostFormValue("reason")}, nil)
	v.done(err, "/ui/drains/"+url.PathEscape(id), "/ui/drains")
}

func extendDrain(v *visit) {
	id := v.r.PathValue("id")
	f := drainForm{For: v.r.PostFormValue("for"), At: "0"}
	r, err := f.request(&v.Login)
	if err == nil {
		err = v.call(http.MethodPatch, api.IntentPath(id), api.ExtendRequest{Actor: v.Login.Who(), ForSeconds: r.ForSeconds, Forever: r.Forever}, nil)
	}
	v.done(err, "/ui/drains/"+url.PathEscape(id), "")
}

// done leads to a page once an order has been taken, or says why it was not. other is where to go if the first page may be gone.
func (v *visit) done(err error, to, other string) {
	switch {
	case err != nil:
		v.failed(err)
		return
	case other != "":
		to = other
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
}

// drainsPage are all orders, drills, and drains that are over.
type drainsPage struct {
	Orders []api.Intent
	Drills []api.Drill
	Past   []*ledger.Incident
}

// maxPast is how many drains that are over are listed; the timeline has the others.
const maxPast = 20

func loadDrains(v *visit) (any, error) {
	l := v.ui.hub.look()
	p := &drainsPage{Orders: l.Status.Intents}
	var drills api.Drills
	if err := v.get(api.DrillsPath, &drills); err != nil {
		return nil, err
	}
	p.Drills = drills.Drills
	for _, i := range l.Incidents {
		over := !slices.ContainsFunc(p.Orders, func(o api.Intent) bool { return o.ID == i.Intent })
		if i.Kind == ledger.ByIntent && over && len(p.Past) < maxPast {
			p.Past = append(p.Past, i)
		}
	}
	return p, nil
}

// A drillForm starts a rehearsal; it needs the same words as a drain.
func createDrill(v *visit) {
	if err := v.r.ParseForm(); err != nil {
		v.fail(http.StatusBadRequest, "The form could not be read.")
		return
	}
	f := drainFormOf(v, v.r.PostForm)
	r, err := f.request(&v.Login)
	var made api.Drill
	if err == nil {
		err = v.call(http.MethodPost, api.DrillsPath, api.DrillRequest{
			Scope: r.Scope, Service: r.Service, ForSeconds: r.ForSeconds, Actor: r.Actor, Reason: r.Reason, Override: r.Override,
		}, &made)
	}
	v.done(err, "/ui/drains", "")
}

// incidentCaches is what is to say of the caches of an incident.
type incidentCaches struct {
	// Certificate is set once the API certifies; Refused says why it does not.
	Certificate *ledger.Certificate
	Refused     string
	Curve       string
	Seconds     int
	// Phase is known, final, unknown or void, as for services, or back: it is answered again, and was never final.
	Phase string
	Now   time.Time
}

func cachesOf(v *visit, i *ledger.Incident) incidentCaches {
	c := incidentCaches{Now: v.Now}
	c.Curve, c.Seconds = curve(i.Exposure)
	switch {
	case i.Forgotten():
		c.Phase = "final"
	case i.CameBack():
		c.Phase = "back"
	case len(i.Void) > 0 && !i.Known():
		c.Phase = "void"
	case i.Known():
		c.Phase = "known"
	default:
		c.Phase = "unknown"
	}
	var e ledger.Envelope
	if err := v.get(api.IncidentPath(i.ID)+api.CertificateSuffix, &e); err != nil {
		c.Refused = strings.TrimPrefix(err.Error(), http.StatusText(http.StatusConflict)+": ")
		return c
	}
	c.Certificate = payloadOf(&e)
	return c
}
