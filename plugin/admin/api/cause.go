package api

import "time"

// The levels of a Cause, from what explains most to what explains least.
const (
	LevelCluster  = "cluster"
	LevelService  = "service"
	LevelAZ       = "az"
	LevelEndpoint = "endpoint"
)

// A Cause is one thing that is not as it should be, or that somebody ordered: what the headline is made of.
type Cause struct {
	// Level is cluster (nodes, files, state directories, orders without effect), service, az (regions too) or endpoint (pools too).
	Level string `json:"level" enum:"cluster|service|az|endpoint"`
	// State says how bad it is: down wants somebody now, suspect wants to be looked at, unknown is not known yet, drained is as somebody
	// ordered, and up is a note beside what is well.
	State string `json:"state" enum:"up|suspect|down|drained|unknown"`
	// Kind is the same for all causes of one kind, for programs: node_silent, az_down, standby and so on. Kinds may be added.
	Kind string `json:"kind"`
	// Name is of what it is about: a node, a file, an order, a service, a region, an AZ, a pool or an endpoint; empty for the cluster.
	Name string `json:"name,omitempty"`
	// Text says it in words, with times in UTC.
	Text string `json:"text"`
	// Since is from when on it is so, Until when it ends by itself, as far as that is known.
	Since *time.Time `json:"since,omitempty"`
	Until *time.Time `json:"until,omitempty"`
	// Command is what to type next; empty where that depends.
	Command string `json:"command,omitempty"`
}

// An OpenIncident is an incident that goes on, in short: IncidentsPath has all of it.
type OpenIncident struct {
	ID    string `json:"id"`
	Kind  string `json:"kind" enum:"health|intent|config"`
	Title string `json:"title"`
	// Cause is the reason of the first verdict, or of the order; Intent is the order's id.
	Cause    string    `json:"cause,omitempty"`
	Intent   string    `json:"intent,omitempty"`
	OpenedAt time.Time `json:"opened_at"`
	// SafeAt is when the last honest cache forgets; absent while that is not known. ForgottenAt is set once that is certain.
	SafeAt      *time.Time `json:"safe_at,omitempty"`
	ForgottenAt *time.Time `json:"forgotten_at,omitempty"`
	// ReturnedAt is when the last of it was answered again.
	ReturnedAt *time.Time `json:"returned_at,omitempty"`
	Relapses   int        `json:"relapses,omitempty"`
	// Services are those whose answers it changed.
	Services []string `json:"services,omitempty"`
}

// A Drained is the order that keeps an endpoint out.
type Drained struct {
	// Intent is the order's id; of several it is the one that began first, from which on the endpoint is out.
	Intent string    `json:"intent"`
	Actor  string    `json:"actor"`
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since"`
	// EndsAt is by this node's clock; without it the drain is forever.
	EndsAt *time.Time `json:"ends_at,omitempty"`
}
