package health

import (
	"maps"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// A Verdict is what this node believes about one endpoint at one instant, from health alone. It is a value: copy it,
// compare it with ==. The zero Verdict is pending: it shares with those that are up until the first probe decides.
type Verdict struct {
	// State is Unknown, Up, Suspect or Down; never Drained.
	State State
	// Stale is set when the state is kept from earlier evidence (a restart, too few fresh vantages).
	Stale bool
	// Lost is set while the endpoint is Down because none of the nodes that probe its pool is heard (on_vantages_lost).
	Lost bool
	// Doubted is set while the State is Unknown and something speaks against the endpoint: a vantage has failed, or it was to speak
	// for itself and has not. It is answered only while nothing else in its pool is.
	Doubted bool
	// Mute is set while nothing is known and no vantage is able to probe at all: what has no voice cannot change its mind.
	Mute bool
	// Unmonitored is set for endpoints without a check: always up.
	Unmonitored bool
	// Since is when the state last crossed between in service and out of service.
	Since time.Time
	// Left is when health took the endpoint out of service; zero while it is in service, and if it never was.
	Left time.Time
	// SuspectSince is since when a minority has been alone with its bad news, without a break; zero while nobody has any, or
	// enough for a quorum have. Disputed is set once that has lasted DisputedAfter: it forces no TTL any more.
	SuspectSince time.Time
	Disputed     bool
	// Failing is set while a quorum has seen the latest probe fail and none is down by that: it would be suspect for a node alone.
	Failing bool
	// Reason says in words why the endpoint is down or suspect.
	Reason string
}

// DisputedAfter is how long the bad news of a minority count as a sign of worse (docs/design.md section 4).
const DisputedAfter = 10 * time.Minute

// HeardFor is for how long a node counts as heard after its latest round that came straight from it (docs/design.md section 4).
const HeardFor = 10 * time.Second

// Pending tells whether there is no evidence at all.
func (v Verdict) Pending() bool { return v.State == Unknown }

// InService tells whether health lets the endpoint be answered in the ordinary way.
func (v Verdict) InService() bool { return v.State == Up || v.State == Suspect }

// An EndpointView is one endpoint: the verdict, and what operators made of it.
type EndpointView struct {
	Verdict
	// Each are the verdicts on the addresses of an endpoint with one of each family, of which Verdict is the best; else nil.
	Each *Each
	// Drained is set while an effective intent takes the endpoint out.
	Drained bool
	// Forced is Up or Down while an operator has it count as that, whatever the verdict; else Unknown.
	Forced State
	// Reduction is how many percent of its weight the endpoint itself asks to be relieved of (checks of type push).
	Reduction int
}

// Eligible tells whether the endpoint may be answered in the ordinary way.
func (e EndpointView) Eligible() bool { return e.InService() && !e.Drained }

// InService tells whether the endpoint counts as up: by an operator's word, else by the verdict.
func (e EndpointView) InService() bool {
	if e.Forced != Unknown {
		return e.Forced == Up
	}
	return e.Verdict.InService()
}

// Pending tells whether there is neither evidence nor an operator's word.
func (e EndpointView) Pending() bool { return e.Forced == Unknown && e.Verdict.Pending() }

// Untried tells whether nothing is known of the endpoint, for or against it.
func (e EndpointView) Untried() bool { return e.Pending() && !e.Doubted }

// Uneasy tells whether the endpoint may be answered and could leave any moment: health doubts it, or would take it out were it
// not for an operator.
func (e EndpointView) Uneasy() bool {
	if e.Drained || e.Forced == Down {
		return false
	}
	if e.Each != nil && e.Forced == Unknown && e.Verdict.InService() {
		return e.answersUneasily(config.IPv4) || e.answersUneasily(config.IPv6)
	}
	return e.State == Suspect && !e.Disputed || e.Stale || e.Verdict.Pending() || e.Forced == Up && e.State == Down
}

// Shown is the one state that a reader sees: drained goes before forced, and both overlay the verdict.
func (e EndpointView) Shown() State {
	switch {
	case e.Drained:
		return Drained
	case e.Forced != Unknown:
		return e.Forced
	}
	return e.State
}

// A PoolView is one pool at one instant. It is never written after it was published, and a pool that did not change keeps
// its PoolView: whoever compiles answers compares pointers to learn what changed.
type PoolView struct {
	// Endpoints stand in the order of config.Pool.Endpoints.
	Endpoints []EndpointView
	// Return is how the pool comes back after it had nothing eligible; the zero Return holds nothing back.
	// ReturnAZ says the same of each AZ, in the order of config.Pool.AZWeights; nil when all are zero.
	Return   Return
	ReturnAZ []Return
	// At is the instant for which holds were reckoned: a hold has passed when At is not before its end.
	At time.Time
	// RPO says how a pool that keeps data stands to the rpo of its services, by index of Zone.Services; nil where none has one.
	RPO map[int]RPOView
	// Forward is how far the pool has taken services over whose turn it has, by index of Zone.Services; nil where it takes none over by steps.
	Forward map[int]Forward
	// GateClosed is set while the pool's gate keeps it out of service.
	GateClosed bool
	// Weight is what an operator's override makes of the pool's weight in every tier; nil without one. EndpointWeights are
	// the same for endpoints, by index; nil without any.
	Weight          *int
	EndpointWeights map[int]int
	// Planned is when the first of the orders begins that are to take a member out; zero for none. Until then no answer of the
	// pool's services outlives it.
	Planned time.Time
	// Island is what the node's own region makes of the pool while the node is cut off from most of the cluster; nil while it is not, where the
	// zone does not know its region, and where no service of the zone asks for it.
	Island *Island
	// Calm is unset while a member is suspect or pending, which forces the TTL of services in ceiling mode to its floor.
	Calm bool
}

// Waits tells whether the pool has come back so that some service has to wait at the given instant for it or for one of its AZs.
func (p *PoolView) Waits(failbacks []config.Failback, at time.Time) bool {
	waits := func(r Return) bool { return r.On() && !r.Over(failbacks, at) }
	return waits(p.Return) || slices.ContainsFunc(p.ReturnAZ, waits)
}

// RemovalWindow is the time within which automatic removals count together (docs/design.md section 4, speed limit).
const RemovalWindow = time.Minute

// Leaving tells whether endpoint i was taken out by health so recently that the speed limit counts it.
func (p *PoolView) Leaving(i int) bool {
	left := p.Endpoints[i].Left
	return !left.IsZero() && p.At.Before(left.Add(RemovalWindow))
}

// SameSteering tells whether p and q differ in nothing that a plan depends on: a member that becomes suspect moves TTLs,
// which needs no new plan. failbacks are those of the pool (config.Pool.Failbacks).
func (p *PoolView) SameSteering(q *PoolView, failbacks []config.Failback) bool {
	if p.GateClosed != q.GateClosed || !p.sameReturns(q, failbacks) || !p.Island.sameSteering(q.Island) {
		return false
	}
	if !equalInts(p.Weight, q.Weight) || !maps.Equal(p.EndpointWeights, q.EndpointWeights) {
		return false
	}
	if !maps.Equal(p.RPO, q.RPO) || !maps.EqualFunc(p.Forward, q.Forward, func(a, b Forward) bool { return a.Percent == b.Percent }) {
		return false
	}
	for i, e := range p.Endpoints {
		f := q.Endpoints[i]
		if e.Drained != f.Drained || e.Forced != f.Forced || e.Reduction != f.Reduction || e.InService() != f.InService() || e.Pending() != f.Pending() || e.Untried() != f.Untried() || !e.sameAddresses(&f) || !e.Since.Equal(f.Since) || !e.Left.Equal(f.Left) || p.Leaving(i) != q.Leaving(i) {
			return false
		}
	}
	return true
}

// sameReturns tells whether pool and AZs give every service the same part of their share.
func (p *PoolView) sameReturns(q *PoolView, failbacks []config.Failback) bool {
	if !sameShares(p.Return, p.At, q.Return, q.At, failbacks) {
		return false
	}
	for i := range max(len(p.ReturnAZ), len(q.ReturnAZ)) {
		if !sameShares(p.returnAZ(i), p.At, q.returnAZ(i), q.At, failbacks) {
			return false
		}
	}
	return true
}

func (p *PoolView) returnAZ(i int) Return {
	if p.ReturnAZ == nil {
		return Return{}
	}
	return p.ReturnAZ[i]
}

func sameShares(a Return, at time.Time, b Return, bt time.Time, failbacks []config.Failback) bool {
	if !a.Equal(&b) {
		return false
	}
	for _, f := range failbacks {
		p, _ := a.Share(f, at)
		q, _ := b.Share(f, bt)
		if p != q {
			return false
		}
	}
	return true
}

// A ZoneView is one zone: its configuration and its pools, in the order of Zone.Pools.
type ZoneView struct {
	Zone  *config.Zone
	Pools []*PoolView
	// Scoped holds what intents for one service alone change, by index of Zone.Services; nil for most zones. A service for
	// which nothing changed keeps its ServiceView.
	Scoped map[int]*ServiceView
	// Without is for simulators.
	Without Guards
}

// A ServiceView is what intents that name one service change for it. It is never written after it was published.
type ServiceView struct {
	// Drained are the endpoints that the service must not answer.
	Drained map[EndpointRef]bool
	// PoolWeights and EndpointWeights replace weights in this service; they go before those of PoolView.
	PoolWeights     map[int]int
	EndpointWeights map[EndpointRef]int
	// Shards are what orders in force make of shards of the service, in the order in which they are applied; the last about a shard holds.
	Shards []ShardOrder
	// ShardMoves are when shards will be answered from elsewhere: orders that begin, and those that end. Until then no answer about them
	// outlives it.
	ShardMoves []ShardMove
}

// An EndpointRef names an endpoint of a zone by index of Zone.Pools and Pool.Endpoints.
type EndpointRef struct{ Pool, Endpoint int }

// Drained tells whether an effective intent keeps the endpoint out of the service's answers.
func (z *ZoneView) Drained(service int, ref EndpointRef) bool {
	if z.Pools[ref.Pool].Endpoints[ref.Endpoint].Drained {
		return true
	}
	s := z.Scoped[service]
	return s != nil && s.Drained[ref]
}

// PoolWeight is the weight of a pool in a tier of the service, given the configured one.
func (z *ZoneView) PoolWeight(service, pool, configured int) int {
	if s := z.Scoped[service]; s != nil {
		if w, ok := s.PoolWeights[pool]; ok {
			return w
		}
	}
	if w := z.Pools[pool].Weight; w != nil {
		return *w
	}
	return configured
}

// EndpointWeight is the weight of an endpoint in the service.
func (z *ZoneView) EndpointWeight(service int, ref EndpointRef) int {
	if s := z.Scoped[service]; s != nil {
		if w, ok := s.EndpointWeights[ref]; ok {
			return w
		}
	}
	if w, ok := z.Pools[ref.Pool].EndpointWeights[ref.Endpoint]; ok {
		return w
	}
	return z.Zone.Pools[ref.Pool].Endpoints[ref.Endpoint].Weight
}

// A View is all verdicts and intents at one instant.
type View struct {
	// Generation counts the views that this process published; it only grows.
	Generation uint64
	At         time.Time
	Model      *config.Model
	// Blind is set while this vantage abstains because it is what is broken; Frozen while an operator has stopped every
	// automatic verdict.
	Blind, Frozen bool
	// Late is set while this vantage abstains where a probe timed out: it was late by itself.
	Late bool
	// Isolated is set while this node hears fewer than half of the roster: health moves nothing, and TTLs are at their floor.
	Isolated bool
	// Zones stand in the order of Model.Zones.
	Zones []*ZoneView
}

// A PoolHorizon moves the earliest instant at which health could take a member of a pool out of service.
type PoolHorizon struct {
	// Zone and Pool index Model.Zones and Zone.Pools.
	Zone, Pool int
	// Flip is zero when nothing in the pool can flip (no check).
	Flip time.Time
	// Endpoint is who could go first, an index of Pool.Endpoints; -1 for the gate.
	Endpoint int
}

func equalInts(a, b *int) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// AwaitsPerson tells whether the pool, of which cfg is the configuration, is back, and every service that uses it waits for a person to let
// it in.
func (p *PoolView) AwaitsPerson(cfg *config.Pool) bool {
	return p.Return.On() && !slices.ContainsFunc(cfg.Failbacks, func(f config.Failback) bool {
		percent, next := p.Return.Share(f, p.At)
		return percent > 0 || !next.IsZero()
	})
}
