package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The defaults of a node file.
const (
	// defaultStateMaxAge is how old a persisted verdict may be to count after a restart.
	defaultStateMaxAge = time.Hour
	// maxInFlight is the greatest number of probes at once; each holds a file descriptor.
	maxInFlight = 1_000_000
	// maxEndpointSeries is the greatest number of endpoints with a series of their own: CoreDNS cuts a scrape off after 5 s.
	maxEndpointSeries = 20_000
	// maxConnections is the greatest number of TCP connections of DNS: each may cost 160 kB.
	maxConnections = 100_000
)

// A Node is the node file: what is particular to one running fairlead. It is frozen like a Zone.
type Node struct {
	// Name is the node's name in the cluster; by default the host's name.
	Name string
	// Region and AZ say where the node stands; empty means unknown.
	Region, AZ string
	// User is as whom the process goes on that was started as root.
	User  User
	Admin Admin
	// StateMaxAge is how old persisted verdicts may be to be used after a restart.
	StateMaxAge time.Duration
	Probe       Probe
	// TCP bounds the connections of DNS.
	TCP TCP
	// References are hosts that are up whenever this node's own network is: while none of them answers a TCP connect and
	// most probes fail, the node calls itself blind and abstains.
	References []netip.AddrPort
	// Geo tells where clients are.
	Geo Geo
	// Cluster is nil for a node alone.
	Cluster *Cluster
	// Caches are what is assumed of resolvers.
	Caches Caches
	// Metrics bounds what Prometheus is told.
	Metrics Metrics
	// Hooks are told what happens.
	Hooks []Hook
	// Kubernetes are the clusters that the node reads, in the order of the file.
	Kubernetes []KubeCluster
	// Resolvers are asked for the addresses of host names, in this order; none means those of /etc/resolv.conf.
	Resolvers []netip.AddrPort
	// Plans are what to do when a site is left.
	Plans NodePlans
	// Feed is nil where nobody listens but resolvers.
	Feed *Feed
}

// Metrics bounds what Prometheus is told.
type Metrics struct {
	// Endpoints is how many endpoints at most have a series of their own; 0 is none.
	Endpoints int
}

// Caches are what is assumed of the resolvers that ask.
type Caches struct {
	// Transit is how late a resolver may still accept an answer after it was written (X of docs/design.md section 6), 1 s to 1 min.
	Transit time.Duration
	// Clamp is how long caches keep an answer at least that do not obey a shorter TTL, 1 s to 1 day.
	Clamp time.Duration
}

const (
	// DefaultTransit covers a resolver's own retries; BIND gives a whole resolution 10 s.
	DefaultTransit = 5 * time.Second
	maxTransit     = time.Minute
	// defaultClamp is what cache-min-ttl and its like are often set to.
	defaultClamp = time.Minute
	maxClamp     = 24 * time.Hour
)

// MaxGeoDatabases is how many geo databases a node can have; each costs a walk down a tree per lookup.
const MaxGeoDatabases = 8

// Geo names the geo databases.
type Geo struct {
	// Databases are paths of files in MaxMind's format, the one that is believed first. No two have the same last element.
	Databases []string
}

// GeoDatabase says whether the node has one.
func (n *Node) GeoDatabase() GeoDatabase {
	if len(n.Geo.Databases) == 0 {
		return GeoNone
	}
	return GeoPresent
}

// Probe limits the checkers of the node.
type Probe struct {
	// MaxInFlight is how many probes run at once; 0 means by the limit of file descriptors.
	MaxInFlight int
	// Allow opens prefixes that probes refuse by default: link-local addresses, metadata services, multicast.
	Allow []netip.Prefix
	// Exec lets checks of type exec run programs.
	Exec bool
	// Reports is a directory of report files for checks of type push; empty means none.
	Reports string
	// SourceV4 and SourceV6 are where probes come from; invalid means that the system chooses.
	SourceV4, SourceV6 netip.Addr
}

// TCP bounds the connections over which DNS is asked; 0 is the default.
type TCP struct {
	// Connections is how many there are at once, PerClient how many one client has, an IPv4 address or an IPv6 /64.
	Connections, PerClient int
}

// DefaultNode is the node without a node file.
func DefaultNode() *Node {
	name, err := os.Hostname()
	if err != nil || parseIdentifier(name) != nil {
		name = "localhost"
	}
	return &Node{Name: strings.ToLower(name), StateMaxAge: defaultStateMaxAge, Caches: Caches{Transit: DefaultTransit, Clamp: defaultClamp}}
}

func nodeShape() *shape {
	return object(
		optional("name", text("a node name", parseIdentifier)).or("the host's name").says("The node's name in the cluster, where it is required."),
		optional("region", text("a region name", parseIdentifier)).or("what the roster says, else unknown").says("Where the node stands."),
		optional("az", text("an AZ name", parseIdentifier)).or("what the roster says, else unknown").says("Where the node stands; needs `region`."),
		optional("user", text("a user", userText)).or("root stays root, with a warning").
			says("USER or USER:GROUP, names or numbers: as whom a node goes on that root started, with CAP_NET_BIND_SERVICE alone."),
		optional("admin", adminShape()).says("How operators reach the node."),
		optional("caches", object(
			optional("transit", duration(time.Second, maxTransit)).or(DefaultTransit).says("X: how late a resolver may still accept an answer."),
			optional("clamp", duration(time.Second, maxClamp)).or(defaultClamp).says("How long caches keep an answer at least that obey no shorter TTL."),
		)).says("What is assumed of the resolvers that ask."),
		optional("cluster", clusterShape()).or("a node alone").says("The nodes that judge together and share orders. All but `nodes` needs a new process."),
		optional("feed", feedShape()).or("nobody listens but resolvers").says("What is answered, for programs that are no resolvers: docs/two-speed.md. It needs a new process."),
		optional("hooks", hooksShape()).says("Webhooks that are told what happens, as CloudEvents: docs/hooks.md."),
		optional("kubernetes", kubernetesShape()).or("none").says("Clusters that this node reads for the `from` parts of pools: docs/kubernetes.md."),
		optional("metrics", object(
			optional("endpoints", integer(0, maxEndpointSeries)).or(0).
				says("How many endpoints at most have a series `fairlead_endpoint_state` of their own, those that are not up first."),
		)).says("Bounds of what Prometheus is told."),
		optional("plans", nodePlansShape()).or("none").says("Plans for disaster recovery, which this node can start and carry on."),
		optional("state_max_age", duration(0, maxHold)).or(defaultStateMaxAge).says("How old kept verdicts may be at a start."),
		optional("references", list(text("an address with a port, as in 192.0.2.1:443", referenceText))).
			says("Hosts that are up whenever this node's own network is: while none accepts a connection and most probes fail, the node abstains."),
		optional("resolvers", &shape{list: text("an address, alone or with a port", resolverText), least: 1, most: MaxResolvers}).or("those of /etc/resolv.conf").
			says("Who is asked for the addresses of host names (`host` of endpoints, `alias` of services), in this order."),
		optional("geo", object(
			required("databases", &shape{list: text("a path", lineText), least: 1, most: MaxGeoDatabases}).
				says("Files in MaxMind's format, the one that is believed first. `fairlead geo make` makes small ones."),
		)).or("none").says("Where clients are."),
		optional("tcp", object(
			optional("connections", integer(1, maxConnections)).or("a quarter of the limit of open files, 1024 at most").says("How many there are at once."),
			optional("per_client", integer(1, maxConnections)).or("an eighth of connections, at least 8").says("How many one IPv4 address or IPv6 /64 has."),
		)).says("Bounds of the TCP connections over which DNS is asked."),
		optional("probe", nodeProbeShape()).says("Bounds of this node's probes."),
	)
}

func nodeProbeShape() *shape {
	return object(
		optional("max_in_flight", integer(0, maxInFlight)).or(0).says("How many probes run at once; 0: by the limit of open files."),
		optional("allow", list(prefix())).says("Opens what is refused: link-local addresses, metadata services, multicast."),
		optional("exec", boolean()).or(false).says("Checks of type exec and lag may run programs, as the node's user."),
		optional("reports", text("a path", lineText)).or("none").says("A directory of report files for checks of type push."),
		optional("source", list(address())).or("the system's choice").says("Where probes come from: at most one address of each family."),
	)
}

func referenceText(s string) error {
	a, err := netip.ParseAddrPort(s)
	switch {
	case err != nil:
		return fmt.Errorf("want an address with a port, as in 192.0.2.1:443, got %q", s)
	case a.Port() == 0 || a.Addr().IsUnspecified() || a.Addr().IsMulticast():
		return fmt.Errorf("%s cannot be dialled", s)
	}
	return nil
}

// maxSocketPath is what fits in a sockaddr_un on every system that we know.
const maxSocketPath = 103

func socketPath(s string) error {
	if len(s) > maxSocketPath {
		return fmt.Errorf("the path of a socket has at most %d octets, got %d", maxSocketPath, len(s))
	}
	return lineText(s)
}

// ParseNode reads a node file, as strictly as Parse reads a zone file. With an error the node is nil.
func ParseNode(file string, content []byte) (*Node, Problems) {
	r := newReport(file, content)
	if strings.TrimSpace(string(content)) == "" {
		return DefaultNode(), nil
	}
	root := r.parseTree(content)
	if root == nil {
		return nil, r.finish()
	}
	r.walk(root, nodeShape(), nil)
	n := DefaultNode()
	if s := stringOf(field(root, "name")); s != "" {
		n.Name = s
	}
	n.Region, n.AZ = stringOf(field(root, "region")), stringOf(field(root, "az"))
	if az := field(root, "az"); n.AZ != "" && n.Region == "" {
		r.node(az, Error, "az", "an AZ without a region", "set region too")
	}
	n.User = parseUser(stringOf(field(root, "user")))
	n.admin(r, field(root, "admin"))
	n.StateMaxAge = durationOf(field(root, "state_max_age"), defaultStateMaxAge)
	caches := field(root, "caches")
	n.Caches.Transit, n.Caches.Clamp = durationOf(field(caches, "transit"), DefaultTransit), durationOf(field(caches, "clamp"), defaultClamp)
	n.Metrics.Endpoints = intOf(field(field(root, "metrics"), "endpoints"), 0)
	probe := field(root, "probe")
	n.Probe.MaxInFlight = intOf(field(probe, "max_in_flight"), 0)
	tcp := field(root, "tcp")
	n.TCP = TCP{Connections: intOf(field(tcp, "connections"), 0), PerClient: intOf(field(tcp, "per_client"), 0)}
	if n.TCP.Connections > 0 && n.TCP.PerClient > n.TCP.Connections {
		r.node(field(tcp, "per_client"), Error, "tcp.per_client", fmt.Sprintf("%d of %d connections", n.TCP.PerClient, n.TCP.Connections), "")
	}
	for _, item := range items(field(root, "references")) {
		if a, err := netip.ParseAddrPort(stringOf(item)); err == nil {
			n.References = append(n.References, a)
		}
	}
	for _, item := range items(field(root, "resolvers")) {
		if a, err := parseResolver(stringOf(item)); err == nil {
			n.Resolvers = append(n.Resolvers, a)
		}
	}
	for _, item := range items(field(probe, "allow")) {
		if p, err := parsePrefix(stringOf(item)); err == nil {
			n.Probe.Allow = append(n.Probe.Allow, p)
		}
	}
	n.Probe.Exec, n.Probe.Reports = boolOf(field(probe, "exec")), stringOf(field(probe, "reports"))
	n.sources(r, items(field(probe, "source")))
	n.cluster(r, field(root, "cluster"))
	n.hooks(r, items(field(root, "hooks")))
	n.kubernetes(r, field(root, "kubernetes"))
	n.plans(field(root, "plans"))
	n.feed(r, field(root, "feed"))
	n.databases(r, items(field(field(root, "geo"), "databases")))
	problems := r.finish()
	if problems.HasErrors() {
		return nil, problems
	}
	return n, problems
}

// databases takes files that metrics can tell apart.
func (n *Node) databases(r *report, list []*yamlNode) {
	lines := make(map[string]int)
	for i, item := range list {
		path := stringOf(item)
		name := filepath.Base(path)
		if line, dup := lines[name]; dup {
			r.node(item, Error, (*yamlPath)(nil).at("geo", "databases", i).String(),
				fmt.Sprintf("the file name %q stands at line %d already", shorten(name), line), "metrics tell databases apart by it")
		}
		lines[name] = int(item.Line)
		n.Geo.Databases = append(n.Geo.Databases, path)
	}
}

// sources takes at most one address of each family.
func (n *Node) sources(r *report, list []*yamlNode) {
	for _, item := range list {
		a, err := netip.ParseAddr(stringOf(item))
		if err != nil {
			continue
		}
		to := &n.Probe.SourceV4
		if a.Is6() {
			to = &n.Probe.SourceV6
		}
		if to.IsValid() {
			r.node(item, Error, "probe.source", "a second address of one family", "probes come from one address of each")
		}
		*to = a
	}
}
