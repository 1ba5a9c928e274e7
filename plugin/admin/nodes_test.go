package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// testCluster has a node of each kind.
func testCluster(now time.Time) *cluster.View {
	return &cluster.View{At: now, Name: "test", Heard: 2, Roster: 5, Isolated: true, Keys: 1, Nodes: []cluster.NodeView{
		{Name: "n1", Self: true, InRoster: true, Fresh: true, Joined: true, Answering: true, Config: "abc"},
		{Name: "n2", InRoster: true, Fresh: true, Direct: now, Joined: true, Answering: true, Drift: now},
		{Name: "n3", InRoster: true, Direct: now.Add(-time.Minute), Heard: now},
		{Name: "n4", InRoster: true},
		{Name: "n5", InRoster: true, Stopped: true},
		{Name: "n6"},
	}}
}

func TestNodes(t *testing.T) {
	client, _ := start(t, &fakeNode{cluster: testCluster(time.Now())})
	resp, err := client.Get("http://node" + api.NodesPath)
	require.NoError(t, err)
	defer resp.Body.Close()
	var got api.Nodes
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&got))
	states, troubled := map[string]string{}, map[string]bool{}
	for _, n := range got.Nodes {
		states[n.Name], troubled[n.Name] = n.State, n.Troubled()
	}
	require.Equal(t, map[string]string{"n1": api.NodeSelf, "n2": api.NodeHeard, "n3": api.NodeStale, "n4": api.NodeNever, "n5": api.NodeStopped, "n6": api.NodeNotListed}, states)
	require.Equal(t, map[string]bool{"n1": false, "n2": true, "n3": true, "n4": true, "n5": false, "n6": true}, troubled)
	require.True(t, got.Isolated)
	s := NewStatus((&fakeNode{cluster: testCluster(time.Now())}).parts(), "v1", time.Now(), time.Now())
	require.Nil(t, s.Cluster, "before the first snapshot")
}

func TestNodeOrders(t *testing.T) {
	conflict := health.ErrIntentConflict
	key := "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	for _, tt := range []struct {
		name, method, path, body string
		err                      error
		status                   int
		detail                   string
	}{
		{"waive", "POST", api.WaivePath("n2"), `{"actor":"ada","reason":"x"}`, nil, 200, ""},
		{"waive without a reason", "POST", api.WaivePath("n2"), `{"actor":"ada"}`, nil, 400, "reason: required"},
		{"waive after joining", "POST", api.WaivePath("n2"), `{"reason":"x"}`, conflict, 409, ""},
		{"bootstrap", "POST", api.BootstrapPath, `{"reason":"x"}`, nil, 200, ""},
		{"cut", "POST", api.CutPath, `{"reason":"x","for_seconds":60}`, nil, 200, ""},
		{"cut for ever", "POST", api.CutPath, `{"reason":"x","for_seconds":86400}`, nil, 400, "for_seconds: want 1 to 3600"},
		{"heal", "DELETE", api.CutPath, `{}`, nil, 200, ""},
		{"heal with an end", "DELETE", api.CutPath, `{"for_seconds":1}`, nil, 400, "an end has none"},
		{"stopped", "POST", api.StoppedPath("n5"), `{"reason":"off"}`, nil, 201, ""},
		{"no longer stopped, who was not", "DELETE", api.StoppedPath("n5"), `{}`, nil, 404, "stopped for node n5"},
		{"removed", "POST", api.RemovedPath("n5"), `{"reason":"gone"}`, nil, 201, ""},
		{"keyring", "POST", api.KeyringPath, `{"reason":"x","verb":"add","key":"` + key + `"}`, nil, 200, ""},
		{"keyring verb", "POST", api.KeyringPath, `{"reason":"x","verb":"burn","key":"` + key + `"}`, nil, 400, "want add, use or remove"},
		{"keyring key", "POST", api.KeyringPath, `{"reason":"x","verb":"add","key":"c2VjcmV0"}`, nil, 400, "a key of 6 octets"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := &fakeNode{cluster: testCluster(time.Now()), waiveErr: tt.err, keyErr: tt.err}
			client, _ := start(t, n)
			req, err := http.NewRequest(tt.method, "http://node"+tt.path, strings.NewReader(tt.body))
			require.NoError(t, err)
			resp, err := client.Do(req)
			require.NoError(t, err)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Equal(t, tt.status, resp.StatusCode, "%s", body)
			require.Contains(t, string(body), tt.detail)
			require.NotContains(t, string(body), "c2VjcmV0")
		})
	}
}

// TestWordsAreBounded: a text that no round of gossip could carry is a mistake of whoever asks, and no trouble with the disk.
func TestWordsAreBounded(t *testing.T) {
	n := &fakeNode{intents: []health.IntentState{{Intent: health.Intent{ID: health.IntentID{Node: "n1", Incarnation: 1, Counter: 1}, Kind: health.IntentDrain}}}}
	client, _ := start(t, n)
	long := strings.Repeat("x", health.MaxReason+1)
	for _, tt := range []struct{ method, path string }{
		{"POST", api.FreezePath}, {"POST", api.UnfreezePath}, {"DELETE", api.IntentPath("n1-1-1")}, {"POST", api.WaivePath("n2")},
	} {
		req, err := http.NewRequest(tt.method, "http://node"+tt.path, strings.NewReader(`{"actor":"ada","reason":"`+long+`"}`))
		require.NoError(t, err)
		resp, err := client.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, tt.path)
	}
	n.freezeErr = fmt.Errorf("%w: joins", health.ErrNotJoined)
	resp, err := client.Post("http://node"+api.FreezePath, "application/json", strings.NewReader(`{"reason":"x"}`))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
}

// TestKeyringResult: who failed is named.
func TestKeyringResult(t *testing.T) {
	client, _ := start(t, &fakeNode{cluster: testCluster(time.Now()), keyFailed: map[string]error{"n3": errors.New("not heard")}})
	resp, err := client.Post("http://node"+api.KeyringPath, "application/json", strings.NewReader(`{"reason":"x","verb":"use","key":"AAAAAAAAAAAAAAAAAAAAAA=="}`))
	require.NoError(t, err)
	defer resp.Body.Close()
	var got api.KeyringResult
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&got))
	require.Equal(t, map[string]string{"n3": "not heard"}, got.Failed)
	require.Equal(t, []string{"n1", "n2", "n4", "n5"}, got.Done)
}

// TestUnconfirmed: an order that no other node has yet is accepted, and says who lacks it.
func TestUnconfirmed(t *testing.T) {
	n := &fakeNode{cluster: testCluster(time.Now()), missing: []string{"n2", "n3"}}
	client, _ := start(t, n)
	resp, err := client.Post("http://node"+api.IntentsPath, "application/json", strings.NewReader(`{"kind":"drain","scope":{"kind":"az","name":"a"},"reason":"x"}`))
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusAccepted, resp.StatusCode)
	var got api.Intent
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&got))
	require.Equal(t, []string{"n2", "n3"}, got.Missing)
}
