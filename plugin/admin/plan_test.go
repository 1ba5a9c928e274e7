package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/run"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// fakePlans are one plan, p, and one run, r1, whose step asks for ada with the role admin.
type fakePlans struct{ said *[]string }

func (fakePlans) List() api.Plans {
	return api.Plans{Node: "n1", Plans: []api.Plan{{Name: "p", File: "p.yaml", OnFailure: "stop", Steps: []api.PlanStep{{Name: "a", Kind: "freeze"}}}}}
}

func (fakePlans) Foresee(string, *api.PlanStartRequest) (*api.PlanForesight, error) {
	return &api.PlanForesight{Variant: "graceful", Text: "plan p would go through", Steps: []api.PlanProspect{}}, nil
}

func (f fakePlans) Start(_ context.Context, _ string, req *api.PlanStartRequest) (*api.Run, error) {
	return f.note("start", req.Actor)
}

func (f fakePlans) Any() bool { return true }

func (f fakePlans) Runs() api.Runs {
	return api.Runs{Runs: []api.Run{{ID: "r1", Variant: "graceful", Status: "done", Steps: []api.RunStep{}}}}
}

func (f fakePlans) ShowRun(id string) (*api.Run, error) {
	if id != "r1" {
		return nil, fmt.Errorf("%w: run %s", health.ErrNothingNamed, id)
	}
	return &api.Run{ID: id, Plan: "p", Variant: "graceful", Status: "running", Steps: []api.RunStep{}}, nil
}

func (f fakePlans) note(what, who string) (*api.Run, error) {
	if f.said != nil {
		*f.said = append(*f.said, what+" "+who)
	}
	return f.ShowRun("r1")
}

func (f fakePlans) Approve(_, name string, admin bool, _ *api.RunRequest) (*api.Run, error) {
	if f.said != nil && !admin {
		return nil, fmt.Errorf("%w: %s is no admin", run.ErrNotYours, name)
	}
	return f.note("approve", name)
}

func (f fakePlans) Pause(_ string, req *api.RunRequest) (*api.Run, error) {
	return f.note("pause", req.Actor)
}
func (f fakePlans) Resume(_ string, req *api.RunRequest) (*api.Run, error) {
	return f.note("resume", req.Actor)
}
func (f fakePlans) Abort(_ string, req *api.RunRequest) (*api.Run, error) {
	return f.note("abort", req.Actor)
}
func (f fakePlans) Evidence(string) (*ledger.Envelope, error) {
	return &ledger.Envelope{PayloadType: run.EvidenceType, Payload: json.RawMessage("{}"), Signatures: []ledger.Signature{}}, nil
}

// TestWordsOnRuns: who approves is who is logged in, whatever the request says, and the journal has each word.
func TestWordsOnRuns(t *testing.T) {
	var said []string
	n := contractNode(t)
	n.said = &said
	s := startTCP(t, n)
	c := s.client(s.ca)
	r, body := s.do(c, "POST", "/api/v1/runs/r1/approve", `{"actor":"ada"}`, s.secrets[operator])
	require.Equal(t, 403, r.StatusCode, body)
	require.NotContains(t, body, "ada is no admin", "the login counts")
	r, body = s.do(c, "POST", "/api/v1/runs/r1/approve", `{"actor":"ada"}`, s.secrets[administrator])
	require.Equal(t, 200, r.StatusCode, body)
	require.Len(t, said, 1)
	require.NotEqual(t, "approve ada", said[0])
	r, body = s.do(c, "POST", "/api/v1/plans/p/start", `{}`, s.secrets[operator])
	require.Equal(t, 400, r.StatusCode, "a reason is required: %s", body)
	r, body = s.do(c, "GET", "/api/v1/runs/none", "", s.secrets[viewer])
	require.Equal(t, 404, r.StatusCode, body)
	last := s.journal.entries[len(s.journal.entries)-1]
	require.Equal(t, "plan", last.Action)
}
