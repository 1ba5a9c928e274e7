package api

import (
	"net/url"
	"time"
)

// LifeboatPath answers GET with a Lifeboat, for ?kind=KIND&name=NAME, and &service=NAME for the clients of one service alone.
const LifeboatPath = Base + "/lifeboat"

// LifeboatQuery is the path that asks about a scope.
func LifeboatQuery(s Scope, service string) string {
	v := url.Values{"kind": {s.Kind}, "name": {s.Name}}
	if service != "" {
		v.Set("service", service)
	}
	return LifeboatPath + "?" + v.Encode()
}

// The states of a LifeboatAddress.
const (
	BoatAnswered = "answered"
	BoatDeparted = "departed"
	BoatForgot   = "forgotten"
	BoatRefused  = "refused"
)

// A Lifeboat says what becomes of those who still arrive at addresses that have left the answers: whether they are to be forwarded, to
// whom, and until when. It is what `fairlead lifeboat` goes by.
type Lifeboat struct {
	Node      string            `json:"node"`
	At        time.Time         `json:"at"`
	Scope     Scope             `json:"scope"`
	Addresses []LifeboatAddress `json:"addresses"`
	// Nodes are addresses from which nodes probe, as far as they are known: what comes from there is a probe and never forwarded.
	Nodes []string `json:"nodes,omitempty"`
	// Asked is set while nodes have only now been asked for their first word.
	Asked bool `json:"asked,omitempty"`
}

// A LifeboatAddress is one address of one endpoint.
type LifeboatAddress struct {
	// Endpoint is ZONE/POOL/ENDPOINT.
	Endpoint string `json:"endpoint"`
	Address  string `json:"address"`
	// State is answered (somebody answers it, so what arrives there is meant for it), departed (caches may hold it), forgotten (no honest cache
	// does: a lifeboat may stop) or refused (it is never, or not now, forwarded).
	State string `json:"state" enum:"answered|departed|forgotten|refused"`
	// Text says why, in words.
	Text string `json:"text"`
	// Rule is why it is refused: stateful (its pool keeps data), capacity (who is in service carries no more), services (they answer with
	// different endpoints), removed (no file has its pool any more) or empty (nobody is in service).
	Rule string `json:"rule,omitempty" enum:"stateful|capacity|services|removed|empty"`
	// Drained is set while an order keeps it out, Lifeboat while one does that asks for a lifeboat.
	Drained  bool `json:"drained,omitempty"`
	Lifeboat bool `json:"lifeboat,omitempty"`
	// Until is when honest caches have forgotten it, RemainingSeconds until then; absent while that is not known. ClampedUntil and
	// ClampedRemainingSeconds are those of caches that clamp.
	Until                   *time.Time `json:"until,omitempty"`
	RemainingSeconds        *float64   `json:"remaining_seconds,omitempty"`
	ClampedUntil            *time.Time `json:"clamped_until,omitempty"`
	ClampedRemainingSeconds *float64   `json:"clamped_remaining_seconds,omitempty"`
	// Services are those whose answers it left, Targets who answers for all of them now.
	Services []string         `json:"services,omitempty"`
	Targets  []LifeboatTarget `json:"targets,omitempty"`
}

// A LifeboatTarget is who is in service.
type LifeboatTarget struct {
	// Endpoint is ZONE/POOL/ENDPOINT.
	Endpoint string `json:"endpoint"`
	Address  string `json:"address"`
	// Fraction is its part of the answers of its family, 0..1.
	Fraction float64 `json:"fraction"`
}
