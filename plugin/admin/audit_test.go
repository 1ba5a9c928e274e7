package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/audit"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// fakeJournal keeps entries in memory, and fails when a test wants it to.
type fakeJournal struct {
	mu                             sync.Mutex
	entries                        []audit.Entry
	reserveErr, appendErr, readErr error
}

func (j *fakeJournal) Reserve() error { return j.reserveErr }

func (j *fakeJournal) Append(e audit.Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.appendErr == nil {
		e.Seq = uint64(len(j.entries) + 1)
		j.entries = append(j.entries, e)
	}
	return j.appendErr
}

func (j *fakeJournal) Read(after uint64, limit int) ([]audit.Entry, error) {
	rest := j.entries[min(int(after), len(j.entries)):]
	return rest[:min(limit, len(rest))], j.readErr
}

func (j *fakeJournal) Last(limit int) ([]audit.Entry, error) {
	return j.entries[max(len(j.entries)-limit, 0):], j.readErr
}

// TestEveryWriteIsRecorded: whatever an operator may do has an action, but for what changes nothing of theirs.
func TestEveryWriteIsRecorded(t *testing.T) {
	for _, r := range new(Server).routes() {
		read := r.method == http.MethodGet || r.path == api.ProbePath || r.path == api.ReportPath
		require.Equal(t, read, r.action == "", "%s %s", r.method, r.path)
	}
}

func TestRecorded(t *testing.T) {
	rule := &health.RuleError{Suspension: health.Suspension{Rule: health.RuleKeepAZs, Service: "www.example.org."}, Why: "x"}
	drain := `{"kind":"drain","scope":{"kind":"az","name":"eu-a"},"service":"www.example.org","actor":"ada","reason":"CHG-1","override":["keep_azs"]}`
	pool := func(path func(zone, pool string) string) string { return path("example.org", "web") }
	for _, tt := range []struct {
		name, method, path, body        string
		err                             error
		status                          int
		action, object, reason, outcome string
		before, after                   string
	}{
		{"drain", "POST", api.IntentsPath, drain, nil, 201, "drain", "az eu-a for www.example.org.", "CHG-1", "ok", "", `"override":["keep_azs"]`},
		{"a rule", "POST", api.IntentsPath, drain, rule, 409, "drain", "az eu-a for www.example.org.", "CHG-1", "refused: keep_azs", "", ""},
		{"disk full", "POST", api.IntentsPath, drain, syscall.ENOSPC, 507, "drain", "az eu-a for www.example.org.", "CHG-1", "failed: no space left on device", "", ""},
		{"weight", "POST", api.IntentsPath, `{"kind":"weight","scope":{"kind":"pool","name":"example.org/web"},"weight":0,"actor":"ada","reason":"x"}`, nil, 201, "weight", "pool example.org/web", "x", "ok", "", `"weight":0`},
		{"no reason", "POST", api.IntentsPath, `{"kind":"drain","scope":{"kind":"az","name":"eu-a"},"actor":"ada"}`, nil, 400, "drain", "az eu-a", "", "failed: reason: required, it is what the next person reads", "", ""},
		{"no such kind", "POST", api.IntentsPath, `{"kind":"audit-broken","actor":"ada"}`, nil, 400, "intent", " ", "", `failed: kind "audit-broken": want drain, weight or force; ready and failback have paths of their own`, "", ""},
		{"undrain", "DELETE", api.IntentPath("n1-1-1"), `{"actor":"ada","reason":"done"}`, nil, 200, "undrain", "drain n1-1-1, az eu-a", "done", "ok", `"id":"n1-1-1"`, ""},
		{"undrain of nothing", "DELETE", api.IntentPath("n1-1-9"), `{"actor":"ada"}`, nil, 404, "undrain", "n1-1-9", "", "failed: no such intent: n1-1-9", "", ""},
		{"ready", "POST", pool(api.ReadyPath), `{"actor":"ada"}`, nil, 201, "ready", "pool example.org/web", "", "ok", "", `"kind":"ready"`},
		{"failback", "POST", pool(api.FailbackPath), `{"actor":"ada"}`, nil, 201, "failback", "pool example.org/web", "", "ok", "", `"kind":"failback"`},
		{"unready", "DELETE", pool(api.ReadyPath), `{"actor":"ada"}`, nil, 404, "unready", "ready for pool example.org/web", "", "failed: no such intent: ready for pool example.org/web", "", ""},
		{"freeze", "POST", api.FreezePath, `{"actor":"ada","reason":"flapping"}`, nil, 200, "freeze", "verdicts", "flapping", "ok", `"frozen":false`, `"frozen":true`},
		{"abort a drill", "DELETE", api.DrillPath("d1"), `{"actor":"ada","reason":"enough"}`, nil, 200, "abort drill", "drill d1", "enough", "ok", `"outcome":"ABORTED"`, ""},
		{"unfreeze", "POST", api.UnfreezePath, `{"actor":"ada"}`, nil, 200, "unfreeze", "verdicts", "", "ok", `"frozen":false`, `"frozen":false`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, j := &fakeNode{intendErr: tt.err}, &fakeJournal{}
			n.intents = []health.IntentState{{Intent: health.Intent{
				ID: health.IntentID{Node: "n1", Incarnation: 1, Counter: 1}, Kind: health.IntentDrain, Scope: health.Scope{Kind: health.ScopeAZ, Name: "eu-a"},
			}}}
			c, _ := startWith(t, n, j)
			var reply json.RawMessage
			require.Equal(t, tt.status, send(t, c, tt.method, tt.path, tt.body, &reply))
			require.Len(t, j.entries, 1)
			e := j.entries[0]
			require.Equal(t, []string{"n1", "ada", tt.action, tt.object, tt.reason, tt.outcome}, []string{e.Node, e.Actor, e.Action, e.Object, e.Reason, e.Outcome})
			require.Contains(t, string(e.Before), tt.before)
			require.Contains(t, string(e.After), tt.after)
			if runtime.GOOS == "linux" {
				require.Equal(t, fmt.Sprintf("unix uid=%d pid=%d", os.Getuid(), os.Getpid()), e.From)
			}
		})
	}
}

func TestNotRecorded(t *testing.T) {
	j := &fakeJournal{}
	c, _ := startWith(t, &fakeNode{}, j)
	for _, tt := range []struct{ method, path, body string }{
		{"POST", api.IntentsPath, `{"kind":"drain","scope":{"kind":"az","name":"eu-a"},"reason":"x","dry_run":true}`},
		{"POST", api.ProbePath, `{"endpoint":"example.org/web/one"}`},
		{"POST", api.ReportPath, `{"endpoint":"example.org/web/one","state":"up"}`},
		{"GET", api.IntentsPath, ""},
	} {
		var reply json.RawMessage
		require.Equal(t, 200, send(t, c, tt.method, tt.path, tt.body, &reply))
	}
	require.Empty(t, j.entries)
}

func TestJournalThatFails(t *testing.T) {
	drain := `{"kind":"drain","scope":{"kind":"az","name":"eu-a"},"reason":"x"}`
	for _, body := range []struct{ path, body string }{{api.IntentsPath, drain}, {api.FreezePath, `{"reason":"x"}`}} {
		n, j := &fakeNode{}, &fakeJournal{reserveErr: syscall.ENOSPC}
		c, _ := startWith(t, n, j)
		var p api.Problem
		require.Equal(t, 507, send(t, c, "POST", body.path, body.body, &p))
		require.Equal(t, "nothing was done, for it could not be recorded: no space left on device", p.Detail)
		require.Empty(t, n.intents)
		require.False(t, n.frozen.On)
		require.Len(t, j.entries, 1, "there may be room for that")

		j.reserveErr, j.appendErr = nil, syscall.EIO
		require.Equal(t, 500, send(t, c, "POST", body.path, body.body, &p))
		require.Contains(t, p.Detail, "done and in force, but not recorded: ")
		require.True(t, len(n.intents) == 1 || n.frozen.On)
		require.Equal(t, 400, send(t, c, "POST", body.path, `{}`, &p), "nothing was done: why it was refused says more")

		j.reserveErr, j.appendErr = nil, nil
		var ok json.RawMessage
		require.Less(t, send(t, c, "POST", body.path, body.body, &ok), 300)
	}
	n := &fakeNode{}
	j := &fakeJournal{}
	c, _ := startWith(t, n, j)
	var made api.Intent
	require.Equal(t, 201, send(t, c, "POST", api.IntentsPath, drain, &made))
	j.reserveErr = syscall.EROFS
	var p api.Problem
	require.Equal(t, 507, send(t, c, "DELETE", api.IntentPath(made.ID), "", &p))
	require.Len(t, n.intents, 1)
}

// TestRecordedTogether: orders at the same time are all there, in a log on disk.
func TestRecordedTogether(t *testing.T) {
	dir := t.TempDir()
	l, err := audit.New(audit.Options{Dir: dir})
	require.NoError(t, err)
	c, _ := startWith(t, &fakeNode{}, l)
	var g sync.WaitGroup
	for range 20 {
		g.Go(func() {
			var f api.Freeze
			send(t, c, "POST", api.FreezePath, `{"reason":"x"}`, &f)
		})
	}
	g.Wait()
	s, err := audit.Verify(dir)
	require.NoError(t, err)
	require.EqualValues(t, 20, s.Entries)
	var a api.Audit
	require.Equal(t, 200, send(t, c, "GET", api.AuditPath+"?after=18", "", &a))
	require.Len(t, a.Entries, 2)
	require.Equal(t, s.Last.Hash, a.Entries[1].Hash)
}

func TestAuditRoute(t *testing.T) {
	j := &fakeJournal{entries: []audit.Entry{{Seq: 1}, {Seq: 2}, {Seq: 3}}}
	c, _ := startWith(t, &fakeNode{}, j)
	for query, want := range map[string]int{"": 3, "?limit=2": 2, "?after=0": 3, "?after=2&limit=5": 1, "?after=9": 0} {
		var a api.Audit
		require.Equal(t, 200, send(t, c, "GET", api.AuditPath+query, "", &a))
		require.Len(t, a.Entries, want, query)
		require.NotNil(t, a.Entries)
	}
	var p api.Problem
	for _, query := range []string{"?limit=0", "?limit=1001", "?limit=x", "?after=-1", "?since=1"} {
		require.Equal(t, 400, send(t, c, "GET", api.AuditPath+query, "", &p), query)
	}
	j.readErr = &audit.ChainError{File: "f", Line: 3, Why: "changed"}
	var a api.Audit
	require.Equal(t, 200, send(t, c, "GET", api.AuditPath, "", &a))
	require.Equal(t, "f:3: changed", a.Broken)
	j.readErr = errors.New("gone")
	require.Equal(t, 503, send(t, c, "GET", api.AuditPath, "", &p))
}

// sampleEntries are two entries that have everything and nothing.
func sampleEntries() []audit.Entry {
	return []audit.Entry{
		{Seq: 1, Node: "n1", Actor: "ada", From: "unix uid=1 pid=2", Action: "drain", Object: "az eu-a", Reason: "x", Outcome: "ok",
			Before: json.RawMessage(`null`), After: json.RawMessage(`{"id":"n1-1-1"}`), Prev: "00", Hash: "11"},
		{Seq: 2},
	}
}
