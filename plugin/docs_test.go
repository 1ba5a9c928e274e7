package fairlead

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/coredns/caddy"
	"github.com/coredns/caddy/caddyfile"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

var fence = regexp.MustCompile("(?s)(?:~~~ |```)([\\w-]+)\n(.*?)(?:~~~|```)")

// TestDocs loads every Corefile and every zone file of the documentation.
func TestDocs(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	top, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	example, err := os.ReadFile("../Corefile.example")
	require.NoError(t, err)
	node, err := os.ReadFile("../config/testdata/node.example.yaml")
	require.NoError(t, err)
	_, problems := config.ParseNode("node.example.yaml", node)
	require.Empty(t, problems)
	corefiles, zones := 0, 0
	for _, b := range append(fence.FindAllStringSubmatch(string(readme)+string(top), -1), []string{"", "corefile", string(example)}) {
		switch b[1] {
		case "corefile":
			corefiles++
			parseCorefile(t, b[2])
		case "yaml-node":
			_, problems := config.ParseNode("README.md", []byte(b[2]))
			require.Empty(t, problems)
		case "yaml":
			zones++
			_, problems := config.Parse("README.md", []byte(b[2]), config.ParseOptions{})
			require.Empty(t, problems)
		}
	}
	require.Equal(t, 3, corefiles)
	require.Equal(t, 2, zones)
}

// parseCorefile runs our directive of each block through the parser that serves.
func parseCorefile(t *testing.T, text string) {
	t.Helper()
	blocks, err := caddyfile.Parse("Corefile", strings.NewReader(text), nil)
	require.NoError(t, err, text)
	a := new(attachment)
	for _, b := range blocks {
		require.Contains(t, b.Tokens, pluginName)
		c := caddy.NewTestController("dns", "")
		c.Dispenser = caddyfile.NewDispenserTokens("Corefile", b.Tokens[pluginName])
		c.ServerBlockKeys = b.Keys
		d, err := parseDirective(c)
		require.NoError(t, err, text)
		require.NoError(t, a.add(d, nil, nil))
	}
}

// TestMetricsAreDocumented keeps the manual and the metrics together.
func TestMetricsAreDocumented(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	s := newSite(t)
	require.NoError(t, s.start(s.corefile("", "")))
	for _, name := range ourMetrics(t) {
		require.Contains(t, string(readme), "`"+name+"{")
	}
}
