package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

const (
	// joinWithin is how long after the last departure by health another one in the same zone belongs to the same incident.
	joinWithin = time.Minute
	// maxIncidents bounds how many are kept, the oldest that are over go first.
	maxIncidents = 200
)

// incidents are what happened. Owned by Run's goroutine but for what is published in Engine.shownIncidents.
type incidents struct {
	// all are the incidents, the newest last. They are values: a change makes another one.
	all []*ledger.Incident
	// members are the endpoints of open incidents that are not back; out counts them by incident.
	members map[memberKey]*member
	out     map[string]int
	counter int
	// suspects count the answers with endpoints that may be on their way out, by name.
	suspects map[string]*ledger.Tally
	// trouble is what is known of targets that fail, and of endpoints behind them.
	trouble map[health.TargetID]trouble
}

// A member is an endpoint of an open incident.
type member struct {
	incident string
	// tally counts answers until the endpoint has left for good.
	tally *ledger.Tally
	left  bool
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

// happened opens incidents for what the changes take out, and notes what comes back.
func (e *Engine) happened(changes []change, now time.Time) {
	var orders []health.Intent
	for k := range changes {
		c := &changes[k]
		name := c.zone.Name + "/" + c.pool.Name + "/" + c.endpoint.Name
		key := memberKey{endpoint: name}
		m := e.incidents.members[key]
		e.suspect(c, name)
		switch {
		case c.old.Eligible() && !c.new.Eligible() && m == nil:
			if c.new.Drained || c.new.Forced == health.Down {
				if orders == nil {
					orders = e.intents.Set().Open(now)
				}
				e.join(c, name, e.sameOrder(orderIncident(c.zone, c.pool, c.endpoint, "", orders, now)), now)
			} else {
				e.join(c, name, e.healthIncident(c, now), now)
			}
		case c.new.Eligible() && m != nil:
			e.returned(key, now)
		}
	}
}

// suspect counts answers with an endpoint from the first sign that it may be dead.
func (e *Engine) suspect(c *change, name string) {
	in := &e.incidents
	switch {
	case c.new.State == health.Suspect && in.suspects[name] == nil:
		if n, ok := e.issued.book.Find(name); ok {
			in.suspects[name] = e.issued.book.Tally(n)
		}
	case c.new.State == health.Up:
		delete(in.suspects, name)
	}
}

// healthIncident is the open incident that a departure by health belongs to; a new one if there is none.
func (e *Engine) healthIncident(c *change, now time.Time) *ledger.Incident {
	for _, i := range e.incidents.all {
		if i.Open() && i.Kind == ledger.ByHealth && i.Zone == c.zone.Name && i.ReturnedAt.IsZero() && now.Sub(i.LeftAt) < joinWithin {
			return i
		}
	}
	return e.openIncident(&ledger.Incident{Kind: ledger.ByHealth, Zone: c.zone.Name, Cause: c.new.Reason, VerdictAt: now, OpenedAt: now})
}

// orderIncident is one of the order that takes an endpoint out of all answers, or of those of a service; without Intent if none does.
func orderIncident(z *config.Zone, p *config.Pool, of *config.Endpoint, service string, orders []health.Intent, now time.Time) *ledger.Incident {
	made := &ledger.Incident{Kind: ledger.ByIntent, Zone: z.Name, OpenedAt: now}
	for k := range orders {
		if o := &orders[k]; keepsOut(o, z, p, of, service, now) {
			orderedBy(made, o, now)
		}
	}
	return made
}

// keepsOut tells whether an order is in force by which an endpoint is not answered for a service; for any, where that is empty.
func keepsOut(o *health.Intent, z *config.Zone, p *config.Pool, of *config.Endpoint, service string, now time.Time) bool {
	return o.Service == service && o.TakesOut() && o.Active(now) && judge.Names(z, p, of, o.Scope)
}

// orderedBy makes an order the cause of an incident.
func orderedBy(i *ledger.Incident, o *health.Intent, now time.Time) {
	i.Intent, i.Actor, i.Cause, i.Title = o.ID.String(), o.Actor, o.Reason, o.Kind.String()+" "+o.Scope.String()
	if o.Service != "" {
		i.Title += " for " + strings.TrimSuffix(o.Service, ".")
	}
	if o.Start.Before(now) {
		i.OpenedAt = o.Start
	}
}

// sameOrder is the open incident of the order of made; made itself if there is none.
func (e *Engine) sameOrder(made *ledger.Incident) *ledger.Incident {
	for _, i := range e.incidents.all {
		if i.Open() && i.Kind == ledger.ByIntent && i.Zone == made.Zone && i.Intent == made.Intent {
			return i
		}
	}
	return e.openIncident(made)
}

// openIncident gives an incident its name.
func (e *Engine) openIncident(i *ledger.Incident) *ledger.Incident {
	in := &e.incidents
	in.counter++
	i.Node, i.Confirmed, i.Endpoints, i.Services = e.opts.Node, []ledger.Confirmation{}, []ledger.IncidentEndpoint{}, []ledger.IncidentService{}
	i.ID = fmt.Sprintf("%s-%s-%d", i.OpenedAt.UTC().Format("20060102-150405"), e.opts.Node, in.counter)
	in.all = append(in.all, i)
	e.opts.Events.Add("incident.opened", i.ID, i.Cause, map[string]any{"kind": i.Kind, "zone": i.Zone, "intent": i.Intent})
	for over := len(in.all) - maxIncidents; over > 0; over-- {
		k := slices.IndexFunc(in.all, func(i *ledger.Incident) bool { return !i.Open() })
		if k < 0 {
			break
		}
		e.keeper.drop(in.all[k].ID)
		in.all = slices.Delete(in.all, k, k+1)
	}
	return i
}

// change makes the incident another one; f changes the copy.
func (e *Engine) change(id string, f func(*ledger.Incident)) {
	for k, i := range e.incidents.all {
		if i.ID != id {
			continue
		}
		next := *i
		next.Endpoints, next.Services, next.Void = slices.Clone(i.Endpoints), slices.Clone(i.Services), slices.Clone(i.Void)
		f(&next)
		next.Derive()
		e.incidents.all[k] = &next
		e.keeper.keep(&next)
		return
	}
}

// join makes the endpoint of a change part of an incident.
func (e *Engine) join(c *change, name string, i *ledger.Incident, now time.Time) {
	number, ok := e.issued.book.Find(name)
	if !ok {
		return
	}
	m := &member{incident: i.ID, tally: e.issued.book.Tally(number)}
	var t trouble
	if c.pool.Check >= 0 {
		t = e.incidents.trouble[health.TargetOf(c.zone.Name, c.zone.Checks[c.pool.Check], c.endpoint).ID]
	}
	if tally := e.incidents.suspects[name]; tally != nil {
		m.tally = tally
		delete(e.incidents.suspects, name)
	}
	e.enlist(m, c.zone.Name, endpointNote(c.zone, c.pool, c.endpoint, now), func(i *ledger.Incident) {
		if i.Kind == ledger.ByHealth {
			if !t.failed.IsZero() && (i.FirstFailedProbe.IsZero() || t.failed.Before(i.FirstFailedProbe)) {
				i.FirstFailedProbe, i.LastGoodProbe = t.failed, t.good
			}
			if s := c.old.SuspectSince; !s.IsZero() && (i.SuspectAt.IsZero() || s.Before(i.SuspectAt)) {
				i.SuspectAt = s
			}
			i.Title = titleOf(i)
		}
		for _, k := range c.pool.Services {
			concerns(i, c.zone.Services[k])
		}
	})
}

// enlist makes m, of which note tells, a member of its incident; more adds what else is known.
func (e *Engine) enlist(m *member, zone string, note ledger.IncidentEndpoint, more func(*ledger.Incident)) {
	e.incidents.members[memberOf(zone, &note)] = m
	e.incidents.out[m.incident]++
	e.change(m.incident, func(i *ledger.Incident) {
		i.LeftAt, i.ReturnedAt = note.LeftAt, time.Time{}
		if len(i.Endpoints) < ledger.MaxIncidentEndpoints {
			i.Endpoints = append(i.Endpoints, note)
		} else {
			i.More++
		}
		more(i)
	})
}

// concerns adds what is declared of a service to an incident.
func concerns(i *ledger.Incident, svc *config.Service) {
	known := slices.ContainsFunc(i.Services, func(s ledger.IncidentService) bool { return s.Service == svc.Name })
	if !known && len(i.Services) < ledger.MaxIncidentEndpoints {
		i.Services = append(i.Services, ledger.IncidentService{
			Service: svc.Name, RTOSeconds: svc.Staleness.RTO.Seconds(), TargetSeconds: svc.Staleness.Target.Seconds(),
		})
	}
}

func endpointNote(z *config.Zone, p *config.Pool, e *config.Endpoint, now time.Time) ledger.IncidentEndpoint {
	note := ledger.IncidentEndpoint{Name: p.Name + "/" + e.Name, LeftAt: now}
	if p.Region < len(z.Regions) && e.AZ < len(z.AZs) {
		note.Region, note.AZ = z.Regions[p.Region].Name, z.AZs[e.AZ].Name
	}
	return note
}

// titleOf says what the endpoints have in common.
func titleOf(i *ledger.Incident) string {
	azs, regions := make(map[string]bool), make(map[string]bool)
	for _, e := range i.Endpoints {
		azs[e.AZ], regions[e.Region] = true, true
	}
	n := len(i.Endpoints) + i.More
	what := fmt.Sprintf("%d endpoints down", n)
	if n == 1 {
		return "endpoint " + i.Endpoints[0].Name + " down"
	}
	switch {
	case len(azs) == 1:
		return "az " + i.Endpoints[0].AZ + ": " + what
	case len(regions) == 1:
		return "region " + i.Endpoints[0].Region + ": " + what
	}
	return strings.TrimSuffix(i.Zone, ".") + ": " + what
}

// returned notes that an endpoint is answered again, or may be.
func (e *Engine) returned(key memberKey, now time.Time) {
	id := e.leave(key)
	e.change(id, func(i *ledger.Incident) {
		for k := range i.Endpoints {
			n := &i.Endpoints[k]
			if memberOf(i.Zone, n) == key && n.ReturnedAt.IsZero() {
				n.ReturnedAt = now
			}
		}
		if e.incidents.out[id] == 0 {
			i.ReturnedAt = now
		}
	})
}

// leave ends that an endpoint is out in its incident, and returns which that is.
func (e *Engine) leave(key memberKey) (incident string) {
	in := &e.incidents
	id := in.members[key].incident
	delete(in.members, key)
	if in.out[id]--; in.out[id] == 0 {
		delete(in.out, id)
	}
	return id
}

// followIncidents brings open incidents in line with what is known of caches, once a second.
func (e *Engine) followIncidents(now time.Time) {
	in := &e.incidents
	byIncident := make(map[string][]memberKey)
	for key, m := range in.members {
		byIncident[m.incident] = append(byIncident[m.incident], key)
	}
	for _, i := range slices.Clone(in.all) {
		if i.Open() {
			e.followIncident(i, byIncident[i.ID], now)
		}
	}
	all := slices.Clone(in.all)
	e.shownIncidents.Store(&all)
}

func (e *Engine) followIncident(i *ledger.Incident, keys []memberKey, now time.Time) {
	next := *i
	next.Confirmed, next.Unknown, next.Void, next.Services = slices.Clone(i.Confirmed), nil, slices.Clone(i.Void), slices.Clone(i.Services)
	// Whatever the order of the map was.
	slices.SortFunc(keys, memberKey.compare)
	known := len(keys) > 0
	var safe time.Time
	for _, key := range keys {
		d := e.departureOf(key)
		if d == nil {
			known = false
			continue
		}
		e.tallyUp(&next, key)
		mergeBound(&next, d, key.String())
		if known = known && d.bound.Known; d.bound.SafeAt.After(safe) {
			safe = d.bound.SafeAt
		}
	}
	if known {
		next.SafeAt = safe
		if next.KnownAt.IsZero() {
			next.KnownAt = now
		}
	}
	if i.Known() && !i.LeftAt.After(i.KnownAt) && len(next.Void) == len(i.Void) && next.SafeAt.After(i.SafeAt) {
		// A process that started since knows less than the one before it said.
		next.SafeAt, next.Confirmed = i.SafeAt, i.Confirmed
	}
	for _, c := range next.Confirmed {
		if c.Quiet.After(next.LastAnswerAt) {
			next.LastAnswerAt = c.Quiet
		}
	}
	// It is over when all are back, or when the order's traces are gone and it has ended.
	if !next.ReturnedAt.IsZero() && now.After(next.ReturnedAt) && (next.SafeAt.IsZero() || now.After(next.SafeAt)) && !e.ramping(&next, now) {
		next.ClosedAt = now
	}
	e.tellIncident(i, &next)
	if !sameIncident(i, &next) {
		e.change(i.ID, func(c *ledger.Incident) { *c = next })
	}
}

// tallyUp counts the answers of this node with an endpoint until it has left for good.
func (e *Engine) tallyUp(i *ledger.Incident, key memberKey) {
	m := e.incidents.members[key]
	n, ok := e.issued.book.Find(key.endpoint)
	if m.left || !ok || e.issued.book.At(n).State != ledger.Left {
		return
	}
	m.left = true
	i.Answers += m.tally.Total()
	m.tally = nil
	curve := e.issued.book.Curve(n)
	i.Outstanding += curve.Total()
	exposure := slices.Clone(i.Exposure)
	for k, v := range curve {
		if k == len(exposure) {
			exposure = append(exposure, 0)
		}
		exposure[k] += v
	}
	i.Exposure = exposure
}

// mergeBound takes in what the nodes say of one endpoint of the incident.
func mergeBound(i *ledger.Incident, d *departure, name string) {
	for _, c := range d.bound.Confirmed {
		k := slices.IndexFunc(i.Confirmed, func(o ledger.Confirmation) bool { return o.Node == c.Node })
		switch {
		case k < 0:
			i.Confirmed = append(i.Confirmed, c)
		case c.Until.After(i.Confirmed[k].Until):
			c.Quiet = ledger.Later(c.Quiet, i.Confirmed[k].Quiet)
			i.Confirmed[k] = c
		}
	}
	for _, u := range d.bound.Unknown {
		if !slices.ContainsFunc(i.Unknown, func(o ledger.Silent) bool { return o.Node == u.Node }) {
			i.Unknown = append(i.Unknown, u)
		}
	}
	for _, v := range d.void {
		w := ledger.VoidWord{Node: v.Node, Endpoint: name, At: v.At}
		if !slices.Contains(i.Void, w) && len(i.Void) < ledger.MaxIncidentEndpoints {
			i.Void = append(i.Void, w)
		}
	}
}

// ramping tells whether a pool of the incident is not back with its whole share.
func (e *Engine) ramping(i *ledger.Incident, now time.Time) bool {
	for zi, z := range e.cur.model.Zones {
		if z.Name != i.Zone {
			continue
		}
		for pi, p := range z.Pools {
			view := e.cur.zones[zi].pools[pi].view
			if !slices.ContainsFunc(i.Endpoints, func(n ledger.IncidentEndpoint) bool { return strings.HasPrefix(n.Name, p.Name+"/") }) {
				continue
			}
			for _, r := range append([]health.Return{view.Return}, view.ReturnAZ...) {
				for _, f := range p.Failbacks {
					if percent, _ := r.Share(f, now); percent < 100 {
						return true
					}
				}
			}
		}
	}
	return false
}

// sameIncident tells whether nothing moved that anybody wants to know.
func sameIncident(a, b *ledger.Incident) bool {
	return a.SafeAt.Equal(b.SafeAt) && a.KnownAt.Equal(b.KnownAt) && a.ClosedAt.Equal(b.ClosedAt) && a.LastAnswerAt.Equal(b.LastAnswerAt) &&
		a.Answers == b.Answers && a.Outstanding == b.Outstanding && len(a.Void) == len(b.Void) && slices.Equal(a.Confirmed, b.Confirmed) &&
		slices.EqualFunc(a.Unknown, b.Unknown, func(x, y ledger.Silent) bool { return x.Node == y.Node && x.Why == y.Why })
}

// Incidents are those that are kept, the newest last, as of the last second. They are not to be changed.
func (e *Engine) Incidents() []*ledger.Incident { return *e.shownIncidents.Load() }

// restoreIncidents goes on with those that were open when the last process ended: what they wait for is asked anew.
func (e *Engine) restoreIncidents(all []*ledger.Incident) {
	in := &e.incidents
	in.all = all
	for _, i := range all {
		if !i.Open() {
			continue
		}
		for _, n := range i.Endpoints {
			if n.ReturnedAt.IsZero() {
				in.members[memberOf(i.Zone, &n)] = &member{incident: i.ID, left: true}
				in.out[i.ID]++
			}
		}
	}
}

// dropMembers forgets endpoints that the model does not have any more.
func (e *Engine) dropMembers(now time.Time) {
	gone := make(map[string]bool)
	for key := range e.incidents.members {
		_, ok := e.issued.book.Find(key.endpoint)
		if _, has := e.issued.book.FindService(key.endpoint, key.service); !ok || key.service != "" && !has {
			gone[e.leave(key)] = true
		}
	}
	for id := range gone {
		if e.incidents.out[id] == 0 {
			e.change(id, func(i *ledger.Incident) { i.ReturnedAt = now })
		}
	}
}

// Amend changes what others know of an incident: what was seen to arrive late. amend must replace what it changes.
func (e *Engine) Amend(id string, amend func(*ledger.Incident)) (made *ledger.Incident, err error) {
	err = e.command(func(time.Time) error {
		e.change(id, amend)
		for _, i := range e.incidents.all {
			if i.ID == id {
				made = i
			}
		}
		if made == nil {
			return fmt.Errorf("no incident %q", id)
		}
		all := slices.Clone(e.incidents.all)
		e.shownIncidents.Store(&all)
		return nil
	})
	return made, err
}
