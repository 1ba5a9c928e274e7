package ui

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// TestClusterPage: who hears whom, a way that is longer than bounds allow, and the age of the keys are on the page.
func TestClusterPage(t *testing.T) {
	b := quiet()
	changed := at.Add(-time.Hour)
	heard := func(name string, ago time.Duration) api.NodeHearing {
		return api.NodeHearing{Name: name, At: at.Add(-ago)}
	}
	b.replies["GET "+api.NodesPath] = api.Nodes{
		Node: "n1", Cluster: "test", At: at, Heard: 2, Roster: 3, Keys: 2, KeysChangedAt: &changed, AllowanceSeconds: 1,
		Nodes: []api.Node{
			{Name: "n1", State: api.NodeSelf, Answering: true, Hears: []api.NodeHearing{heard("n2", time.Second), heard("n3", time.Minute)}},
			{Name: "n2", State: api.NodeHeard, Answering: true, DelaySeconds: 1.5, Hears: []api.NodeHearing{heard("n1", time.Second)}},
			{Name: "n3", State: api.NodeStale, Hears: []api.NodeHearing{heard("n1", time.Minute)}},
		},
	}
	c := enter(t, b, "viewer")
	text := c.page("/ui/cluster")
	require.Contains(t, text, "2 keys")
	require.Contains(t, text, `last changed <time datetime="2026-05-01T11:00:00.000Z"`)
	require.Contains(t, text, "over the allowance")
	n := b.replies["GET "+api.NodesPath].(api.Nodes)
	words := func(row hearingRow) (out []string) {
		for _, cell := range row.Cells {
			if cell.Self {
				out = append(out, "self")
			} else {
				out = append(out, cell.Mark.Word)
			}
		}
		return out
	}
	rows := hearingOf(&n)
	require.Equal(t, []string{"self", "hears", "does not hear"}, words(rows[0]))
	require.Equal(t, []string{"hears", "self", "not known"}, words(rows[1]), "a node that says nothing of another one")
	require.Equal(t, []string{"not known", "not known", "self"}, words(rows[2]), "what a node said that is not heard is no news")
	for i := range n.Nodes {
		n.Nodes[i].Hears = nil
	}
	require.Nil(t, hearingOf(&n), "nobody says whom they hear")
}

// TestConfigPage: what waits on disk is shown against what runs.
func TestConfigPage(t *testing.T) {
	b := quiet()
	b.replies["GET "+api.ConfigPath] = api.Config{Node: "n1", Files: []api.ConfigFile{{File: api.File{
		Path: "/z/example.org.yaml", Zone: "example.org.", Hash: "abc", LastGood: true, Problems: []string{"/z/example.org.yaml:2:1: error: unknown key"},
	}}}}
	path := "GET " + api.ItemPath(api.RunningPath, "example.org.")
	running := api.RunningZone{Zone: "example.org.", Path: "/z/example.org.yaml", Hash: "abcdef", Content: []byte("zone: a\nttl: 1\nend\n"), Pending: []byte("zone: a\nttl: <2>\nend\n")}
	b.replies[path] = running
	c := enter(t, b, "viewer")
	text := c.page("/ui/config")
	require.Contains(t, text, "What waits, against what runs")
	require.Contains(t, text, "error: unknown key")
	text = c.page("/ui/config?zone=example.org.")
	require.Contains(t, text, "From what runs of example.org to what is on disk")
	require.Regexp(t, `class="gone"><td class="num">2</td><td class="num"></td><td>-</td><td><code>ttl: 1</code>`, text)
	require.Contains(t, text, `<code>ttl: &lt;2&gt;</code>`)
	running.Pending = nil
	b.replies[path] = running
	require.NotContains(t, c.page("/ui/config?zone=example.org."), "From what runs")
}

// TestTimelineFilters: by kind, by what stands in it, by time, and by incident.
func TestTimelineFilters(t *testing.T) {
	b := quiet()
	now := time.Now()
	b.events = []api.Event{
		{Seq: 1, At: now.Add(-3 * time.Hour), Node: "n1", Type: "endpoint.down", Subject: "example.org/web/one", Text: "n1: connection refused"},
		{Seq: 2, At: now.Add(-2 * time.Hour), Node: "n2", Type: "service.ttl", Subject: "www.example.org.", Text: "TTL 10 s, before 60 s"},
		{Seq: 3, At: now.Add(-time.Minute), Node: "n1", Type: "endpoint.up", Subject: "example.org/web/one"},
	}
	b.incidents = []*ledger.Incident{{ID: "i1", OpenedAt: now.Add(-2 * time.Hour).Add(-time.Second), ClosedAt: now.Add(-time.Hour)}}
	c := enter(t, b, "viewer")
	for query, want := range map[string][]bool{
		"": {true, true, true}, "kind=endpoint.": {true, false, true}, "subject=WWW": {false, true, false}, "subject=refused": {true, false, false},
		"subject=n2": {false, true, false}, "since=15": {false, false, true}, "since=150": {false, true, true}, "incident=i1": {false, true, false},
		"incident=i1&since=15": {false, false, false},
	} {
		text := c.page("/ui/timeline.md?" + query)
		for i, e := range b.events {
			cells := "| " + e.At.UTC().Format("2006-01-02 15:04:05.000") + " | " + e.Type
			if want[i] {
				require.Contains(t, text, cells, query)
			} else {
				require.NotContains(t, text, cells, query)
			}
		}
	}
	require.Equal(t, http.StatusNotFound, c.do(http.MethodGet, "/ui/timeline?incident=gone", nil).Code)
	require.Contains(t, c.page("/ui/timeline"), "endpoint up", "an event without a text says what it is")
}
