package config

import (
	"cmp"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

const (
	// maxNodes is the greatest roster for which traffic and convergence have been measured.
	maxNodes = 200
	// maxNodeName is what fits in every part of a message.
	maxNodeName = 63
	// The edges of isolate_after: less is within what a restart of the others takes, more is no protection.
	minIsolate, maxIsolate = 10 * time.Second, 24 * time.Hour
)

// A Cluster is the nodes that judge together and share what operators want.
type Cluster struct {
	// Name is part of every message: two clusters never merge.
	Name string
	// Nodes are the roster by name, this node included.
	Nodes  []ClusterNode
	Gossip Gossip
	// IsolateAfter is how long the node goes on answering without a majority; 0 means for ever.
	IsolateAfter time.Duration
}

// A ClusterNode is one node of the roster. Region and AZ may be empty.
type ClusterNode struct {
	Name, Region, AZ string
	// Address is host:port, where the other nodes find it; the host may be a DNS name.
	Address   string
	PublicKey ed25519.PublicKey
}

// Gossip is how the nodes talk.
type Gossip struct {
	// Listen is address:port, Advertise the same as the other nodes see it; empty means Listen, AdvertiseAuto what the system sends from.
	Listen, Advertise string
	// Identity is the path of this node's private key, Keyring that of the keys that encrypt; empty only with Insecure.
	Identity, Keyring string
	Profile           GossipProfile
	// Seeds are host:port besides the roster's.
	Seeds []string
	// Insecure is set to talk in clear, which is only for the loopback interface.
	Insecure bool
}

// AdvertiseAuto in Gossip.Advertise is the address from which the system sends to the other nodes.
const AdvertiseAuto = "auto"

// A GossipProfile says how far the nodes are from each other.
type GossipProfile uint8

// The profiles.
const (
	GossipLAN GossipProfile = iota
	GossipWAN
)

// String is the word in the file.
func (p GossipProfile) String() string {
	if p == GossipWAN {
		return "wan"
	}
	return "lan"
}

// Allowance is how late a node may learn of what another one saw (G of docs/design.md section 6); 0 for a node alone.
func (c *Cluster) Allowance() time.Duration {
	switch {
	case c == nil:
		return 0
	case c.Gossip.Profile == GossipWAN:
		return 2 * time.Second
	}
	return time.Second
}

func clusterShape() *shape {
	return object(
		required("name", text("a cluster name", nodeName)).says("Clusters with different names never merge."),
		required("nodes", &shape{list: rosterShape(), least: 1, most: maxNodes}).says("The roster: the same list on every node, this one included."),
		required("gossip", gossipShape()).says("How the nodes talk."),
		optional("isolate_after", duration(minIsolate, maxIsolate)).or("it answers for ever").
			says("A node that no majority has heard for so long answers service names with SERVFAIL: then the bound of a dead node is known by itself."),
	)
}

func rosterShape() *shape {
	return object(
		required("name", text("a node name", nodeName)).says("The node's name."),
		required("address", text("host:port, as in 192.0.2.1:7946", hostPort)).says("Where the others find it; the host may be a DNS name."),
		required("public_key", text("a public key in base64, as `fairlead nodes identity show` prints it", publicKey)).says("That of its `identity`."),
		optional("region", text("a region name", parseIdentifier)).or("unknown").says("Where it stands."),
		optional("az", text("an AZ name", parseIdentifier)).or("unknown").says("Where it stands; needs `region`."),
	)
}

func gossipShape() *shape {
	return object(
		required("listen", text("an address with a port, as in 0.0.0.0:7946", addressPort)).says("UDP and TCP."),
		optional("advertise", text("an address with a port, as in 192.0.2.1:7946, or auto", advertiseText)).
			or("listen, or the roster's address where that is unspecified").says("Where the others send; `auto` is the address from which this host sends."),
		required("identity", text("a path", lineText)).says("The node's private key: `fairlead nodes identity new` makes one."),
		optional("keyring", text("a path", lineText)).says("The keys that encrypt, the same on every node: `fairlead nodes keyring new` makes one. Required unless `insecure`."),
		optional("profile", enum("lan", "wan")).or("lan").says("How far the nodes are from each other: timeouts, and 1 s or 2 s in the bound."),
		optional("seeds", list(text("host:port", hostPort))).or("the roster").says("Further places to look for nodes."),
		optional("insecure", boolean()).or(false).says("In clear, without a keyring: on loopback alone."),
	)
}

func nodeName(s string) error {
	if len(s) > maxNodeName {
		return fmt.Errorf("a name has 1 to %d octets, got %d", maxNodeName, len(s))
	}
	return parseIdentifier(s)
}

func hostPort(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return fmt.Errorf("want host:port, as in 192.0.2.1:7946, got %q", shorten(s))
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("the port %q: want 1 to 65535", shorten(port))
	}
	return nil
}

func addressPort(s string) error {
	if a, err := netip.ParseAddrPort(s); err != nil || a.Port() == 0 {
		return fmt.Errorf("want an address with a port, as in 192.0.2.1:7946, got %q", shorten(s))
	}
	return nil
}

func advertiseText(s string) error {
	if s == AdvertiseAuto {
		return nil
	}
	if addressPort(s) != nil {
		return fmt.Errorf("want an address with a port, as in 192.0.2.1:7946, or auto, got %q", shorten(s))
	}
	return nil
}

func publicKey(s string) error {
	if b, err := base64.StdEncoding.DecodeString(s); err != nil || len(b) != ed25519.PublicKeySize {
		return fmt.Errorf("want %d octets in base64, got %q", ed25519.PublicKeySize, shorten(s))
	}
	return nil
}

// cluster reads the key cluster, which may be missing. The name, region and AZ of the node itself are set.
func (n *Node) cluster(r *report, at *yamlNode) {
	if at == nil {
		return
	}
	c := &Cluster{Name: stringOf(field(at, "name")), IsolateAfter: durationOf(field(at, "isolate_after"), 0)}
	g := field(at, "gossip")
	c.Gossip = Gossip{
		Listen: stringOf(field(g, "listen")), Advertise: stringOf(field(g, "advertise")), Identity: stringOf(field(g, "identity")),
		Keyring: stringOf(field(g, "keyring")), Insecure: boolOf(field(g, "insecure")),
	}
	if stringOf(field(g, "profile")) == "wan" {
		c.Gossip.Profile = GossipWAN
	}
	for _, seed := range items(field(g, "seeds")) {
		c.Gossip.Seeds = append(c.Gossip.Seeds, stringOf(seed))
	}
	list := field(at, "nodes")
	c.roster(r, items(list))
	self := slices.IndexFunc(c.Nodes, func(m ClusterNode) bool { return m.Name == n.Name })
	if self < 0 && list != nil {
		r.node(list, Error, "cluster.nodes", fmt.Sprintf("this node, %q, is not among the nodes", n.Name), "`name` at the top of the file says which of them it is")
	} else if self >= 0 {
		n.place(r, at, &c.Nodes[self])
		c.Gossip.check(r, g, c.Nodes[self].Address)
	}
	if iso := field(at, "isolate_after"); iso != nil && len(c.Nodes) < 3 {
		r.node(iso, Warning, "cluster.isolate_after", fmt.Sprintf("with %d nodes all stop answering when they lose each other", len(c.Nodes)), "")
	}
	n.Cluster = c
}

// roster reads the nodes.
func (c *Cluster) roster(r *report, list []*yamlNode) {
	lines, keys := make(map[string]int), make(map[string]string)
	for i, item := range list {
		at := func(key string) string { return (*yamlPath)(nil).at("cluster", "nodes", i, key).String() }
		m := ClusterNode{
			Name: stringOf(field(item, "name")), Region: stringOf(field(item, "region")), AZ: stringOf(field(item, "az")),
			Address: stringOf(field(item, "address")),
		}
		if line, dup := lines[m.Name]; dup && m.Name != "" {
			r.node(field(item, "name"), Error, at("name"), fmt.Sprintf("the node %q stands at line %d already", m.Name, line), "")
		}
		if m.AZ != "" && m.Region == "" {
			r.node(field(item, "az"), Error, at("az"), "an AZ without a region", "set region too")
		}
		key := stringOf(field(item, "public_key"))
		if other, dup := keys[key]; dup && key != "" {
			r.node(field(item, "public_key"), Error, at("public_key"), fmt.Sprintf("node %q has this key already", other), "each node has an identity of its own")
		}
		// walk has said what is wrong with it.
		m.PublicKey, _ = base64.StdEncoding.DecodeString(key)
		lines[m.Name], keys[key] = int(item.Line), m.Name
		c.Nodes = append(c.Nodes, m)
	}
	slices.SortFunc(c.Nodes, func(a, b ClusterNode) int { return cmp.Compare(a.Name, b.Name) })
}

// place makes the node's own region and AZ and those of its entry in the roster the same.
func (n *Node) place(r *report, at *yamlNode, entry *ClusterNode) {
	for _, p := range []struct {
		key        string
		own, entry *string
	}{{"region", &n.Region, &entry.Region}, {"az", &n.AZ, &entry.AZ}} {
		switch {
		case *p.own == "":
			*p.own = *p.entry
		case *p.entry == "":
			*p.entry = *p.own
		case *p.own != *p.entry:
			r.node(at, Error, "cluster.nodes", fmt.Sprintf("the %s of node %q is %q here, and %q at the top of the file", p.key, n.Name, *p.entry, *p.own), "")
		}
	}
}

// check finds out whether the others could reach the node, and whether it would be in clear where somebody listens. own is its
// address in the roster.
func (g *Gossip) check(r *report, at *yamlNode, own string) {
	listen, err := netip.ParseAddrPort(g.Listen)
	if err != nil {
		return
	}
	ins := field(at, "insecure")
	switch {
	case g.Insecure && g.Keyring != "":
		r.node(ins, Error, "cluster.gossip.insecure", "in clear, and a keyring", "take one of them out")
	case g.Insecure && !listen.Addr().IsLoopback():
		r.node(ins, Error, "cluster.gossip.insecure", fmt.Sprintf("%s is not a loopback address: gossip beyond it is encrypted", listen.Addr()),
			"`fairlead nodes keyring new FILE` makes a keyring")
	case !g.Insecure && g.Keyring == "":
		r.node(at, Error, "cluster.gossip.keyring", "required", "`fairlead nodes keyring new FILE` makes one")
	}
	if listen.Addr().IsUnspecified() && g.Advertise == "" {
		a, err := netip.ParseAddrPort(own)
		if err != nil {
			r.node(field(at, "listen"), Error, "cluster.gossip.advertise", fmt.Sprintf("required: the other nodes cannot send to %s", listen.Addr()),
				"`auto` is the address from which this host sends")
			return
		}
		g.Advertise = a.String()
	}
	if a, err := netip.ParseAddrPort(g.Advertise); err == nil && a.Addr().IsUnspecified() {
		r.node(field(at, "advertise"), Error, "cluster.gossip.advertise", fmt.Sprintf("the other nodes cannot send to %s", a.Addr()), "")
	}
}
