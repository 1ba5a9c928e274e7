package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/engine"
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
	left := make(map[*config.Zone]map[int][]engine.Departure)
	lacks := make(map[*config.Service][]engine.Departure)
	for _, d := range n.Departures() {
		if !d.Drained && !d.Down && (now.Sub(d.Since) > departureShownFor || !d.Since.After(startedAt.Add(time.Second))) {
			continue
		}
		if d.Service != nil {
			lacks[d.Service] = append(lacks[d.Service], d)
			continue
		}
		if left[d.Zone] == nil {
			left[d.Zone] = make(map[int][]engine.Departure)
		}
		left[d.Zone][d.Pool] = append(left[d.Zone][d.Pool], d)
	}
	for _, zv := range snap.View.Zones {
		for _, svc := range zv.Zone.Services {
			if name != "" && svc.Name != name {
				continue
			}
			var all []engine.Departure
			for _, pool := range svc.Pools {
				all = append(all, left[zv.Zone][pool]...)
			}
			all = append(all, lacks[svc]...)
			out.Services = append(out.Services, serviceStaleness(n, zv.Zone, svc, all, now))
		}
	}
	return out
}

func serviceStaleness(n Node, z *config.Zone, svc *config.Service, left []engine.Departure, now time.Time) api.ServiceStaleness {
	caches := n.Caches()
	out := api.ServiceStaleness{
		Service: svc.Name, BoundSeconds: steer.BoundOf(z, svc, n.Allowances()).S.Seconds(),
		TargetSeconds: svc.Staleness.Target.Seconds(), RTOSeconds: svc.Staleness.RTO.Seconds(), Departures: []api.DepartureStaleness{},
	}
	for i := range left {
		out.Departures = append(out.Departures, departureStaleness(&left[i], caches, now))
	}
	out.Forgetting = together(out.Departures)
	out.Lines = Lines(&out.Forgetting, len(left) > 0, caches, svc.Kind == config.Targets)
	return out
}

func departureStaleness(d *engine.Departure, caches config.Caches, now time.Time) api.DepartureStaleness {
	p := d.Zone.Pools[d.Pool]
	e := p.Endpoints[d.Endpoint]
	out := api.DepartureStaleness{
		Endpoint: strings.TrimSuffix(d.Zone.Name, ".") + "/" + p.Name + "/" + e.Name, State: "out", LeftAt: d.Since,
		Outstanding: d.Outstanding.Total(), Exposure: d.Outstanding, Forgetting: ForgettingOf(&d.Bound, caches, now), ServiceOnly: d.Service != nil,
	}
	if p.Region < len(d.Zone.Regions) && e.AZ < len(d.Zone.AZs) {
		out.Region, out.AZ = d.Zone.Regions[p.Region].Name, d.Zone.AZs[e.AZ].Name
	}
	switch {
	case d.Drained:
		out.State = "drained"
	case d.Down:
		out.State = "down"
	}
	for _, v := range d.Void {
		out.Void = append(out.Void, api.VoidNode(v))
	}
	return out
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
		f.Unknown = append(f.Unknown, api.UnknownNode{Node: s.Node, Since: instant(s.Since), Why: s.Why, LeaseSeconds: s.LeaseSeconds})
	}
	if !b.Known {
		f.AtLeast, f.Conditional = instant(b.Lower), instant(b.Conditional)
		return f
	}
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

// Lines are the three things to know of caches, always together (DESIGN.md section 8). left is set when something is to be
// forgotten, targets for services that answer with CNAMEs.
func Lines(f *api.Forgetting, left bool, caches config.Caches, targets bool) []string {
	honest, clamped := "nothing to forget", "nothing to forget"
	switch {
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
