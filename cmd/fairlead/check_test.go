package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// TestRemedies: what a help line names brings S under the target, and one step less does not.
func TestRemedies(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	a := steer.DefaultAllowances()
	named := map[string]int{}
	for range 2000 {
		interval := time.Duration(1+rnd.IntN(20)) * time.Second
		c := &config.Check{Name: "c", Interval: interval, Timeout: interval / 2, Fall: 1 + rnd.IntN(6)}
		other := &config.Check{Name: "d", Interval: 2 * time.Second, Timeout: time.Second, Fall: 3}
		z := &config.Zone{Checks: []*config.Check{c, other}, Pools: []*config.Pool{{Check: 0}, {Check: 1}}}
		svc := &config.Service{Pools: []int{0, 1}, TTL: config.TTL{Mode: config.TTLMode(rnd.IntN(2)), Min: config.Ladder(uint32(1 + rnd.IntN(10)))}}
		svc.TTL.Max = max(svc.TTL.Min, config.Ladder(uint32(1+rnd.IntN(90))))
		svc.Staleness.Target = time.Duration(8+rnd.IntN(100)) * time.Second
		tr := newTrial(z, svc, a)
		require.Equal(t, steer.BoundOf(z, svc, a).S, tr.bound())
		if tr.fits() {
			continue
		}
		help := remedy(z, svc, a)
		require.NotEmpty(t, help)
		for part := range strings.SplitSeq(help, ", or ") {
			checkRemedy(t, tr, part, named)
		}
	}
	for _, kind := range []string{"ttl.max", "ttl.min", "fall", "ttl.max and fall", "nothing"} {
		assert.NotZero(t, named[kind], kind)
	}
}

// checkRemedy applies one remedy to tr.
func checkRemedy(t *testing.T, tr *trial, text string, named map[string]int) {
	t.Helper()
	var n, m int
	ttl := func(n int) func(*trial) { return func(u *trial) { u.svc.TTL.Max = uint32(n) } }
	fall := func(n int) func(*trial) { return func(u *trial) { u.setFall(n) } }
	switch {
	case scans(text, "lower ttl.max to %ds and fall to %d in", &n, &m):
		named["ttl.max and fall"]++
		assert.True(t, tr.turned(func(u *trial) { ttl(n)(u); fall(m)(u) }).fits(), text)
	case scans(text, "lower ttl.max to %ds", &n):
		named["ttl.max"]++
		assert.True(t, tr.turned(ttl(n)).fits(), text)
		assert.False(t, tr.turned(ttl(n+1)).fits() && config.IsRung(uint32(n+1)), text)
	case scans(text, "lower ttl.min to %ds", &n):
		named["ttl.min"]++
		assert.True(t, tr.turned(func(u *trial) { u.svc.TTL.Min = uint32(n) }).fits() || strings.Contains(text, ","), text)
	case scans(text, "lower fall to %d in", &n):
		named["fall"]++
		assert.True(t, tr.turned(fall(n)).fits(), text)
		assert.False(t, tr.turned(fall(n+1)).fits(), text)
	case strings.HasPrefix(text, "with these intervals"):
		named["nothing"]++
	}
}

func scans(text, format string, to ...any) bool {
	n, err := fmt.Sscanf(text, format, to...)
	return err == nil && n == len(to)
}

// TestCheckManyServices: 10,000 services are checked within seconds, and their text stays one line each.
func TestCheckManyServices(t *testing.T) {
	const services = 10_000
	var b strings.Builder
	b.WriteString(`zone: big.example.org
soa: {mname: ns1.big.example.org}
nameservers: [{name: ns1.big.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a]}}
checks: {ready: {type: tcp, port: 80, interval: 2s, timeout: 1s, fall: 3}}
pools: {web: {region: eu, check: ready, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}]}}
services:
`)
	for i := range services {
		fmt.Fprintf(&b, "  s%d: {tiers: [{web: 1}], ttl: {max: %ds, min: 2s}, staleness: {target: 20s}}\n", i, 10+20*(i%2))
	}
	path := filepath.Join(t.TempDir(), "big.yaml")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))

	start := suite.CPU(t)
	r := checkPaths([]string{path}, "", steer.DefaultAllowances())
	var out bytes.Buffer
	r.writeText(&out)
	assert.Less(t, suite.CPU(t)-start, 20*time.Second)
	assert.Equal(t, services/2, r.problems().Count(config.Error))
	text := out.String()
	assert.Equal(t, maxComputed, strings.Count(text, ": error: "))
	assert.Contains(t, text, fmt.Sprintf("and %d more problems of this kind", services/2-maxComputed))
	assert.Equal(t, 2, strings.Count(text, "D = fall"), "one derivation for each check and TTL")
	assert.Less(t, strings.Count(text, "\n"), services+600)
}

// TestForeignCarriers: a static record of one zone with an endpoint's address of another is a warning, as it is within one zone.
func TestForeignCarriers(t *testing.T) {
	other := `zone: b.example
nameservers: [{name: ns1.b.example, addresses: [192.0.2.53]}]
records: [{name: old, type: A, data: 192.0.2.2}, {name: else, type: A, data: 192.0.2.77}]
`
	dir := diffDir(t, map[string]string{"a.yaml": diffBase, "b.yaml": other})
	out, err := command(t, cannedNode{}, "check", dir)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(out, "this record goes on naming it"), out)
	require.Contains(t, out, "b.yaml: warning: old.b.example. A: 192.0.2.2 is of the endpoint a.example/web/two")
	out, err = command(t, cannedNode{}, "check", filepath.Join(dir, "b.yaml"))
	require.NoError(t, err)
	require.NotContains(t, out, "192.0.2.2", "the other zone is not known")
}
