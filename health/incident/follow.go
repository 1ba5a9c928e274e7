package incident

import (
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/health/ledger"
)

// Follow brings open incidents in line with what is known of caches.
func (l *Log) Follow(w World, now time.Time) {
	for _, i := range slices.Clone(l.all) {
		if i.Open() {
			l.follow(i, w, now)
		}
	}
	l.Show()
}

func (l *Log) follow(i *ledger.Incident, w World, now time.Time) {
	next := *i
	next.Endpoints, next.Services = slices.Clone(i.Endpoints), slices.Clone(i.Services)
	next.Void, next.Unknown, next.Answered = slices.Clone(i.Void), nil, nil
	if !i.Forgotten() {
		next.Confirmed = []ledger.Confirmation{}
	}
	l.forgetting(&next, w, now)
	for k := range next.Services {
		l.service(&next, &next.Services[k], w, now)
	}
	next.Derive(now)
	if l.over(&next, w, now) {
		next.ClosedAt = now
	}
	l.tell(i, &next)
	if !same(i, &next) {
		l.change(i.ID, now, func(c *ledger.Incident) { *c = next })
	}
}

// forgetting takes in what the nodes say of the endpoints that are out.
func (l *Log) forgetting(i *ledger.Incident, w World, now time.Time) {
	known, final := true, true
	var safe, back time.Time
	asked := 0
	for k := range i.Endpoints {
		e := &i.Endpoints[k]
		if !e.ReturnedAt.IsZero() && !e.Removed {
			back = ledger.Later(back, e.ReturnedAt)
			continue
		}
		asked++
		l.count(i, e, w)
		f := w.Forgetting(i, e, e.Service)
		if i.Forgotten() {
			// That is certain. Who answers it since is a new fact.
			addAnswered(i, f.Answered)
			continue
		}
		mergeForgetting(i, &f)
		known, final, safe = known && f.Known, final && f.Final, ledger.Later(safe, f.SafeAt)
	}
	switch {
	case asked == 0 || i.Forgotten():
		// All are back, or what is known of them is final: that stands.
		return
	case !known:
		i.SafeAt, i.ForgottenAt = time.Time{}, time.Time{}
		return
	}
	if final {
		// It speaks of what was out then, and not of what came back before: caches may have held that until it did.
		safe = ledger.Later(safe, back)
	}
	i.SafeAt = safe
	// All of it is confirmed by words that were given after the latest instant of any of it, and after the incident began: what was forgotten
	// before may have been answered again by nodes that were not heard.
	said := ledger.Later(safe, i.OpenedAt)
	final = final && !slices.ContainsFunc(i.Confirmed, func(c ledger.Confirmation) bool { return c.Given.Before(said) })
	if i.KnownAt.IsZero() {
		i.KnownAt = now
	}
	if final && i.ForgottenAt.IsZero() {
		i.ForgottenAt = safe
	}
	for _, c := range i.Confirmed {
		i.LastAnswerAt = ledger.Later(i.LastAnswerAt, c.Quiet)
	}
}

// mergeForgetting takes in what the nodes say of one endpoint of the incident.
func mergeForgetting(i *ledger.Incident, f *Forgetting) {
	i.Confirmed = ledger.MergeConfirmed(i.Confirmed, f.Confirmed...)
	for _, u := range f.Unknown {
		if !slices.ContainsFunc(i.Unknown, func(o ledger.Silent) bool { return o.Node == u.Node }) {
			i.Unknown = append(i.Unknown, u)
		}
	}
	for _, v := range f.Void {
		known := slices.ContainsFunc(i.Void, func(o ledger.VoidWord) bool { return o.Node == v.Node && o.Endpoint == v.Endpoint && o.At.Equal(v.At) })
		if !known && len(i.Void) < ledger.MaxIncidentEndpoints {
			i.Void = append(i.Void, v)
		}
	}
	addAnswered(i, f.Answered)
}

// addAnswered adds what is answered all the same.
func addAnswered(i *ledger.Incident, all []ledger.StillAnswered) {
	if room := ledger.MaxIncidentEndpoints - len(i.Answered); room > 0 {
		i.Answered = append(i.Answered, all[:min(room, len(all))]...)
	}
}

// service brings the times of one service in line: of its own endpoints alone, so that another service's do not hold it up.
func (l *Log) service(i *ledger.Incident, s *ledger.IncidentService, w World, now time.Time) {
	switch serves := w.Serves(i.Zone, s.Service); {
	case !serves:
		s.AnsweredAt = time.Time{}
	case s.AnsweredAt.IsZero():
		s.AnsweredAt = now
	}
	if s.Loss != nil && s.Loss.SwitchAt.IsZero() && !s.AnsweredAt.IsZero() {
		switched := *s.Loss
		switched.SwitchAt = s.AnsweredAt
		s.Loss = &switched
	}
	if s.Final {
		return
	}
	known, final, any := true, true, false
	var safe, back time.Time
	for k := range i.Endpoints {
		e := &i.Endpoints[k]
		if e.Service != "" && e.Service != s.Service {
			continue
		}
		if !e.ReturnedAt.IsZero() && !e.Removed {
			back = ledger.Later(back, e.ReturnedAt)
			continue
		}
		any = true
		f := w.Forgetting(i, e, s.Service)
		known, final, safe = known && f.Known, final && f.Final, ledger.Later(safe, f.SafeAt)
	}
	switch {
	case !any:
		// What is up again need not be forgotten.
		if s.ForgottenAt.IsZero() || s.ForgottenAt.After(back) {
			s.ForgottenAt = back
		}
		s.Final = !s.AnsweredAt.IsZero()
	case known:
		s.ForgottenAt, s.Final = safe, final && !s.AnsweredAt.IsZero()
	default:
		s.ForgottenAt = time.Time{}
	}
}

// count takes in the answers of this node with an endpoint once it has left for good.
func (l *Log) count(i *ledger.Incident, e *ledger.IncidentEndpoint, w World) {
	at := countKey{i.ID, key(e)}
	before, counts := l.counted[at]
	if !counts {
		return
	}
	total, curve, left := w.Answers(e, i.Zone)
	if !left {
		return
	}
	delete(l.counted, at)
	if total > before {
		i.Answers += total - before
	}
	i.Outstanding += curve.Total()
	i.Exposure = slices.Clone(i.Exposure).Plus(curve)
}

// over tells whether an incident has ended: all are back, or no file has them, caches have forgotten, and every pool has its whole share.
func (l *Log) over(i *ledger.Incident, w World, now time.Time) bool {
	if i.Kind == ledger.ByConfig {
		return i.Forgotten() || !i.ReturnedAt.IsZero() && now.After(ledger.Later(i.ReturnedAt, i.SafeAt))
	}
	if i.ReturnedAt.IsZero() || !now.After(i.ReturnedAt) || !i.SafeAt.IsZero() && !now.After(i.SafeAt) {
		return false
	}
	if slices.ContainsFunc(i.Services, func(s ledger.IncidentService) bool { return s.AnsweredAt.IsZero() }) {
		return false
	}
	seen := make(map[string]bool)
	for k := range i.Endpoints {
		pool, _, _ := strings.Cut(i.Endpoints[k].Name, "/")
		if i.Endpoints[k].Removed && !i.Forgotten() {
			return false
		}
		if !seen[pool] && w.Ramping(i.Zone, pool) {
			return false
		}
		seen[pool] = true
	}
	return true
}

// tell tells of the bound of an incident, and of its end.
func (l *Log) tell(was, is *ledger.Incident) {
	data := func() map[string]any {
		return map[string]any{"kind": is.Kind, "zone": is.Zone, "intent": is.Intent, "safe_at": is.SafeAt, "phases": is.Phases, "title": is.Title}
	}
	if !was.Known() && is.Known() {
		l.opts.Events.Add("incident.bound_known", is.ID, "the last honest cache forgets at "+is.SafeAt.UTC().Format(time.RFC3339), data())
	}
	if len(is.Void) > len(was.Void) {
		v := is.Void[len(is.Void)-1]
		l.opts.Events.Add("incident.void", is.ID, v.Node+" answers "+v.Endpoint+" again", data())
	}
	if !was.Forgotten() && is.Forgotten() {
		l.opts.Events.Add("incident.forgotten", is.ID, "no honest cache held it"+is.Under()+" at "+is.ForgottenAt.UTC().Format(time.RFC3339), data())
	}
	if was.Open() && !is.Open() {
		l.opts.Events.Add("incident.closed", is.ID, is.Title, data())
	}
}

// same tells whether nothing moved that anybody wants to know.
func same(a, b *ledger.Incident) bool {
	return a.SafeAt.Equal(b.SafeAt) && a.KnownAt.Equal(b.KnownAt) && a.ForgottenAt.Equal(b.ForgottenAt) && a.ClosedAt.Equal(b.ClosedAt) &&
		a.LastAnswerAt.Equal(b.LastAnswerAt) && a.Answers == b.Answers && a.Outstanding == b.Outstanding && len(a.Void) == len(b.Void) &&
		len(a.Answered) == len(b.Answered) && slices.EqualFunc(a.Services, b.Services, sameService) &&
		slices.EqualFunc(a.Confirmed, b.Confirmed, func(x, y ledger.Confirmation) bool {
			return x.Node == y.Node && x.Until.Equal(y.Until) && x.Quiet.Equal(y.Quiet)
		}) &&
		slices.EqualFunc(a.Unknown, b.Unknown, func(x, y ledger.Silent) bool { return x.Node == y.Node && x.Why == y.Why })
}

func sameService(a, b ledger.IncidentService) bool {
	same := func(x, y *bool) bool { return (x == nil) == (y == nil) && (x == nil || *x == *y) }
	return a.Service == b.Service && a.AnsweredAt.Equal(b.AnsweredAt) && a.ForgottenAt.Equal(b.ForgottenAt) && a.Final == b.Final &&
		same(a.WithinRTO, b.WithinRTO) && same(a.WithinTarget, b.WithinTarget)
}
