package explain

import (
	"fmt"
	"strings"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// Lines are the short form of an explanation. head asks for what is the same for all types.
func Lines(e *api.Explanation, head bool) []string {
	var lines []string
	if head {
		lines = append(lines, headLines(e)...)
	}
	for _, s := range e.Shares {
		lines = append(lines, fmt.Sprintf("%s %s %.1f%% %s/%s %s", s.Family, s.Data, s.Fraction*100, s.Pool, s.Endpoint, s.AZ))
	}
	return lines
}

// headLines say on what the answers rest.
func headLines(e *api.Explanation) []string {
	line := e.Kind
	if e.Source != "" {
		line = fmt.Sprintf("%s: %s %d, ttl %d: %s", e.Kind, e.Source, e.Tier, e.TTL.Seconds, e.TTL.Why)
	}
	if len(e.TTL.ForcedBy) > 0 {
		line += " (" + strings.Join(e.TTL.ForcedBy, " ") + ")"
	}
	lines := []string{line}
	if e.Client != nil {
		lines = append(lines, fmt.Sprintf("client %s by %s, class %q", e.Client.Address, e.Client.From, e.Class))
	}
	for _, t := range e.Tiers {
		if !t.Answers {
			lines = append(lines, fmt.Sprintf("tier %d: %s", t.Tier, t.Why))
		}
		for _, p := range t.Pools {
			lines = append(lines, poolLines(p)...)
		}
	}
	return lines
}

// poolLines say what keeps a pool and its members from answering in the ordinary way.
func poolLines(p api.ExplainPool) []string {
	var lines []string
	if p.Why != "" {
		lines = append(lines, fmt.Sprintf("pool %s %.1f%%: %s", p.Pool, p.Share*100, p.Why))
	}
	for _, az := range p.AZs {
		if az.Why != "" {
			lines = append(lines, fmt.Sprintf("AZ %s of %s %.1f%%: %s", az.AZ, p.Pool, az.Share*100, az.Why))
		}
		for _, e := range az.Endpoints {
			if e.State != "up" {
				lines = append(lines, strings.TrimSuffix(fmt.Sprintf("%s/%s %s: %s", p.Pool, e.Endpoint, e.State, e.Why), ": "))
			}
		}
	}
	return lines
}
