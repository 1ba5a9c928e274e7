package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Hash identifies the content that a value was made from; equal content has equal hashes on every node.
type Hash [sha256.Size]byte

// String is the first 12 hex digits: enough to tell two versions apart, short enough to read aloud.
func (h Hash) String() string { return hex.EncodeToString(h[:6]) }

// MarshalText is all of the hash in hexadecimal.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText is the inverse of MarshalText.
func (h *Hash) UnmarshalText(b []byte) error {
	if len(b) != hex.EncodedLen(len(h)) {
		return fmt.Errorf("hash: %d digits, want %d", len(b), hex.EncodedLen(len(h)))
	}
	_, err := hex.Decode(h[:], b)
	return err
}

// A Model is everything that the zone files say at one moment. It is a value: a change makes a new Model, which shares
// the zones that did not change.
type Model struct {
	// Zones are sorted by name; no two have the same name.
	Zones []*Zone
	// Hash covers the hashes of all zones.
	Hash Hash
}

// NewModel freezes zones, which must be sorted by name, into a Model.
func NewModel(zones []*Zone) *Model {
	h := sha256.New()
	for _, z := range zones {
		h.Write([]byte(z.Name))
		h.Write(z.Hash[:])
	}
	m := &Model{Zones: zones}
	h.Sum(m.Hash[:0])
	return m
}

// A Zone is one zone file. Names in it are lower-case FQDNs with the final dot. Pools and services refer to each other by
// index into Pools, Services and AZs; the slices keep the order of the file.
type Zone struct {
	Name string
	// File is the path as it was given, for messages.
	File string
	// FileHash is the SHA-256 of the file's content and of every file that it names (zone file, certificates). Hash covers what clusters give its
	// pools, too; it is the same where they give nothing.
	FileHash, Hash Hash
	// Resolved covers the addresses that host names give its pools; zero for none. Nodes resolve for themselves: it is no part of Hash, by which they
	// tell whether they serve the same.
	Resolved Hash

	SOA         SOA
	NameServers []NameServer
	// NSTTL is the TTL of the apex NS RRset and of its glue, in seconds.
	NSTTL   uint32
	Records []Record
	// DNSSEC is nil for a zone that is not signed.
	DNSSEC *DNSSEC
	// RRL is nil where replies are not limited. Amplification is how many times the octets of its query an answer of a service over UDP may
	// have for a client that shows no cookie; 0 for any.
	RRL           *RRL
	Amplification int
	// Transfer is what secondaries get.
	Transfer TransferView
	Regions  []Region
	AZs      []AZ
	// Checks holds also those that no pool uses.
	Checks   []*Check
	Pools    []*Pool
	Services []*Service
	// Nested are the zones of the model that stand below this one and are closest to it, by name, sorted: they answer what is at or below them.
	Nested []string
	// Hosts are the host names of endpoints to which SRV records lead.
	Hosts []Host
	// AllowShrink lets a new version of the file drop more than Shrinks would let pass.
	AllowShrink bool
}

// SOA holds the fields of the zone's SOA record (RFC 1035 section 3.3.13).
type SOA struct {
	MName, RName string
	// Serial is the key `serial`, else that of the imported zone file, else made from Hash: steering never changes it.
	Serial uint32
	// SerialMade is set where Serial is made from Hash: it does not grow.
	SerialMade bool
	// Refresh, Retry and Expire concern secondaries, in seconds.
	Refresh, Retry, Expire uint32
	// NegativeTTL is the SOA MINIMUM, which bounds the SOA's TTL in negative answers (RFC 2308), in seconds.
	NegativeTTL uint32
	// TTL is that of the record itself, in seconds.
	TTL uint32
}

// A NameServer is one NS record of the apex with its glue, if the name lies in the zone.
type NameServer struct {
	Name      string
	Addresses []netip.Addr
}

// A Record is one static RRset.
type Record struct {
	Name string
	Type uint16
	// TTL in seconds.
	TTL uint32
	// RData holds each record's RDATA in wire format, names uncompressed, sorted and without duplicates.
	RData [][]byte
}

// IsCut tells whether the record delegates a zone: NS records below the apex.
func (r *Record) IsCut(zone *Zone) bool { return r.Type == dns.TypeNS && r.Name != zone.Name }

// A Region is a `topology.kubernetes.io/region`.
type Region struct {
	Name string
	// Location is latitude and longitude in degrees; HasLocation tells 0,0 from not given.
	Latitude, Longitude float64
	HasLocation         bool
}

// An AZ is a `topology.kubernetes.io/zone`. It is never called a zone here: that word means a DNS zone.
type AZ struct {
	Name string
	// Region indexes Zone.Regions.
	Region int
}

// A Pool is the set of endpoints that back services in one region.
type Pool struct {
	Name string
	// Region indexes Zone.Regions.
	Region int
	// Check indexes Zone.Checks; -1 means unmonitored: its endpoints are always up, and are shown as unmonitored.
	Check int
	// Needs index Zone.Checks: the pool is down when one of them is.
	Needs []int
	// AZWeights has one entry for each AZ in which the pool has an endpoint, in order of first appearance.
	// Explicit is set when the file has `az_weights`; otherwise an AZ weighs the sum of its eligible endpoints.
	AZWeights []AZWeight
	Explicit  bool
	// MinHealthy is what must be up for the pool to be available.
	MinHealthy Amount
	// MaxShare is the greatest share of a service's traffic in percent; 0 means no limit.
	MaxShare int
	// Capacity is how many requests a second its endpoints carry together; 0 means that it is not known.
	Capacity int
	Stateful bool
	Fence    bool
	Gate     Gate
	// Lag indexes Zone.Checks where HasLag is set: the check of type lag that says how far the data of the pool is behind.
	Lag    int
	HasLag bool
	// OnVantagesLost says what the endpoints are once none of the nodes that probe one of them is heard.
	OnVantagesLost SilencePolicy
	// Endpoints are those of the file, and behind them those that clusters give and those that are resolved.
	Endpoints []*Endpoint
	// Named are the endpoints of the file that are resolved.
	Named []*Named
	// From are the parts that clusters give. MinEndpoints is what they never take the pool below, Settle how long an address stays that a
	// cluster, or a host name, replaced while no new one is up.
	From         []*From
	MinEndpoints int
	Settle       time.Duration
	// azGiven is what `az_weights` says, lateHits what the pool says of its endpoints' counters: for those that clusters give.
	azGiven  []AZWeight
	lateHits *HitCounter
	// Services index Zone.Services: those whose answer may depend on this pool.
	Services []int
	// Failbacks are the distinct ways in which those services let the pool return.
	Failbacks []Failback
}

// An AZWeight is the weight of one AZ inside a pool, 0..65535; 0 means never answered, still probed.
type AZWeight struct {
	// AZ indexes Zone.AZs.
	AZ     int
	Weight int
}

// An Amount is a count or, if Percent is set, a share in percent.
type Amount struct {
	N       int
	Percent bool
}

// Of is the least count that satisfies a out of n, rounded up for shares.
func (a Amount) Of(n int) int {
	if a.Percent {
		return (n*a.N + 99) / 100
	}
	return a.N
}

// A Gate keeps a pool out of service until somebody lets it in. The zero Gate is open.
type Gate struct {
	// Manual asks for `fairlead ready POOL`. ByCheck keeps the gate open while Check, which indexes Zone.Checks, holds for
	// at least one endpoint.
	Manual  bool
	ByCheck bool
	Check   int
}

// An Endpoint is an address with a weight in one AZ.
type Endpoint struct {
	Name string
	// V4 and V6 are invalid where the endpoint has no address of that family. Target is a CNAME target instead of both.
	V4, V6 netip.Addr
	Target string
	// AZ indexes Zone.AZs.
	AZ int
	// Weight is 0..65535, default 1; 0 means never answered, still probed.
	Weight int
	// ProbeAddr is the address that is dialled: the first address of the endpoint unless `probe.address` says otherwise, which
	// sets ProbeGiven and speaks for all of its addresses. It is invalid for a CNAME endpoint without `probe`, whose target name
	// is dialled.
	ProbeAddr  netip.Addr
	ProbeGiven bool
	// ProbePort overrides the port of the check; 0 means the check's own.
	ProbePort uint16
	// LateHits is where requests are counted that reach it after it has left the answers; nil for nowhere.
	LateHits *HitCounter
	// Cluster is the one that gave the endpoint; empty for others. Of is the name of the endpoint of the file, one of Pool.Named, of which this
	// is an address; empty for others.
	Cluster, Of string
}

// Dual tells whether e has an address of each family, and each is dialled for itself.
func (e *Endpoint) Dual() bool { return e.V4.IsValid() && e.V6.IsValid() && !e.ProbeGiven }

// Addr is the address of e in a family; invalid if it has none.
func (e *Endpoint) Addr(f Family) netip.Addr {
	if f == IPv6 {
		return e.V6
	}
	return e.V4
}

// A Family is one of the two kinds of addresses.
type Family uint8

// The families, in the order in which they are listed.
const (
	IPv4 Family = iota
	IPv6
)

// String is the family's name.
func (f Family) String() string {
	if f == IPv6 {
		return "IPv6"
	}
	return "IPv4"
}

// Families are both.
func Families() [2]Family { return [...]Family{IPv4, IPv6} }

// A Service is one owner name that we answer.
type Service struct {
	// Name is the FQDN; a wildcard starts with "*.".
	Name  string
	Kind  AnswerKind
	Tiers []Tier
	// Answers is how many records an answer holds: 1 by default, 0 for all.
	Answers   int
	TTL       TTL
	Staleness Staleness
	RPO       RPO
	// Demand is how many requests a second the service gets at its peak; 0 means that it is not known.
	Demand int
	// Needs are the FQDNs of services without which it is of no use, as an application of its database.
	Needs     []string
	OnAllDown OnAllDown
	Failback  Failback
	Failover  Failover
	Safety    Safety
	Health    Limits
	Standby   Standby
	Also      []AlsoKind
	// Places are the owner names of Also, regions before AZs as the file has them.
	Places  []Place
	Clients []ClientRule
	// Nearest is set for `order: nearest`, and for `order: fastest`, which has Latency besides.
	Nearest bool
	Latency *Latency
	// Island is set for `island: {region: own}`: a node that is cut off answers with the pools of its own region that its own vantages see up.
	Island bool
	ECS    bool
	Sticky *Sticky
	Cells  *Cells
	SRV    *SRV
	HTTPS  *HTTPS
	// Pools are the distinct pools of all tiers, in order of first appearance; they index Zone.Pools.
	Pools []int
	// Line is where the service stands in the file.
	Line int
}

// A Tier is one step of a failover order: the pools that share the traffic, with their weights.
type Tier []Share

// A Share is the weight of one pool in a tier, 0..65535; 0 means never answered.
type Share struct {
	// Pool indexes Zone.Pools.
	Pool   int
	Weight int
}

// TTLMode says how the TTL follows the health of what could be answered (docs/design.md section 6).
type TTLMode uint8

// The modes. Ceiling is the default.
const (
	Ceiling TTLMode = iota
	Horizon
)

// TTL bounds the TTL of a service's answers, in seconds; both bounds are rungs of the ladder.
type TTL struct {
	Mode     TTLMode
	Min, Max uint32
}

// Staleness declares what the operator wants: Target for the worst-case staleness, RTO for the whole recovery. 0 = none.
type Staleness struct{ Target, RTO time.Duration }

// AllDownPolicy says what is answered when nothing is eligible.
type AllDownPolicy uint8

// The policies. LastGood is the default.
const (
	LastGood AllDownPolicy = iota
	AnswerAll
	NoData
	Fixed
)

// OnAllDown is the policy and, for Fixed, its addresses.
type OnAllDown struct {
	Policy AllDownPolicy
	Fixed  []netip.Addr
}

// FailbackMode says who lets a pool or AZ return that had nothing eligible.
type FailbackMode uint8

// The modes.
const (
	FailbackAuto FailbackMode = iota
	FailbackManual
	FailbackNever
)

// KeepsData tells whether the pool must never be answered outside its turn.
func (p *Pool) KeepsData() bool { return p.Stateful || p.Fence }

// Failback is how a pool or an AZ that had nothing eligible returns.
type Failback struct {
	Mode FailbackMode
	// Hold is how long it must be eligible before it gets traffic.
	Hold time.Duration
	// Ramp is ascending percents that end at 100; nil means at once. Step is the time between them.
	Ramp []int
	Step time.Duration
}

// RampTime is how long the ramp takes from the end of the hold until everything is back.
func (f Failback) RampTime() time.Duration {
	// The last step is the whole share.
	return time.Duration(max(0, len(f.Ramp)-1)) * f.Step
}

// Failover is how a pool of a later tier takes over. Without a Ramp it does so at once.
type Failover struct {
	// Ramp is ascending percents that end at 100, Step the time between them.
	Ramp []int
	Step time.Duration
	// While indexes Zone.Checks where ByCheck is set: the next step waits until it is up on every endpoint of the pool that is in service.
	While   int
	ByCheck bool
}

// FailbackOf is how pool p returns to service s: a pool that holds data waits for a person unless the file says never.
func (s *Service) FailbackOf(p *Pool) Failback {
	f := s.Failback
	if p.Stateful && f.Mode == FailbackAuto {
		f.Mode = FailbackManual
	}
	return f
}

// Safety holds the rules for drains; 0 means no rule.
type Safety struct {
	KeepRegions, KeepAZs int
	// MaxDrained is in percent of the service's weight.
	MaxDrained int
}

// Limits holds the rules for automatic removal, both in percent.
type Limits struct{ MaxRemoval, PanicBelow int }

// Standby gives the second tier a share of the traffic in peace time.
type Standby struct {
	// Trickle is in hundredths of a percent.
	Trickle int
}

// AlsoKind is a kind of extra owner names.
type AlsoKind uint8

// The kinds.
const (
	AlsoRegion AlsoKind = iota
	AlsoAZ
)

// A Place is an extra owner name of a service: what it has in one region or AZ alone.
type Place struct {
	// Name is the FQDN.
	Name string
	// Region indexes Zone.Regions. AZ indexes Zone.AZs; -1 for a whole region.
	Region, AZ int
}

// A Host is the host name of one endpoint: an SRV record needs one for its target (RFC 2782).
type Host struct {
	// Name is the FQDN ENDPOINT.POOL.ZONE.
	Name string
	// Pool indexes Zone.Pools, Endpoint indexes Pool.Endpoints.
	Pool, Endpoint int
	// TTL is that of the first service whose SRV records lead here.
	TTL TTL
}

// HostName is the FQDN of an endpoint's host name, whether or not the zone has it.
func (z *Zone) HostName(pool, endpoint int) string {
	p := z.Pools[pool]
	return strings.ToLower(p.Endpoints[endpoint].Name+"."+p.Name) + "." + z.Name
}

// A ClientRule chooses tiers by who asks.
type ClientRule struct {
	CIDR []netip.Prefix
	// Continent, Country (ISO 3166-1) and Subdivision (ISO 3166-2) are upper-case codes.
	Continent, Country, Subdivision []string
	ASN                             []uint32
	Tiers                           []Tier
	Strict                          bool
}

// Sticky keeps a client prefix on one endpoint; the fields are prefix lengths.
type Sticky struct{ V4, V6 int }

// Cells maps shards to home pools.
type Cells struct {
	Shards int
	// Home are the ranges of all pools, by their first shards: together all shards, once each.
	Home []CellRange
	// Empty are pools that are to get shards and have none yet.
	Empty []int
	// Failover maps a pool to the pools that may take its shards, in order.
	Failover map[int][]int
	// Map gives labels, in lower case, a shard that is not the one of their number or hash; nil without a map.
	Map map[string]int
}

// A CellRange gives the shards First..Last, both included, to a pool.
type CellRange struct{ Pool, First, Last int }

// SRV makes a service answer SRV records whose targets follow the plan.
type SRV struct{ Port, Priority uint16 }

// HTTPS makes a service answer HTTPS records (RFC 9460) whose hints follow the plan.
type HTTPS struct {
	Priority uint16
	ALPN     []string
	Port     uint16
}
