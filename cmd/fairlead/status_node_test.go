package main

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// TestStatusOtherFiles: nodes that serve other files do not agree, from the first second on.
func TestStatusOtherFiles(t *testing.T) {
	line := func(hashes ...string) string {
		c := &api.Nodes{Cluster: "demo", Roster: len(hashes), Heard: len(hashes)}
		for i, h := range hashes {
			n := api.Node{Name: fmt.Sprintf("n%d", i+1), State: api.NodeHeard, ConfigHash: h, Answering: true}
			if i == 0 {
				n.State = api.NodeSelf
			}
			c.Nodes = append(c.Nodes, n)
		}
		var w bytes.Buffer
		report{status: &api.Status{Cluster: c}, style: terminal.Style{Width: 80}}.node(&w)
		return w.String()
	}
	require.Contains(t, line("a", "a", "a"), "cluster demo: all 3 nodes are heard and agree\n")
	require.Contains(t, line("a", "a", "b"), "cluster demo: all 3 nodes are heard; n3 serves other files than this one\n")
	require.Contains(t, line("a", "b", "b"), "cluster demo: all 3 nodes are heard; n2, n3 serve other files than this one\n")
}

// TestStalenessUnknown: that it is not known what was answered before ends staleness with 3, as other unknown bounds do.
func TestStalenessUnknown(t *testing.T) {
	known := api.Staleness{Node: "n1", Services: []api.ServiceStaleness{{Service: "www.example.org."}}}
	unknown := known
	unknown.EarlierUnknown = "n3 is not heard"
	for _, s := range []api.Staleness{known, unknown} {
		_, err := command(t, cannedNode{api.StalenessPath + "?": s}, "staleness")
		if s.EarlierUnknown == "" {
			require.NoError(t, err)
			continue
		}
		code, _ := exit.CodeOf(err)
		require.Equal(t, exit.Degraded, code)
	}
}
