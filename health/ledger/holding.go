package ledger

import (
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/fairlead-dns/fairlead/config"
)

// A Holding is what a cache can hold: RDATA that an answer to an owner name carries. It is a value.
type Holding struct {
	// Owner is the owner name, a lower-case FQDN. A wildcard, and a service with cells, is one name for all its instances.
	Owner string
	// RData is an address as netip.Addr prints it, or a name: the target of a CNAME, or of an SRV record.
	RData string
}

// An OwnerKey and an RDataKey stand for an owner name and for RDATA on the wire and in tables: the first octets of a SHA-256.
type (
	OwnerKey [8]byte
	RDataKey [8]byte
)

// A Key stands for a Holding. Two of a million holdings have the same one once in 10^7 models; they are then taken for one.
type Key struct {
	Owner OwnerKey
	RData RDataKey
}

// OwnerKeyOf is the key of an owner name.
func OwnerKeyOf(owner string) (k OwnerKey) {
	sum := sha256.Sum256([]byte(owner))
	copy(k[:], sum[:])
	return k
}

// RDataKeyOf is the key of RDATA as Holding.RData has it.
func RDataKeyOf(rdata string) (k RDataKey) {
	sum := sha256.Sum256([]byte(rdata))
	copy(k[:], sum[:])
	return k
}

// Key is that of h.
func (h Holding) Key() Key { return Key{OwnerKeyOf(h.Owner), RDataKeyOf(h.RData)} }

// A Label says for people where RDATA comes from. It may outlive the model that it was taken from.
type Label struct {
	// Zone is the zone's name; Pool and Endpoint are empty for fixed addresses of on_all_down.
	Zone, Pool, Endpoint, Region, AZ string
}

// LabelOf is the label of an endpoint of z; pool is negative for fixed addresses.
func LabelOf(z *config.Zone, pool, endpoint int) Label {
	if pool < 0 {
		return Label{Zone: strings.Clone(z.Name)}
	}
	return LabelFor(z, z.Pools[pool], z.Pools[pool].Endpoints[endpoint])
}

// LabelFor is the label of endpoint e of pool p of zone z.
func LabelFor(z *config.Zone, p *config.Pool, e *config.Endpoint) Label {
	l := Label{Zone: strings.Clone(z.Name), Pool: strings.Clone(p.Name), Endpoint: strings.Clone(e.Name)}
	if p.Region < len(z.Regions) && e.AZ < len(z.AZs) {
		l.Region, l.AZ = strings.Clone(z.Regions[p.Region].Name), strings.Clone(z.AZs[e.AZ].Name)
	}
	return l
}

// Name is the label as POOL/ENDPOINT; empty for fixed addresses.
func (l Label) Name() string {
	if l.Pool == "" {
		return ""
	}
	return l.Pool + "/" + l.Endpoint
}

// A Departed is a holding of one snapshot that the next one lacks.
type Departed struct {
	Holding
	Slot Slot
	// Service is the name of the service whose answers carried it.
	Service string
	// Zone, Pool and Endpoint are indices of the older model, which made it; Pool is -1 for fixed addresses.
	Zone           *config.Zone
	Pool, Endpoint int
	// Gone is set where the newer model does not have the version of the zone that it was of.
	Gone bool
}

// A Swap is a snapshot that took the place of another one.
type Swap struct {
	// Left are the holdings of the old one that the new one lacks, Entered the slots of those of the new one that the old one lacked.
	Left    []Departed
	Entered []Slot
	// Shards are all services with cells of the new one.
	Shards []ServiceShards
	// Quiet closes when no answer of the old one is under way any more.
	Quiet <-chan struct{}
}

// A ServiceShards is from where the shards of a service with cells are answered. A shard's label is an owner name of its own, which no holding
// tells from those of other shards: they share that of the service.
type ServiceShards struct {
	Zone, Service string
	// At are all shards, each once. Hash is the same for nodes that answer all of them from the same pools of the same files.
	At   []ShardsAt
	Hash uint64
	// Moved are those whose answers lack RDATA that they had, which other answers of the service carry still.
	Moved []ShardsMoved
}

// A ShardsAt is shards that are answered from the same pools, by name: none where nothing is answered.
type ShardsAt struct {
	Shards config.Shards
	Pools  []string
}

// A ShardsMoved is shards that were answered From pools, and are To others, by name.
type ShardsMoved struct {
	Shards   config.Shards
	From, To []string
}

// From are those of some shards that a pool answers. It may be called on nil.
func (s *ServiceShards) From(pool string, of config.Shards) (shards config.Shards) {
	if s == nil {
		return nil
	}
	for i := range s.At {
		if slices.Contains(s.At[i].Pools, pool) && s.At[i].Shards.Meets(of) {
			shards = shards.With(s.At[i].Shards.Both(of))
		}
	}
	return shards
}
