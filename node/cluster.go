package node

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/judge"
)

// clusterOf is the node's part in the cluster of its node file; nil without one. It reads the keys. version is that of the program.
func clusterOf(cfg *config.Node, version string) (*cluster.Options, error) {
	c := cfg.Cluster
	if c == nil {
		return nil, nil
	}
	identity, err := config.ReadIdentity(c.Gossip.Identity)
	if err != nil {
		return nil, fmt.Errorf("node file: cluster.gossip.identity: %w", err)
	}
	advertise, err := advertised(c, cfg.Name)
	if err != nil {
		return nil, err
	}
	o := gossip.Options{
		Cluster: c.Name, Node: cfg.Name, SigningKey: identity, Bind: c.Gossip.Listen, Advertise: advertise,
		Insecure: c.Gossip.Insecure, Seeds: c.Gossip.Seeds,
	}
	if c.Gossip.Profile == config.GossipWAN {
		o.Profile = gossip.WAN
	}
	if c.Gossip.Keyring != "" {
		keys, err := config.ReadKeyring(c.Gossip.Keyring)
		if err != nil {
			return nil, fmt.Errorf("node file: cluster.gossip.keyring: %w", err)
		}
		o.Keyring = gossip.Keyring{Primary: keys[0], Others: keys[1:]}
	}
	var nodes []judge.Node
	o.Roster, nodes = rosterOf(c)
	for _, m := range o.Roster {
		if public, _ := identity.Public().(ed25519.PublicKey); m.Name == cfg.Name && !m.PublicKey.Equal(public) {
			return nil, fmt.Errorf("node file: cluster.nodes: the public key of node %q is not that of %s, which is %s", cfg.Name,
				c.Gossip.Identity, base64.StdEncoding.EncodeToString(public))
		}
	}
	return &cluster.Options{
		Gossip: o, Nodes: nodes, Allowance: c.Allowance(), IsolateAfter: c.IsolateAfter, Version: version, Keyring: c.Gossip.Keyring,
	}, nil
}

// rosterOf is the roster as gossip and as the judge know it.
func rosterOf(c *config.Cluster) (members []gossip.Member, nodes []judge.Node) {
	for _, n := range c.Nodes {
		members = append(members, gossip.Member{Name: n.Name, Address: n.Address, PublicKey: n.PublicKey})
		nodes = append(nodes, judge.Node{Name: n.Name, Region: n.Region, AZ: n.AZ})
	}
	return members, nodes
}

// changedCluster is the roster of next, when it is another than that of old.
func changedCluster(old, next *config.Node) *config.Cluster {
	if old.Cluster == nil || next.Cluster == nil || fmt.Sprint(old.Cluster.Nodes) == fmt.Sprint(next.Cluster.Nodes) {
		return nil
	}
	return next.Cluster
}

// fixedCluster is what of a cluster cannot change while the process runs.
func fixedCluster(n *config.Node) any {
	if n.Cluster == nil {
		return "none"
	}
	return fmt.Sprint(n.Cluster.Name, n.Cluster.Gossip, n.Cluster.IsolateAfter)
}
