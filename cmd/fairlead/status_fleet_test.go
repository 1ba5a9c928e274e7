package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// TestStatusFleets: what other clusters say stands in status, and nothing does where there are none.
func TestStatusFleets(t *testing.T) {
	s := &api.Status{Zones: []api.Zone{{Name: "example.org."}}}
	var w bytes.Buffer
	report{status: s, style: terminal.Style{Width: 80}}.fleets(&w)
	require.Empty(t, w.String())
	s.Fleets = []api.Fleet{
		{Zone: "example.org.", Pool: "b", Endpoint: "b", Check: "fleet-b", Service: "www.b.example.net.", State: "down", Reason: "n1: b2 says that www.b.example.net is dark", BoundSeconds: 60},
		{Zone: "example.org.", Pool: "c", Endpoint: "c", Check: "fleet-c", Service: "www.c.example.net.", State: "up", BoundSeconds: 45},
	}
	report{status: s, style: terminal.Style{Width: 80}}.fleets(&w)
	text := w.String()
	require.Contains(t, text, "FLEETS: what other clusters say of their services")
	require.Contains(t, text, "■ down")
	require.Contains(t, text, "www.b.example.net")
	require.Contains(t, text, "<= 1m")
	require.Contains(t, text, "b2 says that www.b.example.net is dark")
	for line := range bytes.Lines(w.Bytes()) {
		require.LessOrEqual(t, len([]rune(string(line))), 81, string(line))
	}
	t.Log(text)
}
