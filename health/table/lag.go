package table

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
)

const (
	// lagsKept bounds the measurements of one target that are remembered, and lagsKeptFor for how long: an incident asks for the last one
	// before something failed, which was that long ago at most.
	lagsKept    = 512
	lagsKeptFor = 10 * time.Minute
)

// A Measured is a measurement of a lag, and who made it.
type Measured struct {
	health.Lag
	// Vantage is the node that measured; empty for this node.
	Vantage string
}

// Lags are what the nodes have measured of how far data is behind. They may be asked from any goroutine. The zero value knows nothing.
type Lags struct {
	mu sync.RWMutex
	// measured are by target, the latest last; guarded by mu.
	measured map[health.TargetID][]Measured
}

// Note takes in a measurement; it is the word of a vantage that may say it again and again, each time a little later on its way: the earliest
// counts.
func (l *Lags) Note(id health.TargetID, m Measured) {
	if !m.Known() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.measured[id]
	for k := len(list) - 1; k >= 0; k-- {
		if list[k].Vantage != m.Vantage || list[k].Seq != m.Seq || list[k].Value != m.Value {
			continue
		}
		if m.At.Before(list[k].At) {
			list[k].At = m.At
			slices.SortStableFunc(list, later)
		}
		return
	}
	at, _ := slices.BinarySearchFunc(list, m, later)
	list = slices.Insert(list, at, m)
	old, _ := slices.BinarySearchFunc(list, Measured{Lag: health.Lag{At: list[len(list)-1].At.Add(-lagsKeptFor)}}, later)
	if l.measured == nil {
		l.measured = make(map[health.TargetID][]Measured)
	}
	l.measured[id] = slices.Delete(list, 0, max(old, len(list)-lagsKept))
}

// later orders measurements. Of two at one instant the greater one is the later: all nodes come to the same.
func later(a, b Measured) int {
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Vantage, b.Vantage))
}

// Latest is the last measurement of a target.
func (l *Lags) Latest(id health.TargetID) (m Measured) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if list := l.measured[id]; len(list) > 0 {
		m = list[len(list)-1]
	}
	return m
}

// Before is the last measurement of a target that is of no later instant than at; remote is by how much the instant of another node's may be too
// late.
func (l *Lags) Before(id health.TargetID, at time.Time, remote time.Duration) (m Measured) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, m := range slices.Backward(l.measured[id]) {
		if m.Vantage != "" {
			m.At = m.At.Add(-remote)
		}
		if !m.At.After(at) {
			return m
		}
	}
	return Measured{}
}

// Forget drops what is known of targets that keep does not name.
func (l *Lags) Forget(keep func(health.TargetID) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range l.measured {
		if !keep(id) {
			delete(l.measured, id)
		}
	}
}

// A PoolLag is how far a pool is behind, as far as its endpoints that are in service go: the greatest of what counts of each.
type PoolLag struct {
	Measured
	// Unknown is set where nothing that counts is known of one of the endpoints.
	Unknown bool
}

// Of is how far pool p of zone z, which has a check of its lag, is behind; view is that of the pool, and may be nil. Where before is set, it is by
// the last measurements up to then, however old, and remote is by how much those of other nodes may be later than they say; else it is by those
// that count at now. Of an endpoint with two addresses the later measurement counts.
func (l *Lags) Of(z *config.Zone, p *config.Pool, view *health.PoolView, before time.Time, remote time.Duration, now time.Time) (out PoolLag) {
	check := z.Checks[p.Lag]
	all := view == nil || !slices.ContainsFunc(view.Endpoints, health.EndpointView.Eligible)
	for i, e := range p.Endpoints {
		if !all && !view.Endpoints[i].Eligible() {
			continue
		}
		var last Measured
		for _, target := range health.TargetsOf(z.Name, check, e) {
			m := l.Latest(target.ID)
			if !before.IsZero() {
				m = l.Before(target.ID, before, remote)
			}
			if later(m, last) > 0 {
				last = m
			}
		}
		switch {
		case !last.Known(), before.IsZero() && !last.Fresh(check, now):
			out.Unknown = true
		case !out.Known(), last.Value > out.Value:
			out.Measured = last
		}
	}
	return out
}

// Against is the state of the lag under an rpo.
func (l *PoolLag) Against(rpo *config.RPO) health.LagState {
	switch {
	case l.Known() && l.Value > rpo.Max:
		return health.LagExceeds
	case l.Unknown || !l.Known():
		return health.LagUnknown
	}
	return health.LagWithin
}

// keptBehind are the pools whose lag an rpo is held against, those that answer first before the others.
func keptBehind(m *config.Model) (refs []Ref) {
	tier := func(ref Ref) int { return firstTier(m.Zones[ref.Zone], ref.Pool) }
	for zi, z := range m.Zones {
		for pi, p := range z.Pools {
			if p.HasLag && p.KeepsData() && slices.ContainsFunc(p.Services, func(si int) bool { return z.Services[si].RPO.On() }) {
				refs = append(refs, Ref{zi, pi})
			}
		}
	}
	slices.SortStableFunc(refs, func(a, b Ref) int { return tier(a) - tier(b) })
	return refs
}

// weighLags holds the lags of pools that keep data against the rpo of each service, when all pools are judged: whether a service moves to one
// depends on those that answer before it. It returns what changed.
func (t *Table) weighLags(now time.Time) (changes []health.Transition) {
	if t.e.still() {
		return nil
	}
	was := make([]*health.PoolView, len(t.lagging))
	for n, ref := range t.lagging {
		was[n] = t.zones[ref.Zone].pools[ref.Pool].view
		t.setRPO(ref, func(si int) health.RPOView { return t.weigh(ref, si, now) })
	}
	for n, ref := range t.lagging {
		t.setRPO(ref, func(si int) health.RPOView { return t.left(ref, si) })
		z := t.Model.Zones[ref.Zone]
		if is := t.zones[ref.Zone].pools[ref.Pool].view; is != was[n] {
			changes = append(changes, diff(z, z.Pools[ref.Pool], was[n], is)...)
		}
	}
	return changes
}

// setRPO has the view of a pool show how it stands to the rpo of each service.
func (t *Table) setRPO(ref Ref, of func(si int) health.RPOView) {
	z, pt := t.Model.Zones[ref.Zone], &t.zones[ref.Zone].pools[ref.Pool]
	if pt.view == nil {
		return
	}
	next := make(map[int]health.RPOView)
	for _, si := range z.Pools[ref.Pool].Services {
		if z.Services[si].RPO.On() {
			next[si] = of(si)
		}
	}
	if !maps.Equal(next, pt.view.RPO) {
		view := *pt.view
		view.RPO = next
		pt.view = &view
	}
}

// weigh is how the pool at ref stands to the rpo of a service of it.
func (t *Table) weigh(ref Ref, si int, now time.Time) health.RPOView {
	z, pt := t.Model.Zones[ref.Zone], &t.zones[ref.Zone].pools[ref.Pool]
	p, svc := z.Pools[ref.Pool], z.Services[si]
	v, known := pt.view.RPO[si]
	if !known && tierIn(svc, ref.Pool) == firstKept(z, svc) && !pt.view.Return.On() {
		// By the file the data is there, and nothing says otherwise.
		v.Entered = true
	}
	lag := t.e.Lags.Of(z, p, pt.view, time.Time{}, 0, now)
	live := lag.Against(&svc.RPO)
	turn, troubled, byOrder := t.turn(ref, si, now)
	if v.State == health.LagUnmeasured || live == health.LagWithin || !turn && !troubled || v.Entered {
		// While what answers before it fails, its lag grows by that alone: what it was before decides.
		v.State = live
	}
	switch {
	case !turn:
		v.Entered = false
	case lets(svc, p, pt.view, now):
		v.Entered = v.Entered || byOrder || v.State == health.LagWithin || svc.RPO.Report || t.e.entered != nil && t.e.entered(z, p, svc)
	}
	v.Held = turn && !v.Entered && v.State != health.LagWithin && !svc.RPO.Report && !byOrder
	return v
}

// left is how the pool at ref stands to the rpo of a service once all others are weighed: where it is out and another one has its turn, it lacks
// what is written there.
func (t *Table) left(ref Ref, si int) health.RPOView {
	view := t.zones[ref.Zone].pools[ref.Pool].view
	v := view.RPO[si]
	if v.Entered && !slices.ContainsFunc(view.Endpoints, func(e health.EndpointView) bool { return e.Eligible() || e.Pending() && !e.Drained }) && t.turnTaken(ref) {
		v.Entered = false
	}
	return v
}

// firstKept is the first tier of a service in which a pool keeps data; -1 for none.
func firstKept(z *config.Zone, svc *config.Service) int {
	return slices.IndexFunc(svc.Tiers, func(tier config.Tier) bool {
		return slices.ContainsFunc(tier, func(s config.Share) bool { return z.Pools[s.Pool].KeepsData() })
	})
}

// lets tells whether a pool may answer for a service, as far as its endpoints, its gate and its failback go.
func lets(svc *config.Service, p *config.Pool, view *health.PoolView, now time.Time) bool {
	percent, _ := view.Return.Share(svc.FailbackOf(p), now)
	return percent > 0 && !view.GateClosed && slices.ContainsFunc(view.Endpoints, health.EndpointView.Eligible)
}

// turn tells whether nothing that the service answers from before the pool at ref may answer, whether something of that is failing, and whether
// an order, rather than health, has taken it out or lets the pool in.
func (t *Table) turn(ref Ref, si int, now time.Time) (turn, troubled, byOrder bool) {
	svc, zt := t.Model.Zones[ref.Zone].Services[si], &t.zones[ref.Zone]
	turn, byOrder = true, zt.pools[ref.Pool].orders.Or().Regardless
	for _, tier := range svc.Tiers[:tierIn(svc, ref.Pool)] {
		for _, share := range tier {
			if zt.pools[share.Pool].view == nil {
				continue
			}
			weight, weighed := zt.weightOf(si, share)
			_, out, suspect := zt.eligible(si, share.Pool, nil)
			troubled = troubled || suspect
			byOrder = byOrder || out || weighed && weight == 0
			turn = turn && !t.mayAnswer(ref.Zone, si, share, nil, now)
		}
	}
	return turn, troubled, byOrder
}

// mayAnswer tells whether a service may answer from a pool in its turn, without the endpoints named.
func (t *Table) mayAnswer(zone, si int, share config.Share, without map[health.EndpointRef]bool, now time.Time) bool {
	z, zt := t.Model.Zones[zone], &t.zones[zone]
	p, view := z.Pools[share.Pool], zt.pools[share.Pool].view
	if view == nil || view.GateClosed || view.RPO[si].Held {
		return false
	}
	weight, _ := zt.weightOf(si, share)
	percent, _ := view.Return.Share(z.Services[si].FailbackOf(p), now)
	up, _, _ := zt.eligible(si, share.Pool, without)
	return weight > 0 && percent > 0 && up > 0 && up >= p.MinHealthy.Of(len(view.Endpoints))
}

// weightOf is the weight of a pool in a tier of a service; ordered tells whether an order makes it that.
func (zt *zoneTable) weightOf(si int, share config.Share) (weight int, ordered bool) {
	if s := zt.scoped[si]; s != nil {
		if w, ok := s.PoolWeights[share.Pool]; ok {
			return w, true
		}
	}
	if w := zt.pools[share.Pool].view.Weight; w != nil {
		return *w, true
	}
	return share.Weight, false
}

// eligible counts the endpoints of a pool that a service may answer, without those named, and tells whether an order has taken one out that is
// up, and whether one is suspect.
func (zt *zoneTable) eligible(si, pool int, without map[health.EndpointRef]bool) (up int, out, suspect bool) {
	for i, e := range zt.pools[pool].view.Endpoints {
		ref := health.EndpointRef{Pool: pool, Endpoint: i}
		s := zt.scoped[si]
		drained := e.Drained || s != nil && s.Drained[ref]
		if (e.InService() || e.Pending()) && !drained && !without[ref] {
			up++
		}
		out = out || (drained || e.Forced == health.Down) && e.Verdict.InService()
		suspect = suspect || e.State == health.Suspect && !e.Disputed
	}
	return up, out, suspect
}

// Behind says why an order would move a service to a pool that is further behind than its rpo, or that would be let in though it is; nil where the
// order does not, or overrides the rpo.
func (t *Table) Behind(i *health.Intent, now time.Time) error {
	if len(t.lagging) == 0 || slices.Contains(i.Override, health.RuleRPO) {
		return nil
	}
	lets := i.Kind == health.IntentReady || i.Kind == health.IntentFailback || i.Kind == health.IntentForce && i.State == health.Up
	if !lets && !i.TakesOut() {
		return nil
	}
	for zone, refs := range judge.Resolve(t.Model.Zones, []*health.Intent{i})[0] {
		named, pools := make(map[health.EndpointRef]bool), make(map[int]bool)
		for _, ref := range refs {
			named[ref], pools[ref.Pool] = true, true
		}
		for si, svc := range t.Model.Zones[zone].Services {
			if !svc.RPO.On() || len(refs) == 0 || i.Service != "" && i.Service != svc.Name {
				continue
			}
			for _, pool := range t.enters(zone, si, i, named, pools, now) {
				if err := t.behind(Ref{zone, pool}, si, now); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// enters are the pools that a service would move to, or may move to from then on, by an order about the endpoints named, which stand in pools.
func (t *Table) enters(zone, si int, i *health.Intent, named map[health.EndpointRef]bool, pools map[int]bool, now time.Time) (enter []int) {
	svc := t.Model.Zones[zone].Services[si]
	if !i.TakesOut() {
		for _, pool := range svc.Pools {
			if !pools[pool] {
				continue
			}
			if turn, _, _ := t.turn(Ref{zone, pool}, si, now); turn || i.Kind != health.IntentForce {
				enter = append(enter, pool)
			}
		}
		return enter
	}
	answers := func(without map[health.EndpointRef]bool) int {
		return slices.IndexFunc(svc.Tiers, func(tier config.Tier) bool {
			return slices.ContainsFunc(tier, func(s config.Share) bool { return t.mayAnswer(zone, si, s, without, now) })
		})
	}
	was, is := answers(nil), answers(named)
	if is < 0 || is == was {
		return nil
	}
	for _, share := range svc.Tiers[is] {
		if t.mayAnswer(zone, si, share, named, now) {
			enter = append(enter, share.Pool)
		}
	}
	return enter
}

// behind is the error of an order that would enter the pool at ref; nil where its lag is within the rpo.
func (t *Table) behind(ref Ref, si int, now time.Time) error {
	z, view := t.Model.Zones[ref.Zone], t.zones[ref.Zone].pools[ref.Pool].view
	p, svc := z.Pools[ref.Pool], z.Services[si]
	if !p.HasLag || !p.KeepsData() || view == nil {
		return nil
	}
	v := view.RPO[si]
	if v.Entered || v.State == health.LagWithin {
		return nil
	}
	lag := t.e.Lags.Of(z, p, view, time.Time{}, 0, now)
	return &health.RuleError{
		Suspension: health.Suspension{Rule: health.RuleRPO, Service: svc.Name},
		Why:        lag.Text(p.Name, z.Checks[p.Lag].Lag.Unit, now) + ", and its rpo is " + svc.RPO.Text(),
	}
}

// Text is the lag of a pool in words.
func (l *PoolLag) Text(pool string, unit config.LagUnit, now time.Time) string {
	switch {
	case !l.Known():
		return "how far pool " + pool + " is behind is not known: nothing was measured"
	case l.Unknown:
		return fmt.Sprintf("how far pool %s is behind is not known: last measured %s ago, %s", pool, config.LagText(now.Sub(l.At).Seconds(), config.LagSeconds), config.LagText(l.Value, unit))
	}
	return fmt.Sprintf("pool %s is %s behind, measured %s ago", pool, config.LagText(l.Value, unit), config.LagText(now.Sub(l.At).Seconds(), config.LagSeconds))
}

// LagTargets are what checks of type lag dial for pools that name one.
func (t *Table) LagTargets() iter.Seq2[health.TargetID, health.Target] {
	return func(yield func(health.TargetID, health.Target) bool) {
		for id, use := range t.targets {
			if use.target.Check.Type == config.CheckLag && !yield(id, use.target) {
				return
			}
		}
	}
}

// A Moved is a service that answers from a pool which keeps data and was not the first one to have it.
type Moved struct {
	Zone    *config.Zone
	Pool    *config.Pool
	Service *config.Service
}

// Entered are the services that have moved to a pool which keeps data, and whose rpo its lag is held against.
func (t *Table) Entered() iter.Seq[Moved] {
	return func(yield func(Moved) bool) {
		for _, ref := range t.lagging {
			z := t.Model.Zones[ref.Zone]
			view := t.zones[ref.Zone].pools[ref.Pool].view
			if view == nil {
				continue
			}
			for si, v := range view.RPO {
				if v.Entered && !yield(Moved{z, z.Pools[ref.Pool], z.Services[si]}) {
					return
				}
			}
		}
	}
}
