package api

import (
	"net/url"
	"time"
)

// SafePath answers GET with a Safe, for ?kind=KIND&name=NAME.
const SafePath = Base + "/safe"

// SafeQuery is the path that asks about a scope.
func SafeQuery(s Scope) string {
	return SafePath + "?" + url.Values{"kind": {s.Kind}, "name": {s.Name}}.Encode()
}

// The answers of a Safe.
const (
	SafeYes       = "yes"
	SafeNotBefore = "not_before"
	SafeUnknown   = "unknown"
	SafeNo        = "no"
)

// The values of Safe.Lifeboat.
const (
	LifeboatNeeded  = "needed"
	LifeboatMayStop = "may_stop"
)

// A Safe says whether something can be switched off: whether anybody can still be sent there by an honest cache, or, of a node, what would
// be lost with it. It is an answer of one moment: what a node does after its word is a new fact.
type Safe struct {
	Node  string    `json:"node"`
	At    time.Time `json:"at"`
	Scope Scope     `json:"scope"`
	// Answer is yes, not_before (NotBefore, as far as is known now), unknown (somebody has not said) or no (somebody is, or may any moment be,
	// sent there).
	Answer    string     `json:"answer" enum:"yes|not_before|unknown|no"`
	NotBefore *time.Time `json:"not_before,omitempty"`
	// Text is the answer with its reasons, in words.
	Text string `json:"text"`
	// Why are the reasons for an answer that is not yes; MoreWhy counts those that are left out.
	Why     []SafeReason `json:"why,omitempty"`
	MoreWhy int          `json:"more_why,omitempty"`
	// Endpoints and Addresses is what the scope names, what no file has any more and caches may hold included.
	Endpoints int `json:"endpoints"`
	Addresses int `json:"addresses"`
	// ForgottenAt is when the last honest cache had forgotten, AsOf an instant after which every node has said so: both for yes alone, and
	// absent for nodes.
	ForgottenAt *time.Time `json:"forgotten_at,omitempty"`
	AsOf        *time.Time `json:"as_of,omitempty"`
	// DrainEndsAt is when the first of the orders ends that keep it out; absent where they do not end.
	DrainEndsAt *time.Time `json:"drain_ends_at,omitempty"`
	// NodesThere are nodes of this cluster that stand in an AZ or a region that is asked about: of each, ask too.
	NodesThere []string `json:"nodes_there,omitempty"`
	// Lifeboat is needed or may_stop, where a drain in force of it asks for a lifeboat: whether an honest cache may still send somebody there.
	Lifeboat string `json:"lifeboat,omitempty" enum:"needed|may_stop"`
	// Lines are the three things to know of caches; absent for nodes.
	Lines []string `json:"lines,omitempty"`
}

// A SafeReason is one thing that stands in the way.
type SafeReason struct {
	// Code is answered, not_drained, shared (another endpoint has the address), static (a record has it), fallback (a service
	// answers it once all else is down), not_said (a node has not, and Node
	// is its name), other_files, not_forgotten (until Until), unconfirmed (forgotten, and to be said again), orders, majority or waits.
	Code string `json:"code"`
	Text string `json:"text"`
	// Endpoint is ZONE/POOL/ENDPOINT, Address what answers carry of it.
	Endpoint string `json:"endpoint,omitempty"`
	Address  string `json:"address,omitempty"`
	Node     string `json:"node,omitempty"`
	// Names are owner names that lead there.
	Names []string   `json:"names,omitempty"`
	Until *time.Time `json:"until,omitempty"`
	// Command is what to type about it.
	Command string `json:"command,omitempty"`
}
