package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A recordingNode answers like a node and keeps what it was asked.
type recordingNode struct {
	// asked are the requests other than GET: method, path, body.
	asked   []string
	intents []api.Intent
	// safe are the things of which it was asked whether they are safe, which all are.
	safe []string
}

func (n *recordingNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	reply := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	switch {
	case r.Method == http.MethodGet && r.URL.Path == api.StatusPath:
		reply(wellStatus())
		return
	case r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, api.SafePath):
		n.safe = append(n.safe, r.URL.Query().Get("kind")+" "+r.URL.Query().Get("name"))
		reply(api.Safe{Answer: api.SafeYes})
		return
	case r.Method == http.MethodGet:
		reply(api.Intents{Intents: n.intents})
		return
	}
	var body bytes.Buffer
	_, _ = body.ReadFrom(r.Body)
	n.asked = append(n.asked, r.Method+" "+r.URL.Path+" "+body.String())
	end := time.Now().Add(time.Hour)
	i := api.Intent{ID: "n1-1-1", Kind: "drain", Scope: api.Scope{Kind: "az", Name: "eu-a"}, EndsAt: &end}
	_ = json.Unmarshal(body.Bytes(), &i)
	reply(i)
}

// words are those of a command line; what stands in quotes is one.
func words(line string) (all []string) {
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			all = append(all, part)
			continue
		}
		all = append(all, strings.Fields(part)...)
	}
	return all
}

// say runs a command line against n and returns what it printed.
func (n *recordingNode) say(t *testing.T, line string) (string, error) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	server := &http.Server{Handler: n}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	root := rootCommand()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(io.Discard)
	root.SetArgs(append(words(line), "--server", "unix:"+socket))
	err = root.Execute()
	return out.String(), err
}

func TestOrders(t *testing.T) {
	for line, want := range map[string]string{
		"drain az eu-a --reason x":                           `POST /api/v1/intents {"kind":"drain","scope":{"kind":"az","name":"eu-a"},"actor":"ME","reason":"x","for_seconds":3600}`,
		"drain endpoint web-1a --for forever --reason x":     `POST /api/v1/intents {"kind":"drain","scope":{"kind":"endpoint","name":"gslb.example.org/web-eu/web-1a"},"actor":"ME","reason":"x","forever":true}`,
		"drain region eu --reason x --override keep_regions": `POST /api/v1/intents {"kind":"drain","scope":{"kind":"region","name":"eu"},"actor":"ME","reason":"x","override":["keep_regions"],"for_seconds":3600}`,
		"weight web-eu=0 --for 90s --service www --reason x": `POST /api/v1/intents {"kind":"weight","scope":{"kind":"pool","name":"gslb.example.org/web-eu"},"service":"www","weight":0,"actor":"ME","reason":"x","for_seconds":90}`,
		"weight gslb.example.org/web-eu/web-1a=5 --reason x": `POST /api/v1/intents {"kind":"weight","scope":{"kind":"endpoint","name":"gslb.example.org/web-eu/web-1a"},"weight":5,"actor":"ME","reason":"x","for_seconds":3600}`,
		"ready web-eu":                    `POST /api/v1/pools/gslb.example.org/web-eu/ready {"actor":"ME"}`,
		"unready gslb.example.org/web-eu": `DELETE /api/v1/pools/gslb.example.org/web-eu/ready {"actor":"ME"}`,
		"force endpoint web-1a down --for 30m --reason x --override keep_azs --wait": `POST /api/v1/intents {"kind":"force","scope":{"kind":"endpoint","name":"gslb.example.org/web-eu/web-1a"},"state":"down","actor":"ME","reason":"x","override":["keep_azs"],"for_seconds":1800,"wait":true}`,
		"force endpoint web-eu/web-1a up --for forever --reason x":                   `POST /api/v1/intents {"kind":"force","scope":{"kind":"endpoint","name":"gslb.example.org/web-eu/web-1a"},"state":"up","actor":"ME","reason":"x","forever":true}`,
		"drain resume n1-1-1 --reason x --override keep_azs":                         `POST /api/v1/intents/n1-1-1/resume {"actor":"ME","reason":"x","override":["keep_azs"]}`,
		"failback web-eu --reason x":                                                 `POST /api/v1/pools/gslb.example.org/web-eu/failback {"actor":"ME","reason":"x"}`,
	} {
		n := &recordingNode{}
		out, err := n.say(t, line)
		require.NoError(t, err, line)
		require.NotEmpty(t, out)
		require.Equal(t, []string{strings.ReplaceAll(want, "ME", actor())}, n.asked, line)
	}
}

func TestUndrain(t *testing.T) {
	drain := func(id, kind, name string) api.Intent {
		return api.Intent{ID: id, Kind: "drain", Scope: api.Scope{Kind: kind, Name: name}}
	}
	n := &recordingNode{intents: []api.Intent{
		drain("n1-1-1", "az", "eu-a"), drain("n1-1-2", "az", "eu-a"), drain("n1-1-3", "pool", "a.example/web"), drain("n1-1-4", "pool", "b.example/web"),
		{ID: "n1-1-5", Kind: "weight", Scope: api.Scope{Kind: "pool", Name: "a.example/other"}},
	}}
	for line, want := range map[string]int{"undrain eu-a": 2, "undrain n1-1-5": 1, "undrain a.example/web": 1} {
		n.asked = nil
		_, err := n.say(t, line)
		require.NoError(t, err, line)
		require.Len(t, n.asked, want)
	}
	_, err := n.say(t, "undrain web")
	require.ErrorContains(t, err, "ambiguous")
	_, err = n.say(t, "undrain other")
	require.ErrorContains(t, err, "no drain is named other", "a weight is ended by its id alone")
	out, err := n.say(t, "intents")
	require.NoError(t, err)
	require.Contains(t, out, "drain az eu-a")
}

// TestUndrainShards: shards are those of one service, and every drain of them ends, wherever it takes them; a drain is named by where it does.
func TestUndrainShards(t *testing.T) {
	drain := func(id, name, service string) api.Intent {
		return api.Intent{ID: id, Kind: "drain", Service: service, Scope: api.Scope{Kind: "shards", Name: name}}
	}
	n := &recordingNode{intents: []api.Intent{
		drain("n1-1-1", "7 to b", "a.example."), drain("n1-1-2", "7 to c", "a.example."), drain("n1-1-3", "7", "a.example."),
		drain("n1-1-4", "8 to b", "a.example."), drain("n1-1-5", "8 to b", "b.example."),
		{ID: "n1-1-6", Kind: "drain", Service: "a.example.", Scope: api.Scope{Kind: "az", Name: "eu-a"}},
		{ID: "n1-1-7", Kind: "drain", Service: "b.example.", Scope: api.Scope{Kind: "az", Name: "eu-a"}},
	}}
	for line, want := range map[string]string{
		"undrain shards 7 --service a.example":          "n1-1-1 n1-1-2 n1-1-3",
		"undrain shards 7":                              "n1-1-1 n1-1-2 n1-1-3",
		"undrain 7":                                     "n1-1-1 n1-1-2 n1-1-3",
		"undrain shards 8 --service b.example.":         "n1-1-5",
		"undrain az eu-a --service a.example":           "n1-1-6",
		"undrain eu-a":                                  "n1-1-6 n1-1-7",
		"undrain shards \"7 to b\"":                     "n1-1-1",
		"undrain shards \"7 to c\" --service a.example": "n1-1-2",
	} {
		n.asked = nil
		_, err := n.say(t, line)
		require.NoError(t, err, line)
		var ended []string
		for _, asked := range n.asked {
			ended = append(ended, strings.TrimPrefix(strings.Fields(asked)[1], "/api/v1/intents/"))
		}
		require.Equal(t, want, strings.Join(ended, " "), line)
	}
	n.asked = nil
	_, err := n.say(t, "undrain shards 8")
	require.ErrorContains(t, err, "8 is ambiguous")
	_, err = n.say(t, "undrain shards 7 --service b.example")
	require.ErrorContains(t, err, "no drain is named shards 7")
	require.Empty(t, n.asked)
}

// TestDrainShardsForgotten: a drain of shards waits for what `safe shards` says; one of an AZ for one service waits for nothing that comes.
func TestDrainShardsForgotten(t *testing.T) {
	for _, to := range []string{"", " --to web-us"} {
		n := &recordingNode{}
		_, err := n.say(t, "drain shards 7,9-12 --service a.example"+to+" --reason x --wait=forgotten")
		require.NoError(t, err)
		require.Len(t, n.asked, 1)
		require.Equal(t, []string{"shards a.example/7,9-12"}, n.safe)
	}
	n := &recordingNode{}
	_, err := n.say(t, "drain az eu-a --service a.example --reason x --wait=forgotten")
	require.ErrorContains(t, err, "other services go on answering what is drained for one")
	require.Empty(t, n.asked)
}

// TestExtendAndAuto: an order is extended by its id or by the name of a drain; auto ends every force on the endpoint.
func TestExtendAndAuto(t *testing.T) {
	order := func(id, kind, scope, name string) api.Intent {
		return api.Intent{ID: id, Kind: kind, Scope: api.Scope{Kind: scope, Name: name}}
	}
	const web = "gslb.example.org/web-eu/web-1a"
	n := &recordingNode{intents: []api.Intent{
		order("n1-1-1", "drain", "az", "eu-a"), order("n1-1-2", "drain", "az", "eu-b"), order("n1-1-3", "drain", "pool", "eu-b"),
		order("n1-1-4", "drain", "az", "us-a"), order("n2-1-4", "drain", "az", "us-a"),
		order("n1-1-5", "force", "endpoint", web), order("n2-1-5", "force", "endpoint", web), order("n1-1-6", "force", "endpoint", "a/b/c"),
	}}
	for line, want := range map[string]string{
		"extend eu-a --for 2h":                  `PATCH /api/v1/intents/n1-1-1 {"actor":"ME","for_seconds":7200}`,
		"extend az eu-b --for 2h --reason x":    `PATCH /api/v1/intents/n1-1-2 {"actor":"ME","reason":"x","for_seconds":7200}`,
		"extend n1-1-5 --for forever --wait":    `PATCH /api/v1/intents/n1-1-5 {"actor":"ME","forever":true,"wait":true}`,
		"force endpoint web-1a auto --reason x": `DELETE /api/v1/intents/n1-1-5 {"actor":"ME","reason":"x"} DELETE /api/v1/intents/n2-1-5 {"actor":"ME","reason":"x"}`,
	} {
		n.asked = nil
		_, err := n.say(t, line)
		require.NoError(t, err, line)
		require.Equal(t, strings.ReplaceAll(want, "ME", actor()), strings.Join(n.asked, " "), line)
	}
	n.asked = nil
	_, err := n.say(t, "extend eu-b --for 1h")
	require.ErrorContains(t, err, "eu-b is ambiguous")
	_, err = n.say(t, "extend us-a --for 1h")
	require.ErrorContains(t, err, "us-a is ambiguous", "two drains of one thing have an end each")
	_, err = n.say(t, "extend mars --for 1h")
	require.ErrorContains(t, err, "no drain is named mars")
	_, err = n.say(t, "force endpoint a/b/d auto")
	require.ErrorContains(t, err, "nobody forces endpoint a/b/d")
	require.Empty(t, n.asked)
}

func TestStartsIn(t *testing.T) {
	now := time.Date(2026, 5, 17, 3, 0, 0, 0, time.UTC)
	for at, want := range map[string]time.Duration{"": 0, "+90s": 90 * time.Second, "2026-05-17T04:00:00Z": time.Hour, "2026-05-17T05:30:00+02:00": 30 * time.Minute} {
		got, err := startsIn(at, now)
		require.NoError(t, err, at)
		require.Equal(t, want, got, at)
	}
	for _, at := range []string{"+", "+-1s", "10m", "2026-05-17T02:59:59Z", "04:00"} {
		_, err := startsIn(at, now)
		require.Error(t, err, at)
	}
}

// TestStatusOfForces: status shows what the endpoint counts as, what health says, by whom and until when.
func TestStatusOfForces(t *testing.T) {
	s := wellStatus()
	end := s.At.Add(30 * time.Minute)
	e := &s.Zones[0].Pools[0].Endpoints[0]
	e.State, e.Health, e.Reason = "up", "down", "connection refused"
	e.Forced = &api.Force{State: "up", Intent: "n1-1-1", Actor: "ada", Reason: "INC-7", EndsAt: &end}
	require.Regexp(t, `^203.*: forced up by ada until .* \(30m00s left\): INC-7; by health down; connection refused$`, why(*e, s.At))
	e.Forced.EndsAt = nil
	require.Contains(t, why(*e, s.At), "forced up by ada forever: INC-7")
	var b bytes.Buffer
	report{status: s}.endpoints(&b)
	require.Contains(t, b.String(), "gslb.example.org/web-eu/web-1a", "one that is forced up is to be looked at")
	require.NotContains(t, b.String(), "web-1b")
}
