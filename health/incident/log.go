package incident

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fairlead-dns/fairlead/health/event"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

const (
	// joinWithin is how long after the last departure by health another one in the same zone belongs to the same incident; keptFor is how
	// long one that is over is kept.
	joinWithin = time.Minute
	keptFor    = 90 * 24 * time.Hour
)

// most bounds how many of a kind are kept: so noise of one kind evicts noise. The oldest that are over go first.
var most = map[string]int{ledger.ByHealth: 150, ledger.ByIntent: 150, ledger.ByConfig: 50}

// A World is what a Log asks while it follows its incidents.
type World interface {
	// Forgetting is how far caches have forgotten what answers carried of an endpoint: of all names, or of one service's.
	Forgetting(i *ledger.Incident, e *ledger.IncidentEndpoint, service string) Forgetting
	// Serves tells whether a service answers with something that is up.
	Serves(zone, service string) bool
	// Ramping tells whether a pool is not back with its whole share.
	Ramping(zone, pool string) bool
	// Answers is how many answers of this process carried the endpoint, and how many of them caches may hold, if it has left for good.
	Answers(e *ledger.IncidentEndpoint, zone string) (total uint64, curve ledger.Curve, left bool)
}

// A Forgetting is a bound, and who answers all the same.
type Forgetting struct {
	ledger.Bound
	Void     []ledger.VoidWord
	Answered []ledger.StillAnswered
}

// Options are what a Log works with.
type Options struct {
	Node string
	// State is the directory that incidents are kept under; empty for none.
	State  string
	Events *event.Log
	Logger *slog.Logger
}

// A Log is the incidents of one node.
type Log struct {
	opts    Options
	keeper  *keeper
	all     []*ledger.Incident // values: a change makes another one
	counter int
	// counted are the totals of answers when an endpoint began to fail or left, by incident and endpoint; gone once taken in.
	counted map[countKey]uint64
	shown   atomic.Pointer[[]*ledger.Incident]
}

type countKey struct{ incident, endpoint string }

// Open reads what is kept.
func Open(o Options) *Log {
	l := &Log{opts: o, keeper: newKeeper(o.State, o.Logger), counted: make(map[countKey]uint64)}
	l.all = l.keeper.load()
	l.Show()
	return l
}

// Run writes until ctx ends.
func (l *Log) Run(ctx context.Context) error { return l.keeper.run(ctx) }

// Show publishes what Incidents returns.
func (l *Log) Show() {
	all := slices.Clone(l.all)
	l.shown.Store(&all)
}

// Incidents are those that are kept, the newest last, as of the last Show. They are not to be changed.
func (l *Log) Incidents() []*ledger.Incident { return *l.shown.Load() }

// A Cause opens an incident, or joins an open one of the same.
type Cause struct {
	Kind, Zone, Title, Text string
	// Intent and Actor are of an order.
	Intent, Actor string
	At            time.Time
	// VerdictAt is set for causes by health.
	VerdictAt time.Time
}

// of is the open incident of a cause; a new one if there is none.
func (l *Log) of(c *Cause, now time.Time) *ledger.Incident {
	for _, i := range slices.Backward(l.all) {
		if !i.Open() || i.Kind != c.Kind || i.Zone != c.Zone {
			continue
		}
		switch c.Kind {
		case ledger.ByHealth:
			if now.Sub(i.LeftAt) < joinWithin {
				return i
			}
		case ledger.ByIntent:
			if i.Intent == c.Intent && (c.Intent != "" || i.Title == c.Title) {
				return i
			}
		default:
			if i.OpenedAt.Equal(c.At) {
				return i
			}
		}
	}
	return l.open(c, now)
}

func (l *Log) open(c *Cause, now time.Time) *ledger.Incident {
	l.counter++
	i := &ledger.Incident{
		Kind: c.Kind, Zone: c.Zone, Title: c.Title, Cause: c.Text, Intent: c.Intent, Actor: c.Actor, OpenedAt: c.At, VerdictAt: c.VerdictAt,
		Node: l.opts.Node, Confirmed: []ledger.Confirmation{}, Endpoints: []ledger.IncidentEndpoint{}, Services: []ledger.IncidentService{},
	}
	i.ID = fmt.Sprintf("%s-%s-%d", i.OpenedAt.UTC().Format("20060102-150405"), l.opts.Node, l.counter)
	l.all = append(l.all, i)
	l.opts.Events.Add("incident.opened", i.ID, i.Cause, map[string]any{"kind": i.Kind, "zone": i.Zone, "intent": i.Intent})
	l.evict(c.Kind, now)
	return i
}

// evict drops what is over: the oldest of a kind of which there are too many, and all that is too old.
func (l *Log) evict(kind string, now time.Time) {
	n := 0
	for _, i := range l.all {
		if i.Kind == kind {
			n++
		}
	}
	l.all = slices.DeleteFunc(l.all, func(i *ledger.Incident) bool {
		drop := !i.Open() && (i.Kind == kind && n > most[kind] || now.Sub(i.ClosedAt) > keptFor)
		if drop {
			if i.Kind == kind {
				n--
			}
			l.keeper.drop(i.ID)
		}
		return drop
	})
}

// change makes the incident another one; f changes the copy.
func (l *Log) change(id string, now time.Time, f func(*ledger.Incident)) *ledger.Incident {
	for k, i := range l.all {
		if i.ID != id {
			continue
		}
		next := *i
		next.Endpoints, next.Services, next.Void = slices.Clone(i.Endpoints), slices.Clone(i.Services), slices.Clone(i.Void)
		f(&next)
		next.Derive(now)
		l.all[k] = &next
		l.keeper.keep(&next)
		return &next
	}
	return nil
}

// Amend changes what others know of an incident: what was seen to arrive late. amend must replace what it changes.
func (l *Log) Amend(id string, now time.Time, amend func(*ledger.Incident)) (*ledger.Incident, error) {
	made := l.change(id, now, amend)
	if made == nil {
		return nil, fmt.Errorf("no incident %q", id)
	}
	l.Show()
	return made, nil
}

// A Member is an endpoint that a cause takes out, for one service alone where Endpoint.Service is set.
type Member struct {
	Endpoint ledger.IncidentEndpoint
	// Good and Failed are the last good and the first failed probe, Suspect when suspicion began to shorten TTLs; zero where unknown.
	Good, Failed, Suspect time.Time
	// Services are those that it is of, with what is declared of them.
	Services []ledger.IncidentService
	// Counted is how many answers had carried it when it began to fail, or was ordered out.
	Counted uint64
}

// Join makes an endpoint part of the incident of a cause. One that is part of an open incident already, and went out again, is a relapse.
func (l *Log) Join(c *Cause, m *Member, now time.Time) {
	if id := l.relapse(c, m, now); id != "" {
		return
	}
	i := l.of(c, now)
	l.counted[countKey{i.ID, key(&m.Endpoint)}] = m.Counted
	l.change(i.ID, now, func(i *ledger.Incident) {
		i.LeftAt, i.ReturnedAt, i.ForgottenAt, i.KnownAt = m.Endpoint.LeftAt, time.Time{}, time.Time{}, time.Time{}
		if i.FirstLeftAt.IsZero() {
			i.FirstLeftAt = i.LeftAt
		}
		if len(i.Endpoints) < ledger.MaxIncidentEndpoints {
			i.Endpoints = append(i.Endpoints, m.Endpoint)
		} else {
			i.More++
		}
		if i.Kind == ledger.ByHealth {
			if !m.Failed.IsZero() && (i.FirstFailedProbe.IsZero() || m.Failed.Before(i.FirstFailedProbe)) {
				i.FirstFailedProbe, i.LastGoodProbe = m.Failed, m.Good
			}
			if !m.Suspect.IsZero() && (i.SuspectAt.IsZero() || m.Suspect.Before(i.SuspectAt)) {
				i.SuspectAt = m.Suspect
			}
		}
		if c.Title == "" {
			i.Title = titleOf(i)
		}
		for _, s := range m.Services {
			concern(i, s)
		}
	})
}

// key is how an endpoint of an incident is told from the others.
func key(e *ledger.IncidentEndpoint) string { return e.Name + "@" + e.Service }

// relapse notes that an endpoint of an open incident of the same kind went out again; it returns which that is, empty for none.
func (l *Log) relapse(c *Cause, m *Member, now time.Time) string {
	for _, i := range slices.Backward(l.all) {
		if !i.Open() || i.Kind != c.Kind || i.Zone != c.Zone || i.Intent != c.Intent || c.Intent == "" && c.Kind == ledger.ByIntent && i.Title != c.Title || c.Kind == ledger.ByConfig {
			continue
		}
		k := slices.IndexFunc(i.Endpoints, func(e ledger.IncidentEndpoint) bool { return key(&e) == key(&m.Endpoint) })
		if k < 0 {
			continue
		}
		again := !i.Endpoints[k].ReturnedAt.IsZero()
		l.change(i.ID, now, func(i *ledger.Incident) {
			if again {
				i.Relapses++
			}
			e := &i.Endpoints[k]
			if e.ReturnedAt = (time.Time{}); again {
				e.LeftAgainAt = m.Endpoint.LeftAt
			}
			e.Addresses = union(e.Addresses, m.Endpoint.Addresses)
			i.LeftAt, i.ReturnedAt, i.ForgottenAt, i.KnownAt = m.Endpoint.LeftAt, time.Time{}, time.Time{}, time.Time{}
			for s := range i.Services {
				i.Services[s].Final = false
			}
			for _, s := range m.Services {
				if s.Loss != nil {
					// What may be lost is that of the last time.
					concern(i, s)
				}
			}
		})
		return i.ID
	}
	return ""
}

// union is a with what only b has; neither is changed.
func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// concern adds a service to an incident; of two times the earlier one is when it began.
func concern(i *ledger.Incident, s ledger.IncidentService) {
	k := slices.IndexFunc(i.Services, func(o ledger.IncidentService) bool { return o.Service == s.Service })
	switch {
	case k < 0 && len(i.Services) < ledger.MaxIncidentEndpoints:
		i.Services = append(i.Services, s)
	case k >= 0:
		if s.Since.Before(i.Services[k].Since) {
			i.Services[k].Since = s.Since
		}
		if s.Loss != nil {
			i.Services[k].Loss = s.Loss
		}
	}
}

// titleOf says what the endpoints have in common.
func titleOf(i *ledger.Incident) string {
	azs, regions, names := make(map[string]bool), make(map[string]bool), make(map[string]bool)
	for _, e := range i.Endpoints {
		// One that left several services stands there once for each.
		azs[e.AZ], regions[e.Region], names[e.Name] = true, true, true
	}
	word := "down"
	if i.Kind == ledger.ByConfig {
		word = "taken out by the file"
	}
	n := len(names) + i.More
	what := fmt.Sprintf("%d endpoints %s", n, word)
	switch {
	case n == 1:
		return "endpoint " + i.Endpoints[0].Name + " " + word
	case len(azs) == 1:
		return "az " + i.Endpoints[0].AZ + ": " + what
	case len(regions) == 1:
		return "region " + i.Endpoints[0].Region + ": " + what
	}
	return strings.TrimSuffix(i.Zone, ".") + ": " + what
}

// Returned notes that an endpoint may be answered again; removed, that no file has it any more. service is that of an endpoint that one
// service alone lacks.
func (l *Log) Returned(zone, name, service string, removed bool, now time.Time) {
	for _, i := range slices.Clone(l.all) {
		if !i.Open() || i.Zone != zone || removed && i.Kind == ledger.ByConfig {
			continue
		}
		k := slices.IndexFunc(i.Endpoints, func(e ledger.IncidentEndpoint) bool { return e.Name == name && e.Service == service })
		if k < 0 || !i.Endpoints[k].ReturnedAt.IsZero() && (removed || !i.Endpoints[k].Removed) {
			continue
		}
		l.change(i.ID, now, func(i *ledger.Incident) {
			i.Endpoints[k].ReturnedAt, i.Endpoints[k].Removed = now, removed
			if !slices.ContainsFunc(i.Endpoints, func(e ledger.IncidentEndpoint) bool { return e.ReturnedAt.IsZero() }) {
				i.ReturnedAt = now
			}
		})
	}
}

// Reappeared notes that an endpoint that no file had is in one again, and as much out as before.
func (l *Log) Reappeared(zone, name, service string, now time.Time) {
	for _, i := range slices.Clone(l.all) {
		if !i.Open() || i.Zone != zone || i.Kind == ledger.ByConfig {
			continue
		}
		k := slices.IndexFunc(i.Endpoints, func(e ledger.IncidentEndpoint) bool { return e.Name == name && e.Service == service && e.Removed })
		if k < 0 {
			continue
		}
		l.change(i.ID, now, func(i *ledger.Incident) {
			i.Endpoints[k].ReturnedAt, i.Endpoints[k].Removed = time.Time{}, false
			i.ReturnedAt = time.Time{}
		})
	}
}

// Carried notes that answers for a service carried one more thing of an endpoint that is out: what caches hold of all of it is to be forgotten.
// counted is how many did.
func (l *Log) Carried(zone, name, service, rdata string, counted uint64, now time.Time) {
	for _, i := range slices.Clone(l.all) {
		k := slices.IndexFunc(i.Endpoints, func(e ledger.IncidentEndpoint) bool {
			return e.Name == name && e.Service == service && e.ReturnedAt.IsZero()
		})
		if !i.Open() || i.Zone != zone || k < 0 || slices.Contains(i.Endpoints[k].Addresses, rdata) {
			continue
		}
		l.change(i.ID, now, func(i *ledger.Incident) {
			e := &i.Endpoints[k]
			e.Addresses = union(e.Addresses, []string{rdata})
			if at := (countKey{i.ID, key(e)}); i.LeftAt.Equal(now) {
				l.counted[at] += counted
			}
			i.ForgottenAt = time.Time{}
		})
	}
}

// Out tells whether an endpoint is out in an open incident.
func (l *Log) Out(zone, name, service string) bool {
	return slices.ContainsFunc(l.all, func(i *ledger.Incident) bool {
		return i.Open() && i.Zone == zone && slices.ContainsFunc(i.Endpoints, func(e ledger.IncidentEndpoint) bool {
			return e.Name == name && e.Service == service && e.ReturnedAt.IsZero()
		})
	})
}

// EachOut calls f for the endpoints of open incidents that are out, or in no file.
func (l *Log) EachOut(f func(zone string, e *ledger.IncidentEndpoint)) {
	for _, i := range slices.Clone(l.all) {
		for k := range i.Endpoints {
			if e := &i.Endpoints[k]; i.Open() && (e.ReturnedAt.IsZero() || e.Removed) {
				f(i.Zone, e)
			}
		}
	}
}
