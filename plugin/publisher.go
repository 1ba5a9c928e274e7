package fairlead

import (
	"sync/atomic"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// A publisher compiles views into snapshots and serves them. It implements engine.Publisher.
type publisher struct {
	compiler *answer.Compiler
	current  *answer.Current
	// prepared is what Prepare made last, until it is published or overtaken.
	prepared atomic.Pointer[answer.Snapshot]
}

// Prepare compiles v beside what is served. A snapshot that still waits is dropped: its model has been overtaken.
func (p *publisher) Prepare(v *health.View) {
	p.prepared.Store(p.compiler.Compile(p.current.Load(), v))
}

// Publish serves v from now on. It compiles what changed since the snapshot in force, or since the prepared one if that is
// of the same model.
func (p *publisher) Publish(v *health.View, lower []health.PoolHorizon) ledger.Swap {
	base := p.current.Load()
	if s := p.prepared.Load(); s != nil && s.View.Model == v.Model {
		base = s
		p.prepared.Store(nil)
	}
	next, served := p.compiler.Compile(base, v), p.current.Load()
	next.MoveHorizons(lower)
	var swap ledger.Swap
	swap.Left, swap.Entered = next.Since(served)
	swap.Quiet = p.current.Swap(next)
	return swap
}

// MoveHorizons moves the earliest flips of pools of the snapshot in force.
func (p *publisher) MoveHorizons(moves []health.PoolHorizon) {
	p.current.Load().MoveHorizons(moves)
}

// PlanHash is the hash of all that is decided now.
func (p *publisher) PlanHash() uint64 { return p.current.Load().PlanHash() }
