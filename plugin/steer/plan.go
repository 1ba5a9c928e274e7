package steer

import (
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
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
)

var sourceNames = [...]string{
	FromTier: "tier", FromPending: "pending", FromHeld: "held", FromBelowMin: "below_min_healthy", FromPanic: "panic",
	FromLastGood: "last_good", FromAll: "all", FromFixed: "fixed", FromNothing: "nodata",
}

// String is the word for s, as in JSON and metrics.
func (s Source) String() string { return sourceNames[s] }

// Sources lists all sources in a fixed order, for metrics.
func Sources() []Source {
	return []Source{FromTier, FromPending, FromHeld, FromBelowMin, FromPanic, FromLastGood, FromAll, FromFixed, FromNothing}
}

// Degraded tells whether something is wrong that an operator should look at.
func (s Source) Degraded() bool { return s != FromTier && s != FromPending }

// A Family is what a query asks for. The tier is chosen once per name; a family without members is NODATA.
type Family uint8

// The families. CNAME services have members in Target alone.
const (
	V4 Family = iota
	V6
	Target
	families
	// anyFamily stands for whatever an endpoint has, where only its weight matters.
	anyFamily = families
)

// A Member is one endpoint in a plan.
type Member struct {
	// Pool indexes Zone.Pools, Endpoint indexes Pool.Endpoints.
	Pool, Endpoint int
	// Weight is the member's share times the sum of all weights in its set; always greater than 0.
	Weight uint64
}

// A Skip says why a tier did not answer.
type Skip struct {
	Tier int
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
)

var skipNames = [...]string{SkipNothingUp: "nothing up", SkipBelowMin: "below min_healthy", SkipHeld: "failback hold", SkipGate: "gate closed", SkipDrained: "drained"}

// String is the reason in words.
func (r SkipReason) String() string { return skipNames[r] }

// A Plan is what one service answers. It is immutable.
type Plan struct {
	Service *config.Service
	Source  Source
	// Tier indexes Service.Tiers; -1 for FromAll, FromFixed and FromNothing.
	Tier int
	// Sets holds the members by family, each with weights that are as small as they can be.
	Sets [families][]Member
	// Skipped are the tiers before Tier, with reasons.
	Skipped []Skip
	// Kept counts the members that are down and answer all the same, because the speed limit holds.
	Kept int
	// Floor forces the TTL to ttl.min: what is answered rests on no good evidence.
	Floor bool
	// members counts the endpoints in Sets, each once whatever its families.
	members int
}

// Equal tells whether p and q answer the same: same members, same weights, same TTL rule.
func (p *Plan) Equal(q *Plan) bool {
	if p.Service != q.Service || p.Source != q.Source || p.Floor != q.Floor {
		return false
	}
	for f := range p.Sets {
		if !sameMembers(p.Sets[f], q.Sets[f]) {
			return false
		}
	}
	return true
}

func sameMembers(a, b []Member) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// Compute makes the plan for svc. The order is DESIGN.md section 5: drains, health, panic, on_all_down, NODATA.
func Compute(zv *health.ZoneView, svc *config.Service) *Plan {
	c := chooser{zv: zv, svc: svc}
	c.kept = c.keep()
	for _, attempt := range []struct {
		source Source
		level  level
	}{
		{FromTier, ordinary}, {FromHeld, evenHeld}, {FromBelowMin, evenBelowMin},
	} {
		if p := c.firstTier(attempt.source, attempt.level); p != nil {
			return c.panicOver(p)
		}
	}
	if c.last != nil {
		return c.last
	}
	return c.allDown()
}
