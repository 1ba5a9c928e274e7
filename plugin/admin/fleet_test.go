package admin

import (
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/fleet"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// TestFleetSummary: a signed word on one service, for whoever asked, and none where the node has none to give.
func TestFleetSummary(t *testing.T) {
	n := readNode(t)
	c, _ := start(t, n)
	nonce := strings.Repeat("0f", fleet.NonceSize)
	ask := func(service string) (*fleet.Summary, int) {
		var signed fleet.SignedSummary
		status := get(t, c, fleet.Path+"?service="+service+"&nonce="+nonce, &signed)
		if status != http.StatusOK {
			return nil, status
		}
		b, err := json.Marshal(signed)
		require.NoError(t, err)
		key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey)
		s, err := fleet.Open(b, []ed25519.PublicKey{key}, nonce, service)
		require.NoError(t, err)
		return s, status
	}
	name := n.snap.View.Zones[0].Zone.Services[0].Name
	s, _ := ask(name)
	require.Equal(t, "n1", s.Node)
	require.NotEmpty(t, s.State)
	require.False(t, s.Isolated)

	_, status := ask("nobody.example.org.")
	require.Equal(t, http.StatusNotFound, status)
	require.Equal(t, http.StatusBadRequest, get(t, c, fleet.Path+"?service="+name+"&nonce=abc", new(api.Problem)))
	n.cluster = &cluster.View{Name: "b", Isolated: true}
	s, _ = ask(name)
	require.True(t, s.Isolated)
	require.Equal(t, "b", s.Cluster)
	n.cluster = &cluster.View{Name: "b", Shut: "joins"}
	_, status = ask(name)
	require.Equal(t, http.StatusServiceUnavailable, status)
}
