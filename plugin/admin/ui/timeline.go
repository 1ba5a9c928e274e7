package ui

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// eventKinds are the filters of the timeline: what a type begins with, and what it is called.
var eventKinds = []choice{
	{"", "everything"}, {"endpoint.", "endpoints"}, {"service.", "services"}, {"pool.", "pools"}, {"intent.", "orders"}, {"incident.", "incidents"}, {"plan.", "plans"},
	{"node.", "nodes"}, {"config.", "files"},
}

// eventSpans are the times that can be asked for, in minutes.
var eventSpans = []choice{{"", "all of it"}, {"15", "15 min"}, {"60", "1 h"}, {"360", "6 h"}, {"1440", "24 h"}}

// maxTimeline is how many events the timeline shows.
const maxTimeline = 200

// A timeline is what happened, the newest first.
type timeline struct {
	Kind, Subject, Incident, Since string
	Kinds, Spans                   []choice
	Events                         []api.Event
	// More is set where older events fit, too.
	More      bool
	Incidents []*ledger.Incident
	// Query is that of the page, for its copy.
	Query string
}

func loadTimeline(v *visit) (any, error) {
	q := v.r.URL.Query()
	t := &timeline{
		Kind: q.Get("kind"), Subject: strings.TrimSpace(q.Get("subject")), Incident: q.Get("incident"), Since: q.Get("since"),
		Kinds: eventKinds, Spans: eventSpans, Query: v.r.URL.RawQuery,
	}
	incidents := v.ui.hub.look().Incidents
	t.Incidents = incidents[:min(len(incidents), maxPast)]
	fits, err := t.filter(incidents, v.Now)
	if err != nil {
		return nil, err
	}
	for _, e := range slices.Backward(v.ui.opts.Backend.Events(api.MaxEvents)) {
		if !fits(&e) {
			continue
		}
		if len(t.Events) == maxTimeline {
			t.More = true
			break
		}
		t.Events = append(t.Events, e)
	}
	return t, nil
}

// filter is what the form asks for: a kind, a part of a subject or of a text, the time of an incident, the latest minutes.
func (t *timeline) filter(incidents []*ledger.Incident, now time.Time) (func(*api.Event) bool, error) {
	from, to := time.Time{}, now.Add(lead)
	if t.Incident != "" {
		i := slices.IndexFunc(incidents, func(i *ledger.Incident) bool { return i.ID == t.Incident })
		if i < 0 {
			return nil, &problem{http.StatusNotFound, "This node keeps no incident " + t.Incident + " any more."}
		}
		from, to = incidents[i].OpenedAt.Add(-lead), endOf(incidents[i], now)
	}
	if minutes, err := strconv.Atoi(t.Since); err == nil && minutes > 0 {
		if start := now.Add(-time.Duration(minutes) * time.Minute); start.After(from) {
			from = start
		}
	}
	of := strings.ToLower(t.Subject)
	return func(e *api.Event) bool {
		return strings.HasPrefix(e.Type, t.Kind) && !e.At.Before(from) && !e.At.After(to) &&
			(strings.Contains(strings.ToLower(e.Subject), of) || strings.Contains(strings.ToLower(e.Text), of) || e.Node == t.Subject)
	}, nil
}

// endOf is until when what happens belongs to an incident.
func endOf(i *ledger.Incident, now time.Time) time.Time {
	if i.Open() {
		return now.Add(lead)
	}
	return i.ClosedAt.Add(lead)
}

// timelineMarkdown is the timeline as text, to be pasted into a ticket.
func timelineMarkdown(v *visit) {
	data, err := loadTimeline(v)
	if err != nil {
		v.failed(err)
		return
	}
	v.w.Header().Set("Content-Type", "text/markdown; charset=utf-8")
	var b strings.Builder
	fmt.Fprintf(&b, "| UTC | what | of | text |\n| --- | --- | --- | --- |\n")
	for _, e := range data.(*timeline).Events {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", e.At.UTC().Format("2006-01-02 15:04:05.000"), cell(e.Type), cell(display(e.Subject)), cell(e.Text))
	}
	v.w.WriteHeader(http.StatusOK)
	// Who went away has no use for it.
	_, _ = v.w.Write([]byte(b.String()))
}

// cell is text as a cell of a table of Markdown.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(text)
}
