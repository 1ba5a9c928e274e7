package engine

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/plugin/admin/token"
)

// sharing is three nodes, each with a store of tokens.
type sharing struct {
	net    *gossiptest.Network
	beds   []*bed
	stores []*token.Store
	paths  []string
	addrs  []netip.AddrPort
}

func startSharing(t *testing.T, handlers map[string]map[string]gossip.Handler) *sharing {
	const size = 3
	s := &sharing{net: gossiptest.New(1)}
	// It runs after the nodes have ended: those that end later still dial those that ended first.
	t.Cleanup(func() { time.Sleep(10 * time.Second) }) // in a bubble
	var members []gossip.Member
	var nodes []judge.Node
	key := func(i int) ed25519.PrivateKey {
		seed := sha256.Sum256(fmt.Append(nil, i))
		return ed25519.NewKeyFromSeed(seed[:])
	}
	for i := range size {
		name := fmt.Sprintf("n%d", i+1)
		s.addrs = append(s.addrs, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 7946))
		members = append(members, gossip.Member{Name: name, Address: s.addrs[i].String(), PublicKey: key(i).Public().(ed25519.PublicKey)})
		nodes = append(nodes, judge.Node{Name: name})
	}
	for i := range size {
		dir := t.TempDir()
		s.paths = append(s.paths, filepath.Join(dir, "tokens.json"))
		store, err := token.Open(s.paths[i])
		require.NoError(t, err)
		b := start(t, Options{
			Model: &config.Model{Zones: []*config.Zone{testZone("example.org.", "192.0.2.1")}}, State: dir, Node: members[i].Name, Shared: store, MaxTTL: new(time.Duration),
			Handlers: handlers[members[i].Name],
			Cluster: &cluster.Options{Nodes: nodes, Allowance: time.Second, Gossip: gossip.Options{
				Cluster: "c", Node: members[i].Name, SigningKey: key(i), Roster: members, Bind: s.addrs[i].String(), Keyring: gossip.Keyring{Primary: make([]byte, 32)},
				Transport: s.net.Transport(s.addrs[i].String()),
			}},
		})
		store.OnChange(b.TellShared)
		s.beds, s.stores = append(s.beds, b), append(s.stores, store)
	}
	return s
}

// missing are who lacks what node i has, after a while.
func (s *sharing) missing(t *testing.T, i int, within time.Duration) []string {
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	return s.beds[i].SharedMissing(ctx)
}

// TestTokensOfACluster: a token that one node made is a login on all of them, and none once any node has revoked it, whoever was cut off.
func TestTokensOfACluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startSharing(t, nil)
		time.Sleep(20 * time.Second) // in a bubble
		good := func(secret string) (list []bool) {
			for _, store := range s.stores {
				_, err := store.Verify(secret, time.Now())
				list = append(list, err == nil)
			}
			return list
		}
		_, secret, err := s.stores[0].Create("ci", "operator", "ada", time.Now(), time.Time{})
		require.NoError(t, err)
		require.Empty(t, s.missing(t, 0, 2*time.Second))
		require.Equal(t, []bool{true, true, true}, good(secret))
		kept, err := token.Open(s.paths[2])
		require.NoError(t, err)
		require.Len(t, kept.List(), 1, "it is on the other node's disk")

		// n3 is cut off while n2 revokes it; it says who does not know yet.
		s.net.Partition(s.addrs[:2], s.addrs[2:])
		time.Sleep(15 * time.Second) // in a bubble
		_, err = s.stores[1].Revoke("ci", time.Now())
		require.NoError(t, err)
		require.Equal(t, []string{"n3"}, s.missing(t, 1, 2*time.Second))
		require.Equal(t, []bool{false, false, true}, good(secret))
		// What n3 makes meanwhile is no less good, and does not bring back what was revoked.
		_, other, err := s.stores[2].Create("deploy", "viewer", "bob", time.Now(), time.Time{})
		require.NoError(t, err)
		s.net.Heal()
		require.Empty(t, s.missing(t, 1, time.Minute))
		require.Empty(t, s.missing(t, 2, time.Minute))
		require.Equal(t, []bool{false, false, false}, good(secret))
		require.Equal(t, []bool{true, true, true}, good(other))
		require.Equal(t, s.stores[0].Digest(), s.stores[2].Digest())

		// One that has just started, cut off from the others, takes none of its earlier life, until one of them is heard to keep the same.
		s.net.Partition(s.addrs[:2], s.addrs[2:])
		time.Sleep(15 * time.Second) // in a bubble
		s.stores[2].Doubt()
		time.Sleep(15 * time.Second) // in a bubble
		require.Equal(t, []bool{true, true, false}, good(other))
		s.net.Heal()
		time.Sleep(20 * time.Second) // in a bubble
		require.Equal(t, []bool{true, true, true}, good(other))
	})
}
