package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const diffBase = `zone: a.example
nameservers: [{name: ns1.example.net}]
records: [{name: mail, type: A, data: 192.0.2.10, ttl: 5m}]
regions: {eu: {azs: [eu-a, eu-b]}}
checks: {ready: {type: tcp, port: 80, interval: 2s, timeout: 1s}}
pools:
  web: {region: eu, check: ready, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}, {name: two, addresses: [192.0.2.2], az: eu-b}]}
  spare: {region: eu, endpoints: [{name: one, addresses: [192.0.2.3], az: eu-a}]}
services:
  www: {tiers: [{web: 1}, {spare: 1}], ttl: {min: 2s, max: 30s}}
  old: {tiers: [{spare: 1}], ttl: {min: 2s, max: 30s}}
`

// servingNode is a node that serves zone files, by name of the zone.
func servingNode(t *testing.T, texts map[string]string, files map[string]string) cannedNode {
	t.Helper()
	n, list := cannedNode{}, api.Zones{Page: testPage(""), Zones: []api.ZoneItem{}}
	for name, text := range texts {
		z, problems := config.Parse(name+".yaml", []byte(text), config.ParseOptions{ReadFile: func(name string) ([]byte, error) { return []byte(files[name]), nil }})
		require.NoError(t, problems.Err())
		list.Zones = append(list.Zones, api.ZoneItem{Name: z.Name, File: &api.File{Path: "/nowhere/" + name + ".yaml"}})
		running := api.RunningZone{Page: testPage(""), Zone: z.Name, Path: "/etc/" + name + ".yaml", Hash: hex.EncodeToString(z.Hash[:]), Content: []byte(text),
			Files: map[string][]byte{}, Secret: map[string]string{}}
		for file, content := range files {
			if strings.Contains(content, "PRIVATE KEY") {
				sum := sha256.Sum256([]byte(content))
				running.Secret[file] = hex.EncodeToString(sum[:])
			} else {
				running.Files[file] = []byte(content)
			}
		}
		n[api.ItemPath(api.RunningPath, name)] = running
	}
	n[api.ZonesPath], n[api.IntentsPath] = list, api.Intents{}
	return n
}

func diffDir(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

// TestDiff: testdata/diff has what is printed.
func TestDiff(t *testing.T) {
	changed := strings.NewReplacer("az: eu-b}", "az: eu-b, weight: 3}", "  old: {tiers: [{spare: 1}]", "  new: {tiers: [{spare: 1}]", "port: 80", "port: 81", "192.0.2.10", "192.0.2.11").Replace(diffBase)
	for _, tt := range []struct {
		name   string
		served map[string]string
		disk   map[string]string
		file   string
		code   int
	}{
		{name: "same", served: map[string]string{"a.example": diffBase}, disk: map[string]string{"a.yaml": diffBase}},
		{name: "comment", served: map[string]string{"a.example": diffBase}, disk: map[string]string{"a.yaml": "# words\n" + diffBase}},
		{name: "changed", served: map[string]string{"a.example": diffBase}, disk: map[string]string{"a.yaml": changed}, code: exit.Failed},
		{name: "zones", served: map[string]string{"b.example": strings.Replace(diffBase, "a.example", "b.example", 1)}, disk: map[string]string{"a.yaml": diffBase}, code: exit.Failed},
		{name: "file", served: map[string]string{"a.example": diffBase, "b.example": strings.Replace(diffBase, "a.example", "b.example", 1)},
			disk: map[string]string{"a.yaml": diffBase}, file: "a.yaml"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := diffDir(t, tt.disk)
			node := servingNode(t, tt.served, nil)
			got, err := command(t, node, "diff", filepath.Join(dir, tt.file))
			code, _ := exit.CodeOf(err)
			require.Equal(t, tt.code, code, "%v", err)
			got = strings.ReplaceAll(got, dir, "DIR")
			path := filepath.Join("testdata", "diff", tt.name+".txt")
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, string(want), got)

			text, err := command(t, node, "diff", "-o", "json", filepath.Join(dir, tt.file))
			code, _ = exit.CodeOf(err)
			require.Equal(t, tt.code, code)
			var doc diffDocument
			require.NoError(t, json.Unmarshal([]byte(text), &doc))
			require.Equal(t, tt.code != 0, doc.Differs)
		})
	}
}

// TestShrinkIsSaidBeforehand: what the node would refuse is said by diff, and an error of check --running.
func TestShrinkIsSaidBeforehand(t *testing.T) {
	served := diffBase
	for i := range 20 {
		served += fmt.Sprintf("  n%d: {tiers: [{spare: 1}]}\n", i)
	}
	node := servingNode(t, map[string]string{"a.example": served}, nil)
	for _, tt := range []struct {
		name, file string
		check      int
		want       string
	}{
		{"it drops too much", diffBase, exit.Failed, "drops 20 of 23 names, more than 30 % and at least 10"},
		{"and may", "allow_shrink: true\n" + diffBase, exit.OK, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := diffDir(t, map[string]string{"a.yaml": tt.file})
			out, err := command(t, node, "check", "--running", dir)
			code, _ := exit.CodeOf(err)
			require.Equal(t, tt.check, code, out)
			require.Contains(t, out, tt.want)
			text, _ := command(t, node, "diff", "-o", "json", dir)
			var doc diffDocument
			require.NoError(t, json.Unmarshal([]byte(text), &doc))
			require.Equal(t, tt.want, doc.Zones[0].Refused)
			text, _ = command(t, node, "diff", dir)
			require.Equal(t, tt.want != "", strings.Contains(text, "refused: it "+tt.want+"\n  help: `allow_shrink: true`"), text)
		})
	}
}

// TestDanglingIsSaidBeforehand: an order that would name nothing with the file is said by diff and by check --running, and one that follows
// its addresses is not.
func TestDanglingIsSaidBeforehand(t *testing.T) {
	two := api.Intent{ID: "n1-1-1", Kind: "drain", State: api.IntentInForce, Scope: api.Scope{Kind: "endpoint", Name: "a.example/web/two"}, Bound: []string{"192.0.2.2"}}
	az := api.Intent{ID: "n1-1-2", Kind: "drain", State: api.IntentInForce, Scope: api.Scope{Kind: "az", Name: "eu-b"}}
	gone := api.Intent{ID: "n1-1-3", Kind: "drain", State: api.IntentDangling, Scope: api.Scope{Kind: "az", Name: "eu-c"}}
	node := api.Intent{ID: "n1-1-4", Kind: "stopped", State: api.IntentInForce, Scope: api.Scope{Kind: "node", Name: "n1"}}
	other := strings.Replace(diffBase, "a.example", "b.example", 1)
	for _, tt := range []struct {
		name     string
		served   map[string]string
		edit     *strings.Replacer
		dangling []string
	}{
		{"the same", map[string]string{"a.example": diffBase}, strings.NewReplacer(), nil},
		{"a new name at the old address", map[string]string{"a.example": diffBase}, strings.NewReplacer("name: two", "name: zwei"), nil},
		{"an old name at a new address", map[string]string{"a.example": diffBase}, strings.NewReplacer("192.0.2.2]", "192.0.2.22]"), nil},
		{"neither", map[string]string{"a.example": diffBase}, strings.NewReplacer("name: two, addresses: [192.0.2.2]", "name: zwei, addresses: [192.0.2.22]"), []string{two.ID}},
		{"the AZ has another name", map[string]string{"a.example": diffBase}, strings.NewReplacer("eu-b", "eu-z"), []string{az.ID}},
		{"which another zone has as well", map[string]string{"a.example": diffBase, "b.example": other}, strings.NewReplacer("eu-b", "eu-z"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			serving := servingNode(t, tt.served, nil)
			serving[api.IntentsPath] = api.Intents{Intents: []api.Intent{two, az, gone, node}}
			file := filepath.Join(diffDir(t, map[string]string{"a.yaml": tt.edit.Replace(diffBase)}), "a.yaml")
			text, _ := command(t, serving, "diff", "-o", "json", file)
			var doc diffDocument
			require.NoError(t, json.Unmarshal([]byte(text), &doc))
			var got []string
			for _, o := range doc.Dangling {
				got = append(got, o.ID)
			}
			require.Equal(t, tt.dangling, got)
			drawn, _ := command(t, serving, "diff", file)
			checked, err := command(t, serving, "check", "--running", file)
			require.NoError(t, err, "a warning alone")
			for _, id := range tt.dangling {
				require.Contains(t, drawn, "dangling: order "+id)
				require.Contains(t, checked, "order "+id)
			}
			require.Equal(t, len(tt.dangling), strings.Count(drawn, "dangling"))
			require.Equal(t, len(tt.dangling), strings.Count(checked, "would name nothing"))
		})
	}
}

// TestDiffTrouble: what is no difference has the exit code 2.
func TestDiffTrouble(t *testing.T) {
	node := servingNode(t, map[string]string{"a.example": diffBase}, nil)
	broken := diffDir(t, map[string]string{"a.yaml": "zone: a.example\nwhat: 1\n"})
	for want, args := range map[string][]string{
		"place":                 {"diff", broken},
		"--output":              {"diff", "-o", "xml"},
		"are not here":          {"diff"},
		"nothing at /api/v1/zo": {"diff", diffDir(t, map[string]string{"a.yaml": diffBase})},
	} {
		n := node
		if strings.HasPrefix(want, "nothing") {
			n = cannedNode{}
		}
		out, err := command(t, n, args...)
		code, _ := exit.CodeOf(err)
		require.Equal(t, exit.Usage, code)
		require.ErrorContains(t, err, want)
		require.Empty(t, out)
	}
	root := rootCommand()
	root.SetArgs([]string{"diff", "--server", "unix:/nonexistent/s", broken})
	code, _ := exit.CodeOf(root.Execute())
	require.Equal(t, exit.Usage, code, "nobody listens")
}

// TestDiffSecrets: a key that is another on disk is told, and neither is shown.
func TestDiffSecrets(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("../../config/testdata", name))
		require.NoError(t, err)
		return string(text)
	}
	text := strings.Replace(diffBase, "type: tcp, port: 80", "type: https, port: 443, path: /, tls: {client_cert: probe.pem, client_key: probe.key}", 1)
	files := map[string]string{"probe.pem": read("probe.pem"), "probe.key": read("probe.key")}
	node := servingNode(t, map[string]string{"a.example": text}, files)
	dir := diffDir(t, map[string]string{"a.yaml": text, "probe.pem": files["probe.pem"], "probe.key": files["probe.key"]})
	out, err := command(t, node, "diff", dir)
	require.NoError(t, err)
	require.Contains(t, out, "is what node ns1 serves")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "probe.key"), []byte(files["probe.key"]+"\n"), 0o600))
	out, err = command(t, node, "diff", dir)
	code, _ := exit.CodeOf(err)
	require.Equal(t, exit.Failed, code, "%v", err)
	require.Contains(t, out, "~ file probe.key")
	require.NotContains(t, out, "PRIVATE")
}
