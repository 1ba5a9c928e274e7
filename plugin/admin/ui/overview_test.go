package ui

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func TestOverviewSaysOnlyWhatIsKnown(t *testing.T) {
	safe := time.Now().Add(20 * time.Second)
	remaining := 20.0
	for _, tt := range []struct {
		name  string
		f     api.Forgetting
		want  []string
		never []string
	}{
		{
			"known", api.Forgetting{SafeAt: &safe, RemainingSeconds: &remaining},
			[]string{"last honest cache forgets <b", "web/one down (n1: connection refused)", "2 of 3 vantages", "part down", "answers without what is down"}, []string{"<b>unknown</b>", "forgot by"},
		},
		{
			"final", api.Forgetting{SafeAt: &safe, RemainingSeconds: new(float64), Final: true},
			[]string{"honest caches forgot by", "as every node has said since"}, []string{"cache forgets <b"},
		},
		{
			"unknown", api.Forgetting{Unknown: []api.UnknownNode{{Node: "n3", Why: "not heard since", Since: &at}}, AtLeast: &at},
			[]string{"<b>unknown</b>: n3 not heard since 12:00:00 UTC", "not before", "caches unknown"}, []string{"cache forgets <b", "forgot by", "safe"},
		},
		{
			"void", api.Forgetting{Unknown: []api.UnknownNode{{Node: "n3", Answering: true}}, Void: []api.VoidNode{{Node: "n3", At: at}}},
			[]string{"<b>void</b>: n3 answers it"}, []string{"cache forgets <b", "forgot by"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			page := enter(t, brokenAZ(tt.f), "viewer").page("/ui/")
			for _, w := range tt.want {
				require.Contains(t, page, w)
			}
			for _, n := range tt.never {
				require.NotContains(t, page, n)
			}
		})
	}
}

func TestOverviewIsCalmWhenAllIsWell(t *testing.T) {
	page := enter(t, quiet(), "viewer").page("/ui/")
	require.Contains(t, page, "All is well: 2 endpoints, 1 service.")
	require.NotContains(t, page, `class="mark down"`)
	require.NotContains(t, page, "Drain…", "a viewer has no buttons")
	require.Contains(t, enter(t, quiet(), "operator").page("/ui/"), "Drain…")
}

func TestDrainedNeverLooksDown(t *testing.T) {
	b := quiet()
	b.status.Zones[0].Pools[0].Endpoints[0].State = "drained"
	page := enter(t, b, "viewer").page("/ui/")
	require.Contains(t, page, `class="mark drained"`)
	require.NotContains(t, page, `class="mark down"`)
}

func TestSearch(t *testing.T) {
	c := enter(t, quiet(), "viewer")
	require.Contains(t, c.page("/ui/?q=WWW"), `data-service="www.example.org"`)
	require.NotContains(t, c.page("/ui/?q=api"), `data-service="www.example.org"`)
	require.Contains(t, c.page("/ui/?q=%3Cb%3E"), "&lt;b&gt;")
}

func TestCurve(t *testing.T) {
	points, length := curve([]uint64{1, 0, 3})
	require.Equal(t, 3, length)
	require.Equal(t, "0,20 0.0,0.0 33.3,0.0 33.3,5.0 66.7,5.0 66.7,5.0 100.0,5.0 100,20", points)
	points, _ = curve(nil)
	require.Empty(t, points)
}

// TestOverviewStandsStill: while nothing changes the page is the same, and nothing is sent to those that look at it.
func TestOverviewStandsStill(t *testing.T) {
	b := brokenAZ(api.Forgetting{})
	u := newUI(t, b, OpenSessions("", nil))
	c := &client{t: t, handler: u.Handler(Door{})}
	secret, _ := u.opts.Sessions.Link(Login{Role: "viewer"}, time.Now())
	c.page("/ui/login?link=" + secret)
	inside := func() string {
		u.hub.forget()
		_, text, _ := strings.Cut(c.page("/ui/"), `<div id="live"`)
		return text
	}
	b.status.At = at.Add(49 * time.Second)
	before := inside()
	require.Contains(t, before, `down (n1: connection refused) since <time datetime="2026-05-01T12:00:00.000Z"`)
	b.status.At = at.Add(50 * time.Second)
	require.Equal(t, before, inside())
}
