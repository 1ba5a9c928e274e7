package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

const makeZone = `zone: example.org
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [eu-a]}, us: {azs: [us-a]}}
pools:
  web-eu: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}]}
  db-eu: {region: eu, stateful: true, endpoints: [{name: one, addresses: [192.0.2.3], az: eu-a}]}
  db-us: {region: us, stateful: true, endpoints: [{name: one, addresses: [192.0.2.4], az: us-a}]}
services:
  db: {tiers: [{db-eu: 1}, {db-us: 1}], ttl: {max: 1h, min: 5s}}
  www: {tiers: [{web-eu: 1}], needs: [db]}
`

// TestPlanMake: the plan has what needs others leave before them, and is one that nothing is wrong with.
func TestPlanMake(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "z.yaml"), []byte(makeZone), 0o600))
	run := func(args ...string) (string, error) {
		root := rootCommand()
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetErr(&out)
		root.SetArgs(append([]string{"plan", "make"}, args...))
		err := root.Execute()
		return out.String(), err
	}
	text, err := run("region", "eu", "--zones", dir)
	require.NoError(t, err)
	require.Equal(t, `plan: eu-out
says: region eu is left; what needs other services leaves before them
steps:
  - drain: {region: eu, service: www.example.org}    # needs db.example.org
  - {timeout: 10m30s, verify: {forgotten: true}}
  - drain: {region: eu}
  - {timeout: 1h10m0s, verify: {forgotten: true}}
`, text)
	zones, problems := readZones([]string{dir}, config.GeoUnknown)
	require.False(t, problems.HasErrors())
	p, problems := config.ParsePlan("eu-out.yaml", []byte(text), zones)
	require.Empty(t, problems)
	require.Equal(t, "www.example.org.", p.Steps[0].Drain.Service)

	text, err = run("pool", "example.org/db-us", "--zones", dir, "--name", "db")
	require.NoError(t, err)
	require.Contains(t, text, "plan: db\n")
	_, err = run("region", "mars", "--zones", dir)
	require.ErrorContains(t, err, "no service has anything in region mars")
	_, err = run("planet", "mars", "--zones", dir)
	require.ErrorContains(t, err, `not "planet"`)
	_, err = run("region", "eu")
	require.ErrorContains(t, err, "--zones")
}
