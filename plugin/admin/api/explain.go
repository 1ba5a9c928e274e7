package api

import "time"

// ExplainPath answers GET with an Explanation, WhatIfPath with a WhatIf. Both read a Question from the query string: name,
// type, client, subnet, and any number of down, drain and weight.
const (
	ExplainPath = Base + "/explain"
	WhatIfPath  = Base + "/what-if"
)

// Assumptions are what is to be taken for granted, beside what is the case.
type Assumptions struct {
	// Down and Drain are KIND=NAME: endpoint=POOL/ENDPOINT, pool=POOL, az=AZ or region=REGION.
	Down  []string `json:"down,omitempty"`
	Drain []string `json:"drain,omitempty"`
	// Weight is POOL=N or POOL/ENDPOINT=N.
	Weight []string `json:"weight,omitempty"`
}

// A Question is a DNS question and who asks it.
type Question struct {
	// Name is the owner name, Type its type; A if it is empty.
	Name string `json:"name"`
	Type string `json:"type"`
	// Client is the address of the resolver, Subnet the prefix in its EDNS Client Subnet option; both may be empty.
	Client string `json:"client,omitempty"`
	Subnet string `json:"subnet,omitempty"`
	Assumptions
}

// An Explanation is what a node answers to a question and why: each step from the name to the endpoints.
type Explanation struct {
	Question   Question  `json:"question"`
	Node       string    `json:"node,omitempty"`
	At         time.Time `json:"at"`
	Generation uint64    `json:"generation,omitempty"`
	Zone       string    `json:"zone"`
	// Kind is what stands at the name: service, cell, place, host, static, empty or nxdomain.
	Kind    string `json:"kind"`
	Service string `json:"service,omitempty"`
	// Shard is set for cells.
	Shard *int `json:"shard,omitempty"`
	// Class says for which clients the plan is, as in "rule 1 near eu-west"; empty for all that no rule names.
	Class  string       `json:"class"`
	Client *ClientFound `json:"client,omitempty"`
	// Source is on what ground the members answer, as in Service; Tier counts from 1, Rule too, and is 0 for the service's own.
	Source   string `json:"source"`
	Degraded bool   `json:"degraded"`
	Tier     int    `json:"tier"`
	Rule     int    `json:"rule,omitempty"`
	// Kept counts members that are down and answer because the speed limit holds.
	Kept  int           `json:"kept,omitempty"`
	Tiers []ExplainTier `json:"tiers,omitempty"`
	TTL   ExplainTTL    `json:"ttl"`
	// Answers is how many records a reply holds; Shares are the records with the part of the replies that begin with each.
	Answers int     `json:"answers"`
	Shares  []Share `json:"shares"`
	// Sticky is set when this client always gets the same: then Shares are those over all clients, and Stays is its record.
	Sticky bool   `json:"sticky,omitempty"`
	Stays  string `json:"stays,omitempty"`
	// Then is the explanation of the CNAME's target where it lies in our zones and there is one target alone.
	Then *Explanation `json:"then,omitempty"`
}

// ClientFound is what is known of the client.
type ClientFound struct {
	Address string `json:"address"`
	// From is address or ecs.
	From string `json:"from"`
	// ScopeBits is how many bits of the address were looked at: the scope of an ECS reply.
	ScopeBits   int      `json:"scope_bits"`
	Continent   string   `json:"continent,omitempty"`
	Country     string   `json:"country,omitempty"`
	Subdivision []string `json:"subdivisions,omitempty"`
	ASN         uint32   `json:"asn,omitempty"`
	Latitude    *float64 `json:"latitude,omitempty"`
	Longitude   *float64 `json:"longitude,omitempty"`
	// Measured is what was measured of the way from the client, of services with `order: fastest`.
	Measured *ClientMeasured `json:"measured,omitempty"`
}

// ClientMeasured are the times of the way from a client's network to regions and back.
type ClientMeasured struct {
	// Network is how the table names the clients: a prefix, asn:N, country:CC or continent:CC.
	Network string `json:"network"`
	// Region is the one that is chosen, none where no measurement counts yet, since Since by the table; Moves is how often another one was in the table.
	Region string    `json:"region"`
	Since  time.Time `json:"since"`
	Moves  int       `json:"moves"`
	// Candidate has been faster by the margin since CandidateSince, and is chosen once it has been for HoldSeconds.
	Candidate      string     `json:"candidate,omitempty"`
	CandidateSince *time.Time `json:"candidate_since,omitempty"`
	// MarginSeconds and MarginPercent are by how much another region must be faster.
	MarginSeconds float64 `json:"margin_seconds"`
	MarginPercent int     `json:"margin_percent"`
	// HoldSeconds is for how long it must have been faster.
	HoldSeconds float64 `json:"hold_seconds"`
	// At is when it was measured last, of what counts. Expired is set where that is too long ago to count: distance decides, or weights.
	At      time.Time `json:"at"`
	Expired bool      `json:"expired,omitempty"`
	// AheadAt is the first instant of measurements that do not count yet: it lies ahead of the node's clock.
	AheadAt *time.Time `json:"ahead_at,omitempty"`
	// Regions are the ways that were measured, the fastest first.
	Regions []MeasuredWay `json:"regions"`
}

// A MeasuredWay is the time to one region and back.
type MeasuredWay struct {
	// Region is where the way leads.
	Region string `json:"region"`
	// Seconds is how long it takes there and back.
	Seconds float64 `json:"seconds"`
}

// An ExplainTier is one tier, or the part of it in one region where distance splits it.
type ExplainTier struct {
	Tier    int  `json:"tier"`
	Rule    int  `json:"rule,omitempty"`
	Answers bool `json:"answers"`
	// Why says why it does not answer.
	Why   string        `json:"why,omitempty"`
	Share float64       `json:"share"`
	Pools []ExplainPool `json:"pools"`
}

// An ExplainPool is one pool of a tier. Share is its part of the answers, 0..1.
type ExplainPool struct {
	Pool   string `json:"pool"`
	Region string `json:"region"`
	// WeightConfigured is the weight in the file, Weight the one in force.
	WeightConfigured int     `json:"weight_configured"`
	Weight           int     `json:"weight"`
	Share            float64 `json:"share"`
	// Why says why it does not answer, or what limits it.
	Why string      `json:"why,omitempty"`
	AZs []ExplainAZ `json:"azs"`
}

// An ExplainAZ is one AZ of a pool. WeightConfigured is absent where the AZ weighs the sum of its endpoints.
type ExplainAZ struct {
	AZ               string            `json:"az"`
	WeightConfigured *int              `json:"weight_configured,omitempty"`
	Share            float64           `json:"share"`
	Why              string            `json:"why,omitempty"`
	Endpoints        []ExplainEndpoint `json:"endpoints"`
}

// An ExplainEndpoint is one endpoint of an AZ.
type ExplainEndpoint struct {
	Endpoint string `json:"endpoint"`
	// State is as in Endpoint.
	State            string  `json:"state"`
	WeightConfigured int     `json:"weight_configured"`
	Weight           float64 `json:"weight"`
	Share            float64 `json:"share"`
	Why              string  `json:"why,omitempty"`
}

// An ExplainTTL is the TTL and what makes it so.
type ExplainTTL struct {
	Seconds    uint32 `json:"seconds"`
	Mode       string `json:"mode,omitempty"`
	MinSeconds uint32 `json:"min_seconds,omitempty"`
	MaxSeconds uint32 `json:"max_seconds,omitempty"`
	// Why says in words what sets it, ForcedBy are the members that do, as pool/endpoint.
	Why      string   `json:"why"`
	ForcedBy []string `json:"forced_by,omitempty"`
}

// A WhatIf is how answers would change under assumptions.
type WhatIf struct {
	Assumptions Assumptions `json:"assumptions"`
	Node        string      `json:"node,omitempty"`
	At          time.Time   `json:"at"`
	// Services are those whose answers would change, Unchanged counts the others that were looked at.
	Services  []WhatIfService `json:"services"`
	Unchanged int             `json:"unchanged"`
	// Names are names beside those of the services, of also and host names to which SRV records lead, that something leaves or comes to, at most 50;
	// MoreNames counts the others.
	Names     []WhatIfName `json:"names,omitempty"`
	MoreNames int          `json:"more_names,omitempty"`
	// Overloads are the pools that would get more than they carry, by their `capacity` and the `demand` of the services, and more than now.
	Overloads []Overload `json:"overloads,omitempty"`
	// Cuts are services that would be answered where one that they need is not, for more of their answers than now, at most 50.
	Cuts []Cut `json:"cuts,omitempty"`
}

// A Cut is a service that would be answered where another one that it needs (`needs` in the zone file) is not.
type Cut struct {
	Service string `json:"service"`
	// Needs is what it needs.
	Needs string `json:"needs"`
	// Dark is set where nothing of what it needs would be in service anywhere.
	Dark bool `json:"dark,omitempty"`
	// Percent is how many of its answers would lead to Regions, where what it needs has none, and PercentBefore how many lead to such regions now.
	// NeedsRegions are those where what it needs would be answered.
	Percent       float64  `json:"percent"`
	PercentBefore float64  `json:"percent_before"`
	Regions       []string `json:"regions,omitempty"`
	NeedsRegions  []string `json:"needs_regions,omitempty"`
}

// An Overload is a pool that would get more requests than it carries.
type Overload struct {
	// Pool is ZONE/POOL.
	Pool string `json:"pool"`
	// Requests is what it would get at the peak, Capacity what is left of it carries, both a second; Percent is the one of the other, and
	// PercentBefore what that is now.
	Requests      float64 `json:"requests"`
	Capacity      float64 `json:"capacity"`
	Percent       float64 `json:"percent"`
	PercentBefore float64 `json:"percent_before"`
}

// A WhatIfName is a name beside that of its service, and what its answers carry no more, or carry then.
type WhatIfName struct {
	Name    string `json:"name"`
	Service string `json:"service,omitempty"`
	// Leaves are the addresses, or names, that its answers carry no more; Comes those that they carry then and do not now.
	Leaves []string `json:"leaves,omitempty"`
	Comes  []string `json:"comes,omitempty"`
}

// A WhatIfService is one class of clients of one service before and after.
type WhatIfService struct {
	Service string      `json:"service"`
	Class   string      `json:"class,omitempty"`
	Before  WhatIfState `json:"before"`
	After   WhatIfState `json:"after"`
}

// A WhatIfState is what a class of clients gets.
type WhatIfState struct {
	Source     string  `json:"source"`
	Degraded   bool    `json:"degraded"`
	Tier       int     `json:"tier"`
	TTLSeconds uint32  `json:"ttl_seconds"`
	Shares     []Share `json:"shares"`
}
