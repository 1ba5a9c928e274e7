// Package wire is what the feeds over HTTP say, for both ends (docs/two-speed.md). It is JSON, and events of a text/event-stream
// (https://html.spec.whatwg.org/multipage/server-sent-events.html). Whatever a reader does not know it leaves alone: there will be more.
//
// The package does nothing but encode and decode.
package wire

import "time"

// The paths.
const (
	// ResolvePath answers one question: ?name=NAME[&type=TYPE][&client=ADDRESS][&set=all].
	ResolvePath = "/resolve"
	// WatchPath is an event stream: ?name=NAME, up to MaxNames times, [&client=ADDRESS].
	WatchPath = "/resolve/watch"
	// AckPath takes an Ack by POST.
	AckPath = "/resolve/ack"
	// QueryPath is DNS over HTTPS (RFC 8484).
	QueryPath = "/dns-query"
)

// MaxNames is how many names one watch may have.
const MaxNames = 64

// The events of WatchPath. The data of each is JSON of the type beside it.
const (
	// EventHello comes first: a Hello.
	EventHello = "hello"
	// EventGiven brings names whose sets are others than before: a Change. Its id is the version.
	EventGiven = "given"
	// EventLease says that what was given still holds, and for how long: a Lease.
	EventLease = "lease"
	// EventEnd comes last, if anything can be said: an End.
	EventEnd = "end"
)

// A Given is all that one class of clients gets under one name.
type Given struct {
	// Name is the owner name that was asked for, a lower-case FQDN. Service is the one that answers there; empty for the host name of one
	// endpoint.
	Name    string `json:"name"`
	Service string `json:"service,omitempty"`
	// ETag is the same for as long as Sets are; TTLs play no part in it.
	ETag string `json:"etag"`
	// MaxAge is for how many seconds Sets may be used from when they came, ExpiresAt the same by the node's clock. An honest reader asks again
	// before, and once that fails knows that it goes on at its own risk.
	MaxAge    uint32    `json:"max_age_seconds"`
	ExpiresAt time.Time `json:"expires_at"`
	// Bound is how many seconds after the death of an endpoint the last honest cache has forgotten it, at the worst; 0 if nothing bounds that.
	Bound float64 `json:"bound_seconds,omitempty"`
	// Source is the ground on which Sets answer: "tier" in the ordinary way, else one of the last resorts, for which Degraded is set.
	Source   string `json:"source"`
	Degraded bool   `json:"degraded,omitempty"`
	// Class says in words which clients get this; empty for those that no rule names.
	Class string `json:"class,omitempty"`
	// Sticky is set where a client is to stay with one member for as long as it is there.
	Sticky bool `json:"sticky,omitempty"`
	// Sets are all members by type of record, "A", "AAAA", "CNAME", "SRV" or "HTTPS". A type that is missing is NODATA.
	Sets map[string][]Member `json:"sets,omitempty"`
}

// A Member is one record of a set. Its share is Weight by the sum of all weights of the set.
type Member struct {
	// Data is the RDATA as in a zone file.
	Data   string `json:"data"`
	Weight uint64 `json:"weight"`
	// Endpoint is zone/pool/endpoint, with Region and AZ; all are empty for fixed addresses.
	Endpoint string `json:"endpoint,omitempty"`
	Region   string `json:"region,omitempty"`
	AZ       string `json:"az,omitempty"`
}

// A Hello begins a stream.
type Hello struct {
	Node string `json:"node"`
	// Subscriber names this stream in acknowledgements. It is a secret between both ends.
	Subscriber string `json:"subscriber"`
	// Transit is how many seconds a message may take to arrive.
	Transit float64 `json:"transit_seconds"`
}

// A Change is what is given from now on.
type Change struct {
	// Version is acknowledged once Given is in use.
	Version string  `json:"version"`
	Given   []Given `json:"given"`
}

// A Lease renews what was given, under each of the names.
type Lease struct {
	Names []Renewal `json:"names"`
}

// A Renewal is for how long a name's sets may be used from now on.
type Renewal struct {
	Name      string    `json:"name"`
	MaxAge    uint32    `json:"max_age_seconds"`
	ExpiresAt time.Time `json:"expires_at"`
}

// An End says why the stream ends. What was given stands until it expires.
type End struct {
	Reason string `json:"reason"`
}

// An Ack says that a subscriber uses what came with a version.
type Ack struct {
	Subscriber string `json:"subscriber"`
	Version    string `json:"version"`
}

// A Failure is the body of every status that is no success.
type Failure struct {
	Error string `json:"error"`
}
