package diff

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

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
	parse := func(slot, text, typ string) *config.Zone {
		file := zone
		for _, s := range slots {
			if s == slot {
				file = strings.ReplaceAll(file, s, text)
			}
			file = strings.ReplaceAll(file, s, "")
		}
		z, _ := config.Parse("z", []byte(strings.ReplaceAll(file, "@TYPE@", typ)), config.ParseOptions{ReadFile: func(name string) ([]byte, error) {
			if name == "rtt.txt" {
				return nil, nil
			}
			return nil, fs.ErrNotExist
		}})
		return z
	}
	fill := func(slot, text, typ string) *config.Zone {
		z := parse(slot, text, typ)
		require.NotNil(t, z, text)
		return z
	}
	filled := make(map[string]bool)
	for _, key := range config.FieldKeys() {
		filled[key] = true
	}
	seen, labels := 0, 0
	for _, d := range config.KeyDocs() {
		if d.File != "zone" || !d.Plain {
			continue
		}
		above, inner := d.Above(), d.Name()+": "+d.Default
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
			bare = text[:strings.IndexByte(text, '{')] + "{ramp: [50%, 100%]}"
		} else if i := strings.IndexByte(text, '{'); i > 0 && slices.Contains([]string{"sticky", "https", "srv"}, strings.Trim(text[:i], ", :")) {
			bare = text[:i] + "{}"
		} else {
			bare = ""
		}
		if strings.Contains(text, "srv: {") {
			text, bare = strings.Replace(text, "{", "{port: 1, ", 1), ", srv: {port: 1}"
		}
		if strings.Contains(text, "latency: {") {
			text, bare = ", order: fastest"+strings.Replace(text, "{", "{table: rtt.txt, ", 1), ", order: fastest, latency: {table: rtt.txt}"
		}
		before, after := fill(slot, bare, typ), fill(slot, text, typ)
		assert.Empty(t, Zones(before, after), d.Path)
		seen++
		if other := strings.TrimPrefix(d.Example, d.Name()+": "); filled[d.Local()] && other != d.Default {
			changed := strings.Replace(text, d.Name()+": "+d.Default, d.Name()+": "+other, 1)
			labels += label(t, &d, before, parse(slot, changed, typ))
		}
	}
	t.Log(seen, "defaults,", labels, "labels")
	assert.Greater(t, seen, 40)
	assert.Greater(t, labels, 10)
}

// label finds the change of a key under its own path; 0 where the example alone is no file.
func label(t *testing.T, d *config.KeyDoc, before, after *config.Zone) int {
	t.Helper()
	if after == nil {
		return 0
	}
	var keys []string
	for _, c := range Zones(before, after) {
		keys = append(keys, c.Key)
	}
	if len(keys) == 0 {
		// The example says what holds anyway.
		return 0
	}
	assert.Contains(t, keys, d.Local(), d.Path)
	return 1
}

// typeWith is a type of check that takes the key.
func typeWith(d config.KeyDoc) string {
	name, isCheck := strings.CutPrefix(d.Path, "checks.CHECK.")
	if !isCheck {
		return "http"
	}
	for _, t := range []config.CheckType{config.CheckHTTP, config.CheckHTTPS, config.CheckDNS, config.CheckPush} {
		if first, _, nested := strings.Cut(name, "."); t.Takes(name) || nested && first != "expect" && t.Takes(first) {
			return map[config.CheckType]string{config.CheckDNS: "dns, name: example.org"}[t] + map[bool]string{true: string(t)}[t != config.CheckDNS]
		}
	}
	return "http"
}
