package ledger

import (
	"time"
)

// The kinds of incidents.
const (
	// ByHealth: probes took endpoints out. ByIntent: an operator did.
	ByHealth = "health"
	ByIntent = "intent"
)

// MaxIncidentEndpoints bounds how many endpoints an incident names; the others are counted.
const MaxIncidentEndpoints = 200

// An Incident is what happened from the last good probe, or from an order, until the last honest cache has forgotten what left
// and all of it has come back, as one node saw it. Instants are by that node's clock; those that have not come are absent.
type Incident struct {
	ID   string `json:"id"`
	Node string `json:"node"`
	// Kind is health or intent.
	Kind  string `json:"kind" enum:"health|intent"`
	Zone  string `json:"zone"`
	Title string `json:"title"`
	// Cause is the reason of the first verdict, or of the order. Intent and Actor are set for orders.
	Cause    string    `json:"cause,omitempty"`
	Intent   string    `json:"intent,omitempty"`
	Actor    string    `json:"actor,omitempty"`
	OpenedAt time.Time `json:"opened_at"`
	ClosedAt time.Time `json:"closed_at,omitzero"`

	// LastGoodProbe and FirstFailedProbe are this node's, of the endpoint that failed first; SuspectAt is when suspicion began to
	// shorten TTLs, VerdictAt when the first endpoint was judged to be down.
	LastGoodProbe    time.Time `json:"last_good_probe,omitzero"`
	FirstFailedProbe time.Time `json:"first_failed_probe,omitzero"`
	SuspectAt        time.Time `json:"suspect_at,omitzero"`
	VerdictAt        time.Time `json:"verdict_at,omitzero"`
	// LeftAt is when the last of the endpoints was in no new answer of this node.
	LeftAt time.Time `json:"left_at,omitzero"`
	// Confirmed is when each node's last answer with one of them had been written; Unknown are the nodes that have not said.
	Confirmed []Confirmation `json:"confirmed"`
	Unknown   []Silent       `json:"unknown,omitempty"`
	// LastAnswerAt is the latest of Confirmed. SafeAt is when the last honest cache has forgotten, KnownAt when that was first known.
	LastAnswerAt time.Time `json:"last_answer_at,omitzero"`
	SafeAt       time.Time `json:"safe_at,omitzero"`
	KnownAt      time.Time `json:"known_at,omitzero"`
	// Void are nodes that served an endpoint again after they had confirmed.
	Void []VoidWord `json:"void,omitempty"`
	// ReturnedAt is when the last of the endpoints was answered again.
	ReturnedAt time.Time `json:"returned_at,omitzero"`

	// Answers is how many answers this node gave with them after the first failed probe, or after the order; Outstanding how many
	// of its answers caches could hold when it left, and Exposure the same by the second of expiry from LeftAt on.
	Answers     uint64 `json:"answers"`
	Outstanding uint64 `json:"outstanding"`
	Exposure    Curve  `json:"exposure,omitempty"`

	Endpoints []IncidentEndpoint `json:"endpoints"`
	// More counts the endpoints that are not in the list.
	More     int               `json:"more,omitempty"`
	Services []IncidentService `json:"services"`
	Phases   Phases            `json:"phases"`
	// LateHits is what somebody saw arrive at the endpoints after they had left, Counted what their own counters say.
	LateHits *LateHits `json:"late_hits,omitempty"`
	Counted  *Counted  `json:"counted,omitempty"`
}

// An IncidentEndpoint is one endpoint of an incident, as POOL/ENDPOINT.
type IncidentEndpoint struct {
	Name string `json:"name"`
	// Service is the one that alone does not answer with it; empty where none does.
	Service    string    `json:"service,omitempty"`
	Region     string    `json:"region"`
	AZ         string    `json:"az"`
	LeftAt     time.Time `json:"left_at"`
	ReturnedAt time.Time `json:"returned_at,omitzero"`
}

// An IncidentService is what was declared for a service, and whether it was kept. The verdicts are absent until they are certain.
type IncidentService struct {
	Service       string  `json:"service"`
	RTOSeconds    float64 `json:"rto_seconds,omitempty"`
	TargetSeconds float64 `json:"target_seconds,omitempty"`
	WithinRTO     *bool   `json:"within_rto,omitempty"`
	WithinTarget  *bool   `json:"within_target,omitempty"`
}

// A VoidWord is a node that served an endpoint again.
type VoidWord struct {
	Node     string    `json:"node"`
	Endpoint string    `json:"endpoint"`
	At       time.Time `json:"at"`
}

// Phases are how long each part took, in seconds; a part that is not over, or that there was none of, is absent.
type Phases struct {
	// Detection is from the first failed probe to the verdict, Decision from there until this node's answers changed, Propagation
	// from there until the last node's last answer, CacheResidue from there until the last honest cache forgot. Total is from the last
	// good probe, or from the order, until then: the endpoint cannot have died earlier.
	Detection    *float64 `json:"detection_seconds,omitempty"`
	Decision     *float64 `json:"decision_seconds,omitempty"`
	Propagation  *float64 `json:"propagation_seconds,omitempty"`
	CacheResidue *float64 `json:"cache_residue_seconds,omitempty"`
	Total        *float64 `json:"total_seconds,omitempty"`
}

// Known tells whether the bound is.
func (i *Incident) Known() bool { return !i.SafeAt.IsZero() }

// Open tells whether it still goes on.
func (i *Incident) Open() bool { return i.ClosedAt.IsZero() }

// Derive reckons what follows from the instants.
func (i *Incident) Derive() {
	begin := i.LastGoodProbe
	if i.Kind == ByIntent {
		begin = i.OpenedAt
	}
	i.Phases = Phases{
		Detection: between(i.FirstFailedProbe, i.VerdictAt), Decision: between(i.VerdictAt, i.LeftAt),
		Propagation: between(i.LeftAt, i.LastAnswerAt), CacheResidue: between(i.LastAnswerAt, i.SafeAt), Total: between(begin, i.SafeAt),
	}
	if i.Kind == ByIntent {
		i.Phases.Decision = between(i.OpenedAt, i.LeftAt)
	}
	for k := range i.Services {
		s := &i.Services[k]
		s.WithinRTO, s.WithinTarget = within(i.Phases.Total, s.RTOSeconds), within(i.Phases.Total, s.TargetSeconds)
	}
}

func within(total *float64, limit float64) *bool {
	if total == nil || limit == 0 {
		return nil
	}
	ok := *total <= limit
	return &ok
}

// between is the time from a to b in seconds, 0 at least; nil if one of them has not come.
func between(a, b time.Time) *float64 {
	if a.IsZero() || b.IsZero() {
		return nil
	}
	s := max(0, b.Sub(a)).Seconds()
	return &s
}
