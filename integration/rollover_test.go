package integration

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const rolloverZone = `zone: roll.example.org
nameservers: [{name: ns1.example.net}]
ns_ttl: 1s
soa: {negative_ttl: 1s}
dnssec: {keys: keys/, ttl: 1s}
records: [{name: a, type: TXT, data: x, ttl: 1s}]
`

// TestRolloverInCluster: the DS of a new key is safe when both nodes say so, and neither the node that has its files speaks for the other one, nor
// for one that does not run.
func TestRolloverInCluster(t *testing.T) {
	if inNamespaces(t) {
		return
	}
	c := newCluster(t, 2, "caches: {transit: 1s}\n")
	keygen := func() []string {
		dir := t.TempDir()
		out, code := run(t, c.nodes[0].bin, "dnssec", "keygen", "roll.example.org", "--dir", dir)
		require.Zero(t, code, out)
		files, err := filepath.Glob(filepath.Join(dir, "K*"))
		require.NoError(t, err)
		require.Len(t, files, 2)
		return files
	}
	give := func(n *clusterNode, files []string) {
		for _, f := range files {
			text, err := os.ReadFile(f)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(n.dir, "zones", "keys", filepath.Base(f)), text, 0o600))
		}
		require.Equal(t, http.StatusOK, n.call(http.MethodPost, api.ReloadPath, api.ReloadRequest{Actor: "test"}, nil))
	}
	first, second := keygen(), keygen()
	for _, n := range c.nodes {
		require.NoError(t, os.Mkdir(filepath.Join(n.dir, "zones", "keys"), 0o700))
		n.writeZone("roll.yaml", rolloverZone)
		give(n, first)
	}
	// The words of n1 about each key, a line for one.
	words := func() string {
		var z api.ZoneKeys
		if c.nodes[0].call(http.MethodGet, api.KeysPath("roll.example.org"), nil, &z) != http.StatusOK {
			return ""
		}
		var lines []string
		for _, s := range z.Steps {
			if s.Step == api.KeyStepDS {
				lines = append(lines, s.Safe+" "+s.Why)
			}
		}
		return strings.Join(lines, "\n")
	}
	await(t, "the first DS to be safe", func() bool { return words() == "now " })
	give(c.nodes[0], second)
	await(t, "the second key to wait for n2", func() bool {
		w := words()
		return strings.Contains(w, "now ") && strings.Contains(w, "not_yet n2 answers the DNSKEY RRset without it")
	})
	give(c.nodes[1], second)
	await(t, "both to be safe", func() bool { return words() == "now \nnow " })
	out, code := run(t, c.nodes[0].bin, "dnssec", "status", "roll.example.org", "--server=unix:"+c.nodes[0].socket)
	require.Zero(t, code, out)
	require.Contains(t, out, "the parent may have its DS: safe now")
	require.Contains(t, out, "by the word of n1, n2")
	c.nodes[1].kill()
	require.Regexp(t, "^unknown n2 (does not reply|is not heard)\nunknown n2 (does not reply|is not heard)$", words())
}
