package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// columns is a table whose last columns are for -o wide alone.
type columns struct {
	*table
	wide   bool
	narrow int
}

func newColumns(d drawing, header []string, wide ...string) *columns {
	c := &columns{table: newTable(header...), wide: d.wide, narrow: len(header)}
	if d.wide {
		c.header = append(header[:len(header):len(header)], wide...)
	}
	return c
}

func (c *columns) add(m mark, cells ...string) {
	cells = append([]string{m.text()}, cells...)
	if !c.wide {
		cells = cells[:c.narrow]
	}
	c.table.add(m.colour, cells...)
}

// done prints the table, or that there is nothing.
func (c *columns) done(d drawing) {
	if len(c.rows) == 0 {
		fmt.Fprintln(d, "none")
	}
	c.write(d, d.style, "")
}

func zoneTable(d drawing, head *api.Page, zones []api.ZoneItem) {
	t := newColumns(d, []string{"STATE", "ZONE", "SERIAL", "POOLS", "SERVICES", "ENDPOINTS UP", "DEGRADED"}, "HASH", "FILE")
	for _, z := range zones {
		m, file := statesMark(z.States), "-"
		if z.Degraded > 0 {
			m = markOf(health.Down, "degraded")
		}
		if z.File != nil {
			if file = z.File.Path; z.File.LastGood {
				file += ", which is not what runs: see `fairlead status`"
				m = markOf(health.Down, "last good")
			}
		}
		t.add(m, spelled(z.Name), strconv.FormatUint(uint64(z.Serial), 10), strconv.Itoa(z.Pools), strconv.Itoa(z.Services), upOf(z.States),
			strconv.Itoa(z.Degraded), z.Hash[:min(len(z.Hash), 12)], file)
	}
	t.alignRight(2, 3, 4)
	t.done(d)
}

// upOf is how many may be answered in the ordinary way, of how many.
func upOf(s api.States) string { return fmt.Sprintf("%d of %d", s.Up+s.Suspect, s.Total()) }

// statesMark is the common state of endpoints, or "partly up".
func statesMark(s api.States) mark {
	switch total := s.Total(); {
	case total == 0:
		return markOf(health.Unknown, "empty")
	case s.Up == total:
		return markOf(health.Up, "")
	case s.Up+s.Suspect == total:
		return markOf(health.Suspect, "")
	case s.Down == total:
		return markOf(health.Down, "")
	case s.Drained == total:
		return markOf(health.Drained, "")
	case s.Unknown == total:
		return markOf(health.Unknown, "")
	}
	return markOf(health.Suspect, "partly up")
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
			pools += "; worse for " + count(n, "class")
		}
		t.add(serviceMark(s.Service), spelled(s.Name), fmt.Sprintf("%ds", s.TTLSeconds), boundOf(s.BoundSeconds), pools, dash(azs),
			wanted(s.TargetSeconds), wanted(s.RTOSeconds), dash(strings.Join(s.Skipped, "; ")))
	}
	t.alignRight(2, 3)
	t.done(d)
}

// boundOf is a bound for people; a service that nothing probes has none.
func boundOf(s float64) string {
	if s == 0 {
		return "none"
	}
	return seconds(s)
}

// wanted is a declared time; a dash if none is.
func wanted(s float64) string {
	if s == 0 {
		return "-"
	}
	return seconds(s)
}

// shareList is the sum of the shares by key, of the first family.
func shareList(shares []api.Share, key func(api.Share) string) string {
	var parts []string
	if families := groupShares(shares, func(s api.Share) string { return s.Family }); len(families) > 0 {
		for _, g := range groupShares(families[0].shares, key) {
			parts = append(parts, strings.TrimSpace(g.key+" "+percent(g.sum)))
		}
	}
	return strings.Join(parts, ", ")
}

func poolTable(d drawing, head *api.Page, pools []api.PoolItem) {
	t := newColumns(d, []string{"STATE", "POOL", "REGION", "UP", "CHECK", "NOTE"}, "SUSPECT", "DOWN", "DRAINED", "UNKNOWN")
	for _, p := range pools {
		t.add(statesMark(p.States), display(p.Zone)+"/"+p.Name, p.Region, upOf(p.States), checkOf(p.Check), dash(noteOf(p, head.At)),
			strconv.Itoa(p.States.Suspect), strconv.Itoa(p.States.Down), strconv.Itoa(p.States.Drained), strconv.Itoa(p.States.Unknown))
	}
	t.alignRight(6, 7, 8, 9)
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
			reason = joinWords("; ", "by health "+e.Health, reason)
		}
		t.add(markOf(parseState(e.State), ""), fullName(e), e.AZ, addressOf(e.Endpoint), strconv.Itoa(e.Weight), since(e.Since, head.At), dash(reason),
			e.Region, dash(e.Probed), inARow(e.Endpoint), latencyOf(e.LatencySeconds), dash(ballot(e.Vantages)))
	}
	t.alignRight(4)
	t.done(d)
}

// fullName is that of an endpoint.
func fullName(e api.EndpointItem) string { return display(e.Zone) + "/" + e.Pool + "/" + e.Name }

// addressOf is what the endpoint is answered as.
func addressOf(e api.Endpoint) string {
	if e.Target != "" {
		return display(e.Target)
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
	return latency(s)
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
				shares = append(shares, display(s.Service)+" "+s.Family+" "+percent(s.Fraction))
				if s.Fraction > greatest {
					greatest, of = s.Fraction, percent(s.Fraction)+" of "+display(s.Service)
				}
			}
			var orders []string
			for _, i := range a.Intents {
				orders = append(orders, intentMark(&i).text()+": "+intentWhat(&i))
			}
			t.add(statesMark(a.States), a.Name, where, upOf(a.States), strconv.Itoa(len(services)), dash(of), dash(strings.Join(orders, "; ")), dash(strings.Join(shares, ", ")))
		}
		t.alignRight(4)
		t.done(d)
	}
}
