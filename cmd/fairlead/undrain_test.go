package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// TestBackWhen: who ends a drain is told when and how it is back.
func TestBackWhen(t *testing.T) {
	up, down := api.Endpoint{State: "up"}, api.Endpoint{State: "down"}
	drained := api.Endpoint{State: "drained", Drained: &api.Drained{Intent: "n2-1-1"}}
	for _, tt := range []struct {
		want string
		pool api.Pool
		of   []api.Endpoint
	}{
		{"back now", api.Pool{}, []api.Endpoint{up}},
		{"back at 03:13:10Z (hold 30s); `fairlead failback` does not wait", api.Pool{HeldUntil: moment(-30 * time.Second)}, []api.Endpoint{up, down}},
		{"down by health: back once it is up", api.Pool{HeldUntil: moment(-30 * time.Second)}, []api.Endpoint{down}},
		{"still drained, by n2-1-1", api.Pool{}, []api.Endpoint{up, drained}},
		{"waits for `fairlead failback`", api.Pool{WaitsFor: "failback"}, []api.Endpoint{up}},
		{"its gate is closed", api.Pool{WaitsFor: "ready"}, []api.Endpoint{up}},
		{"back by steps: 20% now, more at 03:12:50Z", api.Pool{RampPercent: 20, RampNext: moment(-10 * time.Second)}, []api.Endpoint{up}},
	} {
		require.Equal(t, tt.want, backWhen(&api.Status{At: testNow}, &tt.pool, tt.of))
	}
}

// TestOnWordOf: --as names the person on whose word an order is given, and a document is all that -o json prints.
func TestOnWordOf(t *testing.T) {
	var asked api.IntentRequest
	socket := listenAs(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewDecoder(r.Body).Decode(&asked)
		_ = json.NewEncoder(w).Encode(api.Intent{ID: "n1-1-1", Kind: "drain", Scope: asked.Scope, Actor: asked.Actor})
	}))
	var out, errs bytes.Buffer
	root := rootCommand()
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs([]string{"drain", "az", "eu-a", "--reason", "x", "--as", "ann", "-o", "json", "--server", "unix:" + socket})
	require.NoError(t, root.Execute(), errs.String())
	require.Equal(t, "ann", asked.Actor)
	var got api.Intent
	require.NoError(t, json.Unmarshal(out.Bytes(), &got), out.String())
	require.Equal(t, "n1-1-1", got.ID)
}

// TestNearest: what was typed with a mistake is recognized; what is nothing like it is not.
func TestNearest(t *testing.T) {
	for word, want := range map[string]string{"drian": "drain", "statu": "status", "eu-c": "", "undrian": "undrain", "qqqqqqq": "", "web-u": ""} {
		require.Equal(t, want, exit.Nearest(word, []string{"drain", "undrain", "status", "staleness"}), word)
	}
	require.Equal(t, "example.org/web-eu/web-1a", exit.Nearest("web-1b", []string{"example.org/web-eu/web-1a", "example.org/other/x"}))
}

// TestServiceName: the first label of a service's name will do where it is the only one.
func TestServiceName(t *testing.T) {
	socket := listenAs(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		item := func(name string) api.ServiceItem { return api.ServiceItem{Service: api.Service{Name: name}} }
		_ = json.NewEncoder(w).Encode(api.Services{Services: []api.ServiceItem{item("www.a.example."), item("api.a.example."), item("api.b.example.")}})
	}))
	c := clientAt(socket, "test", "")
	for name, want := range map[string]string{"www": "www.a.example", "WWW": "www.a.example", "www.a.example": "www.a.example", "mail": "mail", "": ""} {
		got, err := c.service(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := c.service(t.Context(), "api")
	require.ErrorContains(t, err, "api is ambiguous")
}
