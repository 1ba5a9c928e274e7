package incident

import (
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// maxCounted bounds the services whose answers are counted for one endpoint.
const maxCounted = 200

// A Watch opens incidents for what publications take out, and notes what comes back. It is told of every publication and of every probe, and
// belongs to one goroutine. Make it with NewWatch.
type Watch struct {
	*Log
	answers Answers
	// suspects are how many answers had carried endpoints that may be on their way out, as ZONE/POOL/ENDPOINT.
	suspects map[string]uint64
	// trouble is what is known of targets that fail, and of endpoints behind them.
	trouble map[health.TargetID]trouble
	// model is when the model in force was taken up.
	model time.Time
}

// Answers are what a Watch asks about what this node answers and what was ordered.
type Answers struct {
	// Book tells what is answered now. A *ledger.Book is one.
	Book interface {
		// Answered tells whether any name answers RDATA, Answers whether a name answers a holding.
		Answered(k ledger.RDataKey) bool
		Answers(k ledger.Key) bool
	}
	// Ledger counts answers. A *ledger.Ledger is one.
	Ledger interface{ AnswersOf(k ledger.Key) uint64 }
	// Serves tells whether a service of a zone, both by name, answers with something that is up.
	Serves func(zone, service string) bool
	// Loss is what a service may have lost that leaves a pool at now for another one: what was written until failed and had not reached that. It is
	// nil where nothing measures it.
	Loss func(z *config.Zone, p *config.Pool, svc *config.Service, failed, now time.Time) *ledger.Loss
	// Orders are those in force or planned.
	Orders func(now time.Time) []health.Intent
}

// NewWatch makes a Watch that keeps its incidents in log. The model in force was taken up at now.
func NewWatch(log *Log, answers Answers, now time.Time) *Watch {
	return &Watch{Log: log, answers: answers, suspects: make(map[string]uint64), trouble: make(map[health.TargetID]trouble), model: now}
}

// TakenUp notes that another model is in force from now on.
func (w *Watch) TakenUp(now time.Time) { w.model = now }

// trouble is when a target was last well and when it failed first.
type trouble struct{ good, failed time.Time }

// Probed remembers when a target that works failed first.
func (w *Watch) Probed(id health.TargetID, was health.Observation, known bool, o health.Observation) {
	switch {
	case o.Failures == 0:
		delete(w.trouble, id)
	case !known || was.Failures == 0:
		t := trouble{failed: o.At}
		if known {
			t.good = was.At
		}
		w.trouble[id] = t
	}
}

// A happening is one publication as incidents see it.
type happening struct {
	w   *Watch
	now time.Time
	// where finds what labels name in what was published.
	where *ledger.Whereabouts
	// orders are those in force, read when one is looked for.
	orders []health.Intent
	// left are the endpoints some of whose RDATA left with the swap.
	left map[ledger.Label]bool
}

// Published opens incidents for what a publication takes out, and notes what comes back.
func (w *Watch) Published(changes []health.Transition, swap *ledger.Swap, v *health.View, now time.Time) {
	h := &happening{w: w, now: now, where: ledger.NewWhereabouts(v.Model, v), left: make(map[ledger.Label]bool)}
	for i := range swap.Left {
		d := &swap.Left[i]
		h.left[ledger.LabelOf(d.Zone, d.Pool, d.Endpoint)] = true
	}
	for k := range changes {
		h.change(&changes[k])
	}
	addresses := health.AddressTransitions(changes)
	for k := range addresses {
		h.withheld(&addresses[k])
	}
	for i := range swap.Left {
		h.departed(&swap.Left[i])
	}
	w.EachOut(h.back)
	if len(changes) > 0 || len(swap.Left) > 0 {
		w.Show()
	}
}

// change looks at an endpoint whose shown state moved.
func (h *happening) change(c *health.Transition) {
	name := c.Zone.Name + "/" + c.Pool.Name + "/" + c.Endpoint.Name
	_, suspected := h.w.suspects[name]
	switch {
	case c.New.State == health.Suspect && !suspected:
		h.w.suspects[name] = h.w.AnswersOf(c.Zone, c.Pool, c.Endpoint)
	case c.New.State == health.Up:
		delete(h.w.suspects, name)
	}
	switch {
	case c.New.Drained && !c.Old.Drained, c.New.Forced == health.Down && c.Old.Forced != health.Down:
		h.join(h.order(c.Zone, c.Pool, c.Endpoint, ""), c.Zone, c.Pool, c.Endpoint, "", c.Old)
	case c.Old.Eligible() && !c.New.Eligible() && !c.New.Drained && c.New.Forced != health.Down && h.concerns(c):
		cause := &Cause{Kind: ledger.ByHealth, Zone: c.Zone.Name, Text: c.New.Reason, At: h.now, VerdictAt: h.now}
		h.join(cause, c.Zone, c.Pool, c.Endpoint, "", c.Old)
	}
}

// concerns tells whether somebody is, or was until now, sent to the endpoint: one that is out already may flap as it likes.
func (h *happening) concerns(c *health.Transition) bool {
	for _, rdata := range c.Endpoint.RData() {
		if h.w.answers.Book.Answered(ledger.RDataKeyOf(rdata)) {
			return true
		}
	}
	return h.left[ledger.LabelFor(c.Zone, c.Pool, c.Endpoint)]
}

// order is the cause that takes an endpoint out of all answers, or of those of a service; one without Intent if no order does.
func (h *happening) order(z *config.Zone, p *config.Pool, of *config.Endpoint, service string) *Cause {
	if h.orders == nil {
		h.orders = h.w.answers.Orders(h.now)
	}
	cause := &Cause{Kind: ledger.ByIntent, Zone: z.Name, At: h.now}
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
func (h *happening) join(cause *Cause, z *config.Zone, p *config.Pool, of *config.Endpoint, service string, was health.EndpointView) {
	h.joinNoted(cause, z, p, of, noteOf(z, p, of, h.now), service, was)
}

// joinAddresses is join for some addresses of an endpoint that goes on with the other.
func (h *happening) joinAddresses(cause *Cause, c *health.Transition, addresses []string) {
	note := noteOf(c.Zone, c.Pool, c.Endpoint, h.now)
	note.Addresses = addresses
	h.joinNoted(cause, c.Zone, c.Pool, c.Endpoint, note, "", c.Old)
}

func (h *happening) joinNoted(
	cause *Cause, z *config.Zone, p *config.Pool, of *config.Endpoint, note ledger.IncidentEndpoint, service string, was health.EndpointView,
) {
	name := z.Name + "/" + p.Name + "/" + of.Name
	m := &Member{Endpoint: note, Suspect: was.SuspectSince}
	m.Endpoint.Service = service
	if p.Check >= 0 {
		for _, target := range health.TargetsOf(z.Name, z.Checks[p.Check], of) {
			if t := h.w.trouble[target.ID]; t.failed.After(m.Failed) {
				// An endpoint is out when the last of its addresses is.
				m.Good, m.Failed = t.good, t.failed
			}
		}
	}
	counted, ok := h.w.suspects[name]
	if !ok {
		counted = h.w.AnswersOf(z, p, of)
	}
	delete(h.w.suspects, name)
	m.Counted = counted
	if svc := serviceOf(z, p, service); svc != nil {
		// The others go on with it.
		m.Endpoint.Addresses = carried(z, svc, p, of)
		m.Counted = h.w.AnswersFor(service, m.Endpoint.Addresses)
	}
	since := cause.At
	if cause.Kind == ledger.ByHealth && !m.Good.IsZero() {
		since = m.Good
	}
	for _, k := range p.Services {
		if svc := z.Services[k]; (service == "" || svc.Name == service) && len(m.Services) < ledger.MaxIncidentEndpoints {
			s := h.declaredOf(z, svc, since)
			s.Loss = h.loss(z, p, svc, cause.Kind)
			m.Services = append(m.Services, s)
		}
	}
	h.w.Join(cause, m, h.now)
}

// declaredOf is what is declared of a service, as an incident has it.
func (h *happening) declaredOf(z *config.Zone, svc *config.Service, since time.Time) ledger.IncidentService {
	s := ledger.IncidentService{Service: svc.Name, RTOSeconds: svc.Staleness.RTO.Seconds(), TargetSeconds: svc.Staleness.Target.Seconds(), Since: since}
	if h.w.answers.Serves(z.Name, svc.Name) {
		s.AnsweredAt = h.now
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
func (h *happening) departed(d *ledger.Departed) {
	if d.Pool < 0 || d.Service == "" {
		return
	}
	p := d.Zone.Pools[d.Pool]
	of := p.Endpoints[d.Endpoint]
	at, known := h.where.Find(ledger.LabelOf(d.Zone, d.Pool, d.Endpoint))
	if known && h.where.HasRData(at, d.RData) && h.takenOut(d, at) {
		return
	}
	if !d.Gone {
		// It lives, and has no turn.
		return
	}
	if h.w.Log.Out(d.Zone.Name, p.Name+"/"+of.Name, d.Service) {
		// That it is out is told already.
		h.w.Log.Carried(d.Zone.Name, p.Name+"/"+of.Name, d.Service, d.RData, h.w.AnswersFor(d.Service, []string{d.RData}), h.now)
		return
	}
	text := "the new version of the file does not answer it for " + strings.TrimSuffix(d.Service, ".")
	if !known {
		text = "removed from the file"
	} else if !h.where.HasRData(at, d.RData) {
		text = "its addresses changed"
	}
	m := &Member{Endpoint: noteOf(d.Zone, p, of, h.now), Counted: h.w.AnswersFor(d.Service, []string{d.RData})}
	m.Endpoint.Addresses, m.Endpoint.Removed = []string{d.RData}, !known
	m.Endpoint.Service = d.Service
	for _, k := range p.Services {
		if svc := d.Zone.Services[k]; svc.Name == d.Service {
			m.Services = append(m.Services, h.declaredOf(d.Zone, svc, h.now))
		}
	}
	h.w.Log.Join(&Cause{Kind: ledger.ByConfig, Zone: d.Zone.Name, Text: text, At: h.w.model}, m, h.now)
}

// takenOut tells of what left though the files have it: by a gate or by an order. It is true, too, where a verdict took it out, which is told
// already, and false where none of these did.
func (h *happening) takenOut(d *ledger.Departed, at ledger.Place) bool {
	zv, v := h.where.At(at)
	z, p, view := zv.Zone, zv.Zone.Pools[at.Pool], zv.Pools[at.Pool]
	e := p.Endpoints[at.Endpoint]
	cause := new(Cause)
	switch {
	case v.Drained || !v.InService() && !v.Pending() || v.Withholds():
		return true
	case view.GateClosed:
		cause = h.gate(z, p)
	case weighsNothing(view, at.Endpoint):
		// A drain by another name.
		cause = h.order(z, p, e, "")
	case h.where.DrainedFor(&ledger.Standing{Holding: d.Holding, Service: d.Service, Label: ledger.LabelOf(d.Zone, d.Pool, d.Endpoint)}):
		cause = h.order(z, p, e, d.Service)
	default:
		return false
	}
	if cause.Kind == ledger.ByHealth || cause.Title != "" {
		h.join(cause, z, p, e, d.Service, health.EndpointView{})
	}
	return true
}

// weighsNothing tells whether orders make the weight of a pool, or of an endpoint of it, 0.
func weighsNothing(v *health.PoolView, endpoint int) bool {
	weight, ordered := v.EndpointWeights[endpoint]
	return v.Weight != nil && *v.Weight == 0 || ordered && weight == 0
}

// gate is the cause of what leaves by a gate that an operator or a check has closed, though the endpoints behind it are well.
func (h *happening) gate(z *config.Zone, p *config.Pool) *Cause {
	if p.Gate.ByCheck {
		return &Cause{Kind: ledger.ByHealth, Zone: z.Name, Title: "gate of pool " + p.Name + " closed", Text: "by check " + z.Checks[p.Gate.Check].Name, At: h.now, VerdictAt: h.now}
	}
	return &Cause{Kind: ledger.ByIntent, Zone: z.Name, Text: "the gate of pool " + p.Name + " is closed", Title: "unready pool " + p.Name, At: h.now}
}

// back notes of an endpoint that is out in an incident that it is answered again, or would be if its tier were in its turn; or that no file has it
// any more.
func (h *happening) back(zone string, out *ledger.IncidentEndpoint) {
	pool, endpoint, _ := strings.Cut(out.Name, "/")
	at, ok := h.where.Find(ledger.Label{Zone: zone, Pool: pool, Endpoint: endpoint, Region: out.Region, AZ: out.AZ})
	log := h.w.Log
	if !ok {
		// One that has another name now is out all the same.
		at, ok = h.where.Carrying(zone, out.Addresses)
	}
	if !ok {
		log.Returned(zone, out.Name, out.Service, true, h.now)
		return
	}
	zv, v := h.where.At(at)
	eligible := v.Eligible() && answeredAgain(zv.Zone.Pools[at.Pool].Endpoints[at.Endpoint], v, out.Addresses) && !h.held(zv, at, out.Addresses)
	if out.Service != "" {
		eligible = slices.ContainsFunc(out.Addresses, func(rdata string) bool {
			return h.w.answers.Book.Answers(ledger.Holding{Owner: out.Service, RData: rdata}.Key())
		})
	}
	switch {
	case eligible:
		log.Returned(zone, out.Name, out.Service, false, h.now)
	case out.Removed:
		log.Reappeared(zone, out.Name, out.Service, h.now)
	}
}

// held tells whether nobody is answered any of the addresses of an endpoint that may be in service, since its pool or AZ is held back from every
// service: by a hold, or until somebody lets it in.
func (h *happening) held(zv *health.ZoneView, at ledger.Place, addresses []string) bool {
	for _, rdata := range addresses {
		if h.w.answers.Book.Answered(ledger.RDataKeyOf(rdata)) {
			return false
		}
	}
	p, view := zv.Zone.Pools[at.Pool], zv.Pools[at.Pool]
	returns := []health.Return{view.Return}
	for i, w := range p.AZWeights {
		if w.AZ == p.Endpoints[at.Endpoint].AZ && i < len(view.ReturnAZ) {
			returns = append(returns, view.ReturnAZ[i])
		}
	}
	for _, f := range p.Failbacks {
		if !slices.ContainsFunc(returns, func(r health.Return) bool { percent, _ := r.Share(f, h.now); return percent == 0 }) {
			return false
		}
	}
	return len(p.Failbacks) > 0
}

// serviceOf is the service of a pool that has a name; nil for none.
func serviceOf(z *config.Zone, p *config.Pool, name string) *config.Service {
	for _, k := range p.Services {
		if z.Services[k].Name == name {
			return z.Services[k]
		}
	}
	return nil
}

// carried is what answers for a service can carry of an endpoint of a pool.
func carried(z *config.Zone, svc *config.Service, p *config.Pool, of *config.Endpoint) []string {
	return z.Carried(svc, slices.Index(z.Pools, p), slices.Index(p.Endpoints, of))
}

// AnswersFor is how many answers of this process for one service carried any of RDATA.
func (w *Watch) AnswersFor(service string, rdata []string) (n uint64) {
	for _, r := range rdata {
		n += w.answers.Ledger.AnswersOf(ledger.Holding{Owner: service, RData: r}.Key())
	}
	return n
}

// AnswersOf is how many answers of this process for services carried an endpoint.
func (w *Watch) AnswersOf(z *config.Zone, p *config.Pool, of *config.Endpoint) (n uint64) {
	for _, k := range p.Services[:min(len(p.Services), maxCounted)] {
		n += w.AnswersFor(z.Services[k].Name, of.RData())
	}
	return n
}

// withheld joins an address that left the answers to the incident of its cause, while its endpoint goes on.
func (h *happening) withheld(c *health.AddressTransition) {
	address := c.Address()
	if !c.Withheld || !h.w.answers.Book.Answered(ledger.RDataKeyOf(address)) && !h.left[ledger.LabelFor(c.Zone, c.Pool, c.Endpoint)] {
		return
	}
	cause := &Cause{Kind: ledger.ByHealth, Zone: c.Zone.Name, Text: address + ": " + c.Verdict().Reason, At: h.now, VerdictAt: h.now}
	h.joinAddresses(cause, c.Transition, []string{address})
}

// answeredAgain tells whether one of the addresses of an endpoint, of which v is the view, may be answered.
func answeredAgain(e *config.Endpoint, v *health.EndpointView, addresses []string) bool {
	if v.Each == nil {
		return true
	}
	return slices.ContainsFunc([]config.Family{config.IPv4, config.IPv6}, func(f config.Family) bool {
		return slices.Contains(addresses, e.Addr(f).String()) && !v.Withheld(f)
	})
}
