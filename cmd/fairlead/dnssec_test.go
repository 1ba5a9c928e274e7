package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/dnssec"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// TestKeyStatus: what a node says of the keys of a zone, in each way in which a step can be safe.
func TestKeyStatus(t *testing.T) {
	at := time.Date(2026, 1, 2, 15, 4, 5, 1, time.UTC)
	keys := &api.ZoneKeys{
		Node: "n1", At: at, Zone: "example.org.", Signed: true, ValiditySeconds: 14 * 86400, BeforeUntil: &at,
		Keys: []api.ZoneKey{
			{Tag: 1, Role: "KSK", Algorithm: "ED25519", State: "active"}, {Tag: 2, Role: "KSK", Algorithm: "ED25519", State: "published", NextChangeAt: &at},
			{Tag: 3, Role: "ZSK", Algorithm: "ED25519", State: "published"}, {Tag: 4, Role: "ZSK", Algorithm: "ED25519", State: "retired"},
			{Tag: 5, Role: "KSK", Algorithm: "ED25519", State: "retired"},
		},
		Steps: []api.KeyStep{
			{Step: api.KeyStepDS, Tag: 1, Role: "KSK", Safe: api.KeySafeNow, DS: "example.org. 3600 IN DS 1 15 2 00"},
			{Step: api.KeyStepDSBeside, Tag: 2, Role: "KSK", Safe: api.KeySafeNotYet, Why: "n2 answers the DNSKEY RRset without it", DS: "example.org. 3600 IN DS 2 15 2 00"},
			{Step: api.KeyStepSign, Tag: 3, Role: "ZSK", Safe: api.KeySafeFrom, SafeAt: &at},
			{Step: api.KeyStepLeave, Tag: 4, Role: "ZSK", Safe: api.KeySafeUnknown, Why: "n3 is not heard"},
			{Step: api.KeyStepNoDS, Tag: 5, Role: "KSK", Safe: api.KeySafeNow},
		},
		Trouble: []string{"node n2 does not answer the zone"},
		Nodes:   []api.KeyNode{{Node: "n1", Said: true, Served: true}, {Node: "n2", Said: true}, {Node: "n3", Why: "is not heard"}},
	}
	node := cannedNode{
		api.KeysPath("example.org"): keys,
		api.KeysPath("plain.example"): api.ZoneKeys{
			Node: "n1", At: at, Zone: "plain.example.", Keys: []api.ZoneKey{}, Steps: []api.KeyStep{{Step: api.KeyStepNoDS, Safe: api.KeySafeNow}},
			Nodes: []api.KeyNode{{Node: "n1", Said: true, Served: true}},
		},
	}
	got, err := command(t, node, "dnssec", "status", "example.org", "plain.example")
	require.NoError(t, err)
	require.Equal(t, `zone example.org: signatures are valid for 14d, and made anew after a quarter of that
  KEY  ROLE  ALGORITHM  STATE      NEXT
  1    KSK   ED25519    active     -
  2    KSK   ED25519    published  2026-01-02T15:04:05Z
  3    ZSK   ED25519    published  -
  4    ZSK   ED25519    retired    -
  5    KSK   ED25519    retired    -
  KSK 1: the parent may have its DS: safe now
    example.org. 3600 IN DS 1 15 2 00
  KSK 2: it does not sign yet: the parent may have its DS beside that of a key that does: not yet: n2 answers the DNSKEY RRset without it
    example.org. 3600 IN DS 2 15 2 00
  ZSK 3: it may sign: safe from 2026-01-02T15:04:06Z on
  ZSK 4: it may leave the zone, and its files may go: unknown: n3 is not heard
  KSK 5: the parent must have no DS of it, nor caches: what its TTL in the parent is, the parent says
  node n2 does not answer the zone
  what was answered before these nodes began to answer the zone, or to keep a record of that, counts until 2026-01-02T15:04:06Z
  by the word of 2 of 3 nodes

zone plain.example: not signed
  the zone is answered without signatures: the parent must have no DS of it
  by the word of n1
`, got)
	got, err = command(t, node, "dnssec", "status", "example.org", "-o", "json")
	require.NoError(t, err)
	require.Contains(t, got, `"safe": "not_yet"`)
	_, err = command(t, node, "dnssec", "status", "nowhere.example")
	code, _ := exit.CodeOf(err)
	require.Equal(t, exit.Failed, code)
	_, err = command(t, node, "dnssec", "status", "example.org", "./example.org.yaml")
	code, _ = exit.CodeOf(err)
	require.Equal(t, exit.Usage, code)
}

// TestSigningChange: who begins or ceases to sign a zone is told beforehand what the parent has to have.
func TestSigningChange(t *testing.T) {
	dir := diffDir(t, map[string]string{"a.yaml": diffBase})
	keys := filepath.Join(dir, "keys")
	require.NoError(t, os.Mkdir(keys, 0o700))
	keygen := dnssec.Command(dnssecStatusCommand())
	keygen.SetArgs([]string{"keygen", "a.example", "--dir", keys})
	keygen.SetOut(io.Discard)
	require.NoError(t, keygen.Execute())
	signed, files, list := "dnssec: {keys: keys/}\n"+diffBase, make(map[string]string), ""
	names, err := filepath.Glob(filepath.Join(keys, "K*"))
	require.NoError(t, err)
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		files["keys/"+filepath.Base(name)] = string(text)
		list += filepath.Base(name) + "\n"
	}
	files["keys/"] = list
	node := servingNode(t, map[string]string{"a.example": signed}, files)
	out, _ := command(t, node, "diff", dir)
	require.Contains(t, out, "DNSSEC: it would be answered without signatures, which validators refuse for as long as the parent, or a cache, has its DS")
	out, err = command(t, node, "check", "--running", dir)
	require.NoError(t, err, out)
	require.Contains(t, out, "warning: dnssec: it would be answered without signatures")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(signed), 0o600))
	out, _ = command(t, node, "diff", dir)
	require.NotContains(t, out, "DNSSEC:")
	plain := servingNode(t, map[string]string{"a.example": diffBase}, nil)
	out, _ = command(t, plain, "diff", dir)
	require.Contains(t, out, "DNSSEC: it would be signed for the first time")
	require.Contains(t, out, "`fairlead dnssec status a.example`")

	var w strings.Builder
	require.NoError(t, writeReload(&w, &api.ReloadResult{Served: true, LeftByConfig: api.LeftByConfig{Unsigned: []string{"a.example."}}}))
	require.Contains(t, w.String(), "warning: zone a.example is answered without signatures now")
}
