package engine

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/gone"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// A Safety is what is known, at one instant, of whether anybody can still be sent to a part of the world.
type Safety struct {
	At time.Time
	// Items are the addresses and names behind the scope, those of endpoints that no file has any more included while caches may hold them.
	Items []SafetyItem
	// Others are nodes that are heard and serve other files: they may have other addresses for what the scope names.
	Others []string
	// Clear is from when on caches hold nothing that this node could not have named: what nodes answered before their last starts, and what
	// other nodes let go that this one never knew. Unclear says why that is not known, of which node; empty where it is.
	Clear   time.Time
	Unclear string
	// Asked is set where the nodes have only now been asked about something that none of them had said anything of.
	Asked bool
}

// A SafetyItem is one address or name of one endpoint.
type SafetyItem struct {
	ledger.Label
	RData string
	// Known is set while the model has the endpoint with this RDATA. Drained is set while an order keeps it out of all services.
	Known, Drained bool
	// Shared is an endpoint that has the same RDATA and is not drained; zero for none. Fallback is a service that answers it once all else is
	// down (on_all_down), drained or not; empty for none.
	Shared   ledger.Label
	Fallback string
	// Gone are static records with this RDATA that no file has any more and caches may hold, or held until a moment ago.
	Gone []gone.Record
	// Bound is put together of what the nodes say now: Final means that every node's word is fresh, says out, and was given after no honest
	// cache held it any more. Whatever was final once and is not said any more does not count.
	Bound ledger.Bound
}

// Safety finds out whether anybody can still be sent to what a scope names. It claims nothing for what a node does after its word, and what
// has never been answered by this process is asked about: the other nodes say a word about it in their next rounds.
func (e *Engine) Safety(scope health.Scope) (s Safety, err error) {
	err = e.loop.Do(func(now time.Time) error {
		s = e.safety(scope, now)
		return nil
	})
	return s, err
}

func (e *Engine) safety(scope health.Scope, now time.Time) Safety {
	s := Safety{At: now}
	q := safetyQuery{e: e, scope: health.Intent{Scope: scope}, at: make(map[safetyKey]int), open: make(map[string]ledger.Label), fallback: make(map[string]string), s: &s}
	if v := e.view.Load(); v != nil && v.Model == e.cur.Model {
		q.ofModel(v, now)
	}
	q.ofCaches()
	var configured []string
	if e.cluster != nil {
		configured = e.configuredNames(now)
		s.Others = e.othersFiles(configured, now)
	}
	s.Clear, s.Unclear = e.nameable(configured, now)
	for i := range s.Items {
		item := &s.Items[i]
		item.Shared, item.Fallback = q.open[item.RData], q.fallback[item.RData]
		item.Gone = e.gone.Of(item.RData)
		item.Bound = ledger.Compose(e.said(subject{RData: ledger.RDataKeyOf(item.RData)}, configured, now), now, e.opts.Transit, e.opts.Without)
	}
	slices.SortFunc(s.Items, func(a, b SafetyItem) int {
		return cmp.Or(a.Label.Compare(b.Label), cmp.Compare(a.RData, b.RData))
	})
	if s.Asked {
		e.urge()
	}
	return s
}

// othersFiles are the configured nodes that say that they serve other files than this one.
func (e *Engine) othersFiles(configured []string, now time.Time) (others []string) {
	own := e.status(now).Config
	for _, name := range configured {
		p := e.cluster.peers[name]
		if name != e.cluster.self && p != nil && p.fresh && !p.statusAt.IsZero() && p.status.Config != own {
			others = append(others, name)
		}
	}
	return others
}

// nameable is from when on caches hold nothing behind any name of a scope that this node could not know to be behind it; unknown says why
// that is not known.
func (e *Engine) nameable(configured []string, now time.Time) (at time.Time, unknown string) {
	at, unknown = e.issued.book.Earlier().Add(e.opts.Transit), e.issued.greatest.unnamed
	if unknown != "" {
		unknown = e.opts.Node + ": " + unknown
	}
	if e.cluster == nil {
		return at, unknown
	}
	gone := func(name string, since time.Time) {
		at = ledger.Later(at, since.Add(ledger.Slow(e.greatestOf(name))+e.opts.Transit))
	}
	for name, since := range e.cluster.removed {
		gone(name, since)
	}
	for _, name := range configured {
		if name == e.cluster.self {
			continue
		}
		p := e.cluster.peers[name]
		fence, fenced := e.cluster.lease.fences[name]
		stopped, isStopped := e.cluster.stopped[name]
		switch {
		case isStopped:
			gone(name, stopped)
		case fenced && (p == nil || !p.fresh):
			gone(name, fence.At.Add(cluster.LeaseWrite))
		case p == nil || !p.fresh || p.statusAt.IsZero():
			unknown = cmp.Or(unknown, name+" is not heard")
		case p.joining || p.older:
			unknown = cmp.Or(unknown, name+" joins the cluster, or is being compared with what the others remember of it")
		default:
			// A second for what is rounded in its uptime.
			gone(name, p.statusAt.Add(-p.status.Uptime).Add(time.Second))
			until, open := e.foreign(p, now)
			if open {
				unknown = cmp.Or(unknown, name+" lets something go that this node never knew")
			}
			at = ledger.Later(at, until)
		}
	}
	return at, unknown
}

// foreign is until when caches may hold what has left a node's own answers and is not known to this one; open is set while the node has not
// said until when.
func (e *Engine) foreign(p *peer, now time.Time) (until time.Time, open bool) {
	e.eachForeign(p, now, func(h foreignHolding) {
		until, open = ledger.Later(until, h.until), open || h.until.IsZero()
	})
	return until, open
}

// A safetyQuery gathers the items of a scope.
type safetyQuery struct {
	e     *Engine
	scope health.Intent
	s     *Safety
	// at is where an item stands in the list. open are endpoints that are not drained, by RDATA.
	at   map[safetyKey]int
	open map[string]ledger.Label
	// fallback are services that name RDATA as a fixed address for when all is down.
	fallback map[string]string
}

type safetyKey struct {
	label ledger.Label
	rdata string
}

// ofModel adds the endpoints of the model. What never left this process's answers is made to stand, so that nodes say a word about it.
func (q *safetyQuery) ofModel(v *health.View, now time.Time) {
	for _, zv := range v.Zones {
		for _, svc := range zv.Zone.Services {
			for _, a := range svc.OnAllDown.Fixed {
				q.fallback[a.String()] = svc.Name
			}
		}
		for pi, p := range zv.Zone.Pools {
			for ei, cfg := range p.Endpoints {
				ev := &zv.Pools[pi].Endpoints[ei]
				named := judge.ByName(zv.Zone, p, cfg, &q.scope)
				if !named && ev.Drained {
					continue
				}
				label := ledger.LabelFor(zv.Zone, p, cfg)
				for _, rdata := range cfg.RData() {
					if !ev.Drained {
						q.open[rdata] = label
					}
					if named {
						q.add(SafetyItem{Label: label, RData: rdata, Known: true, Drained: ev.Drained})
						q.ask(zv.Zone, pi, label, rdata, ev.Drained, now)
					}
				}
			}
		}
	}
}

// ask has RDATA stand of which no node may have a reason to speak: a standby that never had its turn.
func (q *safetyQuery) ask(z *config.Zone, pool int, label ledger.Label, rdata string, drained bool, now time.Time) {
	book, key := q.e.issued.book, ledger.RDataKeyOf(rdata)
	if !drained || book.Answered(key) || book.Absences()[key] != nil {
		return
	}
	q.s.Asked = true
	used := false
	for _, svc := range z.Services {
		if slices.Contains(svc.Pools, pool) {
			used = true
			book.Claim(ledger.Holding{Owner: svc.Name, RData: rdata}, svc.Name, label, now)
		}
	}
	if !used {
		book.Claim(ledger.Holding{Owner: z.Name, RData: rdata}, "", label, now)
	}
}

// ofCaches adds what has left and may be known to no file any more.
func (q *safetyQuery) ofCaches() {
	for _, a := range q.e.issued.book.Absences() {
		for _, s := range a.Names {
			if named(q.scope.Scope, s.Label) {
				q.add(SafetyItem{Label: s.Label, RData: s.RData})
			}
		}
	}
}

// named tells whether a scope names what a label does.
func named(scope health.Scope, l ledger.Label) bool {
	switch scope.Kind {
	case health.ScopeEndpoint:
		return l.Zone == scope.Zone && l.Pool == scope.Pool && l.Endpoint == scope.Endpoint
	case health.ScopePool:
		return l.Zone == scope.Zone && l.Pool == scope.Pool
	case health.ScopeAZ:
		return l.AZ == scope.Name
	case health.ScopeRegion:
		return l.Region == scope.Name
	case health.ScopeKubernetes:
		// What a cluster gives is called CLUSTER.ADDRESS.
		return strings.HasPrefix(l.Endpoint, scope.Name+".")
	}
	return false
}

func (q *safetyQuery) add(item SafetyItem) {
	k := safetyKey{item.Label, item.RData}
	if _, ok := q.at[k]; ok {
		return
	}
	q.at[k] = len(q.s.Items)
	q.s.Items = append(q.s.Items, item)
}
