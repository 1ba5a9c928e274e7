package ui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const (
	// maxRows is how many services the overview lists; the search finds the others.
	maxRows = 40
	// maxEvents and maxIncidents are how many it lists of each.
	maxEvents    = 12
	maxIncidents = 6
)

// An overview is the answer to: what is down, who says so, what do clients get, how long do caches still lie.
type overview struct {
	Look *look
	Head headline
	// Query is what was searched for; More counts the services that are not listed.
	Query    string
	Services []serviceRow
	More     int
	Total    int
	Regions  []regionRow
	// Down are the endpoints that are not up, as the node sees them: the first of them, and how many more.
	Down     []endpointRow
	MoreDown int
	Events   []api.Event
	Open     []*ledger.Incident
	Orders   []api.Intent
}

// A serviceRow is one service.
type serviceRow struct {
	api.Service
	Zone string
	// Severity orders the rows, the greatest first; 0 is well.
	Severity  int
	Mark      mark
	Staleness *api.ServiceStaleness
	Shares    []azShare
	Bar       bar
}

// Left tells whether something that the service answered has left its answers.
func (r *serviceRow) Left() bool { return r.Staleness != nil && len(r.Staleness.Departures) > 0 }

// stale is what is known of caches, or nothing.
func (r *serviceRow) stale() *api.ServiceStaleness {
	if r.Staleness == nil {
		return new(api.ServiceStaleness)
	}
	return r.Staleness
}

// An azShare is the part of a service's answers that leads to one AZ.
type azShare struct {
	AZ string
	// Tone is the colour, of which there are so many that neighbours differ. From and Width are percents of the bar.
	Tone        int
	From, Width float64
	Fraction    float64
}

// tones is how many colours bars have.
const tones = 8

// A regionRow is one region of the grid.
type regionRow struct {
	Name string
	AZs  []azCell
}

// An azCell is one AZ: how many endpoints are in which state, and its mean part of the answers of the services that are planned to lead
// there.
type azCell struct {
	Name     string
	Region   string
	States   api.States
	Mark     mark
	Services int
	// Share is the mean over the services that have answers.
	Share float64
	// CountedShare is the part of the answers that this node gave lately, if it Counted any.
	CountedShare float64
	Counted      bool
	Tone         int
}

// An endpointRow is one endpoint that is not simply up.
type endpointRow struct {
	Zone, Pool string
	api.Endpoint
	// Says counts the vantages that say down, of those that say something.
	Says, Of int
}

func loadOverview(v *visit) (any, error) {
	l := v.ui.hub.look()
	o := &overview{Look: l, Query: strings.TrimSpace(v.r.URL.Query().Get("q"))}
	tone := tonesOf(l.Status)
	rows := serviceRows(l, tone)
	o.Total = len(rows)
	o.Head = headlineOf(l, rows)
	rows = slices.DeleteFunc(rows, func(r serviceRow) bool { return !strings.Contains(r.Name, strings.ToLower(o.Query)) })
	slices.SortStableFunc(rows, func(a, b serviceRow) int { return cmp.Compare(b.Severity, a.Severity) })
	o.More = max(0, len(rows)-maxRows)
	o.Services = rows[:len(rows)-o.More]
	o.Regions = regionsOf(l.Status, tone)
	if counted := v.ui.hub.counted(v); len(counted) > 0 {
		for i := range o.Regions {
			for k := range o.Regions[i].AZs {
				c := &o.Regions[i].AZs[k]
				c.Counted, c.CountedShare = true, counted[c.Name]
			}
		}
	}
	o.Down = notUp(l.Status)
	o.MoreDown = max(0, len(o.Down)-maxRows)
	o.Down = o.Down[:len(o.Down)-o.MoreDown]
	o.Events = v.ui.opts.Backend.Events(maxEvents)
	slices.Reverse(o.Events)
	for _, i := range l.Incidents {
		if i.Open() && len(o.Open) < maxIncidents {
			o.Open = append(o.Open, i)
		}
	}
	o.Orders = l.Status.Intents
	return o, nil
}

// tonesOf gives every AZ a colour, in the order of the files.
func tonesOf(s *api.Status) map[string]int {
	out := make(map[string]int)
	for _, z := range s.Zones {
		for _, p := range z.Pools {
			for _, e := range p.Endpoints {
				if _, ok := out[e.AZ]; !ok {
					out[e.AZ] = len(out) % tones
				}
			}
		}
	}
	return out
}

func serviceRows(l *look, tone map[string]int) []serviceRow {
	stale := make(map[string]*api.ServiceStaleness, len(l.Staleness.Services))
	for i := range l.Staleness.Services {
		stale[l.Staleness.Services[i].Service] = &l.Staleness.Services[i]
	}
	var rows []serviceRow
	for _, z := range l.Status.Zones {
		for _, s := range z.Services {
			r := serviceRow{Service: s, Zone: z.Name, Staleness: stale[s.Name], Shares: azShares(s.Shares, tone)}
			r.Severity, r.Mark = severityOf(&r)
			r.Bar = barOf(&r, l.At)
			rows = append(rows, r)
		}
	}
	for name, s := range stale {
		if s.Removed {
			r := serviceRow{Service: api.Service{Name: name}, Staleness: s, Severity: sevForgetting, Mark: mark{"drained", "removed"}}
			r.Bar = barOf(&r, l.At)
			rows = append(rows, r)
		}
	}
	return rows
}

// The severities of services, the worst last.
const (
	sevWell = iota
	sevPending
	sevDrained
	sevOverTarget
	sevForgetting
	sevReduced
	sevUnknown
	sevLastResort
	sevDark
)

// severityOf is how a service stands, and its mark.
func severityOf(r *serviceRow) (int, mark) {
	var down, drained, open, unknown bool
	if r.Staleness != nil {
		for i := range r.Staleness.Departures {
			d := &r.Staleness.Departures[i]
			down = down || d.State == "down"
			drained = drained || d.State == "drained"
			open = open || !d.Final
			unknown = unknown || d.SafeAt == nil
		}
	}
	switch {
	case r.Source == "nodata", r.Source == "yielded":
		return sevDark, mark{"down", "no answer"}
	case r.Source == "island":
		return sevReduced, mark{"suspect", "island"}
	case r.Degraded:
		return sevLastResort, mark{"down", "last resort: " + strings.ReplaceAll(r.Source, "_", " ")}
	case unknown:
		return sevUnknown, mark{"suspect", "caches unknown"}
	case down && open:
		return sevReduced, mark{"suspect", "part down"}
	case open:
		return sevForgetting, mark{"drained", "leaving caches"}
	case down:
		return sevReduced, mark{"suspect", "part down"}
	case r.TargetSeconds > 0 && r.BoundSeconds > r.TargetSeconds:
		return sevOverTarget, mark{"suspect", "bound over target"}
	case drained:
		return sevDrained, mark{"drained", "part drained"}
	case r.Source == "pending":
		return sevPending, mark{"unknown", "pending"}
	}
	return sevWell, mark{"up", "up"}
}

// azShares are the parts of the AZs: the mean over the record types that are answered, so that an AZ with the only AAAA is not an empty one.
func azShares(shares []api.Share, tone map[string]int) []azShare {
	var out []azShare
	families := make(map[string]bool)
	for _, s := range shares {
		families[s.Family] = true
	}
	for _, s := range shares {
		name := s.AZ
		if name == "" {
			name = s.Data
		}
		k := slices.IndexFunc(out, func(a azShare) bool { return a.AZ == name })
		if k < 0 {
			k = len(out)
			out = append(out, azShare{AZ: name, Tone: tone[s.AZ]})
		}
		out[k].Fraction += s.Fraction / float64(len(families))
	}
	from := 0.0
	for i := range out {
		out[i].From, out[i].Width = from, out[i].Fraction*100
		from += out[i].Width
	}
	return out
}

// regionsOf is the grid.
func regionsOf(s *api.Status, tone map[string]int) []regionRow {
	cells := make(map[string]*azCell)
	var order []string
	for _, z := range s.Zones {
		for _, p := range z.Pools {
			for _, e := range p.Endpoints {
				c := cells[e.AZ]
				if c == nil {
					c = &azCell{Name: e.AZ, Region: p.Region, Tone: tone[e.AZ]}
					cells[e.AZ], order = c, append(order, e.AZ)
				}
				count(&c.States, e.State)
			}
		}
	}
	services := 0
	for _, z := range s.Zones {
		for _, svc := range z.Services {
			parts := azShares(svc.Shares, tone)
			if len(parts) > 0 {
				services++
			}
			for _, a := range parts {
				if c := cells[a.AZ]; c != nil {
					c.Services++
					c.Share += a.Fraction
				}
			}
		}
	}
	var regions []regionRow
	for _, name := range order {
		c := cells[name]
		c.Mark = cellMark(&c.States)
		c.Share /= float64(max(1, services))
		k := slices.IndexFunc(regions, func(r regionRow) bool { return r.Name == c.Region })
		if k < 0 {
			k = len(regions)
			regions = append(regions, regionRow{Name: c.Region})
		}
		regions[k].AZs = append(regions[k].AZs, *c)
	}
	return regions
}

func count(s *api.States, state string) {
	switch state {
	case "up":
		s.Up++
	case "suspect":
		s.Suspect++
	case "down":
		s.Down++
	case "drained":
		s.Drained++
	default:
		s.Unknown++
	}
}

// cellMark is the mark of an AZ: that of the worst of its endpoints, in words how many.
func cellMark(s *api.States) mark {
	all := s.Total()
	part := func(n int, word string) string {
		if n == all {
			return word
		}
		return fmt.Sprintf("%d of %d %s", n, all, word)
	}
	switch {
	case s.Down > 0:
		return mark{"down", part(s.Down, "down")}
	case s.Suspect > 0:
		return mark{"suspect", part(s.Suspect, "suspect")}
	case s.Drained > 0:
		return mark{"drained", part(s.Drained, "drained")}
	case s.Unknown > 0:
		return mark{"unknown", part(s.Unknown, "unknown")}
	}
	return mark{"up", "up"}
}

// stateRank orders endpoints, what needs a look first.
var stateRank = map[string]int{"down": 0, "suspect": 1, "unknown": 2, "drained": 3}

// notUp are the endpoints that are not simply up, what needs a look first.
func notUp(s *api.Status) []endpointRow {
	var out []endpointRow
	for _, z := range s.Zones {
		for _, p := range z.Pools {
			for _, e := range p.Endpoints {
				if e.State == "up" && e.Forced == nil {
					continue
				}
				r := endpointRow{Zone: z.Name, Pool: p.Name, Endpoint: e}
				for _, w := range e.Vantages {
					if w.State != "unknown" {
						r.Of++
					}
					if w.State == "down" {
						r.Says++
					}
				}
				out = append(out, r)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b endpointRow) int { return cmp.Compare(stateRank[a.State], stateRank[b.State]) })
	return out
}

// A bar is how the staleness bound stands against its target, in percents of its length, and what caches still hold.
type bar struct {
	Bound, Target float64
	Over          bool
	// Curve is the exposure as points of a polygon in a box of 100 by 20, from now to Seconds; empty without one.
	Curve   string
	Seconds int
	Answers uint64
	// From is when the countdown began: the latest departure.
	From time.Time
}

func barOf(r *serviceRow, now time.Time) bar {
	length := max(r.BoundSeconds, r.TargetSeconds) * 1.1
	var b bar
	if length > 0 {
		b.Bound, b.Target = r.BoundSeconds/length*100, r.TargetSeconds/length*100
		b.Over = r.TargetSeconds > 0 && r.BoundSeconds > r.TargetSeconds
	}
	if r.Staleness == nil {
		return b
	}
	var sum []uint64
	for _, d := range r.Staleness.Departures {
		if d.LeftAt.After(b.From) {
			b.From = d.LeftAt
		}
		if d.Final {
			continue
		}
		b.Answers += d.Outstanding
		for i, n := range d.Exposure {
			for len(sum) <= i {
				sum = append(sum, 0)
			}
			sum[i] += n
		}
	}
	b.Curve, b.Seconds = curve(sum)
	return b
}

// curve draws how many answers caches still hold after so many seconds: the sum of what expires from then on.
func curve(expires []uint64) (points string, length int) {
	var total uint64
	for _, n := range expires {
		total += n
	}
	if total == 0 {
		return "", 0
	}
	var text strings.Builder
	text.WriteString("0,20")
	left, length := total, len(expires)
	for i, n := range expires {
		y := 20 - 20*float64(left)/float64(total)
		fmt.Fprintf(&text, " %.1f,%.1f %.1f,%.1f", 100*float64(i)/float64(length), y, 100*float64(i+1)/float64(length), y)
		left -= n
	}
	text.WriteString(" 100,20")
	return text.String(), length
}
