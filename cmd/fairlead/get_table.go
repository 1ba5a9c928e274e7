package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// columns is a table whose last columns are for -o wide alone.
type columns struct {
	*terminal.Table
	wide   bool
	narrow int
}

func newColumns(d drawing, header []string, wide ...string) *columns {
	c := &columns{Table: terminal.NewTable(header...), wide: d.wide, narrow: len(header)}
	if d.wide {
		c.Header = append(header[:len(header):len(header)], wide...)
	}
	return c
}

func (c *columns) add(m terminal.Mark, cells ...string) {
	cells = append([]string{m.Text()}, cells...)
	if !c.wide {
		cells = cells[:c.narrow]
	}
	c.Table.Add(m.Colour, cells...)
}

// done prints the table, or that there is nothing.
func (c *columns) done(d drawing) {
	if len(c.Rows) == 0 {
		fmt.Fprintln(d, "none")
	}
	c.Write(d, d.style, "")
}

func zoneTable(d drawing, head *api.Page, zones []api.ZoneItem) {
	t := newColumns(d, []string{"STATE", "ZONE", "SERIAL", "POOLS", "SERVICES", "ENDPOINTS UP", "DEGRADED"}, "HASH", "FILE")
	for _, z := range zones {
		m, file := statesMark(z.States), "-"
		if z.Degraded > 0 {
			m = terminal.MarkOf(health.Down, "degraded")
		}
		if z.File != nil {
			if file = z.File.Path; z.File.LastGood {
				file += ", which is not what runs: see `fairlead status`"
				m = terminal.MarkOf(health.Down, "last good")
			}
		}
		t.add(m, terminal.Spelled(z.Name), strconv.FormatUint(uint64(z.Serial), 10), strconv.Itoa(z.Pools), strconv.Itoa(z.Services), upOf(z.States),
			strconv.Itoa(z.Degraded), z.Hash[:min(len(z.Hash), 12)], file)
	}
	t.AlignRight(2, 3, 4)
	t.done(d)
}

// upOf is how many may be answered in the ordinary way, of how many.
func upOf(s api.States) string { return upText(s.Up+s.Suspect, s.Total()) }

// upText is how many of how many; of none there is nothing to be said.
func upText(up, of int) string {
	if of == 0 {
		return terminal.Dash("")
	}
	return fmt.Sprintf("%d of %d", up, of)
}

// emptyMark is that of a pool, a zone or a place without endpoints.
func emptyMark() terminal.Mark { return terminal.MarkOf(health.Unknown, "empty") }

// statesMark is the common state of endpoints, or "partly up".
func statesMark(s api.States) terminal.Mark {
	switch total := s.Total(); {
	case total == 0:
		return emptyMark()
	case s.Up == total:
		return terminal.MarkOf(health.Up, "")
	case s.Up+s.Suspect == total:
		return terminal.MarkOf(health.Suspect, "")
	case s.Down == total:
		return terminal.MarkOf(health.Down, "")
	case s.Drained == total:
		return terminal.MarkOf(health.Drained, "")
	case s.Unknown == total:
		return terminal.MarkOf(health.Unknown, "")
	case s.Up+s.Suspect == 0 && s.Down > 0:
		return terminal.MarkOf(health.Down, "")
	case s.Up+s.Suspect == 0:
		return terminal.MarkOf(health.Unknown, "")
	}
	return terminal.MarkOf(health.Suspect, "partly up")
}

func serviceTable(d drawing, _ *api.Page, services []api.ServiceItem) {
	t := newColumns(d, []string{"STATE", "SERVICE", "TTL", "BOUND", "POOLS"}, "AZS", "TARGET", "RTO", "PASSED OVER")
	for _, s := range services {
		azs := shareList(s.Shares, func(s api.Share) string { return s.AZ })
		pools := poolShares(s.Shares)
		if len(s.Shares) == 0 {
			pools = "nobody: NODATA"
		}
		if n := len(s.Worse) + s.MoreWorse; n > 0 {
			pools += "; worse for " + terminal.Count(n, "class")
		}
		t.add(serviceMark(s.Service), terminal.Spelled(s.Name), fmt.Sprintf("%ds", s.TTLSeconds), boundOf(s.BoundSeconds), pools, terminal.Dash(azs),
			wanted(s.TargetSeconds), wanted(s.RTOSeconds), terminal.Dash(strings.Join(s.Skipped, "; ")))
	}
	t.AlignRight(2, 3)
	t.done(d)
}

// boundOf is a bound for people; a service that nothing probes has none.
func boundOf(s float64) string {
	if s == 0 {
		return "none"
	}
	return terminal.Seconds(s)
}

// wanted is a declared time; a dash if none is.
func wanted(s float64) string {
	if s == 0 {
		return "-"
	}
	return terminal.Seconds(s)
}

// shareList is the sum of the shares by key, of the first family.
func shareList(shares []api.Share, key func(api.Share) string) string {
	var parts []string
	if families := groupShares(shares, func(s api.Share) string { return s.Family }); len(families) > 0 {
		for _, g := range groupShares(families[0].shares, key) {
			parts = append(parts, strings.TrimSpace(g.key+" "+terminal.Percent(g.sum)))
		}
	}
	return strings.Join(parts, ", ")
}

func poolTable(d drawing, head *api.Page, pools []api.PoolItem) {
	t := newColumns(d, []string{"STATE", "POOL", "REGION", "UP", "CHECK", "NOTE"}, "SUSPECT", "DOWN", "DRAINED", "UNKNOWN")
	for _, p := range pools {
		t.add(statesMark(p.States), terminal.Display(p.Zone)+"/"+p.Name, p.Region, upOf(p.States), checkOf(p.Check), terminal.Dash(noteOf(p, head.At)),
			strconv.Itoa(p.States.Suspect), strconv.Itoa(p.States.Down), strconv.Itoa(p.States.Drained), strconv.Itoa(p.States.Unknown))
	}
	t.AlignRight(6, 7, 8, 9)
	t.done(d)
}

// noteOf says what keeps a pool out or comes to it, as the status does.
func noteOf(p api.PoolItem, at time.Time) string {
	return report{status: &api.Status{At: at}}.poolNote(api.Zone{Name: p.Zone}, p.Pool)
}

func checkOf(name string) string {
	if name == "" {
		return "none: always up"
	}
	return name
}

func endpointTable(d drawing, head *api.Page, endpoints []api.EndpointItem) {
	t := newColumns(d, []string{"STATE", "ENDPOINT", "AZ", "ADDRESS", "WEIGHT", "SINCE", "WHY"}, "REGION", "PROBED", "IN A ROW", "LATENCY", "VANTAGES")
	for _, e := range endpoints {
		reason := e.Reason
		if e.Health != e.State && e.Health != "" {
			reason = terminal.JoinWords("; ", "by health "+e.Health, reason)
		}
		t.add(terminal.MarkOf(terminal.ParseState(e.State), ""), fullName(e), e.AZ, addressOf(e.Endpoint), strconv.Itoa(e.Weight), terminal.Since(e.Since, head.At), terminal.Dash(reason),
			e.Region, terminal.Dash(e.Probed), inARow(e.Endpoint), latencyOf(e.LatencySeconds), terminal.Dash(ballot(e.Vantages)))
	}
	t.AlignRight(4)
	t.done(d)
}

// fullName is that of an endpoint.
func fullName(e api.EndpointItem) string {
	return terminal.Display(e.Zone) + "/" + e.Pool + "/" + e.Name
}

// addressOf is what the endpoint is answered as.
func addressOf(e api.Endpoint) string {
	if e.Target != "" {
		return terminal.Display(e.Target)
	}
	if len(e.AddressStates) == 0 {
		return strings.Join(e.Addresses, ", ")
	}
	var words []string
	for _, a := range e.AddressStates {
		word := a.Address
		if a.Withheld {
			word += " (down)"
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

func latencyOf(s float64) string {
	if s == 0 {
		return "-"
	}
	return terminal.Latency(s)
}

// ballot counts what the vantages say.
func ballot(vantages []api.Vantage) string {
	var parts []string
	for _, word := range []string{"down", "up", "unknown"} {
		n := 0
		for _, v := range vantages {
			n += one(v.State == word)
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, word))
		}
	}
	return strings.Join(parts, ", ")
}

// areaTable is the table of regions or AZs.
func areaTable(name, place string) func(drawing, *api.Page, []api.Area) {
	return func(d drawing, _ *api.Page, areas []api.Area) {
		t := newColumns(d, []string{"STATE", name, place, "UP", "SERVICES", "GREATEST SHARE", "ORDERS"}, "SHARES")
		for _, a := range areas {
			where := a.Region
			if len(a.AZs) > 0 {
				where = strings.Join(a.AZs, ", ")
			}
			services, greatest, of := map[string]bool{}, 0.0, ""
			var shares []string
			for _, s := range a.Services {
				services[s.Service] = true
				shares = append(shares, terminal.Display(s.Service)+" "+s.Family+" "+terminal.Percent(s.Fraction))
				if s.Fraction > greatest {
					greatest, of = s.Fraction, terminal.Percent(s.Fraction)+" of "+terminal.Display(s.Service)
				}
			}
			var orders []string
			for _, i := range a.Intents {
				orders = append(orders, intentMark(&i).Text()+": "+intentWhat(&i))
			}
			t.add(statesMark(a.States), a.Name, where, upOf(a.States), strconv.Itoa(len(services)), terminal.Dash(of), terminal.Dash(strings.Join(orders, "; ")), terminal.Dash(strings.Join(shares, ", ")))
		}
		t.AlignRight(4)
		t.done(d)
	}
}
