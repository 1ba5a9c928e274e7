package config

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestReference: the pages in docs/ are what the table says.
func TestReference(t *testing.T) {
	for _, file := range []string{"zone", "node"} {
		path := "../docs/" + file + "-reference.md"
		page := ReferencePage(file)
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(page), 0o644))
		}
		have, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, page, string(have), "go test ./config -run TestReference -update")
	}
}

// TestKeyTable: each row says what its key does, in sentences, and each key stands in its example file.
func TestKeyTable(t *testing.T) {
	// commented are keys that the example files have in a comment: what they name is not there, or only on loopback.
	commented := []string{"dnssec", "insecure", "transfer"}
	for _, d := range KeyDocs() {
		top, _, _ := strings.Cut(d.Path, ".")
		assert.Regexp(t, `^[^a-z].*[.)]$|^[a-z].*\.$|^\.\.\. .*[.]$`, d.Text, d.Path)
		assert.NotContains(t, d.Text, "Default", d.Path)
		assert.NotEmpty(t, d.Type, d.Path)
		if len(d.Holds) > 0 || top == commented[0] || top == commented[2] || d.Name() == commented[1] {
			continue
		}
		assert.NotEmpty(t, d.Example, "%s stands in no example, or in a long one", d.Path)
	}
}

// TestKeyDefaults: a default that can be written has the same effect written out as left out.
func TestKeyDefaults(t *testing.T) {
	const zone = `zone: example.org
nameservers: [ns1.example.net]
@TOP@
soa: {@SOA@}
regions: {eu: {azs: [a]}}
checks: {c: {type: @TYPE@@CHECK@}}
pools: {p: {region: eu, check: c, @POOL@ from: [{cluster: c, service: a/b, az: a}], endpoints: [{name: e, addresses: [192.0.2.1], az: a@ENDPOINT@}]}}
records: [{name: x, type: A, data: 192.0.2.1@RECORD@}]
delegations: {sub: {nameservers: [ns.example.net]@DELEGATION@}}
services: {www: {tiers: [{p: 1}]@SERVICE@}}
`
	slots := map[string]string{"": "@TOP@", "soa": "@SOA@", "checks.CHECK": "@CHECK@", "pools.POOL": "@POOL@", "pools.POOL.endpoints[]": "@ENDPOINT@",
		"records[]": "@RECORD@", "delegations.DELEGATION": "@DELEGATION@", "services.SERVICE": "@SERVICE@"}
	fill := func(slot, text, typ string) *Zone {
		file := zone
		for _, s := range slots {
			if s == slot {
				file = strings.ReplaceAll(file, s, text)
			}
			file = strings.ReplaceAll(file, s, "")
		}
		z, problems := Parse("z", []byte(strings.ReplaceAll(file, "@TYPE@", typ)), ParseOptions{})
		require.NotNil(t, z, "%s: %s", text, problems)
		return z
	}
	seen := 0
	for _, d := range KeyDocs() {
		if d.File != "zone" || !d.plain {
			continue
		}
		above, inner := d.above(), d.Name()+": "+d.Default
		slot, known := slots[above]
		for ; !known && above != ""; slot, known = slots[above] {
			cut := strings.LastIndexByte(above, '.')
			inner = above[cut+1:] + ": {" + inner + "}"
			above = above[:max(0, cut)]
		}
		if !known || strings.Contains(inner, "[]") || above == "" && inner != d.Name()+": "+d.Default {
			continue
		}
		text := map[string]string{"@POOL@": inner + ",", "@SOA@": inner, "@TOP@": inner}[slot]
		if text == "" {
			text = ", " + inner
		}
		typ, extra := typeWith(d), map[string]string{"step": "ramp: [50%, 100%], "}[d.Name()]
		text = strings.Replace(text, "{step:", "{"+extra+"step:", 1)
		bare := text
		if extra != "" {
			bare = ", failback: {ramp: [50%, 100%]}"
		} else if i := strings.IndexByte(text, '{'); i > 0 && slices.Contains([]string{"sticky", "https", "srv"}, strings.Trim(text[:i], ", :")) {
			bare = text[:i] + "{}"
		} else {
			bare = ""
		}
		if strings.Contains(text, "srv: {") {
			text, bare = strings.Replace(text, "{", "{port: 1, ", 1), ", srv: {port: 1}"
		}
		before, after := fill(slot, bare, typ), fill(slot, text, typ)
		assert.Empty(t, Diff(before, after), d.Path)
		seen++
	}
	t.Log(seen, "defaults")
	assert.Greater(t, seen, 40)
}

// typeWith is a type of check that takes the key.
func typeWith(d KeyDoc) string {
	name, isCheck := strings.CutPrefix(d.Path, "checks.CHECK.")
	if !isCheck {
		return "http"
	}
	for _, t := range []CheckType{CheckHTTP, CheckHTTPS, CheckDNS, CheckPush} {
		if first, _, nested := strings.Cut(name, "."); t.takes(name) || nested && first != "expect" && t.takes(first) {
			return map[CheckType]string{CheckDNS: "dns, name: example.org"}[t] + map[bool]string{true: string(t)}[t != CheckDNS]
		}
	}
	return "http"
}
