package api

import "time"

// CellPath is where a label of a service with cells goes: GET answers with a Cell. {name} is the service.
const CellPath = Base + "/services/{name}/cells/{label}"

// A Cell is where one label of a service with cells goes now, and why.
type Cell struct {
	Node    string    `json:"node,omitempty"`
	At      time.Time `json:"at"`
	Zone    string    `json:"zone"`
	Service string    `json:"service"`
	// Label is what stands before the service's name.
	Label string `json:"label"`
	// Shard is that of the label, By how it is found: number, map or hash. Shards is how many the service has.
	Shard  int    `json:"shard"`
	By     string `json:"by"`
	Shards int    `json:"shards"`
	// Home is the pool at which the shard is at home by the file. Pool is the first that may answer for it now: the home, the pool that an
	// order gives it to, or the first of those that take over from a home that an order keeps it from; empty for none.
	Home string `json:"home"`
	Pool string `json:"pool"`
	// Order is the order that takes the shard away from its home; MovesAt is when an order begins or ends that does, and until when answers
	// may live.
	Order   *Intent    `json:"order,omitempty"`
	MovesAt *time.Time `json:"moves_at,omitempty"`
	// BoundSeconds is that of the service: from the death of an endpoint until the last honest cache has forgotten it.
	BoundSeconds float64 `json:"bound_seconds,omitempty"`
	// Moved are moves of the shard that caches may not have noticed yet, or had not until a moment ago.
	Moved []DepartureStaleness `json:"moved,omitempty"`
	// Answer is what a client gets, and why.
	Answer *Explanation `json:"answer"`
}
