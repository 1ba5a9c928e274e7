package engine

import (
	"fmt"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/table"
)

// maxTold bounds the events of one kind that one publication, or one look at the intents, makes. The rest is counted.
const maxTold = 500

func either(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}

// tellChanges tells of endpoints whose shown state moved, and of pools that lost their last eligible endpoint or have one again.
func (e *Engine) tellChanges(changes []health.Transition) {
	told := 0
	type poolKey struct {
		zone *config.Zone
		pool *config.Pool
	}
	before := make(map[poolKey]map[*config.Endpoint]bool)
	for k := range changes {
		c := &changes[k]
		was, is := c.Old.Shown(), c.New.Shown()
		key := poolKey{c.Zone, c.Pool}
		if c.Old.Eligible() != c.New.Eligible() {
			if before[key] == nil {
				before[key] = make(map[*config.Endpoint]bool)
			}
			before[key][c.Endpoint] = c.Old.Eligible()
		}
		if was == is {
			continue
		}
		if told++; told > maxTold {
			continue
		}
		note := noteOf(c.Zone, c.Pool, c.Endpoint, time.Time{})
		e.opts.Events.Add("endpoint."+is.String(), displayed(c.Zone)+"/"+note.Name, c.New.Reason,
			map[string]any{"old": was.String(), "new": is.String(), "health": c.New.State.String(), "region": note.Region, "az": note.AZ})
	}
	e.opts.Events.Drop(max(0, told-maxTold))
	if len(before) == 0 {
		return
	}
	told = 0
	// One walk, not one for each pool: all of 10,000 may have moved at once.
	for zi, z := range e.cur.Model.Zones {
		for pi, p := range z.Pools {
			if moved := before[poolKey{z, p}]; moved != nil && e.tellPool(table.Ref{Zone: zi, Pool: pi}, moved, told < maxTold) {
				told++
			}
		}
	}
	e.opts.Events.Drop(max(0, told-maxTold))
}

// displayed is the name of a zone without its final dot.
func displayed(z *config.Zone) string { return z.Name[:max(len(z.Name)-1, 0)] }

// tellPool tells, if aloud, whether a pool lost its last eligible endpoint, or has one again; news tells whether that is so. moved
// has the endpoints that were eligible or are.
func (e *Engine) tellPool(ref table.Ref, moved map[*config.Endpoint]bool, aloud bool) (news bool) {
	z := e.cur.Model.Zones[ref.Zone]
	p := z.Pools[ref.Pool]
	was, is := 0, 0
	for i, v := range e.cur.Pool(ref).Endpoints {
		old, ok := moved[p.Endpoints[i]]
		if v.Eligible() {
			is++
		}
		if ok && old || !ok && v.Eligible() {
			was++
		}
	}
	news = (was == 0) != (is == 0)
	if news && aloud {
		e.opts.Events.Add(either(is == 0, "pool.out", "pool.eligible"), displayed(z)+"/"+p.Name,
			fmt.Sprintf("%d of %d endpoints are eligible", is, len(p.Endpoints)), map[string]any{"eligible": is, "endpoints": len(p.Endpoints)})
	}
	return news
}

// tellIntents tells of orders that are new, in force, suspended or over.
func (e *Engine) tellIntents(was, is []health.IntentState, now time.Time) {
	before := make(map[health.IntentID]*health.IntentState, len(was))
	for i := range was {
		before[was[i].ID] = &was[i]
	}
	for i := range is {
		s, old := &is[i], before[is[i].ID]
		delete(before, s.ID)
		switch {
		case old == nil:
			e.tellIntent("intent.created", s, s.Reason)
			if s.Suspended != nil {
				e.tellIntent("intent.suspended", s, s.Suspended.Rule)
			}
			if s.Nothing {
				e.tellIntent("intent.dangling", s, danglingText)
			}
		case (old.Suspended == nil) != (s.Suspended == nil):
			if s.Suspended != nil {
				e.tellIntent("intent.suspended", s, s.Suspended.Rule+" of "+s.Suspended.Service)
			} else {
				e.tellIntent("intent.resumed", s, "")
			}
		case !old.Nothing && s.Nothing:
			e.tellIntent("intent.dangling", s, danglingText)
		case old.Nothing && !s.Nothing:
			e.tellIntent("intent.bound", s, "it names something again")
		case len(old.Elsewhere) == 0 && len(s.Elsewhere) > 0:
			e.tellIntent("intent.bound", s, "holds for "+strings.Join(s.Elsewhere, ", ")+" by address")
		case old.Planned && !s.Planned:
			e.tellIntent("intent.started", s, s.Reason)
		case old.End.Before(s.End) && s.End.Sub(old.End) > 5*time.Second || s.Forever && !old.Forever:
			e.tellIntent("intent.extended", s, "")
		}
	}
	for _, old := range before {
		e.tellIntent(either(old.Over(now), "intent.expired", "intent.ended"), old, "")
	}
}

// danglingText is why an order has no effect.
const danglingText = "it names nothing in the configuration, and nothing has the addresses that it was given for"

func (e *Engine) tellIntent(kind string, s *health.IntentState, text string) {
	data := map[string]any{"id": s.ID.String(), "kind": s.Kind.String(), "actor": s.Actor, "service": s.Service}
	if !s.Forever {
		data["ends_at"] = s.End.UTC()
	}
	e.opts.Events.Add(kind, s.Scope.String(), text, data)
}
