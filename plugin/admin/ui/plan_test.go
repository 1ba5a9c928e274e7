package ui

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/run"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const testRun = "run-eu-out-1a2b3c4d"

// planned is quiet with a plan of three steps, and a run of it as change leaves it: the first step is done, the second one waits for a person.
func planned(t *testing.T, change func(*api.Run)) *fakeBackend {
	t.Helper()
	b := quiet()
	b.plans = true
	p := api.Plan{
		Name: "eu-out", Says: "EU <goes> out", File: "/p/eu-out.yaml", OnFailure: "stop", Run: testRun,
		Steps: []api.PlanStep{
			{Name: "scale", Kind: "hook", Does: "calls https://ops.example.org"}, {Name: "lag", Kind: "approve", Does: "waits for the word of bob"},
			{Name: "out", Kind: "drain", Does: "drains pool eu"},
		},
		Foresight: &api.PlanForesight{
			At: at, StopsAt: 3, Why: "us: 1 of 2 endpoints are up", Text: "plan eu-out would stop at step 3",
			Steps: []api.PlanProspect{{Step: "scale"}, {Step: "lag", Note: "waits for a person"}, {Step: "out", Stop: "us: 1 of 2 endpoints are up"}},
		},
		Practice: &api.PlanPractice{Day: "tuesday", At: "09:30", WindowSeconds: 7200, OpensAt: at, Skipped: "n3 is not heard"},
	}
	ended := at.Add(time.Second)
	u := api.Run{
		ID: testRun, Plan: "eu-out", Variant: "graceful", Actor: "ada", Reason: "CHG-7", Status: "waiting", Owner: "n2", Epoch: 2, StartedAt: at, Current: 2,
		Waits: "bob has to approve: fairlead plan approve " + testRun + " lag", Steps: []api.RunStep{
			{Name: "scale", Kind: "hook", Status: "done", Does: "calls https://ops.example.org", Text: "200 OK", Attempt: 1, BeganAt: &at, EndedAt: &ended},
			{Name: "lag", Kind: "approve", Status: "waiting", Does: "waits for the word of bob", Attempt: 1, BeganAt: &ended},
			{Name: "out", Kind: "drain", Status: "pending", Does: "drains pool eu"},
		},
	}
	if change != nil {
		change(&u)
	}
	took, rpo := 1.0, 2.5
	payload, err := json.Marshal(run.Evidence{
		Run: u.ID, Plan: u.Plan, Status: run.Status(u.Status), Actor: "ada", Reason: "CHG-7", StartedAt: at,
		RPOSeconds: &rpo, RTOText: "not every step was done", BoundText: "nothing was taken out",
		Steps: []run.EvidenceStep{{Name: "scale", Node: "n1", Seconds: &took}, {Name: "lag"}, {Name: "out"}},
		Words: []run.EvidenceWord{{At: at, Node: "n2", What: "owned"}, {At: at, Node: "n1", Actor: "carol", What: "paused", Text: "<wait>"}},
	})
	require.NoError(t, err)
	b.replies["GET "+api.PlansPath] = api.Plans{Node: "n1", Plans: []api.Plan{p}, Problems: []string{"/p/x.yaml:1: unknown key"}}
	b.replies["GET "+api.PlanPath("eu-out")] = p
	b.replies["GET "+api.RunsPath] = api.Runs{Runs: []api.Run{u, {ID: "run-other-00000000", Plan: "other", Status: "done"}}}
	b.replies["GET "+api.RunPath(testRun)] = u
	b.replies["GET "+api.RunPath(testRun)+evidenceSuffix] = ledger.Envelope{PayloadType: run.EvidenceType, Payload: payload}
	for _, word := range []string{"approve", "pause", "resume", "abort"} {
		b.replies["POST "+api.RunPath(testRun)+"/"+word] = u
	}
	b.replies["POST "+api.PlanStartPath("eu-out")] = u
	return b
}

// TestPlansAreInTheNavigation: of a node that has some, and of no other.
func TestPlansAreInTheNavigation(t *testing.T) {
	require.NotContains(t, enter(t, quiet(), "viewer").page("/ui/"), `href="/ui/plans"`)
	page := enter(t, planned(t, nil), "viewer").page("/ui/plans")
	require.Contains(t, page, `<a href="/ui/plans" aria-current="page">Plans</a>`)
	for _, want := range []string{
		"would stop at step 3", "us: 1 of 2 endpoints are up", "EU &lt;goes&gt; out", "/p/x.yaml:1: unknown key", "skipped: n3 is not heard",
		`href="/ui/runs/` + testRun + `"`, "2 of 3", `href="/ui/runs/run-other-00000000"`,
	} {
		require.Contains(t, page, want)
	}
	require.NotContains(t, page, `class="mark down"`, "what waits is not down")
}

// TestPlansOnTheOverview: those that want somebody to look, and nothing where none does.
func TestPlansOnTheOverview(t *testing.T) {
	require.NotContains(t, enter(t, planned(t, nil), "viewer").page("/ui/"), "h-plans")
	b := planned(t, nil)
	b.status.Plans = []api.PlanBrief{{Name: "eu-out", Text: "plan eu-out would stop at step 3: lag", StopsAt: 3}, {Name: "us-out", Run: testRun, RunStatus: "stopped"}}
	page := enter(t, b, "viewer").page("/ui/")
	require.Contains(t, page, `<a href="/ui/plans/eu-out">plan eu-out would stop at step 3: lag</a>`)
	require.Contains(t, page, `<span>stopped</span></span> <a href="/ui/runs/`+testRun+`"`)
	require.NotContains(t, page, `href="/ui/plans/us-out"`, "nothing is wrong with it but its run")
}

func TestPlanPage(t *testing.T) {
	page := enter(t, planned(t, nil), "viewer").page("/ui/plans/eu-out")
	for _, want := range []string{"Plan eu-out would stop at step 3", "waits for a person", "drains pool eu", "the run stops and waits for a person", testRun} {
		require.Contains(t, page, want)
	}
	require.NotContains(t, page, "run-other", "runs of other plans")
	require.NotContains(t, page, "Start a run…", "a viewer has no buttons")
	require.Contains(t, enter(t, planned(t, nil), "operator").page("/ui/plans/eu-out"), `href="/ui/plans/eu-out/start"`)
	require.Equal(t, http.StatusNotFound, enter(t, planned(t, nil), "viewer").do(http.MethodGet, "/ui/plans/none", nil).Code)
}

func TestRunPage(t *testing.T) {
	page := enter(t, planned(t, nil), "viewer").page("/ui/runs/" + testRun)
	for _, want := range []string{
		testRun + " is waiting", "<p>Waits: bob has to approve</p>", "Carried on by <b>n2</b>, which took it over", `aria-current="step"`, "200 OK", "<td>1 s</td><td>n1</td>",
		"<b>2.5 s</b>", "not every step was done", "nothing was taken out", "<b>n2</b> carries it on from here", "<b>carol</b> paused on n1: &lt;wait&gt;",
		`href="/ui/runs/` + testRun + `/evidence"`, `href="/ui/runs/` + testRun + `/evidence.md"`,
	} {
		require.Contains(t, page, want)
	}
	require.Equal(t, 1, strings.Count(page, `aria-current="step"`))
	main, _, _ := strings.Cut(page, "</main>")
	_, main, _ = strings.Cut(main, "<main")
	require.Equal(t, 1, strings.Count(main, "<button"), "a viewer has no button but the one that copies")
	require.NotContains(t, main, "<form")
	require.NotContains(t, main, "Abort")
}

// TestRunButtons: those that the API would take as the run stands.
func TestRunButtons(t *testing.T) {
	fail := func(status string) func(*api.Run) {
		return func(u *api.Run) { u.Status, u.Waits, u.Steps[1].Status = "stopped", "", status }
	}
	everything := []string{"Approve lag", "Pause", "Resume", "Do lag again", "lag has been done", "Abort…", "The way back"}
	for _, tt := range []struct {
		name   string
		change func(*api.Run)
		want   []string
	}{
		{"waiting", nil, []string{"Approve lag", "Pause", "Abort…"}},
		{"running", func(u *api.Run) { u.Status, u.Steps[1].Status = "running", "running" }, []string{"Pause", "Abort…"}},
		{"paused", func(u *api.Run) { u.Status, u.Steps[1].Status = "paused", "running" }, []string{"Resume", "Abort…"}},
		{"failed", fail("failed"), []string{"Pause", "Do lag again", "lag has been done", "Abort…"}},
		{"uncertain", fail("uncertain"), []string{"Pause", "Do lag again", "lag has been done", "Abort…"}},
		{"undoing", func(u *api.Run) { u.Status = "undoing" }, nil},
		{"aborted", func(u *api.Run) { u.Status, u.EndedAt = "aborted", &at }, nil},
		{"broken", func(u *api.Run) { u.Status, u.Steps = "broken", nil }, nil},
		{"done", func(u *api.Run) { u.Status, u.EndedAt, u.Current = "done", &at, 4 }, []string{"The way back"}},
		{"practised", func(u *api.Run) { u.Status, u.EndedAt, u.Current, u.Practice = "done", &at, 4, true }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			page := enter(t, planned(t, tt.change), "operator").page("/ui/runs/" + testRun)
			var got []string
			for _, word := range everything {
				if strings.Contains(page, ">"+word) {
					got = append(got, word)
				}
			}
			require.Equal(t, tt.want, got)
		})
	}
}

// TestWordsOnRun: what a button says is what the API is asked, in the name of the login; an abort needs the run's name and a reason.
func TestWordsOnRun(t *testing.T) {
	b := planned(t, nil)
	c := enter(t, b, "operator")
	at := "/ui/runs/" + testRun
	said := func(path string, form url.Values, status int) *api.RunRequest {
		t.Helper()
		b.calls = nil
		w := c.do(http.MethodPost, at+"/"+path, form)
		require.Equal(t, status, w.Code, w.Body)
		for _, call := range b.calls {
			if req, ok := call.body.(api.RunRequest); ok && call.path == api.RunPath(testRun)+"/"+path {
				require.Equal(t, at, w.Header().Get("Location"))
				return &req
			}
		}
		return nil
	}
	require.Equal(t, &api.RunRequest{Step: "lag", Actor: "ada", Reason: "lag is 0"}, said("approve", url.Values{"step": {"lag"}, "reason": {"lag is 0"}}, http.StatusSeeOther))
	require.Equal(t, &api.RunRequest{Actor: "ada"}, said("pause", url.Values{"reason": {""}}, http.StatusSeeOther))
	require.Equal(t, &api.RunRequest{Actor: "ada", As: "done"}, said("resume", url.Values{"as": {"done"}}, http.StatusSeeOther))
	require.Nil(t, said("abort", url.Values{"typed": {"eu-out"}, "reason": {"back"}}, http.StatusConflict), "another name")
	require.Nil(t, said("abort", url.Values{"typed": {testRun}}, http.StatusBadRequest), "no reason")
	require.Equal(t, &api.RunRequest{Actor: "ada", Reason: "back"}, said("abort", url.Values{"typed": {testRun}, "reason": {"back"}}, http.StatusSeeOther))
	require.Contains(t, c.page(at+"/abort"), `data-must="`+testRun+`"`)

	b.replies["POST "+api.RunPath(testRun)+"/approve"] = api.Problem{Title: "Forbidden", Status: http.StatusForbidden, Detail: "lag asks for the word of bob, not of ada"}
	w := c.do(http.MethodPost, at+"/approve", url.Values{"step": {"lag"}})
	require.Equal(t, http.StatusForbidden, w.Code)
	require.Contains(t, w.Body.String(), "not of ada", "a refusal is told in the words of the API")
	require.NotContains(t, enter(t, planned(t, nil), "viewer").page(at+"/abort"), "data-must")
}

// TestStartWizard: what it would come to is shown first, and the plan's name has to be typed.
func TestStartWizard(t *testing.T) {
	b := planned(t, nil)
	path := "POST " + api.PlanStartPath("eu-out")
	started := b.replies[path]
	b.replies[path] = b.replies["GET "+api.PlanPath("eu-out")].(api.Plan).Foresight
	c := enter(t, b, "operator")
	require.NotContains(t, c.page("/ui/plans/eu-out/start"), "data-must", "nothing is started before a reason is given")
	page := c.page("/ui/plans/eu-out/start?variant=ungraceful&practice=1&reason=game+day")
	require.Contains(t, page, "plan eu-out would stop at step 3")
	require.Contains(t, page, `data-must="eu-out"`)
	require.Equal(t, api.PlanStartRequest{Variant: "ungraceful", Practice: true, Actor: "ada", Reason: "game day", DryRun: true}, b.calls[len(b.calls)-1].body)

	b.replies[path] = started
	form := url.Values{"variant": {"graceful"}, "reason": {"CHG-7"}, "typed": {"eu"}}
	b.calls = nil
	require.Equal(t, http.StatusConflict, c.do(http.MethodPost, "/ui/plans/eu-out/start", form).Code)
	require.Empty(t, b.calls, "nothing was asked of the API")
	form.Set("typed", "eu-out")
	w := c.do(http.MethodPost, "/ui/plans/eu-out/start", form)
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
	require.Equal(t, "/ui/runs/"+testRun, w.Header().Get("Location"))
	require.Equal(t, api.PlanStartRequest{Variant: "graceful", Actor: "ada", Reason: "CHG-7"}, b.calls[len(b.calls)-1].body)
	require.NotContains(t, enter(t, b, "viewer").page("/ui/plans/eu-out/start?reason=x"), "data-must")
}

func TestRunEvidence(t *testing.T) {
	b := planned(t, nil)
	c := enter(t, b, "viewer")
	w := c.do(http.MethodGet, "/ui/runs/"+testRun+"/evidence", nil)
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Header().Get("Content-Disposition"), testRun+"-evidence.json")
	require.Contains(t, w.Body.String(), run.EvidenceType)
	require.Contains(t, c.page("/ui/runs/"+testRun+"/evidence.md"), "| RPO | 2.500 s |")
	b.replies["GET "+api.RunPath(testRun)+evidenceSuffix] = api.Problem{Title: "Service Unavailable", Status: http.StatusServiceUnavailable, Detail: "nothing is served yet"}
	require.Contains(t, c.page("/ui/runs/"+testRun), "nothing is served yet", "the run is shown all the same")
	require.Equal(t, http.StatusServiceUnavailable, c.do(http.MethodGet, "/ui/runs/"+testRun+"/evidence.md", nil).Code)
}
