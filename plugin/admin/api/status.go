package api

import "time"

// StatusPath answers GET with a Status.
const StatusPath = Base + "/status"

// A Status is what one node believes and serves at one moment: what is down, who says so and what clients get now.
type Status struct {
	Node       string    `json:"node"`
	Version    string    `json:"version"`
	At         time.Time `json:"at"`
	StartedAt  time.Time `json:"started_at"`
	Generation uint64    `json:"generation"`
	ConfigHash string    `json:"config_hash"`
	// Headline is what is the matter in one line: Causes, the worst first, and when caches forget. It says that all is well only without
	// causes.
	Headline string `json:"headline"`
	// Causes are what is not as it should be, and what somebody ordered: the worst first, and of those that are as bad in the order cluster,
	// service, AZ, endpoint.
	Causes []Cause `json:"causes"`
	// Degraded is set while one of the causes wants somebody to look: it is down, suspect or unknown.
	Degraded bool `json:"degraded"`
	// Caches is when caches have forgotten all that has left the answers; absent if there is nothing to forget.
	Caches *Forgetting `json:"caches,omitempty"`
	// OpenIncidents are the incidents that go on, the newest first.
	OpenIncidents []OpenIncident `json:"open_incidents,omitempty"`
	// Ready is what the `ready` plugin says; NotReady says why not.
	Ready    bool   `json:"ready"`
	NotReady string `json:"not_ready,omitempty"`
	// Blind is set while this vantage abstains: most of its probes fail and no reference target answers.
	Blind bool `json:"blind"`
	// Late is set while this vantage abstains where a probe timed out: its process is late by itself.
	Late bool `json:"late,omitempty"`
	// BareBlocks are the names of server blocks for which there is no zone file: nothing is answered there.
	BareBlocks []string `json:"bare_blocks,omitempty"`
	// Unwritable is set while the state directory cannot be written.
	Unwritable *Unwritable `json:"unwritable,omitempty"`
	// Discovery are the clusters of Kubernetes that endpoints come from.
	Discovery []DiscoveredCluster `json:"discovery,omitempty"`
	// Hosts are the host names that endpoints stand for.
	Hosts []ResolvedHost `json:"hosts,omitempty"`
	// Fleets are the services of other Fairlead clusters to which answers may lead, as checks of type fleet see them.
	Fleets []Fleet `json:"fleets,omitempty"`
	// Plans are those that would stop, and those of which a run has not ended.
	Plans []PlanBrief `json:"plans,omitempty"`
	// OIDC is how the issuer is whose tokens are logins; nil where none are.
	OIDC *OIDC `json:"oidc,omitempty"`
	// Cluster is what is known of the other nodes; nil for a node alone.
	Cluster *Nodes `json:"cluster,omitempty"`
	// Freeze is set while an operator has stopped every automatic verdict.
	Freeze *Freeze `json:"freeze,omitempty"`
	Files  []File  `json:"files"`
	Zones  []Zone  `json:"zones"`
	// Intents are what operators asked for, in force or planned.
	Intents []Intent `json:"intents,omitempty"`
	// FastLanes are the UDP addresses of this node, in their order.
	FastLanes []FastLane `json:"fast_lanes,omitempty"`
	// Feeds is who listens to this node that is no resolver; absent where nobody can.
	Feeds *Feeds `json:"feeds,omitempty"`
}

// Feeds are those who listen to a node by its feeds.
type Feeds struct {
	// Subscribers have a stream. Of those, Unconfirmed have not acknowledged what they were sent last.
	Subscribers int `json:"subscribers"`
	Unconfirmed int `json:"unconfirmed,omitempty"`
	// Silent lost their stream, and may keep what they were given for a while.
	Silent int `json:"silent,omitempty"`
}

// A FastLane is one UDP address, and whether its questions are answered past CoreDNS's own path.
type FastLane struct {
	// Address is as CoreDNS writes it: dns://192.0.2.53:53.
	Address string `json:"address"`
	// Sockets is how many the fast lane has; with 0 there is none, and Reason says why.
	Sockets int    `json:"sockets"`
	Reason  string `json:"reason,omitempty"`
}

// Unwritable says why a node keeps nothing: neither verdicts nor orders outlive its end.
type Unwritable struct {
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
}

// A File is one zone file.
type File struct {
	Path string `json:"path"`
	Zone string `json:"zone,omitempty"`
	// Hash is of the version that is served; empty if none is.
	Hash string `json:"hash,omitempty"`
	// LastGood is set when the file as it is now is not what is served.
	LastGood bool `json:"last_good"`
	// BrokenSince is when the file was first seen not to be usable.
	BrokenSince *time.Time `json:"broken_since,omitempty"`
	// RolledBack is set while an earlier version runs by an operator's word.
	RolledBack *Rollback `json:"rolled_back,omitempty"`
	// Problems are rendered as `fairlead check` renders them.
	Problems []string `json:"problems,omitempty"`
}

// A Zone is one zone.
type Zone struct {
	Name     string    `json:"name"`
	Serial   uint32    `json:"serial"`
	Pools    []Pool    `json:"pools"`
	Services []Service `json:"services"`
}

// A Pool is one pool with its endpoints.
type Pool struct {
	Name   string `json:"name"`
	Region string `json:"region"`
	// Check is empty for an unmonitored pool.
	Check string `json:"check,omitempty"`
	// HeldUntil is the end of the longest failback hold that runs, of the pool or of one of its AZs.
	HeldUntil *time.Time `json:"held_until,omitempty"`
	// WaitsFor is what the pool, or one of its AZs, waits for that no time brings: ready (`fairlead ready POOL`), check (its gate, which
	// GateCheck names), failback (`fairlead failback POOL`), config (a new version of the zone file) or cluster (the node is isolated).
	WaitsFor string `json:"waits_for,omitempty"`
	// GateCheck is the check that keeps the gate closed; empty while it is open, and for a gate that waits for a person.
	GateCheck string `json:"gate_check,omitempty"`
	// RampPercent is the least share that a service gives it, or one of its AZs, while it comes back by steps; RampNext is the
	// next step.
	RampPercent int        `json:"ramp_percent,omitempty"`
	RampNext    *time.Time `json:"ramp_next,omitempty"`
	// ForwardPercent is the least share of a service that it has taken over so far, while it does by steps; ForwardNext is when the next step is
	// due. Absent otherwise.
	ForwardPercent int        `json:"forward_percent,omitempty"`
	ForwardNext    *time.Time `json:"forward_next,omitempty"`
	// Lag is how far its data is behind; absent where no check measures that.
	Lag *PoolLag `json:"lag,omitempty"`
	// RPO says how its lag stands to the rpo of each service that has one.
	RPO []PoolRPO `json:"rpo,omitempty"`
	// Returns are how services wait for the pool, or for one of its AZs, while it comes back: one entry for those that wait alike.
	Returns []PoolReturn `json:"returns,omitempty"`
	// Weight is an operator's override of the pool's weight in every tier.
	Weight *int `json:"weight,omitempty"`
	// Endpoints are left out of lists of pools.
	Endpoints []Endpoint `json:"endpoints,omitempty"`
}

// A PoolLag is how far the data of a pool is behind, by the latest measurement of any node.
type PoolLag struct {
	// Check is the check of type lag.
	Check string `json:"check"`
	// Unit is seconds or bytes. Value is absent where nothing was measured; Known is unset where nothing that counts was.
	Unit  string   `json:"unit" enum:"seconds|bytes"`
	Value *float64 `json:"value,omitempty"`
	Known bool     `json:"known"`
	// MeasuredAt is the instant that Value is of, Vantage the node that measured it.
	MeasuredAt *time.Time `json:"measured_at,omitempty"`
	Vantage    string     `json:"vantage,omitempty"`
}

// A PoolRPO is how the lag of a pool stands to the rpo of one service.
type PoolRPO struct {
	Service string `json:"service"`
	// Max is the rpo, in the unit of the lag.
	Max float64 `json:"max"`
	// State is within, exceeds or unknown: as of now, or of the last look before what answers before the pool began to fail.
	State string `json:"state" enum:"unmeasured|unknown|within|exceeds"`
	// Entered is set once the service has moved to the pool, Held while health would move it there and the lag holds it back.
	Entered bool `json:"entered,omitempty"`
	Held    bool `json:"held,omitempty"`
}

// A PoolReturn is how some services of a pool wait for it, or for one of its AZs. A pool that is held back from a service holds its AZs back too.
type PoolReturn struct {
	// AZ is the one that they wait for; empty for the whole pool.
	AZ string `json:"az,omitempty"`
	// Services are those that wait so; All is set where these are all of the pool's.
	Services []string `json:"services"`
	All      bool     `json:"all,omitempty"`
	// Percent is the part of its share that they give it now: 0 in a hold. Next is when that changes by itself.
	Percent int        `json:"percent"`
	Next    *time.Time `json:"next,omitempty"`
	// WaitsFor is what else they wait for: failback (`fairlead failback POOL`), config (a new version of the zone file), or cluster: the node is
	// isolated, and holds and ramps stand still there.
	WaitsFor string `json:"waits_for,omitempty"`
}

// An Endpoint is one endpoint: the verdict and what it rests on.
type Endpoint struct {
	Name string `json:"name"`
	// Of is the endpoint of the zone file of whose host name this is an address; orders about it are about all of its addresses.
	Of        string   `json:"of,omitempty"`
	AZ        string   `json:"az"`
	Addresses []string `json:"addresses,omitempty"`
	Target    string   `json:"target,omitempty"`
	Weight    int      `json:"weight"`
	// State is up, suspect, down, drained or unknown; Health is the same without drains and forces.
	State  string `json:"state" enum:"up|suspect|down|drained|unknown"`
	Health string `json:"health" enum:"up|suspect|down|drained|unknown"`
	// Drained is the order that keeps the endpoint out; Since below is of Health all the while.
	Drained *Drained `json:"drained,omitempty"`
	// Forced is set while an operator has the endpoint count as up or down, whatever Health says.
	Forced      *Force    `json:"forced,omitempty"`
	Stale       bool      `json:"stale,omitempty"`
	Unmonitored bool      `json:"unmonitored,omitempty"`
	Since       time.Time `json:"since"`
	Reason      string    `json:"reason,omitempty"`
	Warning     string    `json:"warning,omitempty"`
	// Probed is what is dialled; the rest is about the latest probe.
	Probed         string     `json:"probed,omitempty"`
	ProbedAt       *time.Time `json:"probed_at,omitempty"`
	LatencySeconds float64    `json:"latency_seconds,omitempty"`
	Failures       int        `json:"failures,omitempty"`
	Successes      int        `json:"successes,omitempty"`
	// Vantages are what each node says of the endpoint's own check, in a cluster; the fields above are this node's word.
	Vantages []Vantage `json:"vantages,omitempty"`
	// AddressStates are those of an endpoint with an address of each family, each of which is probed for itself: IPv4 first. The
	// endpoint's own state is the best of them, and what is about its latest probe is about its first address.
	AddressStates []AddressState `json:"address_states,omitempty"`
}

// An AddressState is how one of an endpoint's two addresses does.
type AddressState struct {
	Address string `json:"address"`
	// State is up, suspect, down or unknown, by health alone.
	State string `json:"state" enum:"up|suspect|down|unknown"`
	// Withheld is set while the address is not answered although the endpoint is: it is dead, and the other one is better.
	Withheld bool      `json:"withheld,omitempty"`
	Stale    bool      `json:"stale,omitempty"`
	Since    time.Time `json:"since"`
	Reason   string    `json:"reason,omitempty"`
	Warning  string    `json:"warning,omitempty"`
	// Probed is what is dialled; the rest is about the latest probe.
	Probed         string     `json:"probed,omitempty"`
	ProbedAt       *time.Time `json:"probed_at,omitempty"`
	LatencySeconds float64    `json:"latency_seconds,omitempty"`
	Failures       int        `json:"failures,omitempty"`
	Successes      int        `json:"successes,omitempty"`
	// Vantages are what each node says of the address, in a cluster.
	Vantages []Vantage `json:"vantages,omitempty"`
}

// A Force is an operator's word on the state of an endpoint.
type Force struct {
	// State is up or down.
	State string `json:"state"`
	// Intent is the id of the order.
	Intent string `json:"intent,omitempty"`
	Actor  string `json:"actor,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Since is when it began. EndsAt is by this node's clock; without it the force is forever.
	Since  *time.Time `json:"since,omitempty"`
	EndsAt *time.Time `json:"ends_at,omitempty"`
}

// A Service is what one owner name answers now.
type Service struct {
	Name string `json:"name"`
	// Source is why these members answer: tier, pending, held, below_min_healthy, island (the node is cut off and
	// answers as its own region sees it), panic, last_good, all, fixed, nodata or yielded (cut off, and another pool may have its turn: SERVFAIL).
	Source   string `json:"source" enum:"tier|pending|held|below_min_healthy|island|panic|last_good|all|fixed|nodata|yielded"`
	Degraded bool   `json:"degraded"`
	// Tier counts from 1; 0 means none.
	Tier       int      `json:"tier"`
	Skipped    []string `json:"skipped,omitempty"`
	TTLSeconds uint32   `json:"ttl_seconds"`
	// BoundSeconds is the worst-case staleness known before anything happens; TargetSeconds is the declared one, RTOSeconds the
	// declared recovery time, if any.
	BoundSeconds  float64 `json:"bound_seconds"`
	TargetSeconds float64 `json:"target_seconds,omitempty"`
	RTOSeconds    float64 `json:"rto_seconds,omitempty"`
	// RPO is the declared loss, as the file has it, and RPOPolicy what becomes of a pool that is further behind: hold or enter_and_report.
	RPO       string  `json:"rpo,omitempty"`
	RPOPolicy string  `json:"rpo_policy,omitempty" enum:"hold|enter_and_report"`
	Shares    []Share `json:"shares"`
	// Lost are the record types, A or AAAA, that get NODATA because every address of that kind is dead, while the endpoints go on by the other.
	Lost []string `json:"lost,omitempty"`
	// Worse are classes of clients, of rules or cells, that get something worse than those of Shares, at most 20; MoreWorse counts the others.
	Worse     []WorseClass `json:"worse,omitempty"`
	MoreWorse int          `json:"more_worse,omitempty"`
	// Measured is how its table of measurements is, of services with `order: fastest`.
	Measured *ServiceMeasured `json:"measured,omitempty"`
}

// ServiceMeasured is how a table of measurements is that a service goes by.
type ServiceMeasured struct {
	// Table is the name of its file.
	Table string `json:"table"`
	// LatestAt is its last instant that counts; absent for none. Expired is set where that is too long ago: distance decides, or weights.
	LatestAt *time.Time `json:"latest_at,omitempty"`
	Expired  bool       `json:"expired,omitempty"`
	// Ahead is how many of its instants do not count yet, since they lie ahead of the node's clock, AheadAt the last of them.
	Ahead   int        `json:"ahead,omitempty"`
	AheadAt *time.Time `json:"ahead_at,omitempty"`
}

// A WorseClass is a class of clients of a service that answers them otherwise than the others, and not as it should.
type WorseClass struct {
	Class string `json:"class"`
	// Source and Tier are as in Service.
	Source string `json:"source" enum:"tier|pending|held|below_min_healthy|island|panic|last_good|all|fixed|nodata|yielded"`
	Tier   int    `json:"tier"`
}

// A Share is one member's part of the answers of one family.
type Share struct {
	// Family is A, AAAA or CNAME.
	Family   string `json:"family"`
	Pool     string `json:"pool"`
	AZ       string `json:"az"`
	Endpoint string `json:"endpoint"`
	// Data is the RDATA that is answered.
	Data string `json:"data"`
	// Fraction is 0..1.
	Fraction float64 `json:"fraction"`
}

// OIDC is how the issuer is whose tokens are logins over TCP.
type OIDC struct {
	Issuer string `json:"issuer"`
	// Known tells whether the issuer's keys are known: without them no token of the issuer is a login.
	Known bool `json:"known"`
	// FailedSince is since when the issuer cannot be asked, and Failure why; absent while it can be.
	FailedSince *time.Time `json:"failed_since,omitempty"`
	Failure     string     `json:"failure,omitempty"`
}
