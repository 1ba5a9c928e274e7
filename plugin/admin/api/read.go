package api

import (
	"net/url"
	"time"
)

// The paths that answer GET with a part of the Status: the lists Zones, Services, Pools, Endpoints, Regions and AZs, and, with a
// name behind them, one of each.
const (
	ZonesPath     = Base + "/zones"
	ServicesPath  = Base + "/services"
	PoolsPath     = Base + "/pools"
	EndpointsPath = Base + "/endpoints"
	RegionsPath   = Base + "/regions"
	AZsPath       = Base + "/azs"
	// RunningPath is followed by the name of a zone, and answers with a RunningZone.
	RunningPath = Base + "/config/zones"
)

// ItemPath is the path of one item of a list. Each part of its name is a segment: zone, pool, endpoint.
func ItemPath(list string, name ...string) string {
	for _, part := range name {
		list += "/" + url.PathEscape(part)
	}
	return list
}

// MaxPage is the greatest limit of a page, DefaultPage the one without `limit`.
const (
	MaxPage     = 1000
	DefaultPage = 100
)

// A Page begins every list and every item: who says it, and of which moment.
type Page struct {
	Node       string    `json:"node"`
	At         time.Time `json:"at"`
	Generation uint64    `json:"generation"`
	// Next is the value of `after` for what follows; empty at the end of a list.
	Next string `json:"next,omitempty"`
}

// States counts endpoints by state.
type States struct {
	Up      int `json:"up"`
	Suspect int `json:"suspect"`
	Down    int `json:"down"`
	Drained int `json:"drained"`
	Unknown int `json:"unknown"`
}

// Total is all of them.
func (s *States) Total() int { return s.Up + s.Suspect + s.Down + s.Drained + s.Unknown }

// Zones is a page of zones, by name.
type Zones struct {
	Page
	Zones []ZoneItem `json:"zones"`
}

// A ZoneItem is a zone without what is in it.
type ZoneItem struct {
	Name   string `json:"name"`
	Serial uint32 `json:"serial"`
	// Hash is of the version that is served; File says how it stands with the one on disk.
	Hash     string `json:"hash"`
	File     *File  `json:"file,omitempty"`
	Pools    int    `json:"pools"`
	Services int    `json:"services"`
	// Degraded counts the services that answer on a last resort.
	Degraded int    `json:"degraded_services"`
	States   States `json:"states"`
}

// A ZoneDetail is one zone.
type ZoneDetail struct {
	Page
	ZoneItem
}

// Services is a page of services, by zone and name.
type Services struct {
	Page
	Services []ServiceItem `json:"services"`
}

// A ServiceItem is a service and its zone.
type ServiceItem struct {
	Zone string `json:"zone"`
	Service
}

// Pools is a page of pools, by zone and name.
type Pools struct {
	Page
	Pools []PoolItem `json:"pools"`
}

// A PoolItem is a pool and its zone. Its endpoints are counted; they are listed in a PoolDetail alone.
type PoolItem struct {
	Zone string `json:"zone"`
	Pool
	States States `json:"states"`
}

// Endpoints is a page of endpoints, by zone, pool and name.
type Endpoints struct {
	Page
	Endpoints []EndpointItem `json:"endpoints"`
}

// An EndpointItem is an endpoint and where it stands. Region is that of its AZ.
type EndpointItem struct {
	Zone   string `json:"zone"`
	Pool   string `json:"pool"`
	Region string `json:"region"`
	Endpoint
}

// Regions is a page of regions, by name.
type Regions struct {
	Page
	Regions []Area `json:"regions"`
}

// AZs is a page of AZs, by name.
type AZs struct {
	Page
	AZs []Area `json:"azs"`
}

// An Area is a region or an AZ, of all zones: what stands in it, and how much of what is answered leads there.
type Area struct {
	Name string `json:"name"`
	// Region is that of an AZ, AZs are those of a region.
	Region string   `json:"region,omitempty"`
	AZs    []string `json:"azs,omitempty"`
	States States   `json:"states"`
	// Services are those whose answers lead here now, with the part of them that does.
	Services []ServiceShare `json:"services"`
	// Intents are the orders that name it, or something in it.
	Intents []Intent `json:"intents,omitempty"`
}

// A ServiceShare is the part of a service's answers of one family.
type ServiceShare struct {
	Service string `json:"service"`
	Family  string `json:"family"`
	// Fraction is 0..1.
	Fraction float64 `json:"fraction"`
}

// A ServiceDetail is one service with all that its answers rest on.
type ServiceDetail struct {
	Page
	ServiceItem
	// TTL says what makes the TTL what it is.
	TTL ExplainTTL `json:"ttl"`
	// Bound are the terms of BoundSeconds.
	Bound BoundTerms `json:"bound"`
	// Classes are the other classes of clients: those of rules, of regions, of cells.
	Classes []ServiceClass `json:"classes,omitempty"`
	Pools   []PoolItem     `json:"pools"`
	// Members are its endpoints that are not simply up, at most 100; MoreMembers counts the others.
	Members     []EndpointItem `json:"members,omitempty"`
	MoreMembers int            `json:"more_members,omitempty"`
	// Intents are the orders that concern it.
	Intents []Intent `json:"intents,omitempty"`
}

// A ServiceClass is what one class of clients gets.
type ServiceClass struct {
	Class    string  `json:"class"`
	Source   string  `json:"source"`
	Degraded bool    `json:"degraded"`
	Tier     int     `json:"tier"`
	Shares   []Share `json:"shares"`
}

// BoundTerms are the parts of the staleness bound, in seconds: an endpoint is found down (D), its first failure is seen (F),
// gossip (G), older answers leave the node (Q), resolvers accept late (X).
type BoundTerms struct {
	D float64 `json:"d_seconds"`
	F float64 `json:"f_seconds"`
	G float64 `json:"g_seconds"`
	Q float64 `json:"q_seconds"`
	X float64 `json:"x_seconds"`
}

// A PoolDetail is one pool with its endpoints, at most MaxPage of them: Next is where the list of endpoints goes on.
type PoolDetail struct {
	Page
	PoolItem
	// Services are those whose answers lead here now.
	Services []ServiceShare `json:"services"`
	Intents  []Intent       `json:"intents,omitempty"`
}

// An EndpointDetail is one endpoint; its Vantages say who saw what, also on a node alone.
type EndpointDetail struct {
	Page
	EndpointItem
	// Phases are those of this node's latest probe; nil where the whole of it was the connection.
	Phases   *ProbePhases   `json:"phases,omitempty"`
	Services []ServiceShare `json:"services"`
	Intents  []Intent       `json:"intents,omitempty"`
}

// ProbePhases are the parts of a probe, in seconds: 0 for those that were not reached.
type ProbePhases struct {
	// ConnectSeconds includes the look-up of a named host.
	ConnectSeconds float64 `json:"connect_seconds"`
	// TLSSeconds is the handshake.
	TLSSeconds float64 `json:"tls_seconds"`
	// FirstByteSeconds runs from the request, or from the end of the connect where nothing is sent, to the first octet of the answer.
	FirstByteSeconds float64 `json:"first_byte_seconds"`
	// CertificateExpires is the end of the certificate that it saw; absent where it saw none.
	CertificateExpires *time.Time `json:"certificate_expires,omitempty"`
}

// An AreaDetail is one region or AZ with its endpoints that are not simply up, at most 100; MoreMembers counts the others.
type AreaDetail struct {
	Page
	Area
	Members     []EndpointItem `json:"members,omitempty"`
	MoreMembers int            `json:"more_members,omitempty"`
}

// A RunningZone is the text of the version of a zone file that is served.
type RunningZone struct {
	Page
	Zone string `json:"zone"`
	// Path is the file's, Hash covers it and the files that it names, in full.
	Path string `json:"path"`
	Hash string `json:"hash"`
	// Content is base64 in JSON. Files are those that it names, by name; of those with private keys there is the digest alone.
	Content []byte            `json:"content"`
	Files   map[string][]byte `json:"files,omitempty"`
	// Pending is the content on disk where that is another one, which waits: it is broken, or refused, or an earlier version was rolled back to.
	Pending []byte `json:"pending,omitempty"`
	// Secret holds the SHA-256 of each file that is not shown, in hexadecimal.
	Secret map[string]string `json:"secret,omitempty"`
}
