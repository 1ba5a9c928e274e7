package steer

import (
	"slices"

	"github.com/fairlead-dns/fairlead/config"
)

// A Source says on what ground the members of a Plan answer.
type Source uint8

// The sources, from the best to the last resort.
const (
	// FromTier: the first tier with an available pool.
	FromTier Source = iota
	// FromPending: as FromTier, but the members have never been judged.
	FromPending
	// FromHeld: nothing else is eligible, so pools that wait for their failback hold answer early.
	FromHeld
	// FromBelowMin: no pool has its min_healthy; what is up answers nevertheless.
	FromBelowMin
	// FromIsland: this node is cut off, and answers what its own region sees up.
	FromIsland
	// FromPanic: too little of the last eligible tier is up; all its non-drained members answer.
	FromPanic
	// FromLastGood: nothing is up; the last set that had something up answers.
	FromLastGood
	// FromAll: nothing is up and the service says `on_all_down: all`.
	FromAll
	// FromFixed: nothing is up and the service names fixed addresses.
	FromFixed
	// FromNothing: NODATA, by `on_all_down: nodata` or because everything is drained.
	FromNothing
	// FromYielded: this node is cut off, and another pool that keeps data could have taken over: nothing is answered, SERVFAIL.
	FromYielded
)

var sourceNames = [...]string{
	FromTier: "tier", FromPending: "pending", FromHeld: "held", FromBelowMin: "below_min_healthy", FromIsland: "island", FromPanic: "panic",
	FromLastGood: "last_good", FromAll: "all", FromFixed: "fixed", FromNothing: "nodata", FromYielded: "yielded",
}

// String is the word for s, as in JSON and metrics.
func (s Source) String() string { return sourceNames[s] }

// Sources lists all sources in a fixed order, for metrics.
func Sources() []Source {
	return []Source{FromTier, FromPending, FromHeld, FromBelowMin, FromIsland, FromPanic, FromLastGood, FromAll, FromFixed, FromNothing, FromYielded}
}

// Degraded tells whether something is wrong that an operator should look at.
func (s Source) Degraded() bool { return s != FromTier && s != FromPending }

// Serves tells whether what answers is up, or was never judged.
func (s Source) Serves() bool { return s < FromLastGood }

// lastResort tells whether what answers is not up, or nothing answers.
func (s Source) lastResort() bool { return s > FromIsland }

// A Family is what a query asks for. The tier is chosen once per name; a family without members is NODATA.
type Family uint8

// The families. CNAME services have members in Target alone. Any has every endpoint whatever its addresses: SRV and HTTPS
// services answer from it.
const (
	V4 Family = iota
	V6
	Target
	Any
	families
)

// A Member is one endpoint in a plan.
type Member struct {
	// Pool indexes Zone.Pools, Endpoint indexes Pool.Endpoints.
	Pool, Endpoint int32
	// Weight is the member's share times the sum of all weights in its set; always greater than 0.
	Weight uint64
}

// A Skip says why a tier did not answer.
type Skip struct {
	Tier TierRef
	Why  SkipReason
}

// A SkipReason is why a tier is passed over.
type SkipReason uint8

// The reasons.
const (
	SkipNothingUp SkipReason = iota
	SkipBelowMin
	SkipHeld
	SkipGate
	SkipDrained
	SkipWeight
	SkipLag
	SkipNoIPv4
	SkipIsland
)

var skipNames = [...]string{SkipNothingUp: "nothing up", SkipBelowMin: "below min_healthy", SkipHeld: "held back by its failback", SkipGate: "gate closed", SkipDrained: "drained",
	SkipWeight: "weight 0 by order", SkipLag: "lag over rpo", SkipNoIPv4: "every IPv4 address is dead",
	SkipIsland: "not this island's to answer"}

// String is the reason in words.
func (r SkipReason) String() string { return skipNames[r] }

// A Plan is what one client class of one service gets. It is immutable.
type Plan struct {
	Service *config.Service
	// Key says in words for which clients it is, as in "rule 1 near eu-west"; empty for all that no rule names.
	Key    string
	Source Source
	// Tier is where the members stand, or the first of them if some of the traffic overflows; Tier.Index is -1 for FromAll,
	// FromFixed and FromNothing.
	Tier TierRef
	// Sets holds the members by family, each with weights that are as small as they can be.
	Sets [families][]Member
	// Skipped are the tiers before Tier, with reasons.
	Skipped []Skip
	// Kept counts the members that are down and answer all the same, because the speed limit holds.
	Kept int
	// Floor forces the TTL to ttl.min: what is answered rests on no good evidence.
	Floor bool
}

// A TierRef names a tier: Service.Tiers[Index] when Rule is -1, else Service.Clients[Rule].Tiers[Index]. In a plan for a cell
// Index 0 is the home, and each pool that may take over is the next.
type TierRef struct{ Rule, Index int }

// noTier is where no tier answers.
var noTier = TierRef{Rule: -1, Index: -1}

// Equal tells whether p and q answer the same: same members, same weights, same TTL rule.
func (p *Plan) Equal(q *Plan) bool {
	if p.Service != q.Service || p.Source != q.Source || p.Floor != q.Floor {
		return false
	}
	for f := range p.Sets {
		if !slices.Equal(p.Sets[f], q.Sets[f]) {
			return false
		}
	}
	return true
}

func (p *Plan) empty() bool {
	for _, s := range p.Sets {
		if len(s) > 0 {
			return false
		}
	}
	return true
}
