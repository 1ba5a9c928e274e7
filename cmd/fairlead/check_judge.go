package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// judgeZone says what is wrong with the bounds of a zone.
func judgeZone(c checkedZone, a steer.Allowances) config.Problems {
	var out config.Problems
	at := locator{file: c.zone.File}
	for i, svc := range c.zone.Services {
		b := c.bounds[i]
		for _, p := range judgeStaleness(c.zone, svc, b, a) {
			out = append(out, at.problem(p, svc.Line))
		}
		if p, ok := judgeHorizon(c.zone, svc, b); ok {
			out = append(out, at.problem(p, svc.Line))
		}
	}
	for _, p := range c.zone.Pools {
		if len(p.Watched()) == 0 && len(p.Services) > 0 {
			out = append(out, config.Problem{File: c.zone.File, Severity: config.Warning, Path: "pools." + p.Name,
				Message: fmt.Sprintf("%s without a check: always up, so S does not cover their death", terminal.Count(len(p.Endpoints), "endpoint")),
				Help:    "give the pool a check, if it can be probed"})
		}
	}
	return out
}

// judgeStaleness compares S with what the file declares: staleness.target, and staleness.rto, for nobody has recovered while
// an honest cache still leads to what died.
func judgeStaleness(z *config.Zone, svc *config.Service, b steer.Bound, a steer.Allowances) config.Problems {
	var out config.Problems
	for _, declared := range []struct {
		key, noun string
		limit     time.Duration
	}{{"target", "target", svc.Staleness.Target}, {"rto", "recovery time (RTO)", svc.Staleness.RTO}} {
		p := config.Problem{Severity: config.Error, Path: servicePath(z, svc) + ".staleness." + declared.key}
		switch {
		case declared.limit == 0 || b.Check != "" && b.S <= declared.limit:
			continue
		case b.Check == "":
			p.Message = fmt.Sprintf("nothing is probed, so the staleness has no bound; the %s is %s", declared.noun, declared.limit)
			p.Help = "give a check to the pools of the service"
		default:
			p.Message = fmt.Sprintf("the worst-case staleness is %s, above the %s of %s (check %s)", b.S, declared.noun, declared.limit, b.Check)
			within := *svc
			within.Staleness.Target = declared.limit
			p.Help = remedy(z, &within, a)
		}
		out = append(out, p)
	}
	return out
}

// judgeHorizon warns of a ttl.max that horizon mode cannot reach: nobody is harmed, but resolvers ask more often than the
// file promises.
func judgeHorizon(z *config.Zone, svc *config.Service, b steer.Bound) (config.Problem, bool) {
	if svc.TTL.Mode != config.Horizon || b.Check == "" || b.PeaceTTL >= svc.TTL.Max {
		return config.Problem{}, false
	}
	worst := slowest(z, svc)
	if worst == nil || worst.Interval == 0 {
		return config.Problem{}, false
	}
	// The least fall whose (fall - 1) shortest intervals last as long as ttl.max.
	step := steer.Reach(&config.Check{Interval: worst.Interval, Fall: 2})
	fall := 1 + int((ttl(svc.TTL.Max)+step-1)/step)
	return config.Problem{
		Severity: config.Warning, Path: servicePath(z, svc) + ".ttl.max",
		Message: fmt.Sprintf("horizon mode cannot reach %ds: check %s foresees %s, (fall - 1) × interval⁻; the TTL in peace is %ds",
			svc.TTL.Max, worst.Name, steer.Reach(worst), b.PeaceTTL),
		Help: fmt.Sprintf("lower ttl.max to %ds, or raise fall to %d in check %s, which makes detection slower", b.PeaceTTL, fall, worst.Name),
	}, true
}

// slowest is the check of svc that foresees the least; nil when nothing is probed.
func slowest(z *config.Zone, svc *config.Service) *config.Check {
	var worst *config.Check
	for _, c := range leafChecks(z, svc) {
		if worst == nil || steer.Reach(c) < steer.Reach(worst) {
			worst = c
		}
	}
	return worst
}

// servicePath is where the service stands in the YAML tree.
func servicePath(z *config.Zone, svc *config.Service) string {
	key := strings.TrimSuffix(svc.Name, "."+z.Name)
	switch {
	case svc.Name == z.Name:
		key = "@"
	case strings.Contains(key, "."):
		key = strconv.Quote(key)
	}
	return "services." + key
}

// A locator adds places to problems; it reads the file once, when the first problem comes.
type locator struct {
	file  string
	lines []string
	read  bool
}

func (l *locator) problem(p config.Problem, line int) config.Problem {
	if !l.read {
		l.read = true
		if text, err := os.ReadFile(l.file); err == nil {
			l.lines = strings.Split(string(text), "\n")
		}
	}
	p.File, p.Line, p.Col = l.file, line, 1
	// A very long line is not quoted: config cuts such lines around the column, and here the column says little.
	if line >= 1 && line <= len(l.lines) && len(l.lines[line-1]) <= maxQuoted {
		p.SourceLine = strings.TrimRight(l.lines[line-1], "\r")
		p.Col = 1 + len(p.SourceLine) - len(strings.TrimLeft(p.SourceLine, " \t"))
		p.Caret = p.Col
	}
	return p
}

// maxQuoted is the longest source line that is quoted.
const maxQuoted = 160
