package node

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

func TestAdvertised(t *testing.T) {
	cluster := func(advertise string, addresses ...string) *config.Cluster {
		c := &config.Cluster{Gossip: config.Gossip{Listen: "0.0.0.0:7946", Advertise: advertise}}
		for i, a := range addresses {
			c.Nodes = append(c.Nodes, config.ClusterNode{Name: string(rune('a' + i)), Address: a})
		}
		return c
	}
	got, err := advertised(cluster("192.0.2.9:7946", "127.0.0.1:7946"), "z")
	require.NoError(t, err)
	require.Equal(t, "192.0.2.9:7946", got, "what the file says")

	// The loopback interface is how one reaches a node there; the own address and names are passed over.
	got, err = advertised(cluster(config.AdvertiseAuto, "192.0.2.9:7946", "n2.example.org:7946", "127.0.0.1:7000"), "a")
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:7946", got)

	if _, err := sourceTo(anywhere[0]); err == nil {
		got, err = advertised(cluster(config.AdvertiseAuto, "n1.example.org:7946"), "z")
		require.NoError(t, err)
		require.NotContains(t, got, "0.0.0.0")
		require.Contains(t, got, ":7946")
	}
}
