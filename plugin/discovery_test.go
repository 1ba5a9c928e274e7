package fairlead

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/discover"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin"
)

const discoveredZone = `zone: example.org
nameservers: [ns1.example.net]
regions: {eu: {azs: [eu-a]}}
pools: {web: {region: eu, from: [{cluster: eu-1, service: shop/web}]}}
services: {www: {tiers: [{web: 1}]}}
`

// keep writes what eu-1 gave an earlier process: one address.
func keep(t *testing.T, state, address string) *discover.Set {
	t.Helper()
	z, problems := config.Parse("a.yaml", []byte(discoveredZone), config.ParseOptions{})
	require.NotNil(t, z, "%s", problems)
	s := &discover.Set{Cluster: "eu-1", UID: "one", Decision: 1}
	for _, w := range discover.Wants([]*config.Zone{z}, "eu-1") {
		s.Parts = append(s.Parts, discover.Part{Key: w.Key, Entries: []discover.Entry{
			{Address: discover.Address{IP: netip.MustParseAddr(address)}, Object: "shop/web", Since: time.Now(), Joined: time.Now(), Probed: true},
		}})
	}
	require.NoError(t, discover.Prepare(state))
	require.NoError(t, s.Save(state))
	return s
}

// TestDiscoveredAtStart: a start without the API answers what the cluster gave last, from its first answer on. A set that cannot be read
// costs its own endpoints alone.
func TestDiscoveredAtStart(t *testing.T) {
	s := newSite(t)
	state := filepath.Join(s.dir, "state")
	require.NoError(t, os.Mkdir(state, 0o755))
	keep(t, state, "192.0.2.77")
	require.NoError(t, os.WriteFile(discover.Path(state, "eu-2"), []byte("{"), 0o600))
	require.NoError(t, os.WriteFile(s.path("a.yaml"), []byte(discoveredZone), 0o644))
	require.NoError(t, s.start(s.corefile("", "")))
	assert.Equal(t, "192.0.2.77", s.www())
}

// TestDiscoveredModel: what a cluster gives is part of the model and of its hash, while the text of the file is found by the file's own.
func TestDiscoveredModel(t *testing.T) {
	s := newSite(t)
	require.NoError(t, os.WriteFile(s.path("a.yaml"), []byte(discoveredZone), 0o644))
	state := t.TempDir()
	kept := keep(t, state, "192.0.2.77")
	reg := &scope{registerer: prometheus.NewRegistry()}
	d := newDiscovery("n1", state, nil, newLogger(), nil, reg)
	d.view = func() *health.View { return nil }
	dir := &zoneDir{path: filepath.Join(s.dir, "zones"), shown: filepath.Join(s.dir, "zones"), origins: []string{"example.org."}}
	l := &loader{state: state, logger: newLogger()}
	dirs, err := l.start([]*zoneDir{dir})
	require.NoError(t, err)
	src := newSource(newLogger(), dirs, nil, nil, d)
	z := src.model.Zones[0]
	require.Len(t, z.Pools[0].Endpoints, 1)
	assert.NotEqual(t, z.FileHash, z.Hash)
	text, err := src.text(z)
	require.NoError(t, err)
	assert.Equal(t, discoveredZone, string(text.Content))
	assert.Nil(t, src.discovered(), "nothing is different")

	// Another set makes another model of the same file, once.
	d.mu.Lock()
	d.sets["eu-1"] = &discover.Set{Cluster: "eu-1", UID: kept.UID}
	d.mu.Unlock()
	m := src.discovered()
	require.NotNil(t, m)
	assert.Empty(t, m.Zones[0].Pools[0].Endpoints)
	assert.Equal(t, z.FileHash, m.Zones[0].FileHash)
	assert.Nil(t, src.discovered())

	status := d.status()
	require.Len(t, status, 1)
	assert.False(t, status[0].Configured, "the node file does not name it")
	assert.NoError(t, d.Accept("eu-1"))
	assert.Equal(t, "accept", d.status()[0].Ordered, "it waits for a node that reads the cluster")
	assert.ErrorIs(t, d.Accept("eu-9"), admin.ErrNoCluster)
}
