package admin

import (
	"context"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/fleet"
	"github.com/fairlead-dns/fairlead/health/gone"
	"github.com/fairlead-dns/fairlead/health/history"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/order"
	tables "github.com/fairlead-dns/fairlead/health/table"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// A Node is the parts of a node that the API shows and gives orders to. A Server needs all of them; what computes one reply, those that it asks.
type Node struct {
	Self
	Assumptions
	Orders
	Holders
	Verdicts
	Members
	Memory
	IncidentLog
	Gone      GoneRecords
	Files     ZoneFiles
	Keys      Keys
	Discovery Discovery
	Resolved  Resolved
	Drills    Drills
	Plans     Plans
	Endpoints Endpoints
	Explainer Explainer
	History   History
	// Feeds is nil where nobody can listen but resolvers.
	Feeds Feeds
}

// Feeds are how programs listen that are no resolvers.
type Feeds interface {
	// Feeds is who listens now; nil where nobody can.
	Feeds() *api.Feeds
}

// Self is the node itself.
type Self interface {
	Name() string
	// Snapshot is what is served; nil before the first one.
	Snapshot() *answer.Snapshot
	// Ready is nil when queries are answered from live evidence, else it says why not.
	Ready() error
	// Unwritable is set while the state directory cannot be written.
	Unwritable() *api.Unwritable
	// FastLanes are the UDP addresses, with why one has no fast lane.
	FastLanes() []api.FastLane
	// Certify signs; it refuses a nil certificate by ledger.ErrNotKnown.
	Certify(*ledger.Certificate) (*ledger.Envelope, error)
	// SignFleet signs what another cluster is told.
	SignFleet(*fleet.Summary) (*fleet.SignedSummary, error)
}

// Assumptions are what bounds rest on and zone files do not say.
type Assumptions interface {
	Allowances() steer.Allowances
	// Caches is what is assumed of resolvers.
	Caches() config.Caches
}

// Orders are those of operators. Errors are those of package health.
type Orders interface {
	// Intend takes an order; nil means that it is on disk and, if it has started, in force. EndIntent ends some, Intents are
	// those in force and planned.
	Intend(health.Intent) (health.IntentID, error)
	EndIntent(ids []health.IntentID, actor, reason string) error
	Intents() []health.IntentState
	// Extend moves an end to a later time, zero for never; Extendable tells whether it would. Resume puts another intent in the place of one
	// that a rule suspends.
	Extend(id health.IntentID, end time.Time, actor, reason string) error
	Extendable(id health.IntentID, end time.Time) error
	Resume(id health.IntentID, override []string, actor, reason string) (health.IntentID, error)
}

// Holders are the nodes that have on disk what was ordered here.
type Holders interface {
	// AwaitHolding returns who has the intents on disk, once done says so or ctx ends.
	AwaitHolding(ctx context.Context, ids []health.IntentID, done func(*cluster.Holding) bool) cluster.Holding
	// SharedMissing are the nodes that were not heard to have the same tokens, once there are none or ctx has ended.
	SharedMissing(ctx context.Context) []string
}

// Verdicts are what is believed of endpoints, and by what.
type Verdicts interface {
	// Freeze stops every automatic verdict or lets them move again; nil means that it is on disk and in force. Frozen is the latest such order.
	Freeze(on bool, actor, reason string) error
	Frozen() order.FreezeOrder
	// Observation is the latest one of this node on a target, Observations what every vantage last said of one, by name.
	Observation(health.TargetID) (health.Observation, bool)
	Observations(health.Target) []health.Observation
	// Lag is how far a pool that has a check of its lag is behind; view is that of the pool.
	Lag(z *config.Zone, p *config.Pool, view *health.PoolView, now time.Time) tables.PoolLag
}

// Members are the nodes of the cluster.
type Members interface {
	Cluster() cluster.View
	// Waive lets this node join without the answers of some, or, without names, of all.
	Waive(before *time.Duration, names ...string) error
	// NameMaxTTL is an operator's word for the greatest TTL that an earlier process of this node gave.
	NameMaxTTL(ttl time.Duration) error
	// ChangeKeyring returns the nodes that did not do it.
	ChangeKeyring(context.Context, cluster.KeyringOrder) (failed map[string]error, err error)
	// CutOff cuts this node off from the others for a rehearsal; zero ends that.
	CutOff(d time.Duration, actor, reason string) error
}

// Memory is what is known of answers that caches may hold.
type Memory interface {
	// Departures are the endpoints that the node does not answer, and until when caches may hold them.
	Departures() []departure.Departure
	// Clear is from when on nothing that the nodes answered before their last starts can be in caches; why says why that is not known.
	Clear() (at time.Time, why string)
	// Safety is what is known of whether anybody can still be sent to what a scope names.
	Safety(health.Scope) (departure.Safety, error)
}

// GoneRecords are static records that no file has any more.
type GoneRecords interface {
	// Of are those with one of the given RDATA that caches may hold, or held until a minute ago.
	Of(rdata ...string) []gone.Record
}

// An IncidentLog has the incidents that the node keeps, the newest last.
type IncidentLog interface {
	Incidents() []*ledger.Incident
	// Amend changes what is known of one.
	Amend(id string, change func(*ledger.Incident)) (*ledger.Incident, error)
}

// ZoneFiles are the zone files of this node. Errors are those of package config.
type ZoneFiles interface {
	// Status is every file and what is wrong with it; Config has the versions that are kept too.
	Status() []api.File
	// Bare are the names of server blocks for which there is no zone, sorted.
	Bare() []string
	Config() *api.Config
	// Reload looks at them now. Rollback has one run in the version before the present one, Forward ends that.
	Reload(ctx context.Context, force bool) (*api.ReloadResult, error)
	Rollback(ctx context.Context, file, actor, reason string) (api.LeftByConfig, error)
	Forward(ctx context.Context, file string) (api.LeftByConfig, error)
	// Running is the text of the file from which a zone runs; page and zone are left to the caller.
	Running(*config.Zone) (*api.RunningZone, error)
}

// Keys are those that sign zones.
type Keys interface {
	// ZoneKeys is what is to be done about the keys of a zone that is served, by what all nodes answered.
	ZoneKeys(context.Context, *health.ZoneView) (*api.ZoneKeys, error)
}

// Discovery are the clusters of Kubernetes that endpoints come from.
type Discovery interface {
	Status() []api.DiscoveredCluster
	// Accept lets go of what a cluster does not name any more, Adopt takes another one for it; they may fail with ErrNoCluster.
	Accept(cluster string) error
	Adopt(cluster string) error
}

// Resolved are the host names that endpoints stand for; nil is none.
type Resolved interface {
	Status() []api.ResolvedHost
}

// Drills are rehearsals.
type Drills interface {
	// Start begins one by an order, Abort ends one, List is those that are kept, the newest first.
	Start(*api.DrillRequest, health.Intent) (*api.Drill, error)
	Abort(id, actor, reason string) (*api.Drill, error)
	List() []api.Drill
}

// Plans are what is to be done when a site is left, and the runs of them. Errors are those of package health, and run.ErrNotYours.
type Plans interface {
	List() api.Plans
	// Any tells whether there are plans, or runs of some.
	Any() bool
	// Foresee is what a run would come to, Start begins one.
	Foresee(name string, req *api.PlanStartRequest) (*api.PlanForesight, error)
	Start(ctx context.Context, name string, req *api.PlanStartRequest) (*api.Run, error)
	// Runs are those that are kept, ShowRun one of them.
	Runs() api.Runs
	ShowRun(id string) (*api.Run, error)
	// Approve lets one go on that waits for a person, here one of a name, who has the role admin or not.
	Approve(id, name string, admin bool, req *api.RunRequest) (*api.Run, error)
	Pause(id string, req *api.RunRequest) (*api.Run, error)
	Resume(id string, req *api.RunRequest) (*api.Run, error)
	Abort(id string, req *api.RunRequest) (*api.Run, error)
	// Evidence is what a run did, signed.
	Evidence(id string) (*ledger.Envelope, error)
}

// Endpoints are asked for by name, zone/pool/endpoint. Errors are ErrNoEndpoint and ErrInvalid.
type Endpoints interface {
	// Probe probes one at once.
	Probe(ctx context.Context, endpoint string) ([]api.ProbeResult, error)
	// Report takes what one says of itself.
	Report(api.ReportRequest) error
}

// An Explainer says why something is answered, and what would be. Errors of questions and assumptions are explain.ErrInvalid.
type Explainer interface {
	Explain(api.Question) (*api.Explanation, error)
	WhatIf(api.Assumptions) (*api.WhatIf, error)
	// Cell is where a label of a service goes.
	Cell(service, label string, a api.Assumptions) (*api.Cell, error)
	// Preview is what an order would do; a refusal by a safety rule is a part of it.
	Preview(health.Intent) (*api.Preview, error)
	// Boat says why the lifeboat that an order asks for could forward to nobody; nil for others.
	Boat(health.Intent) error
	// PreviewEnd is what the end of orders would do; with admit pools are let in at once that would wait.
	PreviewEnd(ids []health.IntentID, admit bool) (*api.EndPreview, error)
}

// History is what is kept of the last day: series whose names begin with prefix, since an instant.
type History interface {
	Series(prefix string, since time.Time) map[string][]history.Point
}
