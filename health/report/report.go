package report

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/event"
)

// maxTold bounds the events of one kind that one publication, or one look at the intents, makes. The rest is counted.
const maxTold = 500

// maxLogged bounds the lines for one publication; an outage of thousands of endpoints is one event.
const maxLogged = 20

// A Reporter tells people what became of endpoints, pools and orders: in the log, in events, and as a count. Make it with New; it belongs to
// one goroutine.
type Reporter struct {
	events      *event.Log
	logger      *slog.Logger
	transitions map[health.State]prometheus.Counter
	flaps       flaps
	// forward is how far the pools have taken services over that do so by steps, in percent, as it was told; nil where none does.
	forward map[forwardKey]int
}

// New makes a Reporter. events may be nil.
func New(events *event.Log, logger *slog.Logger, reg prometheus.Registerer) *Reporter {
	r := &Reporter{events: events, logger: logger, transitions: make(map[health.State]prometheus.Counter), flaps: make(flaps)}
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fairlead_endpoint_transitions_total",
		Help: "Endpoints that changed their shown state, by the new state.",
	}, []string{"state"})
	for _, s := range health.States() {
		r.transitions[s] = vec.WithLabelValues(s.String())
	}
	reg.MustRegister(vec)
	return r
}

// Published tells of what a publication changed; v is what was published.
func (r *Reporter) Published(transitions []health.Transition, v *health.View) {
	r.log(transitions, v.At)
	r.tellEndpoints(transitions, v)
	r.tellAddresses(transitions)
}

func either(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}

// log logs what became of endpoints: what moves answers for people to read, suspicion for those who look closer. An endpoint that flaps is
// left out after some lines, and the next one says how many changes there were meanwhile; so is what one publication has too much of.
func (r *Reporter) log(changes []health.Transition, now time.Time) {
	logged := 0
	for _, c := range changes {
		was, is := c.Old.Shown(), c.New.Shown()
		if was == is {
			continue
		}
		r.transitions[is].Inc()
		line := []any{"zone", c.Zone.Name, "pool", c.Pool.Name, "endpoint", c.Endpoint.Name, "old", was.String(), "new", is.String(), "cause", c.New.Reason}
		if c.Old.InService() && c.New.InService() && !c.Old.Drained && !c.New.Drained {
			r.logger.Debug("endpoint changed state", line...)
			continue
		}
		if logged++; logged > maxLogged {
			continue
		}
		admitted, last, unlogged := r.flaps.admit(subject(&c), now)
		if !admitted {
			continue
		}
		if unlogged > 0 {
			line = append(line, "unlogged_before", unlogged)
		}
		if last {
			line = append(line, "more", "not logged for "+flapWindow.String())
		}
		r.logger.Info("endpoint changed state", line...)
	}
	if logged > maxLogged {
		r.logger.Info("more endpoints changed state", "count", logged-maxLogged)
	}
}

// tellEndpoints tells of endpoints whose shown state moved, and of pools that lost their last eligible endpoint or have one again.
func (r *Reporter) tellEndpoints(changes []health.Transition, v *health.View) {
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
		region, az := standsIn(c)
		r.events.Add("endpoint."+is.String(), subject(c), c.New.Reason,
			map[string]any{"old": was.String(), "new": is.String(), "health": c.New.State.String(), "region": region, "az": az})
	}
	r.events.Drop(max(0, told-maxTold))
	if len(before) == 0 {
		return
	}
	told = 0
	// One walk, not one for each pool: all of 10,000 may have moved at once.
	for _, zv := range v.Zones {
		for pi, p := range zv.Zone.Pools {
			if moved := before[poolKey{zv.Zone, p}]; moved != nil && r.tellPool(zv, pi, moved, told < maxTold) {
				told++
			}
		}
	}
	r.events.Drop(max(0, told-maxTold))
}

// subject is the name of the endpoint of a transition.
func subject(c *health.Transition) string {
	return displayed(c.Zone) + "/" + c.Pool.Name + "/" + c.Endpoint.Name
}

// standsIn is where the endpoint of a transition stands; empty where its zone has no places.
func standsIn(c *health.Transition) (region, az string) {
	if c.Pool.Region < len(c.Zone.Regions) && c.Endpoint.AZ < len(c.Zone.AZs) {
		return c.Zone.Regions[c.Pool.Region].Name, c.Zone.AZs[c.Endpoint.AZ].Name
	}
	return "", ""
}

// displayed is the name of a zone without its final dot.
func displayed(z *config.Zone) string { return z.Name[:max(len(z.Name)-1, 0)] }

// tellAddresses logs and tells of addresses that left the answers or came back while their endpoints stayed.
func (r *Reporter) tellAddresses(changes []health.Transition) {
	moved := health.AddressTransitions(changes)
	for k := range moved[:min(len(moved), maxTold)] {
		c := &moved[k]
		address, reason := c.Address(), c.Verdict().Reason
		if k < maxLogged {
			r.logger.Info("address changed state", "zone", c.Zone.Name, "pool", c.Pool.Name, "endpoint", c.Endpoint.Name,
				"address", address, "new", c.Verdict().State.String(), "cause", reason)
		}
		text := fmt.Sprintf("%s address %s %s", c.Family, address, either(c.Withheld, "is withheld: "+reason, "is answered again"))
		r.events.Add(either(c.Withheld, "address.down", "address.up"), subject(c.Transition), text, map[string]any{"address": address})
	}
	r.events.Drop(max(0, len(moved)-maxTold))
}

// tellPool tells, if aloud, whether a pool lost its last eligible endpoint, or has one again; news tells whether that is so. moved
// has the endpoints that were eligible or are.
func (r *Reporter) tellPool(zv *health.ZoneView, pool int, moved map[*config.Endpoint]bool, aloud bool) (news bool) {
	p := zv.Zone.Pools[pool]
	was, is := 0, 0
	for i, v := range zv.Pools[pool].Endpoints {
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
		r.events.Add(either(is == 0, "pool.out", "pool.eligible"), displayed(zv.Zone)+"/"+p.Name,
			fmt.Sprintf("%d of %d endpoints are eligible", is, len(p.Endpoints)), map[string]any{"eligible": is, "endpoints": len(p.Endpoints)})
	}
	return news
}

// Orders tells of orders that are new, in force, suspended or over.
func (r *Reporter) Orders(was, is []health.IntentState, now time.Time) {
	before := make(map[health.IntentID]*health.IntentState, len(was))
	for i := range was {
		before[was[i].ID] = &was[i]
	}
	for i := range is {
		s, old := &is[i], before[is[i].ID]
		delete(before, s.ID)
		switch {
		case old == nil:
			r.Order("intent.created", s, s.Reason)
			if s.Suspended != nil {
				r.Order("intent.suspended", s, s.Suspended.Rule)
			}
			if s.Nothing {
				r.Order("intent.dangling", s, danglingText)
			}
		case (old.Suspended == nil) != (s.Suspended == nil):
			if s.Suspended != nil {
				r.Order("intent.suspended", s, s.Suspended.Rule+" of "+s.Suspended.Service)
			} else {
				r.Order("intent.resumed", s, "")
			}
		case !old.Nothing && s.Nothing:
			r.Order("intent.dangling", s, danglingText)
		case old.Nothing && !s.Nothing:
			r.Order("intent.bound", s, "it names something again")
		case len(old.Elsewhere) == 0 && len(s.Elsewhere) > 0:
			r.Order("intent.bound", s, "holds for "+strings.Join(s.Elsewhere, ", ")+" by address")
		case old.Planned && !s.Planned:
			r.Order("intent.started", s, s.Reason)
		case old.End.Before(s.End) && s.End.Sub(old.End) > 5*time.Second || s.Forever && !old.Forever:
			r.Order("intent.extended", s, "")
		}
	}
	for _, old := range before {
		r.Order(either(old.Over(now), "intent.expired", "intent.ended"), old, "")
	}
}

// Lapsed tells of orders that ended by themselves while the node was down, but for those of which the event log has an end.
func (r *Reporter) Lapsed(list []health.Intent) {
	if len(list) == 0 {
		return
	}
	told := make(map[any]bool)
	for _, e := range r.events.Last(event.Kept, event.Filter{Types: []string{"intent.expired", "intent.ended"}}) {
		told[e.Data["id"]] = true
	}
	for _, i := range list {
		if !told[i.ID.String()] {
			r.Order("intent.expired", &health.IntentState{Intent: i}, "at "+i.End.UTC().Format(time.RFC3339)+", while this node was down")
		}
	}
}

// danglingText is why an order has no effect.
const danglingText = "it names nothing in the configuration, and nothing has the addresses that it was given for"

// Order tells of one order.
func (r *Reporter) Order(kind string, s *health.IntentState, text string) {
	data := map[string]any{"id": s.ID.String(), "kind": s.Kind.String(), "actor": s.Actor, "service": s.Service}
	if !s.Forever {
		data["ends_at"] = s.End.UTC()
	}
	if s.Lifeboat {
		data["lifeboat"] = true
	}
	r.events.Add(kind, s.Scope.String(), text, data)
}
