package departure

import (
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// A departure is how something that this node does not answer any more leaves the caches.
type departure struct {
	since time.Time
	void  []Void
	// bound is what was last put together; once it is final it stays, and again are the nodes that answer it since.
	bound ledger.Bound
	again []Void
	// finalAt is when it became final here; asked is set once a round was made after the instant, for the others to echo.
	finalAt time.Time
	asked   bool
	// heard is what is known of those who were given it by feeds.
	heard ledger.Heard
}

// A Void is a node that answered something after it was known to have left it.
type Void struct {
	Node string    `json:"node"`
	At   time.Time `json:"at"`
}

// A Departure is something that this node does not answer any more, and until when caches may hold it.
type Departure struct {
	ledger.Label
	// RData is the address or name. Owner is the one owner name that it left while others answer it; empty where none does. Service is
	// the service of that name.
	RData, Owner, Service string
	// Services are those whose answers it left.
	Services []string
	// Known is set while the model has the endpoint with this RDATA. Drained is set when an intent takes it out, Down when health does.
	Known, Drained, Down bool
	// Moved is set for names that are answered with other addresses; RData says which, in words.
	Moved bool
	// Shards are those of the service that moved; nil for what is no shard.
	Shards config.Shards
	// Since is when this node's answers ceased to carry it.
	Since time.Time
	Bound ledger.Bound
	// Void are nodes that answered it after it was known to be out; Again those that answer it since it was forgotten, which is a new fact.
	Void, Again []Void
	// Heard is what is known of those who were given it by feeds.
	Heard ledger.Heard
	// Outstanding is how many answers of this node alone that carry it caches may hold, by second of expiry.
	Outstanding ledger.Curve
}
