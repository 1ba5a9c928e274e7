package api

import (
	"net/url"
	"time"
)

// NodesPath answers GET with the Nodes. BootstrapPath takes POST with a NodeRequest: a node that joins does without the answers
// of all others. KeyringPath takes POST with a KeyringRequest and answers with a KeyringResult.
const (
	NodesPath     = Base + "/nodes"
	BootstrapPath = Base + "/bootstrap"
	MaxTTLPath    = Base + "/max-ttl"
	KeyringPath   = Base + "/keyring"
	// CutPath takes POST with a CutRequest: this node is cut off from the others, for a rehearsal. DELETE with an EndRequest ends
	// that.
	CutPath = Base + "/cut"
)

// A CutRequest asks for a rehearsal of so many seconds, up to an hour.
type CutRequest struct {
	Actor      string  `json:"actor,omitempty"`
	Reason     string  `json:"reason"`
	ForSeconds float64 `json:"for_seconds"`
}

// WaivePath takes POST with a NodeRequest: this node joins without the answer of the one named.
func WaivePath(node string) string { return NodesPath + "/" + url.PathEscape(node) + "/waive" }

// StoppedPath takes POST with a NodeRequest, somebody made sure that the node does not run, and DELETE with an EndRequest.
func StoppedPath(node string) string { return NodesPath + "/" + url.PathEscape(node) + "/stopped" }

// RemovedPath takes POST with a NodeRequest, the node is no part of the cluster any more, and DELETE with an EndRequest.
func RemovedPath(node string) string { return NodesPath + "/" + url.PathEscape(node) + "/removed" }

// A NodeRequest says who asks, and why.
type NodeRequest struct {
	Actor  string `json:"actor,omitempty"`
	Reason string `json:"reason"`
	// MaxTTLSeconds is the greatest TTL that answers of this node may have carried before its state was lost; 0 for none. It is for a
	// waiver and for MaxTTLPath.
	MaxTTLSeconds *float64 `json:"max_ttl_seconds,omitempty"`
	// DryRun asks for the reply, or the refusal, that the order would get: nothing changes. Of an order that is an Intent it is a Preview.
	DryRun bool `json:"dry_run,omitempty"`
}

// A KeyringRequest changes the keys that encrypt gossip, on every node. Verb is add, use or remove; Key is in base64.
type KeyringRequest struct {
	Actor  string `json:"actor,omitempty"`
	Reason string `json:"reason"`
	Verb   string `json:"verb" enum:"add|use|remove"`
	Key    string `json:"key"`
	// DryRun asks for the nodes on which it would be done: nothing changes.
	DryRun bool `json:"dry_run,omitempty"`
}

// A KeyringResult says on which nodes it was done, and why it was not on others.
type KeyringResult struct {
	Done   []string          `json:"done"`
	Failed map[string]string `json:"failed,omitempty"`
}

// Nodes are what one node knows of the cluster.
type Nodes struct {
	// Node is the one that says so, Cluster the cluster's name; empty for a node alone.
	Node    string    `json:"node"`
	Cluster string    `json:"cluster,omitempty"`
	At      time.Time `json:"at"`
	// Heard of Roster nodes are heard, this one included. Isolated is set while those are fewer than half: health moves nothing.
	Heard    int  `json:"heard"`
	Roster   int  `json:"roster"`
	Isolated bool `json:"isolated"`
	// Shut says why the node does not answer service names; empty while it does. WaitsFor are the nodes whose answers it waits
	// for to join.
	Shut     string   `json:"shut,omitempty"`
	WaitsFor []string `json:"waits_for,omitempty"`
	// Keys is how many keys decrypt gossip; 0 means that it is in clear. KeysChangedAt is when they were changed last on this node.
	Keys          int        `json:"keys"`
	KeysChangedAt *time.Time `json:"keys_changed_at,omitempty"`
	// AllowanceSeconds is how late a node may hear what another one observed, as bounds reckon with it (G).
	AllowanceSeconds float64 `json:"gossip_allowance_seconds,omitempty"`
	// CutUntil is the end of a rehearsal for which the node is cut off from the others.
	CutUntil *time.Time `json:"cut_until,omitempty"`
	Nodes    []Node     `json:"nodes"`
}

// The states of a Node.
const (
	NodeSelf      = "self"
	NodeHeard     = "heard"
	NodeStale     = "stale"
	NodeNever     = "never heard"
	NodeStopped   = "stopped"
	NodeNotListed = "not in the roster"
)

// A Node is one node of the cluster, as another one, or itself, sees it.
type Node struct {
	Name   string `json:"name"`
	Region string `json:"region,omitempty"`
	AZ     string `json:"az,omitempty"`
	// State is self, heard, stale (not heard straight for 10 s), never heard, stopped (so somebody says) or not in the roster (of
	// this node, but of another one's).
	State   string `json:"state" enum:"self|heard|stale|never heard|stopped|not in the roster"`
	Address string `json:"address,omitempty"`
	// HeardAt is when it was last heard straight from itself, RelayedAt when at all.
	HeardAt   *time.Time `json:"heard_at,omitempty"`
	RelayedAt *time.Time `json:"relayed_at,omitempty"`
	Version   string     `json:"version,omitempty"`
	// ConfigHash is of what it serves; Drift is since when it is another than this node's, for more than 15 s.
	ConfigHash string     `json:"config_hash,omitempty"`
	Drift      *time.Time `json:"drift,omitempty"`
	// PlanHash is of all that it has decided; Divergent is since when it is another although nothing explains that.
	PlanHash  string     `json:"plan_hash,omitempty"`
	Divergent *time.Time `json:"divergent,omitempty"`
	// Joined to Drained are what it says of itself.
	Joined    bool `json:"joined"`
	Answering bool `json:"answering"`
	Blind     bool `json:"blind,omitempty"`
	Late      bool `json:"late,omitempty"`
	Isolated  bool `json:"isolated,omitempty"`
	// Island is set for one that is isolated and answers services with `island` as its own region sees them.
	Island bool `json:"island,omitempty"`
	// MayBeIsland is set for one that is not heard and would do so, if it runs and is cut off.
	MayBeIsland bool `json:"may_be_island,omitempty"`
	Frozen      bool `json:"frozen,omitempty"`
	Drained     bool `json:"drained,omitempty"`
	// LeaseSeconds is after how long it stops answering by itself once no majority hears it (isolate_after); absent for never.
	// FencedAt is when it is known to have stopped for that.
	LeaseSeconds float64    `json:"lease_seconds,omitempty"`
	FencedAt     *time.Time `json:"fenced_at,omitempty"`
	// DelaySeconds is what gossip takes from this node to that one: half of what the latest round that it echoed took there and back;
	// absent before the first.
	DelaySeconds float64 `json:"gossip_delay_seconds,omitempty"`
	// Hears are the nodes that it has heard straight from themselves, as it says; in clusters of up to 32 nodes.
	Hears []NodeHearing `json:"hears,omitempty"`
}

// A NodeHearing is that a node heard another one, and when last.
type NodeHearing struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"`
}

// Heard tells whether what the node says of itself is of now.
func (n *Node) Heard() bool { return n.State == NodeSelf || n.State == NodeHeard }

// Troubled tells whether an operator should look at the node.
func (n *Node) Troubled() bool {
	switch n.State {
	case NodeStale, NodeNever, NodeNotListed:
		return true
	case NodeStopped:
		return false
	}
	return n.Drift != nil || n.Divergent != nil || !n.Answering || n.Blind || n.Isolated
}

// A Vantage is what one node saw of an endpoint's own check.
type Vantage struct {
	Node string `json:"node"`
	// State is up, down or unknown.
	State    string `json:"state" enum:"up|down|unknown"`
	Failures int    `json:"failures,omitempty"`
	// LatencySeconds is known of this node's own probes alone: it does not travel.
	LatencySeconds float64   `json:"latency_seconds,omitempty"`
	Reason         string    `json:"reason,omitempty"`
	At             time.Time `json:"at"`
}
