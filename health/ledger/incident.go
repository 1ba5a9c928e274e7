package ledger

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The kinds of incidents.
const (
	// ByHealth: probes took endpoints out. ByIntent: an operator did. ByConfig: a version of a zone file did.
	ByHealth = "health"
	ByIntent = "intent"
	ByConfig = "config"
)

// MaxIncidentEndpoints bounds how many endpoints an incident names; the others are counted.
const MaxIncidentEndpoints = 200

// An Incident is what happened from the last good probe, or from an order, until the last honest cache has forgotten what left
// and all of it has come back, as one node saw it. Instants are by that node's clock; those that have not come are absent.
type Incident struct {
	ID   string `json:"id"`
	Node string `json:"node"`
	// Kind is health, intent or config.
	Kind  string `json:"kind" enum:"health|intent|config"`
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
	// LeftAt is when the last of the endpoints was in no new answer of this node, FirstLeftAt when the first was.
	LeftAt      time.Time `json:"left_at,omitzero"`
	FirstLeftAt time.Time `json:"first_left_at,omitzero"`
	// Confirmed is when each node's last answer with one of them had been written; Unknown are the nodes that have not said.
	Confirmed []Confirmation `json:"confirmed"`
	Unknown   []Silent       `json:"unknown,omitempty"`
	// LastAnswerAt is the latest of Confirmed. SafeAt is the instant by which the last honest cache forgets, as far as it is known now,
	// KnownAt when one was first known. ForgottenAt is that instant once every node has said, in a word given after it, that it does not
	// answer: then no honest cache held anything of it.
	LastAnswerAt time.Time `json:"last_answer_at,omitzero"`
	SafeAt       time.Time `json:"safe_at,omitzero"`
	KnownAt      time.Time `json:"known_at,omitzero"`
	ForgottenAt  time.Time `json:"forgotten_at,omitzero"`
	// Void are nodes that answered an endpoint again after it was known to have left them.
	Void []VoidWord `json:"void,omitempty"`
	// Answered are endpoints that are answered all the same, with the names that do and the node: by a last resort, or by another name.
	Answered []StillAnswered `json:"answered,omitempty"`
	// NotCovered are static records, as NAME TYPE, with an address of an endpoint that is out: nobody counts how long caches hold those. It
	// is set where an incident is shown.
	NotCovered []string `json:"not_covered,omitempty"`
	// Relapses counts how often an endpoint went out again while the incident was open.
	Relapses int `json:"relapses,omitempty"`
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
	Service string `json:"service,omitempty"`
	Region  string `json:"region"`
	AZ      string `json:"az"`
	// LeftAt is when it left first, LeftAgainAt when it did for the last time, after it had come back.
	LeftAt      time.Time `json:"left_at"`
	LeftAgainAt time.Time `json:"left_again_at,omitzero"`
	ReturnedAt  time.Time `json:"returned_at,omitzero"`
	// Addresses is what answers carried of it. Removed is set once no zone file has it.
	Addresses []string `json:"addresses,omitempty"`
	Removed   bool     `json:"removed,omitempty"`
}

// A StillAnswered is an endpoint of an incident that a node answers.
type StillAnswered struct {
	Endpoint string `json:"endpoint"`
	Address  string `json:"address"`
	Node     string `json:"node"`
	// Names are some that do, on the node that made the report; empty for other nodes.
	Names []string `json:"names,omitempty"`
}

// An IncidentService is what was declared for a service, and whether it was kept. The verdicts are absent until they are certain.
type IncidentService struct {
	Service       string  `json:"service"`
	RTOSeconds    float64 `json:"rto_seconds,omitempty"`
	TargetSeconds float64 `json:"target_seconds,omitempty"`
	// Since is the last good probe of what it answered, or the order. AnsweredAt is from when on it has answered with something that is
	// up, absent while it does not; ForgottenAt when caches have forgotten what is not, as far as that is known, and Final is set once
	// that is certain.
	Since       time.Time `json:"since"`
	AnsweredAt  time.Time `json:"answered_at,omitzero"`
	ForgottenAt time.Time `json:"forgotten_at,omitzero"`
	Final       bool      `json:"final,omitempty"`
	// TotalSeconds is from Since until both; absent while one has not come or is not known.
	TotalSeconds *float64 `json:"total_seconds,omitempty"`
	WithinRTO    *bool    `json:"within_rto,omitempty"`
	// Loss is what it may have lost of what was written; absent where nothing measures that.
	Loss         *Loss `json:"loss,omitempty"`
	WithinTarget *bool `json:"within_target,omitempty"`
}

// A VoidWord is a node that served an endpoint again.
type VoidWord struct {
	Node     string    `json:"node"`
	Endpoint string    `json:"endpoint"`
	At       time.Time `json:"at"`
}

// Phases are how long each part took, in seconds; a part that is not over, or that there was none of, is absent.
type Phases struct {
	// Detection is from the first failed probe to the verdict, Decision from there until this node's answers first changed, Propagation
	// from the last such change until the last node's last answer, CacheResidue from there until the last honest cache forgot. Total is from the last
	// good probe, or from the order, until then: the endpoint cannot have died earlier.
	Detection    *float64 `json:"detection_seconds,omitempty"`
	Decision     *float64 `json:"decision_seconds,omitempty"`
	Propagation  *float64 `json:"propagation_seconds,omitempty"`
	CacheResidue *float64 `json:"cache_residue_seconds,omitempty"`
	Total        *float64 `json:"total_seconds,omitempty"`
}

// Known tells whether the bound is.
func (i *Incident) Known() bool { return !i.SafeAt.IsZero() }

// Forgotten tells whether no honest cache holds anything of it: that was certain at ForgottenAt.
func (i *Incident) Forgotten() bool { return !i.ForgottenAt.IsZero() }

// PartlyBack tells whether something of it had come back when the rest was forgotten: ForgottenAt does not speak of that.
func (i *Incident) PartlyBack() bool {
	return i.Forgotten() && slices.ContainsFunc(i.Endpoints, func(e IncidentEndpoint) bool {
		return !e.Removed && !e.ReturnedAt.IsZero() && !e.ReturnedAt.After(i.ForgottenAt)
	})
}

// CameBack tells whether all of it may be answered again although it was never certain that caches had forgotten it: nobody waits for that
// any more.
func (i *Incident) CameBack() bool {
	return !i.Forgotten() && !i.ReturnedAt.IsZero() && !slices.ContainsFunc(i.Endpoints, func(e IncidentEndpoint) bool { return e.Removed })
}

// Open tells whether it still goes on.
func (i *Incident) Open() bool { return i.ClosedAt.IsZero() }

// Derive reckons at now what follows from the instants.
func (i *Incident) Derive(now time.Time) {
	begin := i.LastGoodProbe
	if i.Kind != ByHealth {
		begin = i.OpenedAt
	}
	i.Phases = Phases{
		Detection: between(i.FirstFailedProbe, i.VerdictAt), Decision: between(i.VerdictAt, i.firstLeft()),
		Propagation: between(i.LeftAt, i.LastAnswerAt), CacheResidue: between(i.LastAnswerAt, i.SafeAt), Total: between(begin, i.SafeAt),
	}
	if i.Kind != ByHealth {
		i.Phases.Decision = between(i.OpenedAt, i.firstLeft())
	}
	for k := range i.Services {
		s := &i.Services[k]
		s.derive(now)
		switch {
		case i.Phases.Total == nil:
		case s.TotalSeconds == nil:
			// It goes on while one of its services does.
			i.Phases.Total = nil
		case *s.TotalSeconds > *i.Phases.Total:
			i.Phases.Total = s.TotalSeconds
		}
	}
}

// firstLeft is when the first of the endpoints left; incidents of older versions know the last alone.
func (i *Incident) firstLeft() time.Time {
	if i.FirstLeftAt.IsZero() {
		return i.LeftAt
	}
	return i.FirstLeftAt
}

// derive reckons total and verdicts of a service. What has not ended is missed once it can't be kept any more.
func (s *IncidentService) derive(now time.Time) {
	s.TotalSeconds = nil
	s.Loss = s.Loss.derived()
	elapsed := between(s.Since, now)
	if !s.AnsweredAt.IsZero() && !s.ForgottenAt.IsZero() {
		s.TotalSeconds = between(s.Since, Later(s.AnsweredAt, s.ForgottenAt))
	}
	s.WithinRTO = within(s.TotalSeconds, elapsed, s.RTOSeconds, s.Final)
	s.WithinTarget = within(s.TotalSeconds, elapsed, s.TargetSeconds, s.Final)
}

// within tells whether a limit in seconds was kept; nil while that is open. A total is certain once it is final; until then it can only
// be too long.
func within(total, elapsed *float64, limit float64, final bool) *bool {
	if limit == 0 {
		return nil
	}
	kept, missed := true, false
	switch {
	case total != nil && *total > limit, total == nil && elapsed != nil && *elapsed > limit:
		return &missed
	case total != nil && final:
		return &kept
	}
	return nil
}

// between is the time from a to b in seconds, 0 at least; nil if one of them has not come.
func between(a, b time.Time) *float64 {
	if a.IsZero() || b.IsZero() {
		return nil
	}
	s := max(0, b.Sub(a)).Seconds()
	return &s
}

// Under names, after a blank, the services that alone have ceased to answer with the endpoints; it is empty where no name answers them.
func (i *Incident) Under() string {
	var names []string
	for k := range i.Endpoints {
		if name := strings.TrimSuffix(i.Endpoints[k].Service, "."); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	if more := len(names) - 1; more > 0 {
		return fmt.Sprintf(" under %s and %d more names", names[0], more)
	}
	return " under " + names[0]
}
