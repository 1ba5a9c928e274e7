package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A previewingNode answers orders, and rehearsals of them with what a test says they would do.
type previewingNode struct {
	would api.WhatIf
	rule  string

	mu sync.Mutex // guards given
	// given are the orders that were no rehearsals: method and path.
	given []string
}

func (n *previewingNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	_, _ = body.ReadFrom(r.Body)
	var req api.IntentRequest
	_ = json.Unmarshal(body.Bytes(), &req)
	reply := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	switch {
	case r.URL.Path == api.StatusPath:
		reply(api.Status{Headline: "■ AZ eu-b down", Causes: []api.Cause{{State: "down", Text: "AZ eu-b down"}}})
	case r.URL.Path == api.WhatIfPath:
		reply(n.would)
	case req.DryRun:
		p := api.Preview{Intent: api.Intent{Kind: req.Kind, Scope: req.Scope}, WhatIf: n.would, ForgottenWithinSeconds: 36.25}
		if n.rule != "" && len(req.Override) == 0 {
			p.Rule, p.Refused = n.rule, "refused by "+n.rule
		}
		reply(p)
	default:
		n.mu.Lock()
		n.given = append(n.given, r.Method+" "+r.URL.Path)
		n.mu.Unlock()
		end := time.Now().Add(time.Hour)
		reply(api.Intent{ID: "n1-1-1", Kind: req.Kind, Scope: req.Scope, EndsAt: &end})
	}
}

func (n *previewingNode) orders() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.given)
}

// moves is what would change when one endpoint's part of www moves to others.
func moves(part float64) api.WhatIf {
	share := func(name string, f float64) api.Share {
		return api.Share{Family: "A", Pool: "web-eu", Endpoint: name, Data: "192.0.2." + name, Fraction: f}
	}
	return api.WhatIf{Services: []api.WhatIfService{{Service: "www.example.org.",
		Before: api.WhatIfState{Source: "tier", Tier: 1, TTLSeconds: 30, Shares: []api.Share{share("1", part), share("2", 1-part)}},
		After:  api.WhatIfState{Source: "tier", Tier: 1, TTLSeconds: 2, Shares: []api.Share{share("2", 1)}},
	}}, Unchanged: 3}
}

// TestConfirm types at a terminal: y for little, a name for much, and anything else changes nothing.
func TestConfirm(t *testing.T) {
	nodata := moves(0.1)
	nodata.Services[0].After = api.WhatIfState{Source: "nodata"}
	const endpoint, az = "drain endpoint example.org/web-eu/web-1a --reason x", "drain az eu-a --reason x"
	for _, tt := range []struct {
		name, line string
		would      api.WhatIf
		rule       string
		// asked is what it asks, empty for nothing; answer is what is typed.
		asked, answer string
		code, orders  int
		says          string
	}{
		{name: "little, y", line: endpoint, would: moves(0.1), asked: "go on? [y/N] ", answer: "y", orders: 1, says: "down already: AZ eu-b down"},
		{name: "little, what it says", line: endpoint, would: moves(0.1), asked: "go on? [y/N] ", answer: "y", orders: 1, says: "1 service would answer otherwise; at most 10% of the answers of one move (www.example.org)"},
		{name: "little, yes", line: endpoint, would: moves(0.1), asked: "go on? [y/N] ", answer: "YES", orders: 1},
		{name: "little, n", line: endpoint, would: moves(0.1), asked: "go on? [y/N] ", answer: "n", code: exit.Failed},
		{name: "little, return", line: endpoint, would: moves(0.1), asked: "go on? [y/N] ", answer: "", code: exit.Failed, says: "not confirmed: nothing has changed"},
		{name: "nothing moves", line: endpoint, asked: "go on? [y/N] ", answer: "y", orders: 1, says: "no answer changes now"},
		{name: "more than half, y", line: endpoint, would: moves(0.51), asked: "type web-1a to go on: ", answer: "y", code: exit.Failed},
		{name: "more than half, the name", line: endpoint, would: moves(0.51), asked: "type web-1a to go on: ", answer: "web-1a", orders: 1},
		{name: "more than half, the full name", line: endpoint, would: moves(0.51), asked: "type web-1a to go on: ", answer: "example.org/web-eu/web-1a", orders: 1},
		{name: "an AZ", line: az, would: moves(0.1), asked: "type eu-a to go on: ", answer: "eu-a", orders: 1, says: "honest caches forget within 36.25s"},
		{name: "another AZ", line: az, would: moves(0.1), asked: "type eu-a to go on: ", answer: "eu-b", code: exit.Failed},
		{name: "a region", line: "drain region eu --reason x", asked: "type eu to go on: ", answer: "eu", orders: 1},
		{name: "NODATA", line: endpoint, would: nodata, asked: "type web-1a to go on: ", answer: "web-1a", orders: 1, says: "NODATA from www.example.org"},
		{name: "a weight", line: "weight example.org/web-eu=5 --reason x", would: moves(0.3), asked: "go on? [y/N] ", answer: "y", orders: 1},
		{name: "a rule refuses", line: endpoint, rule: "never_empty", code: exit.Refused, says: "--override never_empty"},
		{name: "a rule overridden", line: endpoint + " --override never_empty", would: moves(0.1), rule: "never_empty", asked: "type web-1a to go on: ", answer: "web-1a", orders: 1, says: "overrides never_empty"},
		{name: "--yes", line: az + " --yes", would: moves(1), orders: 1},
		{name: "dry run", line: az + " --dry-run", would: moves(1)},
		{name: "a drill", line: "drill az eu-a --for 10m --reason x", would: moves(0.1), asked: "type eu-a to go on: ", answer: "eu-a", orders: 1, says: "honest caches forget within 36.25s"},
		{name: "a drill, not wanted", line: "drill pool example.org/web-eu --for 10m --reason x", would: moves(0.1), asked: "go on? [y/N] ", answer: "n", code: exit.Failed},
		{name: "a drill that a rule refuses", line: "drill az eu-a --for 10m --reason x", rule: "keep_regions", code: exit.Refused, says: "--override keep_regions"},
		{name: "a drill, --yes", line: "drill az eu-a --for 10m --reason x --yes", would: moves(1), orders: 1},
		{name: "unready", line: "unready example.org/web-eu", would: moves(1), asked: "type web-eu to go on: ", answer: "web-eu", orders: 1},
		{name: "unready, little", line: "unready example.org/web-eu", would: moves(0.1), asked: "go on? [y/N] ", answer: "no", code: exit.Failed},
		{name: "a node gone", line: "nodes remove n3 --reason x", asked: "type n3 to go on: ", answer: "n3", orders: 1, says: "say that a node is no part of the cluster any more"},
		{name: "another node gone", line: "nodes remove n3 --reason x", asked: "type n3 to go on: ", answer: "n4", code: exit.Failed},
		{name: "a node back", line: "nodes remove n3 --undo --reason x", orders: 1},
		{name: "all nodes waived", line: "nodes bootstrap --reason x", asked: "type bootstrap to go on: ", answer: "bootstrap", orders: 1},
		{name: "no reason", line: "nodes remove n3", code: exit.Usage, says: "--reason is required"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := &previewingNode{would: tt.would, rule: tt.rule}
			x := onTerminal(t, append(strings.Fields(tt.line), "--server", "unix:"+listenAs(t, n))...)
			said := ""
			if tt.asked != "" {
				said = x.expect(tt.asked)
				require.Zero(t, n.orders(), "nothing is ordered before the answer")
				x.say(tt.answer + "\n")
			}
			require.Equal(t, tt.code, x.exits())
			said += x.seen.String()
			require.Contains(t, said, tt.says)
			require.Equal(t, tt.orders, n.orders())
			if tt.asked == "" {
				require.NotContains(t, said, "go on")
			}
		})
	}
}

// TestConfirmNobody: where no terminal is, nobody is asked, and nothing is rehearsed.
func TestConfirmNobody(t *testing.T) {
	n := &previewingNode{would: moves(1)}
	root := rootCommand()
	var out, stderr bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&stderr)
	root.SetIn(strings.NewReader("n\n"))
	root.SetArgs([]string{"drain", "az", "eu-a", "--reason", "x", "--server", "unix:" + listenAs(t, n)})
	require.NoError(t, root.Execute())
	require.Equal(t, []string{"POST " + api.IntentsPath}, n.given)
	require.Empty(t, stderr.String())
}

func TestMoved(t *testing.T) {
	s := api.WhatIfService{
		Before: api.WhatIfState{Shares: []api.Share{{Family: "A", Data: "a", Fraction: 0.6}, {Family: "A", Data: "b", Fraction: 0.4}, {Family: "AAAA", Data: "c", Fraction: 1}}},
		After:  api.WhatIfState{Shares: []api.Share{{Family: "A", Data: "a", Fraction: 0.3}, {Family: "A", Data: "b", Fraction: 0.7}, {Family: "AAAA", Data: "c", Fraction: 1}}},
	}
	require.InDelta(t, 0.3, moved(&s), 1e-9)
	s.After.Shares = s.After.Shares[:2]
	require.InDelta(t, 1, moved(&s), 1e-9, "a family that is gone")
	s.After.Shares = nil
	require.InDelta(t, 1, moved(&s), 1e-9)
}
