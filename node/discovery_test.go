package node

import (
	"log/slog"
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
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/stream"
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
	root := t.TempDir()
	c := &Corefile{State: filepath.Join(root, "state")}
	require.NoError(t, os.Mkdir(c.State, 0o755))
	keep(t, c.State, "192.0.2.77")
	require.NoError(t, os.WriteFile(discover.Path(c.State, "eu-2"), []byte("{"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(root, "a.yaml"), []byte(discoveredZone), 0o644))
	c.Serve(root, []string{"example.org."})
	n, err := Start(c, Options{
		Version: "test", Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Lanes: func() []api.FastLane { return nil },
		Streams: func() stream.Counts { return stream.Counts{} },
	})
	require.NoError(t, err)
	defer n.Stop()
	lease := n.Enter(0)
	defer lease.Leave()
	assert.Equal(t, []string{"www.example.org."}, lease.Snapshot.Owners(1, "192.0.2.77"))
}

// TestDiscoveredModel: what a cluster gives is part of the model and of its hash, while the text of the file is found by the file's own.
func TestDiscoveredModel(t *testing.T) {
	zones := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(zones, "a.yaml"), []byte(discoveredZone), 0o644))
	state := t.TempDir()
	kept := keep(t, state, "192.0.2.77")
	reg := &scope{registerer: prometheus.NewRegistry()}
	d := newDiscovery("n1", "test", state, nil, quiet, nil, reg)
	d.view = func() *health.View { return nil }
	dir := &zoneDir{path: zones, shown: zones, origins: []string{"example.org."}}
	l := &loader{state: state, logger: quiet}
	dirs, err := l.start([]*zoneDir{dir})
	require.NoError(t, err)
	src := newSource(quiet, dirs, nil, nil, d, nil)
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

	status := d.Status()
	require.Len(t, status, 1)
	assert.False(t, status[0].Configured, "the node file does not name it")
	assert.NoError(t, d.Accept("eu-1"))
	assert.Equal(t, "accept", d.Status()[0].Ordered, "it waits for a node that reads the cluster")
	assert.ErrorIs(t, d.Accept("eu-9"), admin.ErrNoCluster)
}
