package answer

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/event"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// A Publisher compiles views into snapshots and serves them. It implements engine.Publisher.
type Publisher struct {
	Compiler *Compiler
	Current  *Current
	// Events is told of services whose answers move; nil means nobody.
	Events *event.Log
	// Logger is told of them too; nil means nobody.
	Logger *slog.Logger
	// Moves counts them; nil counts nothing.
	Moves *Moves
	// Around does a swap for somebody who watches what is served; nil for nobody.
	Around func(swap func() (quiet <-chan struct{})) (quiet <-chan struct{})
	// Swapped is told what left with every swap, before anybody else is; nil for nobody. It must not wait.
	Swapped func(left []ledger.Departed)
	// prepared is what Prepare made last, until it is published or overtaken.
	prepared atomic.Pointer[Snapshot]
}

// Prepare compiles v beside what is served. A snapshot that still waits is dropped: its model has been overtaken.
func (p *Publisher) Prepare(v *health.View) {
	p.prepared.Store(p.Compiler.Compile(p.Current.Load(), v))
}

// Publish serves v from now on. It compiles what changed since the snapshot in force, or since the prepared one if that is
// of the same model.
func (p *Publisher) Publish(v *health.View, lower []health.PoolHorizon) ledger.Swap {
	base := p.Current.Load()
	if s := p.prepared.Load(); s != nil && s.View.Model == v.Model {
		base = s
		p.prepared.Store(nil)
	}
	next, served := p.Compiler.Compile(base, v), p.Current.Load()
	next.MoveHorizons(lower)
	swap := next.Since(served)
	if p.Around == nil {
		swap.Quiet = p.Current.Swap(next)
	} else {
		swap.Quiet = p.Around(func() <-chan struct{} { return p.Current.Swap(next) })
	}
	if p.Swapped != nil {
		p.Swapped(swap.Left)
	}
	if served != nil {
		p.tell(served, next)
	}
	return swap
}

// maxMoved bounds the events of one swap: an outage that moves a thousand services is told by its incident.
const maxMoved = 200

// maxMovedLines bounds the lines of one swap.
const maxMovedLines = 20

// tell tells of the services that answer from elsewhere, or on another ground, from now on.
func (p *Publisher) tell(was, is *Snapshot) {
	told := 0
	for k, zv := range is.View.Zones {
		if before := zoneBefore(was.View, k, zv.Zone); before == nil || before == zv {
			continue
		}
		for i, svc := range zv.Zone.Services {
			a, b := was.Plan(zv.Zone, i), is.Plan(zv.Zone, i)
			if a == b || a.Source == b.Source && a.Tier == b.Tier {
				continue
			}
			if a.Source != steer.FromPending && b.Source != steer.FromPending {
				// A start, and a file that is new, move nobody.
				p.Moves.add(svc.Name)
			}
			if told++; told <= maxMovedLines && p.Logger != nil {
				p.Logger.Info("service answers from elsewhere", "service", svc.Name, "old", ground(a), "new", ground(b), "degraded", b.Source.Degraded())
			}
			if told <= maxMoved {
				p.Events.Add("service.moved", strings.TrimSuffix(svc.Name, "."), fmt.Sprintf("answers from %s, before from %s", ground(b), ground(a)), map[string]any{
					"source": b.Source.String(), "tier": b.Tier.Index + 1, "old_source": a.Source.String(), "old_tier": a.Tier.Index + 1, "degraded": b.Source.Degraded(),
				})
			}
		}
	}
	if told > maxMovedLines && p.Logger != nil {
		p.Logger.Info("more services answer from elsewhere", "count", told-maxMovedLines)
	}
	p.Events.Drop(max(0, told-maxMoved))
}

// zoneBefore is the zone of that version of its file in v; nil if v has another. k is where it stands now: mostly it stood there before. Zones
// are sorted by name.
func zoneBefore(v *health.View, k int, z *config.Zone) *health.ZoneView {
	if k < len(v.Zones) && v.Zones[k].Zone == z {
		return v.Zones[k]
	}
	k, found := slices.BinarySearchFunc(v.Zones, z.Name, func(o *health.ZoneView, name string) int { return strings.Compare(o.Zone.Name, name) })
	if !found || v.Zones[k].Zone != z {
		return nil
	}
	return v.Zones[k]
}

// ground is where the members of a plan stand, in words.
func ground(p *steer.Plan) string {
	if p.Source == steer.FromTier {
		return fmt.Sprintf("tier %d", p.Tier.Index+1)
	}
	return p.Source.String()
}

// MoveHorizons moves the earliest flips of pools of the snapshot in force.
func (p *Publisher) MoveHorizons(moves []health.PoolHorizon) {
	p.Current.Load().MoveHorizons(moves)
}

// Serves tells whether a service answers clients that no rule names with something that is up.
func (p *Publisher) Serves(zone, service string) bool { return p.Current.Load().Serves(zone, service) }

// PlanHash is the hash of all that is decided now.
func (p *Publisher) PlanHash() uint64 { return p.Current.Load().PlanHash() }
