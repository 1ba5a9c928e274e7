package node

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/probe"
)

// TestOwnPorts: what this node listens on for operators and for the other nodes is refused to probes, by whatever address of the host, and
// other ports of the host are not.
func TestOwnPorts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()
	gossip := &config.Cluster{Gossip: config.Gossip{Listen: "192.0.2.1:7946"}}
	for _, tt := range []struct {
		name    string
		listen  string
		cluster *config.Cluster
		want    []string
	}{
		{"nowhere", "", nil, nil},
		{"an address", "127.0.0.1:8443", nil, []string{"127.0.0.1:8443"}},
		{"all addresses", ":8443", gossip, []string{"[::]:8443", "192.0.2.1:7946"}},
		{"a name", "localhost:8443", nil, []string{"[::]:8443"}},
	} {
		var got []string
		for _, own := range ownPorts(&config.Node{Admin: config.Admin{Listen: tt.listen}, Cluster: tt.cluster}) {
			got = append(got, own.String())
		}
		require.Equal(t, tt.want, got, tt.name)
	}
	var feeds []string
	for _, own := range ownPorts(&config.Node{Feed: &config.Feed{HTTP: "192.0.2.1:8444", XDS: "[2001:db8::1]:8445", Agent: "localhost:8446"}}) {
		feeds = append(feeds, own.String())
	}
	require.Equal(t, []string{"192.0.2.1:8444", "[2001:db8::1]:8445", "[::]:8446"}, feeds)
	check := &config.Check{Name: "c", Type: config.CheckTCP, Port: port, Interval: 10 * time.Second, Timeout: 5 * time.Second}
	target := health.TargetOf("example.org.", check, &config.Endpoint{ProbeAddr: netip.MustParseAddr("127.0.0.1")})
	require.True(t, probe.Once(t.Context(), target, probe.Options{}).OK)
	own := ownPorts(&config.Node{Admin: config.Admin{Listen: l.Addr().String()}})
	r := probe.Once(t.Context(), target, probe.Options{Forbidden: own})
	require.False(t, r.OK)
	require.Equal(t, probe.Forbidden, r.Reason.Kind)
	require.Contains(t, r.Reason.Text, "own admin or gossip port")
}
