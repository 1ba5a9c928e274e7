package departure

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
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
	// Bound is put together of what the nodes say now: Final means that every node's word is fresh, says out, and was given after no honest
	// cache held it any more. Whatever was final once and is not said any more does not count.
	Bound ledger.Bound
}

// Safety finds out whether anybody can still be sent to what a scope names; v is the view of the model in force, nil where there is none. It claims
// nothing for what a node does after its word, and what has never been answered by this process is asked about: the other nodes say a word about it
// in their next rounds. Others, Clear and Unclear are left to the caller.
func (s *Set) Safety(scope health.Scope, v *health.View, words Words, now time.Time) Safety {
	out := Safety{At: now}
	q := safetyQuery{book: s.book, scope: health.Intent{Scope: scope}, at: make(map[safetyKey]int), open: make(map[string]ledger.Label), fallback: make(map[string]string), s: &out}
	if v != nil {
		q.ofModel(v, now)
	}
	q.ofCaches()
	for i := range out.Items {
		item := &out.Items[i]
		item.Shared, item.Fallback = q.open[item.RData], q.fallback[item.RData]
		item.Bound = ledger.Compose(words.Said(ledger.Key{RData: ledger.RDataKeyOf(item.RData)}), now, s.opts.Transit, s.opts.Without)
	}
	slices.SortFunc(out.Items, func(a, b SafetyItem) int {
		return cmp.Or(a.Label.Compare(b.Label), cmp.Compare(a.RData, b.RData))
	})
	return out
}

// A safetyQuery gathers the items of a scope.
type safetyQuery struct {
	book  *ledger.Book
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
	book, key := q.book, ledger.RDataKeyOf(rdata)
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
	for _, a := range q.book.Absences() {
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
