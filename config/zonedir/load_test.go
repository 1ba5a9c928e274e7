package zonedir

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

// TestLoadMany: 3,000 zone files are loaded within seconds of processor time, at a first start, which keeps copies, and at a later one, which
// knows from which file each zone ran.
func TestLoadMany(t *testing.T) {
	suite.Large(t)
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const files = 3000
	dir, state := t.TempDir(), t.TempDir()
	served := make(map[string]string, files)
	for i := range files {
		path := filepath.Join(dir, fmt.Sprintf("z%05d.yaml", i))
		require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, "zone: z%d.example.org\nnameservers: [{name: ns1.example.net}]\nregions: {eu: {azs: [a, b]}}\n"+
			"pools: {web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: a}, {name: two, addresses: [192.0.2.2], az: b}]}}\n"+
			"services: {www: {tiers: [{web: 1}]}, api: {tiers: [{web: 1}], ttl: {max: 30s}}}\n", i), 0o644))
		served[fmt.Sprintf("z%d.example.org.", i)] = path
	}
	for _, tt := range []struct {
		name   string
		served map[string]string
	}{{"first start", nil}, {"a later one", served}} {
		start, began := suite.CPU(t), time.Now()
		d := Open(dir, Options{State: state, Served: tt.served})
		zones, problems, err := d.Load()
		took := suite.CPU(t) - start
		require.NoError(t, err)
		require.Empty(t, problems)
		require.Len(t, zones, files)
		t.Logf("%s: %s of processor time, %s", tt.name, took, time.Since(began))
		// Far above what is needed on an idle machine: the test is about what grows with the square of the files.
		require.Less(t, took, 10*time.Second)
	}
	kept, err := os.ReadDir(filepath.Join(state, "zones"))
	require.NoError(t, err)
	require.Len(t, kept, files)
}

// TestLoadKeepsTogether: what cannot be kept is a problem of its own file, and the others are kept.
func TestLoadKeepsTogether(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	for _, name := range []string{"a", "b", "c"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".yaml"), fmt.Appendf(nil, "zone: %s.example.org\nnameservers: [{name: ns1.example.net}]\nregions: {eu: {azs: [a]}}\n"+
			"pools: {web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: a}]}}\nservices: {www: {tiers: [{web: 1}]}}\n", name), 0o644))
	}
	// A directory stands where the copy of b is to be.
	require.NoError(t, os.MkdirAll(filepath.Join(keptPath(state, "b.yaml"), "sub"), 0o755))
	d := Open(dir, Options{State: state})
	zones, problems, err := d.Load()
	require.NoError(t, err)
	require.Len(t, zones, 3)
	require.Len(t, problems, 1)
	require.Equal(t, filepath.Join(dir, "b.yaml"), problems[0].File)
	require.Contains(t, problems[0].Message, "the last good version cannot be kept")
	require.Len(t, d.Files()[1].Problems, 1, "and it is shown")
	require.FileExists(t, keptPath(state, "a.yaml"))
	require.FileExists(t, keptPath(state, "c.yaml"))
}
