package ui

import (
	"fmt"
	"html/template"
	"io/fs"
	"math"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A pageDef is one page. load asks the API for what it shows; live pages follow; charts are drawn by what npm brings.
type pageDef struct {
	name, title, path string
	live, charts      bool
	load              func(*visit) (any, error)
}

func pages() []pageDef {
	return []pageDef{
		{name: "overview", title: "Overview", path: "/ui/{$}", live: true, load: loadOverview},
		{name: "service", title: "Service", path: "/ui/services/{name}", live: true, charts: true, load: loadService},
		{name: "endpoint", title: "Endpoint", path: "/ui/endpoints/{zone}/{pool}/{endpoint}", live: true, charts: true, load: loadEndpoint},
		{name: "drains", title: "Drains", path: "/ui/drains", live: true, load: loadDrains},
		{name: "new", title: "New drain", path: "/ui/drains/new", load: loadNewDrain},
		{name: "drain", title: "Drain", path: "/ui/drains/{id}", live: true, load: loadDrain},
		{name: "incident", title: "Incident", path: "/ui/incidents/{id}", live: true, load: loadIncident},
		{name: "plans", title: "Plans and runs", path: "/ui/plans", live: true, load: loadPlans},
		{name: "plan", title: "Plan", path: "/ui/plans/{name}", live: true, load: loadPlan},
		{name: "start", title: "Start a run", path: "/ui/plans/{name}/start", load: loadStart},
		{name: "run", title: "Run", path: "/ui/runs/{id}", live: true, load: loadRun},
		{name: "abort", title: "Abort a run", path: "/ui/runs/{id}/abort", load: loadAbort},
		{name: "timeline", title: "Timeline", path: "/ui/timeline", live: true, load: loadTimeline},
		{name: "cluster", title: "Cluster", path: "/ui/cluster", live: true, load: loadCluster},
		{name: "config", title: "Config", path: "/ui/config", load: loadConfig},
		{name: "whatif", title: "What if", path: "/ui/what-if", load: loadWhatIf},
	}
}

// actions are what forms do, by path.
func actions() map[string]func(*visit) {
	return map[string]func(*visit){
		"/ui/drains": createDrain, "/ui/drains/{id}/end": endDrain, "/ui/drains/{id}/extend": extendDrain, "/ui/drills": createDrill,
		"/ui/endpoints/{zone}/{pool}/{endpoint}/probe": probeEndpoint, "/ui/plans/{name}/start": startRun, "/ui/runs/{id}/approve": sayOfRun("approve"),
		"/ui/runs/{id}/pause": sayOfRun("pause"), "/ui/runs/{id}/resume": sayOfRun("resume"), "/ui/runs/{id}/abort": abortRun,
	}
}

// loadTemplates parses each page with the layout.
func loadTemplates(a *assets) (map[string]*template.Template, error) {
	base, err := template.New("layout.html").Funcs(functions(a)).ParseFS(files, "templates/layout.html", "templates/part.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	out := make(map[string]*template.Template)
	for _, n := range names {
		name := strings.TrimSuffix(path.Base(n), ".html")
		if name == "layout" || name == "part" {
			continue
		}
		t, err := base.Clone()
		if err != nil {
			return nil, err
		}
		if out[name], err = t.ParseFS(files, n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func functions(a *assets) template.FuncMap {
	return template.FuncMap{
		"asset": a.address, "display": display, "percent": percent, "seconds": seconds, "when": when, "clock": clock, "iso": iso,
		"servicePath": servicePath, "endpointPath": endpointPath, "join": strings.Join, "mark": markOf, "leftMark": leftMark, "plural": plural,
		"dict": dict, "unknown": unknownWords, "query": url.QueryEscape, "orderMark": orderMark, "eventMark": eventMark, "phase": phaseWord, "eventText": eventText, "eventSubject": eventSubject, "eventPath": eventPath, "nav": nav, "kindShape": kindShape, "drillMark": drillMark, "nodeMark": nodeMark, "delayMark": delayMark, "fileMark": fileMark, "sourceWord": sourceWord, "deref": func(b *bool) bool { return b != nil && *b },
		"planPath": planPath, "runPath": runPath, "wouldMark": wouldMark, "prospectMark": prospectMark, "runMark": runMark, "stepMark": stepMark,
		"runKind": func(u api.Run) string { return runKind(&u) }, "atStep": func(u api.Run) int { return atStep(&u) }, "inc": func(i int) int { return i + 1 },
	}
}

// dict is a map for a template that takes several values: keys and values by turns.
func dict(pairs ...any) map[string]any {
	m := make(map[string]any)
	for i := 0; i+1 < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m
}

// A mark is how a state is shown: always shape, word and colour. Shape is the name of a symbol in layout.html, and the class that gives
// it its colour.
type mark struct{ Shape, Word string }

// markOf is the mark of an endpoint's state.
func markOf(state string) mark {
	if slices.Contains([]string{"up", "suspect", "down", "drained"}, state) {
		return mark{state, state}
	}
	return mark{"unknown", "unknown"}
}

// leftMark is the mark of what has left the answers: for what no verdict and no order keeps out, the shape of what is not known, and the word.
func leftMark(state string) mark {
	if m := markOf(state); m.Word == state {
		return m
	}
	return mark{"unknown", state}
}

// orderMark is the mark of an order.
func orderMark(i *api.Intent) mark {
	word := strings.ReplaceAll(i.State, "_", " ")
	switch i.State {
	case api.IntentSuspended, api.IntentDangling:
		return mark{"suspect", word}
	case api.IntentInForce:
		return mark{"drained", word}
	}
	return mark{"unknown", word}
}

// eventMark is the mark of an event, by its type.
func eventMark(e *api.Event) string {
	_, what, _ := strings.Cut(e.Type, ".")
	switch {
	case what == "down" || what == "dark" || what == "isolated" || what == "rejected" || what == "broken":
		return "down"
	case what == "suspect" || what == "void" || what == "stale" || what == "unknown" || what == "would_stop" || what == "stopped" || what == "incomplete":
		return "suspect"
	case what == "up":
		return "up"
	case strings.HasPrefix(e.Type, "intent.") || what == "drained":
		return "drained"
	}
	return "note"
}

// eventText is what an event says; one without a text says it by its type.
func eventText(e *api.Event) string {
	if e.Text != "" {
		return e.Text
	}
	kind, what, _ := strings.Cut(e.Type, ".")
	return strings.ReplaceAll(kind+" "+what, "_", " ")
}

// eventSubject is what an event is about, as people write it: incidents have ids that say nothing.
func eventSubject(e *api.Event) string {
	if strings.HasPrefix(e.Type, "incident.") {
		return "incident"
	}
	return display(e.Subject)
}

// eventPath is the page of what an event is about; empty if there is none.
func eventPath(e *api.Event) string {
	kind, _, _ := strings.Cut(e.Type, ".")
	parts := strings.Split(e.Subject, "/")
	switch {
	case kind == "incident":
		return "/ui/incidents/" + url.PathEscape(e.Subject)
	case kind == "service" && len(parts) == 1:
		return servicePath(e.Subject)
	case kind == "endpoint" && len(parts) == 3:
		return endpointPath(parts[0], parts[1], parts[2])
	case kind == "plan":
		return planPath(e.Subject)
	}
	return ""
}

// display is a name as people write it: without the final dot.
func display(name string) string { return strings.TrimSuffix(name, ".") }

// percent is a fraction as a whole number of percent; little is not nothing.
func percent(f float64) string {
	switch p := f * 100; {
	case p > 0 && p < 1:
		return "<1 %"
	case p > 99 && p < 100:
		return ">99 %"
	default:
		return fmt.Sprintf("%.0f %%", p)
	}
}

// seconds is a duration in seconds for people.
func seconds(s float64) string {
	switch {
	case s < 0:
		return "unknown"
	case s == 0:
		return "0 s"
	case s < 0.0095:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", s*1000), ".0") + " ms"
	case s < 1:
		return fmt.Sprintf("%.0f ms", s*1000)
	case s < 100:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", s), ".0") + " s"
	case s < 2*3600:
		return fmt.Sprintf("%.0f min", math.Round(s/60))
	case s < 48*3600:
		return fmt.Sprintf("%.0f h", math.Round(s/3600))
	}
	return fmt.Sprintf("%.0f d", math.Round(s/86400))
}

// instantOf takes what templates have: a time or a pointer to one.
func instantOf(v any) time.Time {
	switch t := v.(type) {
	case time.Time:
		return t
	case *time.Time:
		if t != nil {
			return *t
		}
	}
	return time.Time{}
}

func iso(v any) string { return instantOf(v).UTC().Format("2006-01-02T15:04:05.000Z") }

// clock is the time of day in UTC.
func clock(v any) string { return instantOf(v).UTC().Format("15:04:05") }

// when is an instant in UTC, with the date unless it is today's.
func when(v any) string {
	t := instantOf(v).UTC()
	if t.IsZero() {
		return "—"
	}
	if now := time.Now().UTC(); t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04:05")
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	if strings.HasSuffix(one, "ch") || strings.HasSuffix(one, "s") {
		return fmt.Sprintf("%d %ses", n, one)
	}
	return fmt.Sprintf("%d %ss", n, one)
}

func servicePath(name string) string { return "/ui/services/" + url.PathEscape(display(name)) }

func endpointPath(zone, pool, endpoint string) string {
	return "/ui/endpoints/" + url.PathEscape(display(zone)) + "/" + url.PathEscape(pool) + "/" + url.PathEscape(endpoint)
}

// unknownWords says who has not confirmed.
func unknownWords(list []api.UnknownNode) string {
	var parts []string
	for _, u := range list {
		text := u.Node + " " + u.Why
		if u.Answering {
			text = u.Node + " answers it"
		}
		if u.Since != nil && strings.HasSuffix(u.Why, "since") {
			text += " " + clock(u.Since) + " UTC"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// phaseWord is the word for how a forgetting stands.
func phaseWord(f *api.Forgetting, left bool) string {
	switch {
	case !left:
		return "nothing"
	case len(f.Void) > 0 && f.SafeAt == nil:
		return "void"
	case f.SafeAt == nil:
		return "unknown"
	case f.Final:
		return "final"
	}
	return "known"
}

// A navItem is one entry of the head of each page.
type navItem struct{ Name, Title, Path string }

// nav are the entries; plans is set where the node has some, or runs of them.
func nav(plans bool) []navItem {
	items := []navItem{
		{"overview", "Overview", "/ui/"},
		{"drains", "Drains", "/ui/drains"},
		{"plans", "Plans", "/ui/plans"},
		{"timeline", "Timeline", "/ui/timeline"},
		{"cluster", "Cluster", "/ui/cluster"},
		{"config", "Config", "/ui/config"},
		{"whatif", "What if", "/ui/what-if"},
	}
	if !plans {
		items = slices.DeleteFunc(items, func(i navItem) bool { return i.Name == "plans" })
	}
	return items
}

// kindShape is the shape of a kind of incident.
func kindShape(kind string) string {
	switch kind {
	case "health":
		return "down"
	case "intent":
		return "drained"
	}
	return "note"
}

// drillMark is the mark of a drill.
func drillMark(outcome string) mark {
	switch outcome {
	case api.DrillSucceeded:
		return mark{"up", "succeeded"}
	case api.DrillFailed:
		return mark{"down", "failed"}
	case api.DrillAborted:
		return mark{"suspect", "aborted"}
	}
	return mark{"drained", strings.ToLower(outcome)}
}

// sourceWord says on what ground members answer.
func sourceWord(source string) string {
	switch source {
	case "tier":
		return "tier"
	case "nodata":
		return "nothing (NODATA)"
	}
	return strings.ReplaceAll(source, "_", " ")
}
