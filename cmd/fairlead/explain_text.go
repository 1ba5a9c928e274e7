package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// explanationText prints an explanation for people.
type explanationText struct {
	out   io.Writer
	style terminal.Style
}

func (t explanationText) printf(format string, args ...any) { fmt.Fprintf(t.out, format, args...) }

func (t explanationText) write(e *api.Explanation) {
	t.printf("%s %s", terminal.Spelled(e.Question.Name), e.Question.Type)
	if c := e.Client; c != nil {
		t.printf(" for %s", clientText(c))
	}
	t.printf("\n")
	for _, line := range assumptionLines(e.Question.Assumptions) {
		t.printf("  %s\n", line)
	}
	switch e.Kind {
	case "nxdomain":
		t.printf("  NXDOMAIN: no such name in the zone %s\n", terminal.Display(e.Zone))
		return
	case "empty":
		t.printf("  NODATA: the name exists only because of names below it\n")
		return
	case "static":
		t.printf("  static records of the file; nothing is steered\n")
		return
	case "delegation":
		t.printf("  a referral: the name belongs to a zone that %s delegates\n", terminal.Display(e.Zone))
		return
	case "dname":
		t.printf("  a CNAME made of the DNAME above the name; nothing is steered\n")
		return
	}
	t.ground(e)
	if e.Client != nil && e.Client.Measured != nil {
		t.measured(e.Client.Measured, e.At)
	}
	t.records(e)
	for _, tier := range e.Tiers {
		t.tier(tier)
	}
	if e.Then != nil {
		t.printf("\nresolved in the same reply: ")
		t.write(e.Then)
	}
}

// clientText is the client and what is known of it.
func clientText(c *api.ClientFound) string {
	words := []string{map[string]string{"ecs": "from ECS", "address": "by address"}[c.From]}
	if c.From == "ecs" {
		words = append(words, "scope /"+strconv.Itoa(c.ScopeBits))
	}
	for _, w := range append([]string{c.Continent, c.Country}, c.Subdivision...) {
		if w != "" {
			words = append(words, w)
		}
	}
	if c.ASN != 0 {
		words = append(words, "AS"+strconv.FormatUint(uint64(c.ASN), 10))
	}
	if c.Latitude != nil && c.Longitude != nil {
		words = append(words, fmt.Sprintf("at %.1f,%.1f", *c.Latitude, *c.Longitude))
	}
	return c.Address + " (" + strings.Join(words, ", ") + ")"
}

// assumptionLines say what is assumed.
func assumptionLines(a api.Assumptions) []string {
	var lines []string
	for _, of := range []struct {
		word string
		list []string
	}{{"down", a.Down}, {"drained", a.Drain}, {"weight", a.Weight}} {
		if len(of.list) > 0 {
			lines = append(lines, "assumed "+of.word+": "+strings.Join(of.list, ", "))
		}
	}
	return lines
}

// ground prints on what the answer rests.
func (t explanationText) ground(e *api.Explanation) {
	m := serviceMark(api.Service{Source: e.Source, Degraded: e.Degraded, Tier: e.Tier})
	if e.Kind == "host" {
		m = terminal.MarkOf(health.Up, "host name of an endpoint")
	}
	t.printf("  %s", t.style.Paint(m.Colour, m.Text()))
	if e.Rule > 0 {
		t.printf(" of client rule %d", e.Rule)
	}
	if e.Service != "" {
		t.printf("  %s", terminal.Display(e.Service))
	}
	if e.Shard != nil {
		t.printf(", shard %d", *e.Shard)
	}
	if e.Kind == "place" {
		t.printf(", one place alone (also)")
	}
	if e.Class != "" {
		t.printf(", class \"%s\"", e.Class)
	}
	t.printf("\n")
	for i, line := range terminal.Fold(fmt.Sprintf("clients get %s; ttl %ds", briefAnswers(e.Shares), e.TTL.Seconds), t.style.Width-4) {
		t.printf("  %s%s\n", strings.Repeat("  ", min(i, 1)), line)
	}
	t.printf("  ttl %ds: %s", e.TTL.Seconds, e.TTL.Why)
	if len(e.TTL.ForcedBy) > 0 {
		t.printf(" (%s)", strings.Join(e.TTL.ForcedBy, ", "))
	}
	t.printf("\n")
}

// measured prints the times of the way from the client, and why one region is chosen.
func (t explanationText) measured(m *api.ClientMeasured, now time.Time) {
	milliseconds := func(seconds float64) string {
		return strconv.FormatFloat(math.Round(seconds*1e6)/1e3, 'f', -1, 64) + " ms"
	}
	var ways []string
	for _, w := range m.Regions {
		ways = append(ways, w.Region+" "+milliseconds(w.Seconds))
	}
	why := fmt.Sprintf("%s has been chosen since %s (%s in the table); another one must be faster by %s and %d %% for %s",
		m.Region, terminal.Clock(m.Since, now), terminal.Count(m.Moves, "move"), milliseconds(m.MarginSeconds), m.MarginPercent, terminal.Seconds(m.HoldSeconds))
	switch {
	case m.Region == "":
		t.lines("  ", "fastest: no measurement from "+m.Network+" counts yet: distance decides, or weights")
		t.ahead(m, now)
		return
	case m.Expired:
		why = "too old to count: distance decides, or weights"
	case m.Candidate != "":
		why += fmt.Sprintf("; %s has been since %s", m.Candidate, terminal.Clock(*m.CandidateSince, now))
	}
	t.lines("  ", fmt.Sprintf("fastest: %s from %s, measured %s ago", strings.Join(ways, ", "), m.Network, terminal.Age(now.Sub(m.At))))
	t.lines("  ", why)
	t.ahead(m, now)
}

// ahead warns of measurements that do not count yet.
func (t explanationText) ahead(m *api.ClientMeasured, now time.Time) {
	if m.AheadAt != nil {
		t.lines("  ", fmt.Sprintf("▲ measurements dated %s, %s ahead of this node's clock, do not count before", terminal.Clock(*m.AheadAt, now), terminal.Age(m.AheadAt.Sub(now))))
	}
}

// records prints what is answered.
func (t explanationText) records(e *api.Explanation) {
	if len(e.Shares) == 0 {
		t.printf("  NODATA: nobody has %s records here\n", e.Question.Type)
		return
	}
	t.printf("  %s per reply", terminal.Count(e.Answers, "record"))
	if e.Sticky {
		t.printf("; this client stays with %s (shares are those over all clients)", e.Stays)
	}
	t.printf("\n")
	table := terminal.NewTable("", "", "", "").AlignRight(2)
	for _, s := range e.Shares {
		table.Add("", s.Family, s.Data, terminal.Percent(s.Fraction), strings.Trim(s.Pool+"/"+s.Endpoint, "/"))
	}
	table.Write(t.out, t.style, "    ")
}

func (t explanationText) tier(tier api.ExplainTier) {
	name := fmt.Sprintf("tier %d", tier.Tier)
	if tier.Rule > 0 {
		name += fmt.Sprintf(" of client rule %d", tier.Rule)
	}
	if tier.Answers {
		t.printf("  %s: %s\n", t.style.Paint(terminal.Bold, name), terminal.Percent(tier.Share))
	} else {
		t.printf("  %s: no (%s)\n", name, tier.Why)
	}
	table := terminal.NewTable("", "", "", "", "").AlignRight(2, 3)
	for _, p := range tier.Pools {
		table.Add("", "pool "+p.Pool, p.Region, "weight "+override(p.WeightConfigured, float64(p.Weight)), share(p.Share), p.Why)
		for _, az := range p.AZs {
			weight := "weight (sum)"
			if az.WeightConfigured != nil {
				weight = "weight " + strconv.Itoa(*az.WeightConfigured)
			}
			table.Add("", "  AZ "+az.AZ, "", weight, share(az.Share), az.Why)
			for _, e := range az.Endpoints {
				m := terminal.MarkOf(terminal.ParseState(e.State), "")
				table.Add("", "    "+e.Endpoint, m.Text(), "weight "+override(e.WeightConfigured, e.Weight), share(e.Share), e.Why)
			}
		}
	}
	table.Write(t.out, t.style, "    ")
}

// share is a part of the answers; a dash for none.
func share(fraction float64) string {
	if fraction == 0 {
		return "-"
	}
	return terminal.Percent(fraction)
}

// override is a weight, with the configured one where that differs.
func override(configured int, weight float64) string {
	text := strconv.FormatFloat(weight, 'f', -1, 64)
	if float64(configured) != weight {
		text += " (file: " + strconv.Itoa(configured) + ")"
	}
	return text
}
