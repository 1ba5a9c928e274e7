package api

import "time"

// StalenessPath answers GET with a Staleness: of one service with ?service=NAME.
const StalenessPath = Base + "/staleness"

// A Staleness says until when caches can still hold what this node does not answer any more. All instants are by its clock.
type Staleness struct {
	Node string    `json:"node"`
	At   time.Time `json:"at"`
	// TransitSeconds is how late a resolver may accept an answer, ClampSeconds how long the caches of the second line keep one.
	TransitSeconds float64 `json:"transit_seconds"`
	ClampSeconds   float64 `json:"clamp_seconds"`
	// EarlierSafeAt is when caches have forgotten what a node answered before its last start, which the others may know nothing of; absent
	// once it has passed. EarlierUnknown says why that is not known; absent when it is.
	EarlierSafeAt  *time.Time         `json:"earlier_safe_at,omitempty"`
	EarlierUnknown string             `json:"earlier_unknown,omitempty"`
	Services       []ServiceStaleness `json:"services"`
}

// A ServiceStaleness is that of one service: the bound that was promised before anything happened, and what is so now.
type ServiceStaleness struct {
	Service string `json:"service"`
	// BoundSeconds is S of docs/design.md section 6: from the death of an endpoint until the last honest cache has forgotten it.
	// TargetSeconds and RTOSeconds are what the file declares; absent if it does not.
	BoundSeconds  float64 `json:"bound_seconds"`
	TargetSeconds float64 `json:"target_seconds,omitempty"`
	RTOSeconds    float64 `json:"rto_seconds,omitempty"`
	Forgetting
	// Secondaries are those, as "secondaries of ZONE", that may go on answering what left: which version of the zone they hold nobody says
	// (`transfer: {view: last}`).
	Secondaries []string `json:"secondaries,omitempty"`
	// Removed is set for a service that no file has any more.
	Removed bool `json:"removed,omitempty"`
	// Departures are the endpoints of the service's pools that are out of its answers.
	Departures []DepartureStaleness `json:"departures"`
	// Lines are the three things to know of caches, in words, always together, and what subscribers have confirmed where a node has feeds.
	Lines []string `json:"lines"`
}

// A Forgetting is when caches have forgotten something, or who has not said.
type Forgetting struct {
	// SafeAt is when the last honest cache has forgotten; null while that is not known, or when there is nothing to forget.
	SafeAt *time.Time `json:"safe_at"`
	// Final is set once every node has said, in a word given after SafeAt, that it does not answer it: no honest cache held it then.
	Final bool `json:"final,omitempty"`
	// RemainingSeconds is until then, 0 if it has passed; null with SafeAt.
	RemainingSeconds *float64 `json:"remaining_seconds"`
	// Unknown are the nodes that have not confirmed.
	Unknown []UnknownNode `json:"unknown,omitempty"`
	// ConfirmedBy are the nodes that have; Fenced are those of them that have stopped answering by themselves, as a majority knows.
	ConfirmedBy []string `json:"confirmed_by"`
	Fenced      []string `json:"fenced,omitempty"`
	// AtLeast is a lower bound while SafeAt is null; Conditional is the bound if every silent node stopped when it was last heard.
	AtLeast     *time.Time `json:"at_least,omitempty"`
	Conditional *time.Time `json:"conditional,omitempty"`
	// ClampedSafeAt is when caches have forgotten that keep every answer for ClampSeconds at least.
	ClampedSafeAt *time.Time `json:"clamped_safe_at,omitempty"`
	// Void are the nodes that answered it after it was known to have left them.
	Void []VoidNode `json:"void,omitempty"`
}

// An UnknownNode is a configured node that has not confirmed. Since is when it was last heard; absent for never.
type UnknownNode struct {
	Node  string     `json:"node"`
	Since *time.Time `json:"since,omitempty"`
	Why   string     `json:"why"`
	// Answering is set for a node that answers it.
	Answering bool `json:"answering,omitempty"`
	// LeaseSeconds is after how long it stops answering by itself once no majority hears it; absent for never.
	LeaseSeconds float64 `json:"lease_seconds,omitempty"`
}

// A VoidNode served an endpoint again.
type VoidNode struct {
	Node string    `json:"node"`
	At   time.Time `json:"at"`
}

// A DepartureStaleness is one endpoint that is out of answers.
type DepartureStaleness struct {
	// Endpoint is ZONE/POOL/ENDPOINT.
	Endpoint string `json:"endpoint"`
	Region   string `json:"region"`
	AZ       string `json:"az"`
	// Addresses are those, or the names, that answers carried of it.
	Addresses []string `json:"addresses,omitempty"`
	// State is why it is out: drained, down, removed where no file has it, fixed for an address of on_all_down, or out where its tier has
	// no turn.
	State string `json:"state"`
	// ServiceOnly is set where other names answer with it.
	ServiceOnly bool `json:"service_only,omitempty"`
	// Names are the owner names that it left, where they are not the service's own.
	Names []string `json:"names,omitempty"`
	// LeftAt is when this node's answers ceased to name it.
	LeftAt time.Time `json:"left_at"`
	Forgetting
	// Outstanding is how many answers of this node that name it caches may hold, Exposure the same by second of expiry.
	Outstanding uint64   `json:"outstanding"`
	Exposure    []uint64 `json:"exposure,omitempty"`
	// Subscribers is what is known of those who were given it by feeds; absent where no node has any.
	Subscribers *Subscribers `json:"subscribers,omitempty"`
	// Again are nodes that answer it since it was forgotten, which is a new fact.
	Again []VoidNode `json:"again,omitempty"`
}

// Subscribers are those who were given something by feeds of any node, which has left the answers since, and what they have acknowledged.
type Subscribers struct {
	// Told is how many there were, on all nodes that have said it.
	Told int `json:"told"`
	// Confirmed have acknowledged a version without it, the last of them ConfirmedAfterSeconds after it left; absent if none has.
	Confirmed             int      `json:"confirmed"`
	ConfirmedAfterSeconds *float64 `json:"confirmed_after_seconds,omitempty"`
	// Waiting have not acknowledged yet.
	Waiting int `json:"waiting,omitempty"`
	// Silent lost their stream before, and may keep what they were given until ExpiresAt; what Expired were given has expired.
	Silent  int `json:"silent,omitempty"`
	Expired int `json:"expired,omitempty"`
	// SilentSince is when the first of those was last heard.
	SilentSince *time.Time `json:"silent_since,omitempty"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
	// NotBelieved acknowledged what they were not sent.
	NotBelieved int `json:"not_believed,omitempty"`
	// Unknown are nodes that have not said who listens to them, in words.
	Unknown []string `json:"unknown,omitempty"`
}
