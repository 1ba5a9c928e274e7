package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// maxComputed is how many of the problems that follow from bounds are printed: with one check that is too slow, each of
// 10,000 services has the same one.
const maxComputed = 100

// writeText prints problems, then each zone, then the counts.
func (r *checkResult) writeText(w io.Writer) {
	problems := r.inFiles
	shown := r.computed[:min(len(r.computed), maxComputed)]
	for _, p := range append(problems[:len(problems):len(problems)], shown...) {
		fmt.Fprintln(w, p)
	}
	if n := len(r.computed) - len(shown); n > 0 {
		fmt.Fprintf(w, "and %d more problems of this kind (all of them with -o json)\n", n)
	}
	for i, c := range r.zones {
		if i > 0 || len(problems)+len(shown) > 0 {
			fmt.Fprintln(w)
		}
		c.write(w)
	}
	for i, p := range r.plans {
		if i == 0 && len(problems)+len(shown)+len(r.zones) > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "plan %s (%s): %s\n", p.Name, p.File, terminal.Count(len(p.Steps), "step"))
	}
	if len(r.zones) > 0 {
		a := r.allowances
		fmt.Fprintf(w, "\nallowances: gossip G %s, quiesce Q %s, transit X %s, probe lag %s\n", a.Gossip, a.Quiesce, a.Transit, a.ProbeLag)
		if slices.ContainsFunc(r.zones, func(c checkedZone) bool { return mayBeKept(c.zone) }) {
			terminal.Say(w, "S is for what health may take out at once; of more deaths within a minute health.max_removal keeps some in the answers until that is over, and `fairlead status` names them")
		}
	}
	fmt.Fprint(w, r.clusterLines())
	r.summary(w)
}

// mayBeKept tells whether the speed limit may keep an endpoint in the answers of a service that health takes out: where one pool has several.
func mayBeKept(z *config.Zone) bool {
	return slices.ContainsFunc(z.Services, func(s *config.Service) bool {
		limit := s.Health.MaxRemoval
		return limit > 0 && limit < 100 && slices.ContainsFunc(s.Pools, func(p int) bool { return z.Pools[p].Check >= 0 && len(z.Pools[p].Endpoints) > 1 })
	})
}

func (r *checkResult) summary(w io.Writer) {
	services := 0
	for _, c := range r.zones {
		services += len(c.zone.Services)
	}
	all := r.problems()
	good := terminal.Count(len(r.zones), "good zone") + ", " + terminal.Count(services, "service")
	if len(r.plans) > 0 {
		good += ", " + terminal.Count(len(r.plans), "good plan")
	}
	fmt.Fprintf(w, "%s: %s, %s, %s\n", good,
		terminal.Count(all.Count(config.Error), "error"), terminal.Count(all.Count(config.Warning), "warning"), terminal.Count(all.Count(config.Notice), "notice"))
}

// A derivation is what makes two services have the same terms.
type derivation struct {
	check string
	ttl   config.TTL
}

// write prints one line for each service, then how their bounds come about, once for each check and TTL.
func (c checkedZone) write(w io.Writer) {
	z := c.zone
	endpoints := 0
	for _, p := range z.Pools {
		endpoints += len(p.Endpoints)
	}
	fmt.Fprintf(w, "zone %s (%s): %s, %s, %s\n", terminal.Spelled(z.Name), z.File,
		terminal.Count(len(z.Services), "service"), terminal.Count(len(z.Pools), "pool"), terminal.Count(endpoints, "endpoint"))
	t := terminal.NewTable("SERVICE", "S", "TARGET", "", "CHECK", "D", "F", "MODE", "TTL", "IN PEACE", "QUERIES").AlignRight(1, 2, 5, 6, 9, 10)
	var order []derivation
	users := map[derivation]int{}
	for i, svc := range z.Services {
		b := c.bounds[i]
		if b.Check == "" {
			t.Add("", terminal.Spelled(svc.Name), "-", duration(svc.Staleness.Target), verdictOf(svc, b), "none", "-", "-", modeName(b.Mode), ttlRange(b), "-", "-")
			continue
		}
		t.Add("", terminal.Spelled(svc.Name), b.S.String(), duration(svc.Staleness.Target), verdictOf(svc, b), b.Check, b.D.String(), b.F.String(),
			modeName(b.Mode), ttlRange(b), fmt.Sprintf("%ds", b.PeaceTTL), fmt.Sprintf("×%.3g", b.QueryFactor()))
		d := derivation{b.Check, svc.TTL}
		if users[d]++; users[d] == 1 {
			order = append(order, d)
		}
	}
	t.Write(w, terminal.Style{}, "  ")
	for _, d := range order {
		c.derive(w, d, users[d])
	}
	c.islands(w)
}

// islands prints when caches of a region that is cut off have forgotten the others.
func (c checkedZone) islands(w io.Writer) {
	names := make(map[time.Duration][]string)
	for i, svc := range c.zone.Services {
		if by := steer.IslandOf(svc, c.bounds[i].Allowances); by > 0 {
			names[by] = append(names[by], terminal.Spelled(svc.Name))
		}
	}
	for _, by := range slices.Sorted(maps.Keys(names)) {
		fmt.Fprintf(w, "\n  island: %s after a region is cut off its caches have forgotten the others' pools\n    (%s)\n", by, strings.Join(names[by], ", "))
	}
}

func (c checkedZone) derive(w io.Writer, d derivation, users int) {
	var b steer.Bound
	for i, svc := range c.zone.Services {
		if c.bounds[i].Check == d.check && svc.TTL == d.ttl {
			b = c.bounds[i]
			break
		}
	}
	var check *config.Check
	for _, k := range c.zone.Checks {
		if k.Name == d.check {
			check = k
		}
	}
	fmt.Fprintf(w, "\n  check %s with ttl %s %s (%s)\n", d.check, modeName(b.Mode), ttlRange(b), terminal.Count(users, "service"))
	own := steer.DetectionOf(check, b.Allowances)
	interval := own.F - check.Timeout
	if check.Push != nil {
		fmt.Fprintf(w, "    D = F = lease + probe lag = %s + %s = %s\n", check.Push.Lease, b.ProbeLag, own.D)
	} else {
		fmt.Fprintf(w, "    D = fall × interval⁺ + timeout + probe lag = %d × %s + %s + %s = %s\n", check.Fall, interval, check.Timeout, b.ProbeLag, own.D)
	}
	if b.D != own.D || b.F != own.F {
		fmt.Fprintf(w, "    on_vantages_lost: down: both are at least %s, for which a node counts as heard, + probe lag = %s\n", health.HeardFor, health.HeardFor+b.ProbeLag)
	}
	flip := b.D + b.Gossip + b.Quiesce + ttl(b.Min)
	defer func() {
		if b.Beyond > 0 {
			fmt.Fprintf(w, "    + %s, the other fleet's bound, for what caches hold of its answers: %s\n", b.Beyond, b.S)
		}
	}()
	if b.Mode == config.Horizon {
		fmt.Fprintf(w, "    S = D + G + Q + ttl.min + X = %s + %s + %s + %s + %s = %s\n", b.D, b.Gossip, b.Quiesce, ttl(b.Min), b.Transit, b.S-b.Beyond)
		return
	}
	first := b.F + b.Gossip + b.Quiesce + ttl(b.Max)
	if check.Push == nil {
		fmt.Fprintf(w, "    F = interval⁺ + timeout = %s + %s = %s\n", interval, check.Timeout, own.F)
	}
	fmt.Fprintf(w, "    S = max(D + G + Q + ttl.min, F + G + Q + ttl.max) + X\n")
	fmt.Fprintf(w, "      = max(%s + %s + %s + %s, %s + %s + %s + %s) + %s = max(%s, %s) + %s = %s\n", b.D, b.Gossip, b.Quiesce, ttl(b.Min),
		b.F, b.Gossip, b.Quiesce, ttl(b.Max), b.Transit, flip, first, b.Transit, b.S-b.Beyond)
}

// verdictOf compares S with the target, in words.
func verdictOf(svc *config.Service, b steer.Bound) string {
	target := svc.Staleness.Target
	switch {
	case target == 0:
		return ""
	case b.Check == "":
		return "no bound"
	case b.S > target:
		return "over by " + (b.S - target).String()
	default:
		return "kept"
	}
}

func duration(d time.Duration) string {
	if d == 0 {
		return "none"
	}
	return d.String()
}

func ttl(seconds uint32) time.Duration { return time.Duration(seconds) * time.Second }

func ttlRange(b steer.Bound) string { return fmt.Sprintf("%d..%ds", b.Min, b.Max) }

func modeName(m config.TTLMode) string {
	if m == config.Horizon {
		return "horizon"
	}
	return "ceiling"
}
