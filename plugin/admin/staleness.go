package admin

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// departureShownFor is how long an endpoint is shown that left the answers although it is neither down nor drained: its tier
// has no turn any more.
const departureShownFor = time.Hour

func (s *Server) staleness(r *http.Request) (int, any) {
	values, err := query(r, "service")
	if err != nil {
		return invalid(err)
	}
	name := strings.ToLower(values.Get("service"))
	if name != "" && !strings.HasSuffix(name, ".") {
		name += "."
	}
	out := NewStaleness(s.opts.Node, name, s.opts.StartedAt, time.Now())
	if name != "" && len(out.Services) == 0 {
		return http.StatusNotFound, failure(http.StatusNotFound, fmt.Errorf("no service %s", name))
	}
	return http.StatusOK, out
}

// NewStaleness is what is known at now of what caches hold, of one service unless name is empty.
func NewStaleness(n Node, name string, startedAt, now time.Time) *api.Staleness {
	caches := n.Caches()
	out := &api.Staleness{
		Node: n.Name(), At: now, TransitSeconds: caches.Transit.Seconds(), ClampSeconds: caches.Clamp.Seconds(), Services: []api.ServiceStaleness{},
	}
	snap := n.Snapshot()
	if snap == nil {
		return out
	}
	left := departuresByService(n, startedAt, now)
	clear, why := n.Clear()
	if out.EarlierUnknown = why; why == "" && clear.After(now) {
		out.EarlierSafeAt = &clear
	}
	for _, zv := range snap.View.Zones {
		for _, svc := range zv.Zone.Services {
			all := left[svc.Name]
			if delete(left, svc.Name); name == "" || svc.Name == name {
				out.Services = append(out.Services, serviceStaleness(n, zv.Zone, svc, all, clear, why, now))
			}
		}
	}
	// What a file no longer has is in caches all the same.
	for _, gone := range slices.Sorted(maps.Keys(left)) {
		if name == "" || gone == name {
			one := api.ServiceStaleness{Service: gone, Removed: true, Departures: departureRows(left[gone], caches, now)}
			one.Forgetting = together(one.Departures)
			one.Lines = withSubscribers(Lines(&one.Forgetting, true, caches, false), left[gone])
			out.Services = append(out.Services, one)
		}
	}
	return out
}

// departuresByService are the departures to show, by the services whose answers they left.
func departuresByService(n Node, startedAt, now time.Time) map[string][]departure.Departure {
	left := make(map[string][]departure.Departure)
	for _, d := range shownDepartures(n, startedAt, now) {
		services := d.Services
		if len(services) == 0 {
			services = servicesOf(n, d.Label)
		}
		for _, service := range services {
			left[service] = append(left[service], d)
		}
	}
	return left
}

// servicesOf are the services whose SRV records may lead to an endpoint, whose host name alone it left; its host name, if no service has it now.
func servicesOf(n Node, l ledger.Label) (services []string) {
	if snap := n.Snapshot(); snap != nil {
		for _, zv := range snap.View.Zones {
			if zv.Zone.Name != l.Zone {
				continue
			}
			for _, svc := range zv.Zone.Services {
				if svc.SRV != nil && slices.ContainsFunc(svc.Pools, func(p int) bool { return zv.Zone.Pools[p].Name == l.Pool }) {
					services = append(services, svc.Name)
				}
			}
		}
	}
	if services == nil {
		services = append(services, l.Endpoint+"."+l.Pool+"."+l.Zone)
	}
	return services
}

// shownDepartures are the departures to show.
func shownDepartures(n Node, startedAt, now time.Time) []departure.Departure {
	return slices.DeleteFunc(slices.Clone(n.Departures()), func(d departure.Departure) bool {
		over := d.Bound.Final && now.Sub(d.Since) > departureShownFor
		early := !d.Since.After(startedAt.Add(time.Second))
		return d.Known && !d.Drained && !d.Down && (over || early)
	})
}

func serviceStaleness(n Node, z *config.Zone, svc *config.Service, left []departure.Departure, clear time.Time, why string, now time.Time) api.ServiceStaleness {
	caches := n.Caches()
	out := api.ServiceStaleness{
		Service: svc.Name, BoundSeconds: steer.BoundOf(z, svc, n.Allowances()).S.Seconds(),
		TargetSeconds: svc.Staleness.Target.Seconds(), RTOSeconds: svc.Staleness.RTO.Seconds(), Departures: departureRows(left, caches, now),
	}
	out.Forgetting = together(out.Departures)
	out.Lines = Lines(&out.Forgetting, len(left) > 0, caches, svc.Kind != config.Addresses)
	out.Secondaries = secondariesOf(n, left)
	for _, who := range out.Secondaries {
		out.Lines[2] += ", " + who + " (transfer.view: last)"
	}
	if len(left) == 0 && (why != "" || clear.After(now)) {
		// That there is nothing is a claim too.
		out.Lines[0] = "honest caches: nothing that left these answers is known here; " + unclear(clear, why)
		out.Lines[1] = fmt.Sprintf("caches that clamp to at least %d s: as above", int(caches.Clamp.Seconds()))
	}
	out.Lines = withSubscribers(out.Lines, left)
	return out
}

// unclear says until when, or why, answers of which this node knows nothing may be in caches.
func unclear(clear time.Time, why string) string {
	if why != "" {
		return "unknown: " + why
	}
	return "what was answered before the last start of a node is forgotten by " + clock(clear)
}

// departureRows are departures as the API shows them: one for each endpoint, whatever it has of addresses.
func departureRows(left []departure.Departure, caches config.Caches, now time.Time) []api.DepartureStaleness {
	rows := []api.DepartureStaleness{}
	for i := range left {
		d := departureStaleness(&left[i], caches, now)
		k := slices.IndexFunc(rows, func(o api.DepartureStaleness) bool {
			return o.Endpoint == d.Endpoint && o.ServiceOnly == d.ServiceOnly && d.Endpoint != ""
		})
		if k < 0 {
			rows = append(rows, d)
			continue
		}
		o := &rows[k]
		o.Forgetting = together([]api.DepartureStaleness{*o, d})
		o.Addresses, o.Names = unique(o.Addresses, d.Addresses), unique(o.Names, d.Names)
		o.Outstanding += d.Outstanding
		o.Subscribers = worseOf(o.Subscribers, d.Subscribers)
		o.Exposure = ledger.Curve(o.Exposure).Plus(d.Exposure)
		if d.LeftAt.After(o.LeftAt) {
			o.LeftAt = d.LeftAt
		}
	}
	slices.SortStableFunc(rows, func(a, b api.DepartureStaleness) int { return strings.Compare(a.Endpoint, b.Endpoint) })
	return rows
}

func departureStaleness(d *departure.Departure, caches config.Caches, now time.Time) api.DepartureStaleness {
	out := api.DepartureStaleness{
		Endpoint: strings.TrimSuffix(d.Zone, ".") + "/" + d.Name(), Region: d.Region, AZ: d.AZ, State: "out", LeftAt: d.Since,
		Addresses: []string{d.RData}, Outstanding: d.Outstanding.Total(), Exposure: d.Outstanding, Forgetting: ForgettingOf(&d.Bound, caches, now),
		ServiceOnly: d.Owner != "" || d.Moved, Subscribers: subscribersOf(&d.Heard),
	}
	if d.Owner != "" && d.Owner != d.Service {
		out.Names = []string{d.Owner}
	}
	switch {
	case d.Moved:
		out.Endpoint, out.Addresses = strings.TrimSuffix(d.Zone, ".")+"/"+d.RData, []string{}
	case d.Name() == "":
		out.Endpoint, out.State = strings.TrimSuffix(d.Zone, ".")+"/"+d.RData, "fixed"
	case !d.Known:
		out.State = "removed"
	case d.Drained:
		out.State = "drained"
	case d.Down:
		out.State = "down"
	}
	for _, v := range d.Void {
		out.Void = append(out.Void, api.VoidNode(v))
	}
	for _, v := range d.Again {
		out.Again = append(out.Again, api.VoidNode(v))
	}
	return out
}

// unique has what both have, once each.
func unique(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

// ForgettingOf is a bound as the API shows it at now.
func ForgettingOf(b *ledger.Bound, caches config.Caches, now time.Time) api.Forgetting {
	f := api.Forgetting{ConfirmedBy: []string{}}
	for _, c := range b.Confirmed {
		f.ConfirmedBy = append(f.ConfirmedBy, c.Node)
		if c.Fenced {
			f.Fenced = append(f.Fenced, c.Node)
		}
	}
	for _, s := range b.Unknown {
		f.Unknown = append(f.Unknown, api.UnknownNode{Node: s.Node, Since: instant(s.Since), Why: s.Why, Answering: s.Answering, LeaseSeconds: s.LeaseSeconds})
	}
	if !b.Known {
		f.AtLeast, f.Conditional = instant(b.Lower), instant(b.Conditional)
		return f
	}
	f.Final = b.Final
	f.SafeAt, f.ClampedSafeAt = instant(b.SafeAt), instant(b.Clamped(caches.Clamp, caches.Transit))
	remaining := max(0, b.SafeAt.Sub(now)).Seconds()
	f.RemainingSeconds = &remaining
	return f
}

// together is when caches have forgotten all of them.
func together(all []api.DepartureStaleness) api.Forgetting {
	f := api.Forgetting{ConfirmedBy: []string{}}
	for i := range all {
		d := &all[i]
		if i == 0 {
			f = d.Forgetting
			f.Unknown, f.Void = slices.Clone(f.Unknown), slices.Clone(f.Void)
			f.ConfirmedBy, f.Fenced = slices.Clone(f.ConfirmedBy), slices.Clone(f.Fenced)
			continue
		}
		f.SafeAt, f.ClampedSafeAt = laterOf(f.SafeAt, d.SafeAt), laterOf(f.ClampedSafeAt, d.ClampedSafeAt)
		f.Final = f.Final && d.Final
		if f.SafeAt == nil {
			f.ClampedSafeAt, f.RemainingSeconds = nil, nil
		} else if *d.RemainingSeconds > *f.RemainingSeconds {
			f.RemainingSeconds = d.RemainingSeconds
		}
		f.AtLeast = greatest(f.AtLeast, d.AtLeast, d.SafeAt)
		f.Conditional = conditional(f.Conditional, d)
		for _, u := range d.Unknown {
			if !slices.ContainsFunc(f.Unknown, func(o api.UnknownNode) bool { return o.Node == u.Node }) {
				f.Unknown = append(f.Unknown, u)
			}
		}
		for _, v := range d.Void {
			if !slices.ContainsFunc(f.Void, func(o api.VoidNode) bool { return o.Node == v.Node }) {
				f.Void = append(f.Void, v)
			}
		}
		f.ConfirmedBy = slices.DeleteFunc(f.ConfirmedBy, func(n string) bool { return !slices.Contains(d.ConfirmedBy, n) })
		f.Fenced = slices.Compact(slices.Sorted(slices.Values(append(f.Fenced, d.Fenced...))))
	}
	if f.SafeAt != nil {
		f.AtLeast, f.Conditional = nil, nil
	}
	return f
}

// laterOf is the later of two instants; nil, which is not known, if one of them is.
func laterOf(a, b *time.Time) *time.Time {
	if a == nil || b == nil {
		return nil
	}
	return greatest(a, b)
}

// greatest is the latest of some instants; nil ones do not count.
func greatest(all ...*time.Time) (last *time.Time) {
	for _, t := range all {
		if last == nil || t != nil && t.After(*last) {
			last = t
		}
	}
	return last
}

// conditional is a with the bound of d, should the silent nodes have stopped; nil if one of both has none.
func conditional(a *time.Time, d *api.DepartureStaleness) *time.Time {
	if d.SafeAt != nil {
		return greatest(a, d.SafeAt)
	}
	return laterOf(a, d.Conditional)
}

// Invisible is the third line: what no name server can see.
const Invisible = "not visible from DNS: open connections, JVM caches, serve-stale"

// Lines are the three things to know of caches, always together (docs/design.md section 8). left is set when something is to be
// forgotten, targets for services that answer with CNAMEs.
func Lines(f *api.Forgetting, left bool, caches config.Caches, targets bool) []string {
	honest, clamped := "nothing to forget", "nothing to forget"
	switch {
	case f.SafeAt != nil && f.Final:
		honest = "forgotten by " + clock(*f.SafeAt) + ", as every node has said since"
		clamped = "by " + clock(*f.ClampedSafeAt)
	case f.SafeAt != nil:
		honest = "by " + clock(*f.SafeAt)
		clamped = "by " + clock(*f.ClampedSafeAt)
	case left:
		honest, clamped = "unknown: "+unknownWords(f), "unknown, as above"
	}
	invisible := Invisible
	if targets {
		invisible += ", the CNAME target's own TTL"
	}
	return []string{
		fmt.Sprintf("honest caches: %s (exact, if resolvers accept within %s)", honest, caches.Transit),
		fmt.Sprintf("caches that clamp to at least %d s: %s", int(caches.Clamp.Seconds()), clamped),
		invisible,
	}
}

// unknownWords says who has not confirmed, and what is known all the same.
func unknownWords(f *api.Forgetting) string {
	var parts []string
	for _, u := range f.Unknown {
		part := u.Node + " " + u.Why
		if u.Answering {
			part = "void: " + u.Node + " answers it"
		}
		if u.Since != nil && strings.HasSuffix(u.Why, "since") {
			part += " " + clock(*u.Since)
		}
		if u.LeaseSeconds > 0 {
			part += fmt.Sprintf(" (it stops by itself once no majority has heard it for %gs)", u.LeaseSeconds)
		}
		parts = append(parts, part)
	}
	text := strings.Join(parts, ", ")
	if f.AtLeast != nil {
		text += "; not before " + clock(*f.AtLeast)
	}
	if f.Conditional != nil {
		text += "; " + clock(*f.Conditional) + " if who is silent stopped then"
	}
	return text
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05.0") + " UTC" }
