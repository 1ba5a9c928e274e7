package table

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
)

// HeardFor is how long a vantage counts as heard after it said something.
const HeardFor = health.HeardFor

// A Vantage is another node that probes. What it says may be asked for by anybody who holds the lock of the Evidence.
type Vantage interface {
	// Observation is what it said last of a target, which a check with that fall probes; ok is unset where it says nothing.
	Observation(id health.TargetID, c *config.Check) (o health.Observation, ok bool)
}

// Evidence is what this node and the other vantages have seen, and how far it counts. All tables of one engine share it. But for what mu
// guards it belongs to the goroutine of the tables. Make it with NewEvidence; it is that of a node alone until SetVoters.
type Evidence struct {
	self string
	// references are probed like everything else and back no endpoint: they tell a broken vantage from a broken world.
	references []health.Target
	without    health.Guards

	mu sync.RWMutex
	// own holds the latest observation of this node on each target; guarded by mu.
	own map[health.TargetID]health.Observation
	// peers are the other vantages, by name; guarded by mu, with what is in them.
	peers []Vantage

	// voters is nil for a node alone. allowance is how late a peer may learn of an observation.
	voters    *judge.Bench
	allowance time.Duration
	// restored are the targets whose state the prober took over from an earlier run, and no probe has borne out since. In a
	// cluster that is no vote: it would outvote who looked.
	restored map[health.TargetID]bool
	// heardAt is when each of the others was last heard straight, by name; began is when this run began to listen. It outlives a
	// change of the roster.
	heardAt map[string]time.Time
	began   time.Time
	// Isolated is set while this node hears too few others; isolatedSince is when that, or who is heard, changed last.
	Isolated      bool
	isolatedSince time.Time
	// Frozen is set while an operator has every verdict stand still.
	Frozen bool
	// Lags are how far data is behind; their own lock guards them. entered tells whether another node that is heard says that a service has moved
	// to a pool; nil for a node alone.
	Lags    Lags
	entered func(z *config.Zone, p *config.Pool, svc *config.Service) bool
	// Late is set while probes that time out do not count, since this node is late by itself. The prober leaves them out; what it
	// saw in time counts.
	Late bool
	// Drained is set while an operator has this node abstain.
	Drained bool
	// others are the other nodes of the cluster, othersHeard those that are heard.
	others, othersHeard int
	blind               bool
	// blindUntil is when the latest blindness ended, judged what had a verdict then.
	blindUntil time.Time
	judged     map[health.TargetID]bool
}

// NewEvidence is that of the node called self, which has seen nothing yet.
func NewEvidence(self string, references []health.Target, without health.Guards) *Evidence {
	return &Evidence{
		self: self, references: references, without: without, own: make(map[health.TargetID]health.Observation),
		restored: make(map[health.TargetID]bool), heardAt: make(map[string]time.Time),
	}
}

// Own is the latest observation of this node on a target. It may be called from any goroutine.
func (e *Evidence) Own(id health.TargetID) (health.Observation, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	o, ok := e.own[id]
	return o, ok
}

// Put takes observations of this node in.
func (e *Evidence) Put(batch map[health.TargetID]health.Observation) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, o := range batch {
		e.own[id] = o
	}
}

// Forget drops the observations of this node on targets that keep does not name.
func (e *Evidence) Forget(keep func(health.TargetID) bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id := range e.own {
		if !keep(id) {
			delete(e.own, id)
		}
	}
}

// Of are what the vantages last said of a target, by name of the vantage; this node's own bears its name too. It may be called from any
// goroutine.
func (e *Evidence) Of(t health.Target) []health.Observation {
	var list []health.Observation
	e.mu.RLock()
	defer e.mu.RUnlock()
	if o, ok := e.own[t.ID]; ok {
		o.Vantage = e.self
		list = append(list, o)
	}
	for _, p := range e.peers {
		if o, ok := p.Observation(t.ID, t.Check); ok {
			list = append(list, o)
		}
	}
	slices.SortFunc(list, func(a, b health.Observation) int { return strings.Compare(a.Vantage, b.Vantage) })
	return list
}

// Change changes what the other vantages say, while nobody reads it.
func (e *Evidence) Change(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
}

// Listen begins to listen to other nodes.
func (e *Evidence) Listen(now time.Time) { e.began = now }

// SetVoters replaces the nodes that vote, this one among them; peers are the others. allowance is how late an observation may come from them.
func (e *Evidence) SetVoters(voters *judge.Bench, peers []Vantage, allowance time.Duration) {
	e.voters, e.allowance = voters, allowance
	e.Change(func() { e.peers = peers })
}

// SetEntered sets how to ask whether another node that is heard says that a service has moved to a pool.
func (e *Evidence) SetEntered(entered func(z *config.Zone, p *config.Pool, svc *config.Service) bool) {
	e.entered = entered
}

// Allowance is how late a peer may learn of an observation.
func (e *Evidence) Allowance() time.Duration { return e.allowance }

// Heard notes that another node was heard straight, last at the given instant.
func (e *Evidence) Heard(name string, at time.Time) { e.heardAt[name] = at }

// SetHeard notes how many of the others are heard and whether that is too few; changed tells whether other ones are than before.
func (e *Evidence) SetHeard(others, heard int, isolated, changed bool, now time.Time) {
	e.others, e.othersHeard, e.Isolated = others, heard, isolated
	if changed {
		e.isolatedSince = now
	}
}

// Restore notes that the state of a target was taken over from an earlier run.
func (e *Evidence) Restore(id health.TargetID) { e.restored[id] = true }

// Restored tells whether the state of a target was taken over, and no probe has borne it out since.
func (e *Evidence) Restored(id health.TargetID) bool { return e.restored[id] }

// BearOut notes that a probe agrees with what was restored, or moved it.
func (e *Evidence) BearOut(o health.Observation) {
	if e.restored[o.Target] && (o.State == health.Up) == (o.Failures == 0) {
		delete(e.restored, o.Target)
	}
}

// References are what is probed only to tell a broken vantage from a broken world.
func (e *Evidence) References() []health.Target { return e.references }

// settleReturn is how long a return is remembered in a cluster after its end: longer than others may speak of it.
const settleReturn = 5 * time.Second

// settle is that; 0 for a node alone.
func (e *Evidence) settle() time.Duration {
	if e.voters == nil {
		return 0
	}
	return settleReturn
}

// still tells whether health moves nothing.
func (e *Evidence) still() bool { return e.Frozen || e.Isolated }
