package ui

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// eventKinds are the filters of the timeline: what a type begins with, and what it is called.
var eventKinds = []choice{
	{"", "everything"}, {"endpoint.", "endpoints"}, {"service.", "services"}, {"pool.", "pools"}, {"intent.", "orders"}, {"incident.", "incidents"},
	{"node.", "nodes"}, {"config.", "files"},
}

// maxTimeline is how many events the timeline shows.
const maxTimeline = 200

// A timeline is what happened, the newest first.
type timeline struct {
	Kind, Subject string
	Kinds         []choice
	Events        []api.Event
	Incidents     []*ledger.Incident
	// Query is that of the page, for its copy.
	Query string
}

func loadTimeline(v *visit) (any, error) {
	q := v.r.URL.Query()
	t := &timeline{Kind: q.Get("kind"), Subject: strings.TrimSpace(q.Get("subject")), Kinds: eventKinds, Query: v.r.URL.RawQuery}
	list := v.ui.opts.Backend.Events(api.MaxEvents)
	for _, e := range slices.Backward(list) {
		if strings.HasPrefix(e.Type, t.Kind) && strings.Contains(e.Subject, t.Subject) && len(t.Events) < maxTimeline {
			t.Events = append(t.Events, e)
		}
	}
	incidents := v.ui.hub.look().Incidents
	t.Incidents = incidents[:min(len(incidents), maxPast)]
	return t, nil
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
