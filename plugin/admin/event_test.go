package admin

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/event"
	"github.com/fairlead-dns/fairlead/health/hook"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// testHooks are one webhook with nothing to deliver.
func testHooks(t *testing.T) *hook.Sender {
	s, err := hook.New(hook.Options{Node: "n1", Events: event.Open(event.Options{}), Hooks: []config.Hook{
		{Name: "pager", URL: "https://user:hush@ops.example.org/hush", Timeout: time.Second},
	}})
	require.NoError(t, err)
	return s
}

// startEvents serves a log on a socket.
func startEvents(t *testing.T) (*http.Client, *event.Log) {
	log := event.Open(event.Options{Node: "n1"})
	socket := filepath.Join(t.TempDir(), "a.sock")
	s, err := New(Options{Node: new(fakeNode).parts(), Journal: &fakeJournal{}, Tokens: tokens(t), Socket: socket, Events: log, Hooks: testHooks(t)})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}, log
}

func TestEvents(t *testing.T) {
	c, log := startEvents(t)
	for i := range 5 {
		log.Add("endpoint.down", fmt.Sprintf("example.org/web/%d", i), "refused", map[string]any{"old": "up"})
	}
	log.Add("intent.created", "az eu-a", "power work", nil)
	var got api.Events
	require.Equal(t, 200, get(t, c, api.EventsPath+"?limit=2", &got))
	require.Len(t, got.Events, 2)
	require.Equal(t, uint64(6), got.Next)
	require.Equal(t, "intent.created", got.Events[1].Type, "the latest ones, oldest first")
	require.Equal(t, 200, get(t, c, api.EventsPath+"?after=1&limit=2&type=endpoint.*", &got))
	require.Equal(t, uint64(3), got.Events[1].Seq)
	require.Equal(t, uint64(3), got.Next)
	require.Equal(t, 200, get(t, c, api.EventsPath+"?subject=eu-a", &got))
	require.Len(t, got.Events, 1)
	for _, bad := range []string{"?limit=0", "?limit=1001", "?after=x", "?since=1"} {
		require.Equal(t, 400, get(t, c, api.EventsPath+bad, new(api.Problem)), bad)
	}
}

// A stream begins where the client was, goes on as things happen, and ends with the node, however long that takes.
func TestEventStream(t *testing.T) {
	c, log := startEvents(t)
	log.Add("endpoint.down", "a", "", nil)
	log.Add("endpoint.up", "a", "", nil)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://fairlead"+api.EventsPath+"?type=endpoint.*", nil)
	require.NoError(t, err)
	req.Header.Set("Accept", eventStream)
	req.Header.Set("Last-Event-ID", "1")
	resp, err := c.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, eventStream, resp.Header.Get("Content-Type"))
	lines := bufio.NewScanner(resp.Body)
	next := func() (id, kind, data string) {
		for lines.Scan() && lines.Text() != "" {
			switch key, value, _ := strings.Cut(lines.Text(), ": "); key {
			case "id":
				id = value
			case "event":
				kind = value
			case "data":
				data = value
			}
		}
		return id, kind, data
	}
	id, kind, data := next()
	require.Equal(t, "2", id)
	require.Equal(t, "endpoint.up", kind)
	require.Contains(t, data, `"subject":"a"`)
	log.Add("node.silent", "n2", "", nil)
	log.Add("endpoint.suspect", "b", "timeout", nil)
	id, kind, _ = next()
	require.Equal(t, "4", id)
	require.Equal(t, "endpoint.suspect", kind)
}

func TestHooksShowNoSecret(t *testing.T) {
	c, _ := startEvents(t)
	var got api.Hooks
	require.Equal(t, 200, get(t, c, api.HooksPath, &got))
	require.Equal(t, "https://ops.example.org", got.Hooks[0].URL)
	require.Equal(t, 404, get(t, c, api.HooksPath+"/none/dead", new(api.Problem)))
}
