package admin

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// notDry are the routes with an action that have no dry run, each with the reason.
var notDry = map[string]string{
	"POST /api/v1/reload":                     "`fairlead diff` and `check` say beforehand what comes of files",
	"POST /api/v1/config/rollback":            "the same: the version is a file",
	"POST /api/v1/config/forward":             "the same",
	"DELETE /api/v1/drills/{id}":              "it ends a drain: the intent has one",
	"POST /api/v1/hooks/{name}/redeliver":     "it changes no answer",
	"POST /api/v1/tokens":                     "it changes no answer",
	"DELETE /api/v1/tokens/{name}":            "it changes no answer",
	"POST /api/v1/cut":                        "it is itself a rehearsal",
	"DELETE /api/v1/cut":                      "it ends one",
	"POST /api/v1/incidents/{id}/late-hits":   "it adds to a report",
	"POST /api/v1/discovery/{cluster}/accept": "what is held stands in the status",
	"POST /api/v1/discovery/{cluster}/adopt":  "what another cluster would bring is not read before it is adopted",
	"POST /api/v1/runs/{id}/approve":          "the run shows which steps follow",
	"POST /api/v1/runs/{id}/pause":            "it changes no answer",
	"POST /api/v1/runs/{id}/resume":           "the run shows which steps follow",
	"POST /api/v1/runs/{id}/abort":            "the run shows what it did, which is undone",
	"POST /api/v1/ui/links":                   "it changes no answer",
}

// TestDryRuns: every order has a dry run, which a role that may give the order may ask for; nothing is done and nothing recorded.
func TestDryRuns(t *testing.T) {
	s := startTCP(t, contractNode(t))
	c := s.client(s.ca)
	tried := 0
	for _, rt := range new(Server).routes() {
		name := rt.method + " " + rt.path
		if rt.action == "" || rt.role == anyone {
			continue
		}
		dry := false
		if rt.body != nil {
			_, dry = reflect.TypeOf(rt.body).FieldByName("DryRun")
		}
		if _, without := notDry[name]; without {
			continue
		}
		call := contract[name]
		body := map[string]any{}
		if call.body != "" {
			require.NoError(t, json.Unmarshal([]byte(call.body), &body))
		}
		require.True(t, dry, "%s has no dry run", name)
		body["dry_run"] = true
		text, err := json.Marshal(body)
		require.NoError(t, err)
		path := call.path
		if path == "" {
			path = rt.path
		}
		s.node.intents = contractNode(t).intents
		if rt.action == "resume" {
			s.node.intents[0].Suspended = &health.Suspension{Rule: health.RuleNeverEmpty, Service: "www.a.example."}
		}
		s.node.cluster = &cluster.View{Name: "c", Missing: []string{"n2"}, Heard: 1, Roster: 2}
		before, frozen, recorded := len(s.node.intents), s.node.frozen, len(s.journal.entries)
		r, reply := s.do(c, rt.method, path, string(text), s.secrets[rt.role])
		if rt.action == "max-ttl" {
			require.Equal(t, 409, r.StatusCode, "the node knows what it answered: %s", reply)
		} else {
			require.Equal(t, 200, r.StatusCode, "%s: %s", name, reply)
		}
		require.Len(t, s.node.intents, before, name)
		require.Equal(t, frozen, s.node.frozen, name)
		require.Len(t, s.journal.entries, recorded, name)
		if rt.role != viewer {
			r, _ = s.do(c, rt.method, path, string(text), s.secrets[viewer])
			require.Equal(t, 403, r.StatusCode, name)
		}
		tried++
	}
	require.Greater(t, tried, 15)
}

// TestDryRunOfAnEnd: the reply has what would end, also by other names, and what that would change.
func TestDryRunOfAnEnd(t *testing.T) {
	s := startTCP(t, contractNode(t))
	r, body := s.do(s.client(s.ca), "DELETE", "/api/v1/intents/n1-1-1", `{"dry_run":true,"also":["n1-1-1"],"admit":true}`, s.secrets[operator])
	require.Equal(t, 200, r.StatusCode, body)
	var got api.Intents
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	require.Len(t, got.Intents, 1)
	require.NotNil(t, got.Preview)
	r, body = s.do(s.client(s.ca), "DELETE", "/api/v1/intents/n1-1-1", `{"dry_run":true,"also":["n1-1-9"]}`, s.secrets[operator])
	require.Equal(t, 404, r.StatusCode, body)
}
