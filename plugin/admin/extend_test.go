package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config/zonedir"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func (n *fakeNode) Extend(id health.IntentID, end time.Time, _, _ string) error {
	i := slices.IndexFunc(n.intents, func(s health.IntentState) bool { return s.ID == id })
	if n.intendErr != nil {
		return n.intendErr
	}
	n.intents[i].End, n.intents[i].Forever = end, end.IsZero()
	return nil
}

func (n *fakeNode) Resume(id health.IntentID, override []string, actor, reason string) (health.IntentID, error) {
	i := slices.IndexFunc(n.intents, func(s health.IntentState) bool { return s.ID == id })
	if n.intendErr != nil {
		return health.IntentID{}, n.intendErr
	}
	was := n.intents[i].Intent
	was.Actor, was.Reason, was.Override = actor, reason, override
	n.intents = slices.Delete(n.intents, i, i+1)
	return n.Intend(was)
}

// drained has one drain, n1-1-1.
func drained() *fakeNode {
	return &fakeNode{intents: []health.IntentState{{Intent: health.Intent{
		ID: health.IntentID{Node: "n1", Incarnation: 1, Counter: 1}, Kind: health.IntentDrain, Scope: health.Scope{Kind: health.ScopeAZ, Name: "eu-a"}, Actor: "ada",
	}}}}
}

func TestForceRoute(t *testing.T) {
	n := &fakeNode{}
	c, _ := start(t, n)
	var made api.Intent
	force := func(scope, more string) string {
		return `{"kind":"force","scope":` + scope + `,"actor":"ada","reason":"x"` + more + `}`
	}
	const endpoint = `{"kind":"endpoint","name":"example.org/web/one"}`
	require.Equal(t, http.StatusCreated, send(t, c, "POST", api.IntentsPath, force(endpoint, `,"state":"down"`), &made))
	require.Equal(t, []any{"force", "down", api.IntentInForce}, []any{made.Kind, made.Forced, made.State})
	require.Equal(t, health.Down, n.intents[0].Intent.State)
	var p api.Problem
	for body, detail := range map[string]string{
		force(endpoint, ""):                                                   "state: required",
		force(endpoint, `,"state":"auto"`):                                    "the end of the intent is auto",
		force(endpoint, `,"state":"drained"`):                                 "want up or down",
		`{"kind":"drain","scope":` + endpoint + `,"reason":"x","state":"up"}`: "for no other",
	} {
		require.Equal(t, http.StatusBadRequest, send(t, c, "POST", api.IntentsPath, body, &p), body)
		require.Contains(t, p.Detail, detail)
	}
}

// TestExtendAndResume are recorded with what was before them and what is after.
func TestExtendAndResume(t *testing.T) {
	one := api.IntentPath("n1-1-1")
	rule := &health.RuleError{Suspension: health.Suspension{Rule: health.RuleKeepAZs, Service: "www."}}
	for _, tt := range []struct {
		name, method, path, body string
		err                      error
		missing                  []string
		status                   int
		outcome, before, after   string
	}{
		{"extend", "PATCH", one, `{"actor":"ada","reason":"y","for_seconds":60}`, nil, nil, 200, "ok", `"actor":"ada"`, `"ends_at":`},
		{"forever", "PATCH", one, `{"actor":"ada","forever":true}`, nil, nil, 200, "ok", `"id":"n1-1-1"`, `"id":"n1-1-1"`},
		{"here alone", "PATCH", one, `{"actor":"ada","forever":true}`, nil, []string{"n2"}, 202, "ok", `"id":"n1-1-1"`, `"missing":["n2"]`},
		{"sooner", "PATCH", one, `{"actor":"ada","for_seconds":1}`, fmt.Errorf("%w: sooner", health.ErrIntentConflict), nil, 409, "failed: nothing to do: sooner", `"id"`, ""},
		{"a rule", "PATCH", one, `{"actor":"ada","for_seconds":1}`, rule, nil, 409, "refused: keep_azs", `"id"`, ""},
		{"no end", "PATCH", one, `{"actor":"ada"}`, nil, nil, 400, "failed: forever and for_seconds: want one of them", "", ""},
		{"two ends", "PATCH", one, `{"actor":"ada","for_seconds":1,"forever":true}`, nil, nil, 400, "failed: forever and for_seconds: want one of them", "", ""},
		{"negative", "PATCH", one, `{"actor":"ada","for_seconds":-1}`, nil, nil, 400, "failed: for_seconds: want 0 to ten years, or forever", "", ""},
		{"extend nothing", "PATCH", api.IntentPath("n1-1-9"), `{"actor":"ada","for_seconds":1}`, nil, nil, 404, "failed: no such intent: n1-1-9", "", ""},
		{"resume", "POST", api.ResumePath("n1-1-1"), `{"actor":"bob","reason":"x","override":["keep_azs"]}`, nil, nil, 201, "ok", `"actor":"ada"`, `"override":["keep_azs"]`},
		{"resume without a reason", "POST", api.ResumePath("n1-1-1"), `{"actor":"bob"}`, nil, nil, 400, "failed: reason: required, it is what the next person reads", "", ""},
		{"resume nothing", "POST", api.ResumePath("n1-1-9"), `{"actor":"bob","reason":"x"}`, nil, nil, 404, "failed: no such intent: n1-1-9", "", ""},
		{"resume what is not suspended", "POST", api.ResumePath("n1-1-1"), `{"actor":"bob","reason":"x"}`, health.ErrIntentConflict, nil, 409, "failed: nothing to do", `"id"`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, j := drained(), &fakeJournal{}
			n.intendErr, n.missing = tt.err, tt.missing
			c, _ := startWith(t, n, j)
			var reply map[string]any
			require.Equal(t, tt.status, send(t, c, tt.method, tt.path, tt.body, &reply))
			require.Len(t, j.entries, 1)
			e := j.entries[0]
			action := map[string]string{"PATCH": "extend", "POST": "resume"}[tt.method]
			require.Equal(t, []string{action, tt.outcome}, []string{e.Action, e.Outcome})
			require.Contains(t, string(e.Before), tt.before)
			require.Contains(t, string(e.After), tt.after)
			if tt.before != "" {
				require.Equal(t, "drain n1-1-1, az eu-a", e.Object)
			}
		})
	}
}

// fakeFiles are the zone files of a fake node.
type fakeFiles struct{ *fakeNode }

func (n fakeFiles) Status() []api.File { return n.files }

func (n fakeFiles) Bare() []string { return nil }

func (n fakeFiles) Reload(_ context.Context, force bool) (*api.ReloadResult, error) {
	outcome := api.ReloadBroken
	if force {
		outcome = api.ReloadTakenUp
	}
	return &api.ReloadResult{Served: true, Files: []api.ReloadedFile{{File: api.File{Path: "z.yaml"}, Outcome: outcome}}}, n.fileErr
}

func (n fakeFiles) Rollback(_ context.Context, file, actor, reason string) (api.LeftByConfig, error) {
	n.files = []api.File{{Path: file, RolledBack: &api.Rollback{Actor: actor, Reason: reason}}}
	left := api.LeftHolding{Name: "www.a.example.", Data: "192.0.2.1", Service: "www.a.example.", Zone: "a.example.", Why: "the endpoint was removed"}
	return api.LeftByConfig{Left: []api.LeftHolding{left}}, n.fileErr
}

func (n fakeFiles) Forward(_ context.Context, file string) (api.LeftByConfig, error) {
	n.files = []api.File{{Path: file}}
	return api.LeftByConfig{}, n.fileErr
}

func (n fakeFiles) Config() *api.Config {
	c := &api.Config{Files: []api.ConfigFile{}}
	for _, f := range n.files {
		c.Files = append(c.Files, api.ConfigFile{File: f, Kept: []api.KeptVersion{}})
	}
	return c
}

func TestConfigRoutes(t *testing.T) {
	for _, tt := range []struct {
		name, path, body string
		err              error
		status           int
		// action, object and outcome are recorded; reply is a part of what comes back.
		action, object, outcome, reply string
	}{
		{"reload", api.ReloadPath, `{"actor":"ada"}`, nil, 200, "reload", "zone files", "ok", `"outcome":"broken"`},
		{"force", api.ReloadPath, `{"actor":"ada","force":true}`, nil, 200, "reload", "zone files, by force", "ok", `"outcome":"taken_up"`},
		{"reload fails", api.ReloadPath, `{"actor":"ada"}`, errors.New("ended"), 500, "reload", "zone files", "failed: ended", "ended"},
		{"rollback", api.RollbackPath, `{"actor":"ada","file":"z.yaml","reason":"x"}`, nil, 200, "rollback", "z.yaml", "ok", `"rolled_back":{"actor":"ada","reason":"x"`},
		{"forward", api.ForwardPath, `{"actor":"ada","file":"z.yaml"}`, nil, 200, "forward", "z.yaml", "ok", `"path":"z.yaml"`},
		{"rollback leaves", api.RollbackPath, `{"actor":"ada","file":"z.yaml"}`, nil, 200, "rollback", "z.yaml", "ok", `"left":[{"name":"www.a.example.","data":"192.0.2.1"`},
		{"no file", api.RollbackPath, `{"actor":"ada"}`, nil, 400, "rollback", "", "failed: file: required", "file: required"},
		{"no such file", api.RollbackPath, `{"actor":"ada","file":"x"}`, zonedir.ErrNoSuchFile, 404, "rollback", "x", "failed: no such zone file", "no such zone file"},
		{"no version", api.ForwardPath, `{"actor":"ada","file":"x"}`, zonedir.ErrNoVersion, 409, "forward", "x", "failed: no version to go to", "no version"},
		{"words", api.ForwardPath, `{"actor":"a\nb","file":"x"}`, nil, 400, "forward", "x", "failed: invalid intent: actor and reason hold no control characters", "control"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, j := &fakeNode{fileErr: tt.err}, &fakeJournal{}
			c, _ := startWith(t, n, j)
			var reply json.RawMessage
			require.Equal(t, tt.status, send(t, c, "POST", tt.path, tt.body, &reply))
			require.Contains(t, string(reply), tt.reply)
			require.Len(t, j.entries, 1)
			e := j.entries[0]
			require.Equal(t, []string{tt.action, tt.object, tt.outcome}, []string{e.Action, e.Object, e.Outcome})
			var shown api.Config
			require.Equal(t, http.StatusOK, send(t, c, "GET", api.ConfigPath, "", &shown))
		})
	}
}
