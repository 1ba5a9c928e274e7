package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What comes before the part of a file that a test is about.
const (
	head = `zone: gslb.example.org
nameservers: [{name: ns1.example.net}]
`
	withRegions = head + `regions: {eu: {azs: [eu-a, eu-b]}, us: {azs: [us-a]}}
`
	withChecks = withRegions + `checks: {ready: {type: http}}
`
	withPools = withChecks + `pools:
  web: {region: eu, check: ready, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}]}
  web-us: {region: us, check: ready, endpoints: [{name: a, addresses: [192.0.2.2], az: us-a}]}
  names: {region: eu, endpoints: [{name: a, target: a.example.net, az: eu-a}]}
  data: {region: us, stateful: true, endpoints: [{name: d, addresses: [192.0.2.3], az: us-a}]}
`
)

// A rejectCase is a file that is refused. want holds the first line of each error and warning, without the file's name.
type rejectCase struct {
	name, before, yaml string
	want               []string
}

func runRejects(t *testing.T, cases []rejectCase) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			zone, problems := Parse("z.yaml", []byte(tt.before+tt.yaml), ParseOptions{})
			var got []string
			for _, p := range problems {
				if p.Severity != Notice {
					first, _, _ := strings.Cut(p.String(), "\n")
					got = append(got, strings.TrimPrefix(first, "z.yaml"))
				}
			}
			assert.Equal(t, tt.want, got)
			assert.Nil(t, zone)
		})
	}
}

// TestRender pins the whole text of problems: the place, the line with the caret, the help.
func TestRender(t *testing.T) {
	for _, tt := range []struct{ name, yaml, want string }{
		{"help", withPools + "services:\n  www: {tiers: [{wbe: 1}]}\n", `z.yaml:11:18: error: services.www.tiers[0].wbe: unknown pool "wbe"
  www: {tiers: [{wbe: 1}]}
                 ^
  help: did you mean "web"?
`},
		{"unit", withPools + "services:\n  www: {tiers: [{web: 1}], ttl: {max: 5}}\n", `z.yaml:11:39: error: services.www.ttl.max: want a duration, got the number 5
  www: {tiers: [{web: 1}], ttl: {max: 5}}
                                      ^
  help: a duration needs a unit, as in 5s
`},
		{"characters", head + "records: [{name: \"ü\", type: A, data: é}]\n", `z.yaml:3:38: error: records[0].data: want an IPv4 or IPv6 address, got "é"
records: [{name: "ü", type: A, data: é}]
                                     ^
`},
		{"long line", head + "x" + strings.Repeat("y", 200) + ": {a: 1}\n", "z.yaml:3:1: error: x" + strings.Repeat("y", 59) + "…: unknown key \"x" + strings.Repeat("y", 59) +
			"…\"\nx" + strings.Repeat("y", 159) + "\n^\n  help: known keys: zone, serial, soa, nameservers, ns_ttl, dnssec, rrl, cookies, transfer, records, delegations, zonefile, allow_shrink, regions, checks, pools, services\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := Parse("z.yaml", []byte(tt.yaml), ParseOptions{})
			problems = slices.DeleteFunc(problems, func(p Problem) bool { return p.Severity == Notice })
			assert.Equal(t, tt.want, problems.String())
		})
	}
}

// TestTenMistakes is a file with ten different mistakes: ten located errors, in the order of the file.
func TestTenMistakes(t *testing.T) {
	const file = `zone: gslb.example.org
soa: {negative_ttl: 10}
nameservers: [{name: ns1.gslb.example.org}]
records:
  - {name: "@", type: CNAME, data: www}
regions: {eu: {azs: [eu-a]}}
checks:
  ready: {type: http, interval: 1s, timeout: 2s}
pools:
  web:
    region: eu
    check: redy
    endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a, weight: 1.5}]
services:
  www: {tiers: [{wbe: 1}], answer: 1}
  api: {tiers: [{web: 0}]}
  old: {tiers: [{web: 1}], ttl: {min: 60s, max: 30s}}
`
	_, problems := Parse("z.yaml", []byte(file), ParseOptions{})
	var got []string
	for _, p := range problems {
		require.Equal(t, Error, p.Severity)
		require.NotZero(t, p.Caret)
		got = append(got, fmt.Sprintf("%d:%d %s", p.Line, p.Col, p.Path))
	}
	want := []string{
		"2:21 soa.negative_ttl", "3:22 nameservers[0]", "5:23 records[0].type", "8:46 checks.ready.timeout", "12:12 pools.web.check",
		"13:69 pools.web.endpoints[0].weight", "15:18 services.www.tiers[0].wbe", "15:28 services.www.answer",
		"16:17 services.api.tiers[0]", "17:39 services.old.ttl.min",
	}
	assert.Equal(t, want, got)
}

// TestAliasBomb is docs/reliability.md id S21: 300 octets, refused in less than 10 ms.
func TestAliasBomb(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i, c := range "bcdefgh" {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", 'a'+i), 9), ","))
	}
	require.LessOrEqual(t, len(bomb), 320)
	var problems Problems
	best := time.Hour
	for range 5 {
		start := time.Now()
		_, problems = Parse("z.yaml", []byte(bomb), ParseOptions{})
		best = min(best, time.Since(start))
	}
	assert.Contains(t, problems.String(), "aliases make the file too large")
	assert.Less(t, best, 10*time.Millisecond)
	allocs := testing.AllocsPerRun(3, func() { Parse("z.yaml", []byte(bomb), ParseOptions{}) })
	assert.Less(t, allocs, 5000.0)
}

// TestAlias: plain aliases stay allowed.
func TestAlias(t *testing.T) {
	file := withPools + "services:\n  www: {tiers: &t [{web: 1}]}\n  api: {tiers: *t}\n"
	zone, problems := Parse("z.yaml", []byte(file), ParseOptions{})
	require.NotNil(t, zone, "%s", problems)
	assert.Equal(t, zone.Services[0].Tiers, zone.Services[1].Tiers)
}

// TestBadText: octets that no YAML file may hold are located.
func TestBadText(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"not UTF-8", "zone: a\n b\xff", "z.yaml:2:3: error: not UTF-8 in the file"},
		{"NUL", "zone: \x00", "z.yaml:1:7: error: control character U+0000 in the file"},
		{"UTF-16", "\xff\xfez\x00", "z.yaml:1:1: error: not UTF-8 in the file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := Parse("z.yaml", []byte(tt.text), ParseOptions{})
			require.Len(t, problems, 1)
			assert.Equal(t, tt.want, problems[0].Head())
		})
	}
	_, problems := Parse("z.yaml", make([]byte, MaxFileBytes+1), ParseOptions{})
	assert.Equal(t, "z.yaml: error: the file has 67108865 octets; at most 67108864 are read\n", problems.String())
}
