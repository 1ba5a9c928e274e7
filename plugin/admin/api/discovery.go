package api

import "time"

// DiscoveryPath answers GET with a Discovery. Below it, followed by the name of a cluster: accept and adopt take a DiscoveryRequest by
// POST.
const (
	DiscoveryPath = Base + "/discovery"
	acceptPart    = "/accept"
	adoptPart     = "/adopt"
)

// AcceptPath has everything leave that a cluster does not name any more. AdoptPath takes the cluster behind the URL for the one that was
// read.
func AcceptPath(cluster string) string { return ItemPath(DiscoveryPath, cluster) + acceptPart }

// AdoptPath is explained at AcceptPath.
func AdoptPath(cluster string) string { return ItemPath(DiscoveryPath, cluster) + adoptPart }

// A DiscoveryRequest says who asks and why.
type DiscoveryRequest struct {
	Actor  string `json:"actor,omitempty"`
	Reason string `json:"reason"`
}

// A Discovery is what clusters of Kubernetes, and host names, give the pools of this node.
type Discovery struct {
	Node     string              `json:"node"`
	Clusters []DiscoveredCluster `json:"clusters"`
	// Hosts are the host names that this node resolves; other nodes resolve for themselves.
	Hosts []ResolvedHost `json:"hosts,omitempty"`
}

// A ResolvedHost is a host name that stands for an endpoint of a zone file.
type ResolvedHost struct {
	// Host is the name, without the final dot.
	Host     string `json:"host"`
	Zone     string `json:"zone"`
	Pool     string `json:"pool"`
	Endpoint string `json:"endpoint"`
	// State is resolved, waiting (for the first lookup), failing (nobody answers: the addresses that it had stay) or denied (it has no address, or
	// does not exist: those that it had stay for an hour).
	State string `json:"state" enum:"resolved|waiting|failing|denied"`
	// LookedAt is the last lookup, ExpiresAt when the records that were found end: no answer with them lives longer, but for ttl.min.
	LookedAt  *time.Time `json:"looked_at,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	// Since is when State began and Failure why, while it is failing or denied.
	Since   *time.Time `json:"since,omitempty"`
	Failure string     `json:"failure,omitempty"`
	// Addresses are absent in a Status.
	Addresses []ResolvedAddress `json:"addresses,omitempty"`
}

// A ResolvedAddress is an address of a host name: an endpoint of its pool.
type ResolvedAddress struct {
	Name string `json:"name"`
	Data string `json:"data"`
	// State is named, replaced (the name has others now) or kept (it has none).
	State string    `json:"state"`
	Since time.Time `json:"since"`
	// Probed is unset while it waits for its first probe, and is not answered.
	Probed bool `json:"probed"`
}

// A DiscoveredCluster is one cluster.
type DiscoveredCluster struct {
	Name string `json:"name"`
	// Configured is set where this node's file says how the cluster is read, Read while it is.
	Configured bool `json:"configured"`
	Read       bool `json:"read"`
	// ReadAt is when all of it was last heard of.
	ReadAt *time.Time `json:"read_at,omitempty"`
	// Since is when it could not be read any more, and Failure why. Stranger is set where another cluster stands behind its URL.
	Since    *time.Time `json:"since,omitempty"`
	Failure  string     `json:"failure,omitempty"`
	Stranger bool       `json:"stranger,omitempty"`
	// UID is that of the namespace kube-system.
	UID string `json:"uid,omitempty"`
	// Ordered is accept or adopt while that waits for a node that reads the cluster; empty for nothing.
	Ordered string `json:"ordered,omitempty"`
	// Held counts the endpoints that it does not name any more, and that stay because a pool needs them or too many would leave at once.
	Held int `json:"held,omitempty"`
	// Problems are what is wrong with what is asked of it, and with what it gives.
	Problems []string `json:"problems,omitempty"`
	// Endpoints are absent in a Status.
	Endpoints []DiscoveredEndpoint `json:"endpoints,omitempty"`
}

// A DiscoveredEndpoint is an address that a cluster gives a pool.
type DiscoveredEndpoint struct {
	Zone string `json:"zone"`
	Pool string `json:"pool"`
	Name string `json:"name"`
	Data string `json:"data"`
	// From is what chose its Object, NAMESPACE/NAME.
	From   string `json:"from"`
	Object string `json:"object"`
	// AZ is what the cluster says of it.
	AZ string `json:"az,omitempty"`
	// State is named, replaced (its object says other addresses), kept (its object says none) or gone (its object is not there).
	State string    `json:"state"`
	Since time.Time `json:"since"`
	// Held is set while it would leave, were it not the pool's last or one of too many.
	Held bool `json:"held,omitempty"`
}
