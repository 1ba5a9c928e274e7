package api

import (
	"net/url"
	"time"
)

// IntentsPath answers GET with an Intents and POST with the Intent that an IntentRequest made: 201 when another node, or with Wait
// every one, has it on disk, else 202, with the nodes that are Missing. IntentPath answers GET with the
// Intent and DELETE: it is over.
const IntentsPath = Base + "/intents"

// IntentPath is the path of one intent.
func IntentPath(id string) string { return IntentsPath + "/" + url.PathEscape(id) }

// ReadyPath is where POST with a PoolRequest opens the gate of a pool that waits for a person, and DELETE closes it again.
func ReadyPath(zone, pool string) string { return poolPath(zone, pool) + "/ready" }

// FailbackPath is where POST with a PoolRequest lets a pool return that is on its way back.
func FailbackPath(zone, pool string) string { return poolPath(zone, pool) + "/failback" }

func poolPath(zone, pool string) string {
	return Base + "/pools/" + url.PathEscape(zone) + "/" + url.PathEscape(pool)
}

// A Scope is what an intent is about: kind is endpoint, pool, az, region, cluster (of Kubernetes; without a name all
// of Fairlead, for a freeze), shards (of the service of the intent) or node; name is ZONE/POOL/ENDPOINT, ZONE/POOL, NAME, or SHARDS, as in
// 0-9,20, or SHARDS to POOL.
type Scope struct {
	Kind string `json:"kind" enum:"endpoint|pool|az|region|node|cluster|shards"`
	Name string `json:"name"`
}

// An IntentRequest asks for a drain, a weight or a force.
type IntentRequest struct {
	// Kind is drain, weight or force.
	Kind  string `json:"kind" enum:"drain|weight|force"`
	Scope Scope  `json:"scope"`
	// Service limits it to one service, an FQDN; empty means all.
	Service string `json:"service,omitempty"`
	// Weight is for kind weight, 0..65535.
	Weight *int `json:"weight,omitempty"`
	// State is for kind force, whose scope is an endpoint: up or down. The end of the intent is auto.
	State  string `json:"state,omitempty" enum:"up|down"`
	Actor  string `json:"actor,omitempty"`
	Reason string `json:"reason"`
	// Override names safety rules that shall not refuse it: never_empty, keep_regions, keep_azs, max_drained, rpo, capacity.
	Override []string `json:"override,omitempty"`
	// Lifeboat asks, of a drain, that what still arrives is forwarded until caches have forgotten it (`fairlead lifeboat`): hooks are told.
	Lifeboat bool `json:"lifeboat,omitempty"`
	// StartsInSeconds plans a start; 0 is now. ForSeconds is how long it is in force, an hour unless it or Forever says.
	StartsInSeconds float64 `json:"starts_in_seconds,omitempty"`
	ForSeconds      float64 `json:"for_seconds,omitempty"`
	Forever         bool    `json:"forever,omitempty"`
	// DryRun asks for a Preview instead: nothing changes.
	DryRun bool `json:"dry_run,omitempty"`
	// Wait asks for the reply to wait until every node has it, up to 8 s, and not only one more than this.
	Wait bool `json:"wait,omitempty"`
}

// A Preview is what an order would do, by the code that serves.
type Preview struct {
	Intent Intent `json:"intent"`
	// Rule and RuleService are set when a safety rule would refuse it; Refused says in words what would be refused and why.
	Rule        string `json:"rule,omitempty"`
	RuleService string `json:"rule_service,omitempty"`
	Refused     string `json:"refused,omitempty"`
	WhatIf      WhatIf `json:"what_if"`
	// Left is what each service that the order takes something from would be left with, while the order stands, in the order of the
	// files.
	Left []Left `json:"left,omitempty"`
	// AnsweredElsewhere are addresses of what the order takes out that answers carry all the same while it stands, at most 20; caches do not
	// forget those.
	AnsweredElsewhere []AnsweredElsewhere `json:"answered_elsewhere,omitempty"`
	// ForgottenWithinSeconds is how long after the order honest caches may still hold what it takes out: the longest TTL of
	// the services that it touches, and the allowances for the older answers to leave the node and for late acceptance.
	ForgottenWithinSeconds float64 `json:"forgotten_within_seconds"`
	// TransitSeconds is the allowance for late acceptance.
	TransitSeconds float64 `json:"transit_seconds"`
}

// An AnsweredElsewhere is an address of an endpoint that an order takes out, and who answers it all the same.
type AnsweredElsewhere struct {
	// Endpoint is ZONE/POOL/ENDPOINT.
	Endpoint string `json:"endpoint"`
	Address  string `json:"address"`
	// Names are owner names of services whose answers carry it, at most 3; Records static records that do, as NAME TYPE.
	Names   []string `json:"names,omitempty"`
	Records []string `json:"records,omitempty"`
}

// A Left is what an order leaves to a service. The safety rules count Endpoints; Up below that is what health has to say of them now, and
// refuses nothing.
type Left struct {
	Service string `json:"service"`
	// Endpoints counts those that weights, orders, gates and waiting for a person let answer.
	Endpoints int `json:"endpoints"`
	// Up counts those of them that are up.
	Up int `json:"up"`
}

// A PoolRequest says who asks for ready or failback, and why.
type PoolRequest struct {
	Actor  string `json:"actor,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Override names rules that shall not refuse it: rpo.
	Override []string `json:"override,omitempty"`
	// DryRun asks for a Preview instead: nothing changes.
	DryRun bool `json:"dry_run,omitempty"`
}

// An EndRequest says who ends an intent, and why. An empty body does too.
type EndRequest struct {
	Actor  string `json:"actor,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Wait is IntentRequest.Wait.
	Wait bool `json:"wait,omitempty"`
	// DryRun asks what would end, and what that would change (Preview in the reply): nothing ends.
	DryRun bool `json:"dry_run,omitempty"`
	// Admit has a dry run reckon with pools that are let in at once, as FailbackPath does it, where they would wait.
	Admit bool `json:"admit,omitempty"`
	// Also has a dry run reckon with the end of these orders too: those of one name are ended one after the other.
	Also []string `json:"also,omitempty"`
}

// Intents are all that are in force or planned, by id.
type Intents struct {
	Intents []Intent `json:"intents"`
	// Missing, in the reply to an end, are the nodes that are not known to have it.
	Missing []string `json:"missing,omitempty"`
	// Preview is set in the reply to a dry run, for which nothing has ended.
	Preview *EndPreview `json:"preview,omitempty"`
}

// An EndPreview is what the end of orders would do, by the code that serves.
type EndPreview struct {
	WhatIf WhatIf `json:"what_if"`
	// ForgottenWithinSeconds is how long after a name lets go of something honest caches may hold it: as in Preview.
	ForgottenWithinSeconds float64 `json:"forgotten_within_seconds"`
	// Zones have the pools that the orders are about, as they would be then: what waits for its failback says so.
	Zones []Zone `json:"zones"`
}

// The states of an Intent.
const (
	IntentPlanned   = "planned"
	IntentInForce   = "in_force"
	IntentSuspended = "suspended"
	IntentNoEffect  = "no_effect"
	// IntentDangling is an order, in force or planned, whose names are not in the configuration; nor does anything there have the addresses
	// for which it was given.
	IntentDangling = "dangling"
)

// An Intent is what an operator asked for.
type Intent struct {
	ID string `json:"id"`
	// Kind is drain, weight, force, ready, failback, freeze, stopped or removed.
	Kind    string `json:"kind" enum:"drain|weight|ready|failback|freeze|stopped|removed|force"`
	Scope   Scope  `json:"scope"`
	Service string `json:"service,omitempty"`
	Weight  *int   `json:"weight,omitempty"`
	// Forced is what a force has the endpoint count as: up or down.
	Forced string `json:"forced,omitempty"`
	// State is planned, in_force, suspended (by Rule, for RuleService), no_effect (Note says why) or dangling. The Note of one that is in
	// force names what it holds for under another name.
	State       string   `json:"state" enum:"planned|in_force|suspended|no_effect|dangling"`
	Rule        string   `json:"rule,omitempty"`
	RuleService string   `json:"rule_service,omitempty"`
	Note        string   `json:"note,omitempty"`
	Actor       string   `json:"actor"`
	Reason      string   `json:"reason,omitempty"`
	Override    []string `json:"override,omitempty"`
	// Lifeboat is set for a drain that asks for one.
	Lifeboat bool `json:"lifeboat,omitempty"`
	// Bound are the addresses, and targets of CNAME answers, that stood behind its names when it was accepted: it holds for them under any
	// name.
	Bound []string `json:"bound,omitempty"`
	// StartsAt and EndsAt are by this node's clock; without EndsAt it is forever.
	StartsAt time.Time  `json:"starts_at"`
	EndsAt   *time.Time `json:"ends_at,omitempty"`
	// Missing are the configured nodes that are not known to have it.
	Missing []string `json:"missing,omitempty"`
}
