package engine

import (
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/incident"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// maxCounted bounds the services whose answers are counted for one endpoint.
const maxCounted = 200

// incidents are what the engine tells its log of incidents. Owned by Run's goroutine.
type incidents struct {
	log *incident.Log
	// suspects are how many answers had carried endpoints that may be on their way out, as ZONE/POOL/ENDPOINT.
	suspects map[string]uint64
	// trouble is what is known of targets that fail, and of endpoints behind them.
	trouble map[health.TargetID]trouble
	// model is when the model in force was taken up.
	model time.Time
}

// trouble is when a target was last well and when it failed first.
type trouble struct{ good, failed time.Time }

// noteProbe remembers when a target that works failed first.
func (e *Engine) noteProbe(id health.TargetID, was health.Observation, known bool, o health.Observation) {
	in := &e.incidents
	switch {
	case o.Failures == 0:
		delete(in.trouble, id)
	case !known || was.Failures == 0:
		t := trouble{failed: o.At}
		if known {
			t.good = was.At
		}
		in.trouble[id] = t
	}
}

// A happening is one publication as incidents see it.
type happening struct {
	e    *Engine
	now  time.Time
	view *health.View
	// orders are those in force, read when one is looked for.
	orders []health.Intent
	// left are the endpoints some of whose RDATA left with the swap.
	left map[ledger.Label]bool
}

// happened opens incidents for what a publication takes out, and notes what comes back.
func (e *Engine) happened(changes []health.Transition, swap *ledger.Swap, now time.Time) {
	h := &happening{e: e, now: now, view: e.view.Load(), left: make(map[ledger.Label]bool)}
	for i := range swap.Left {
		d := &swap.Left[i]
		h.left[ledger.LabelOf(d.Zone, d.Pool, d.Endpoint)] = true
	}
	for k := range changes {
		h.change(&changes[k])
	}
	addresses := addressChanges(changes)
	for k := range addresses {
		h.withheld(&addresses[k])
	}
	w := newWhereabouts(e.cur.Model, h.view)
	for i := range swap.Left {
		h.departed(&swap.Left[i], w)
	}
	e.incidents.log.EachOut(func(zone string, out *ledger.IncidentEndpoint) { h.back(zone, out, w) })
	if len(changes) > 0 || len(swap.Left) > 0 {
		e.incidents.log.Show()
	}
}

// change looks at an endpoint whose shown state moved.
func (h *happening) change(c *health.Transition) {
	e := h.e
	name := c.Zone.Name + "/" + c.Pool.Name + "/" + c.Endpoint.Name
	_, suspected := e.incidents.suspects[name]
	switch {
	case c.New.State == health.Suspect && !suspected:
		e.incidents.suspects[name] = e.answersOf(c.Zone, c.Pool, c.Endpoint)
	case c.New.State == health.Up:
		delete(e.incidents.suspects, name)
	}
	switch {
	case c.New.Drained && !c.Old.Drained, c.New.Forced == health.Down && c.Old.Forced != health.Down:
		h.join(h.order(c.Zone, c.Pool, c.Endpoint, ""), c.Zone, c.Pool, c.Endpoint, "", c.Old)
	case c.Old.Eligible() && !c.New.Eligible() && !c.New.Drained && c.New.Forced != health.Down && h.concerns(c):
		cause := &incident.Cause{Kind: ledger.ByHealth, Zone: c.Zone.Name, Text: c.New.Reason, At: h.now, VerdictAt: h.now}
		h.join(cause, c.Zone, c.Pool, c.Endpoint, "", c.Old)
	}
}

// concerns tells whether somebody is, or was until now, sent to the endpoint: one that is out already may flap as it likes.
func (h *happening) concerns(c *health.Transition) bool {
	for _, rdata := range c.Endpoint.RData() {
		if h.e.issued.book.Answered(ledger.RDataKeyOf(rdata)) {
			return true
		}
	}
	return h.left[ledger.LabelFor(c.Zone, c.Pool, c.Endpoint)]
}

// order is the cause that takes an endpoint out of all answers, or of those of a service; one without Intent if no order does.
func (h *happening) order(z *config.Zone, p *config.Pool, of *config.Endpoint, service string) *incident.Cause {
	if h.orders == nil {
		h.orders = h.e.intents.Set().Open(h.now)
	}
	cause := &incident.Cause{Kind: ledger.ByIntent, Zone: z.Name, At: h.now}
	for k := range h.orders {
		o := &h.orders[k]
		if !keepsOut(o, z, p, of, service, h.now) {
			continue
		}
		cause.Intent, cause.Actor, cause.Text, cause.Title = o.ID.String(), o.Actor, o.Reason, o.Kind.String()+" "+o.Scope.String()
		if o.Service != "" {
			cause.Title += " for " + strings.TrimSuffix(o.Service, ".")
		}
		if cause.At = h.now; o.Start.Before(h.now) {
			cause.At = o.Start
		}
	}
	return cause
}

// keepsOut tells whether an order is in force by which an endpoint is not answered for a service; for any, where that is empty.
func keepsOut(o *health.Intent, z *config.Zone, p *config.Pool, of *config.Endpoint, service string, now time.Time) bool {
	return o.Service == service && o.TakesOut() && o.Active(now) && judge.Names(z, p, of, o)
}

// join makes an endpoint part of the incident of a cause. was is how it stood before.
func (h *happening) join(cause *incident.Cause, z *config.Zone, p *config.Pool, of *config.Endpoint, service string, was health.EndpointView) {
	h.joinNoted(cause, z, p, of, noteOf(z, p, of, h.now), service, was)
}

// joinAddresses is join for some addresses of an endpoint that goes on with the other.
func (h *happening) joinAddresses(cause *incident.Cause, c *health.Transition, addresses []string) {
	note := noteOf(c.Zone, c.Pool, c.Endpoint, h.now)
	note.Addresses = addresses
	h.joinNoted(cause, c.Zone, c.Pool, c.Endpoint, note, "", c.Old)
}

func (h *happening) joinNoted(
	cause *incident.Cause, z *config.Zone, p *config.Pool, of *config.Endpoint, note ledger.IncidentEndpoint, service string, was health.EndpointView,
) {
	e := h.e
	name := z.Name + "/" + p.Name + "/" + of.Name
	m := &incident.Member{Endpoint: note, Suspect: was.SuspectSince}
	m.Endpoint.Service = service
	if p.Check >= 0 {
		for _, target := range health.TargetsOf(z.Name, z.Checks[p.Check], of) {
			if t := e.incidents.trouble[target.ID]; t.failed.After(m.Failed) {
				// An endpoint is out when the last of its addresses is.
				m.Good, m.Failed = t.good, t.failed
			}
		}
	}
	counted, ok := e.incidents.suspects[name]
	if !ok {
		counted = e.answersOf(z, p, of)
	}
	delete(e.incidents.suspects, name)
	m.Counted = counted
	since := cause.At
	if cause.Kind == ledger.ByHealth && !m.Good.IsZero() {
		since = m.Good
	}
	for _, k := range p.Services {
		if svc := z.Services[k]; (service == "" || svc.Name == service) && len(m.Services) < ledger.MaxIncidentEndpoints {
			m.Services = append(m.Services, e.declaredOf(z, svc, since, h.now))
		}
	}
	e.incidents.log.Join(cause, m, h.now)
}

// declaredOf is what is declared of a service, as an incident has it.
func (e *Engine) declaredOf(z *config.Zone, svc *config.Service, since, now time.Time) ledger.IncidentService {
	s := ledger.IncidentService{Service: svc.Name, RTOSeconds: svc.Staleness.RTO.Seconds(), TargetSeconds: svc.Staleness.Target.Seconds(), Since: since}
	if e.opts.Publisher.Serves(z.Name, svc.Name) {
		s.AnsweredAt = now
	}
	return s
}

func noteOf(z *config.Zone, p *config.Pool, of *config.Endpoint, now time.Time) ledger.IncidentEndpoint {
	note := ledger.IncidentEndpoint{Name: p.Name + "/" + of.Name, LeftAt: now, Addresses: of.RData()}
	if p.Region < len(z.Regions) && of.AZ < len(z.AZs) {
		note.Region, note.AZ = z.Regions[p.Region].Name, z.AZs[of.AZ].Name
	}
	return note
}

// departed looks for the cause of what left that no change of a verdict explains: a file, or an order for one service.
func (h *happening) departed(d *ledger.Departed, w *whereabouts) {
	if d.Pool < 0 || d.Service == "" {
		return
	}
	p := d.Zone.Pools[d.Pool]
	of := p.Endpoints[d.Endpoint]
	at, known := w.find(ledger.LabelOf(d.Zone, d.Pool, d.Endpoint))
	if known && w.hasRData(at, d.RData) {
		zv := h.view.Zones[at.zone]
		v := &zv.Pools[at.pool].Endpoints[at.endpoint]
		if v.Drained || !v.InService() && !v.Pending() || v.Withholds() {
			return
		}
		if w.drainedFor(&ledger.Standing{Holding: d.Holding, Service: d.Service, Label: ledger.LabelOf(d.Zone, d.Pool, d.Endpoint)}) {
			if cause := h.order(zv.Zone, zv.Zone.Pools[at.pool], zv.Zone.Pools[at.pool].Endpoints[at.endpoint], d.Service); cause.Intent != "" {
				h.join(cause, zv.Zone, zv.Zone.Pools[at.pool], zv.Zone.Pools[at.pool].Endpoints[at.endpoint], d.Service, health.EndpointView{})
			}
			return
		}
	}
	if !d.Gone || h.e.incidents.log.Out(d.Zone.Name, p.Name+"/"+of.Name, d.Service) {
		// It lives, and has no turn; or it is told already.
		return
	}
	text := "the new version of the file does not answer it for " + strings.TrimSuffix(d.Service, ".")
	if !known {
		text = "removed from the file"
	} else if !w.hasRData(at, d.RData) {
		text = "its addresses changed"
	}
	m := &incident.Member{Endpoint: noteOf(d.Zone, p, of, h.now), Counted: h.e.answersOf(d.Zone, p, of)}
	m.Endpoint.Addresses, m.Endpoint.Removed = []string{d.RData}, !known
	m.Endpoint.Service = d.Service
	for _, k := range p.Services {
		if svc := d.Zone.Services[k]; svc.Name == d.Service {
			m.Services = append(m.Services, h.e.declaredOf(d.Zone, svc, h.now, h.now))
		}
	}
	h.e.incidents.log.Join(&incident.Cause{Kind: ledger.ByConfig, Zone: d.Zone.Name, Text: text, At: h.e.incidents.model}, m, h.now)
}

// back notes of an endpoint that is out in an incident that it may be answered again, or that no file has it any more.
func (h *happening) back(zone string, out *ledger.IncidentEndpoint, w *whereabouts) {
	pool, endpoint, _ := strings.Cut(out.Name, "/")
	at, ok := w.find(ledger.Label{Zone: zone, Pool: pool, Endpoint: endpoint, Region: out.Region, AZ: out.AZ})
	log := h.e.incidents.log
	if !ok {
		log.Returned(zone, out.Name, out.Service, true, h.now)
		return
	}
	zv := h.view.Zones[at.zone]
	v := &zv.Pools[at.pool].Endpoints[at.endpoint]
	eligible := v.Eligible() && answeredAgain(zv.Zone.Pools[at.pool].Endpoints[at.endpoint], v, out.Addresses)
	if out.Service != "" {
		eligible = true
		for _, rdata := range out.Addresses {
			eligible = eligible && h.e.issued.book.Answers(ledger.Holding{Owner: out.Service, RData: rdata}.Key())
		}
	}
	if eligible {
		log.Returned(zone, out.Name, out.Service, false, h.now)
	}
}

// answersOf is how many answers of this process for services carried an endpoint.
func (e *Engine) answersOf(z *config.Zone, p *config.Pool, of *config.Endpoint) (n uint64) {
	for i, k := range p.Services {
		if i == maxCounted {
			break
		}
		for _, rdata := range of.RData() {
			n += e.opts.Ledger.AnswersOf(ledger.Holding{Owner: z.Services[k].Name, RData: rdata}.Key())
		}
	}
	return n
}

// followIncidents brings open incidents in line with what is known of caches, once a second.
func (e *Engine) followIncidents(now time.Time) {
	e.incidents.log.Follow(&world{e, now, newWhereabouts(e.cur.Model, e.view.Load())}, now)
}

// Incidents are those that are kept, the newest last, as of the last second. They are not to be changed.
func (e *Engine) Incidents() []*ledger.Incident { return e.incidents.log.Incidents() }

// Amend changes what others know of an incident: what was seen to arrive late. amend must replace what it changes.
func (e *Engine) Amend(id string, amend func(*ledger.Incident)) (made *ledger.Incident, err error) {
	err = e.command(func(now time.Time) error {
		made, err = e.incidents.log.Amend(id, now, amend)
		return err
	})
	return made, err
}
