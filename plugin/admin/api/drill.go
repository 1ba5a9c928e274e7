package api

import (
	"net/url"
	"time"
)

// DrillsPath answers GET with the Drills that this node keeps, and POST of a DrillRequest with the Drill that began. DrillPath
// answers DELETE: the drill is aborted.
const DrillsPath = Base + "/drills"

// DrillPath is the path of one drill.
func DrillPath(id string) string { return DrillsPath + "/" + url.PathEscape(id) }

// The outcomes of a drill.
const (
	DrillRunning   = "RUNNING"
	DrillSucceeded = "SUCCEEDED"
	DrillFailed    = "FAILED"
	DrillAborted   = "ABORTED"
)

// What may abort a drill. AbortCheck is followed by the name of a check in a zone file.
const (
	// AbortRule: a safety rule suspends the drain. AbortFailure: health takes something out beside what is drained. AbortDegraded:
	// a service answers on a last resort. AbortCheck: an endpoint that the check watches, and that is not drained, is not up.
	AbortRule     = "rule"
	AbortFailure  = "failure"
	AbortDegraded = "degraded"
	AbortCheck    = "check="
)

// A DrillRequest asks for a drain that ends by itself, and earlier if one of the conditions holds.
type DrillRequest struct {
	Scope   Scope  `json:"scope"`
	Service string `json:"service,omitempty"`
	// ForSeconds is how long it lasts, 10 s to a day.
	ForSeconds float64 `json:"for_seconds"`
	// AbortIf are rule, failure, degraded and check=NAME; rule, failure and degraded when there are none.
	AbortIf  []string `json:"abort_if,omitempty"`
	Actor    string   `json:"actor,omitempty"`
	Reason   string   `json:"reason"`
	Override []string `json:"override,omitempty"`
	// DryRun asks for a Preview of the drain instead: nothing changes.
	DryRun bool `json:"dry_run,omitempty"`
}

// Drain is the drain that a drill is.
func (r *DrillRequest) Drain() IntentRequest {
	return IntentRequest{
		Kind: "drain", Scope: r.Scope, Service: r.Service, Actor: r.Actor, Reason: r.Reason, Override: r.Override, ForSeconds: r.ForSeconds,
	}
}

// Drills are those that a node keeps, the newest first.
type Drills struct {
	Drills []Drill `json:"drills"`
}

// A Drill is a rehearsal: what was drained, what came of it, and how long clients could be sent to the old place.
type Drill struct {
	ID      string   `json:"id"`
	Node    string   `json:"node"`
	Scope   Scope    `json:"scope"`
	Service string   `json:"service,omitempty"`
	AbortIf []string `json:"abort_if"`
	Actor   string   `json:"actor"`
	Reason  string   `json:"reason"`
	// Override are the safety rules that did not hold it back.
	Override []string `json:"override,omitempty"`
	// Intent is the drain, Incident the record of its traces.
	Intent    string     `json:"intent"`
	Incident  string     `json:"incident,omitempty"`
	StartedAt time.Time  `json:"started_at"`
	EndsAt    time.Time  `json:"ends_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	// Outcome is RUNNING, SUCCEEDED, FAILED or ABORTED, Why says in words why.
	Outcome string `json:"outcome" enum:"RUNNING|SUCCEEDED|FAILED|ABORTED"`
	Why     string `json:"why,omitempty"`
	// ConvergenceSeconds is from the order to the last answer of any node with what it takes out, CacheResidueSeconds from there to
	// the last honest cache, TotalSeconds both; DetectionSeconds from the failure that aborted it to the abortion. Absent while unknown.
	DetectionSeconds    *float64 `json:"detection_seconds,omitempty"`
	ConvergenceSeconds  *float64 `json:"convergence_seconds,omitempty"`
	CacheResidueSeconds *float64 `json:"cache_residue_seconds,omitempty"`
	TotalSeconds        *float64 `json:"total_seconds,omitempty"`
	// LastStaleCacheAt is when the last honest cache forgets, if nobody answers it again. Forgotten is set once every node has said so after
	// that instant, Returned when it was answered again before.
	LastStaleCacheAt *time.Time `json:"last_stale_cache_at,omitempty"`
	Forgotten        bool       `json:"forgotten,omitempty"`
	Returned         bool       `json:"returned,omitempty"`
	// Unknown are nodes that never confirmed.
	Unknown []string `json:"unknown,omitempty"`
	// Missed are the services whose declared RTO the drill shows to be missed.
	Missed []string `json:"missed,omitempty"`
}
