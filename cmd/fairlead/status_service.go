package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// maxMembers is how many endpoints of one AZ are named; the others are counted.
const maxMembers = 4

// fullServices is how many services are shown with every share; above it, only those that do not answer from their first
// tier are, unless --all is given.
const fullServices = 20

type serviceRow struct {
	svc  api.Service
	mark terminal.Mark
	// states are those of the zone's endpoints, by pool/endpoint.
	states map[string]health.State
	// down are the members that are down and answered all the same.
	down []string
}

func newServiceRow(svc api.Service, states map[string]health.State) serviceRow {
	row := serviceRow{svc: svc, mark: serviceMark(svc), states: states}
	seen := map[string]bool{}
	for _, s := range svc.Shares {
		if name := s.Pool + "/" + s.Endpoint; states[name] == health.Down && !seen[name] {
			seen[name] = true
			row.down = append(row.down, name)
		}
	}
	if len(row.down) > 0 && row.mark.Colour == terminal.Green {
		row.mark = terminal.MarkOf(health.Suspect, row.mark.Word)
	}
	return row
}

// endpointStates are the states of the endpoints of z, by pool/endpoint.
func endpointStates(z api.Zone) map[string]health.State {
	states := map[string]health.State{}
	for _, p := range z.Pools {
		for _, e := range p.Endpoints {
			states[p.Name+"/"+e.Name] = terminal.ParseState(e.State)
		}
	}
	return states
}

// services prints what clients get now, last resorts first.
func (r report) services(w io.Writer) {
	var bad, well []serviceRow
	for _, z := range r.status.Zones {
		states := endpointStates(z)
		for _, svc := range z.Services {
			if row := newServiceRow(svc, states); row.mark.Colour == terminal.Green {
				well = append(well, row)
			} else {
				bad = append(bad, row)
			}
		}
	}
	if len(bad)+len(well) == 0 {
		return
	}
	slices.SortStableFunc(bad, func(a, b serviceRow) int { return cmp.Compare(markRank(a.mark), markRank(b.mark)) })
	r.title(w, "SERVICES: what clients get now")
	for _, row := range bad {
		r.service(w, row)
	}
	if r.all || len(bad)+len(well) <= fullServices && !r.small() {
		for _, row := range well {
			r.service(w, row)
		}
		return
	}
	t := terminal.NewTable("STATE", "SERVICE", "TTL", "BOUND", "POOLS").AlignRight(2, 3)
	for _, row := range well[:min(len(well), maxHealthy)] {
		t.Add(row.mark.Colour, row.mark.Text(), terminal.Spelled(row.svc.Name), fmt.Sprintf("%ds", row.svc.TTLSeconds),
			terminal.Seconds(row.svc.BoundSeconds), poolShares(row.svc.Shares))
	}
	r.list(w, t)
	if n := len(well) - maxHealthy; n > 0 {
		fmt.Fprintf(w, "  and %d more services that answer from their first tier (--all lists them)\n", n)
	}
}

// serviceMark says from where a service answers. A later tier works as configured, yet it is news.
func serviceMark(svc api.Service) terminal.Mark {
	word := svc.Source
	if svc.Tier > 0 {
		word = fmt.Sprintf("tier %d", svc.Tier)
		if svc.Source != "tier" {
			word += " (" + svc.Source + ")"
		}
	}
	switch {
	case svc.Source == "nodata" || svc.Source == "yielded" || svc.Source == "last_good" || svc.Source == "all" || svc.Source == "fixed":
		return terminal.MarkOf(health.Down, word)
	case svc.Degraded || svc.Tier > 1:
		return terminal.MarkOf(health.Suspect, word)
	case svc.Source == "pending":
		return terminal.MarkOf(health.Unknown, word)
	default:
		return terminal.MarkOf(health.Up, word)
	}
}

// service prints one service with every share.
func (r report) service(w io.Writer, row serviceRow) {
	svc := row.svc
	bound := "bound " + terminal.Seconds(svc.BoundSeconds)
	if svc.BoundSeconds == 0 {
		bound = "no bound: nothing is probed"
	}
	var declared []string
	if svc.TargetSeconds > 0 {
		declared = append(declared, "target "+terminal.Seconds(svc.TargetSeconds))
	}
	if svc.RTOSeconds > 0 {
		declared = append(declared, "RTO "+terminal.Seconds(svc.RTOSeconds))
	}
	if declared != nil {
		bound += " (" + strings.Join(declared, ", ") + ")"
	}
	ttl := fmt.Sprintf("ttl %ds", svc.TTLSeconds)
	sep := ", "
	if n := utf8.RuneCountInString("  " + row.mark.Text() + "  " + terminal.Spelled(svc.Name) + "  " + ttl + sep + bound); r.style.Width > 0 && n > r.style.Width {
		sep = "\n      "
	}
	fmt.Fprintf(w, "  %s  %s  %s%s%s\n", r.style.Mark(svc.Name, r.style.Paint(row.mark.Colour, row.mark.Text())), terminal.Spelled(svc.Name),
		r.style.Mark(svc.Name+" ttl", ttl), sep, bound)
	if len(svc.Skipped) > 0 {
		r.indented(w, "passed over: "+strings.Join(svc.Skipped, "; "))
	}
	if len(row.down) > 0 && (svc.Source == "tier" || svc.Source == "held" || svc.Source == "below_min_healthy") {
		r.indented(w, "answered although down, since too much left at once (health.max_removal): "+strings.Join(row.down, ", "))
	}
	for _, typ := range svc.Lost {
		r.indented(w, typ+": nobody, every query gets NODATA: every address of it is dead")
	}
	if text := worseText(&svc); text != "" {
		r.indented(w, text)
	}
	if len(svc.Shares) == 0 {
		r.indented(w, "nobody: every query gets NODATA")
		return
	}
	t := terminal.NewTable("", "", "", "").Named(svc.Name)
	for _, g := range groupShares(svc.Shares, func(s api.Share) string { return s.Family + " " + s.Pool }) {
		pool := g.shares[0].Pool
		if pool == "" {
			pool = "fixed addresses"
		}
		t.Add("", g.shares[0].Family, pool, terminal.Percent(g.sum), row.byAZ(g.shares))
	}
	t.Write(w, r.style, "      ")
}

// worseText says which classes of clients get something worse than the others; empty for none.
func worseText(svc *api.Service) string {
	if len(svc.Worse) == 0 {
		return ""
	}
	text := "worse off: " + strings.Join(terminal.Each(svc.Worse, func(c api.WorseClass) string {
		m := serviceMark(api.Service{Source: c.Source, Tier: c.Tier})
		if c.Source == "nodata" {
			return c.Class + " gets NODATA"
		}
		return c.Class + " is answered from " + m.Word
	}), "; ")
	if svc.MoreWorse > 0 {
		text += fmt.Sprintf("; and %d more", svc.MoreWorse)
	}
	return text
}

// indented prints text below a service.
func (r report) indented(w io.Writer, text string) {
	for _, line := range terminal.Fold(text, r.style.Width-6) {
		fmt.Fprintln(w, "      "+line)
	}
}

// A shareGroup is shares that belong together, in the order of the answer.
type shareGroup struct {
	key    string
	sum    float64
	shares []api.Share
}

func groupShares(shares []api.Share, key func(api.Share) string) []shareGroup {
	var groups []shareGroup
	at := map[string]int{}
	for _, s := range shares {
		k := key(s)
		i, ok := at[k]
		if !ok {
			i = len(groups)
			at[k] = i
			groups = append(groups, shareGroup{key: k})
		}
		groups[i].sum += s.Fraction
		groups[i].shares = append(groups[i].shares, s)
	}
	return groups
}

// byAZ is the shares of each AZ and, below it, of each endpoint.
func (row serviceRow) byAZ(shares []api.Share) string {
	var parts []string
	for _, g := range groupShares(shares, func(s api.Share) string { return s.AZ }) {
		var members []string
		for _, s := range g.shares[:min(len(g.shares), maxMembers)] {
			name := s.Endpoint
			if name == "" {
				name = s.Data
			} else {
				name += " " + s.Data
			}
			if len(g.shares) > 1 {
				name += " " + terminal.Percent(s.Fraction)
			}
			if st, ok := row.states[s.Pool+"/"+s.Endpoint]; ok && st != health.Up {
				name += " " + terminal.MarkOf(st, "").Text()
			}
			members = append(members, name)
		}
		if n := len(g.shares) - maxMembers; n > 0 {
			members = append(members, fmt.Sprintf("and %d more", n))
		}
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s %s (%s)", g.key, terminal.Percent(g.sum), strings.Join(members, ", "))))
	}
	return strings.Join(parts, ", ")
}

// poolShares is the share of each pool, by family only where families differ.
func poolShares(shares []api.Share) string {
	texts := map[string][]string{}
	var order []string
	for _, f := range groupShares(shares, func(s api.Share) string { return s.Family }) {
		var parts []string
		for _, g := range groupShares(f.shares, func(s api.Share) string { return s.Pool }) {
			parts = append(parts, strings.TrimSpace(g.key+" "+terminal.Percent(g.sum)))
		}
		text := strings.Join(parts, ", ")
		if texts[text] == nil {
			order = append(order, text)
		}
		texts[text] = append(texts[text], f.key)
	}
	if len(order) == 1 {
		return order[0]
	}
	for i, text := range order {
		order[i] = strings.Join(texts[text], ", ") + " " + text
	}
	return strings.Join(order, "; ")
}
