package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

func (b *builder) buildServices() {
	root := (*yamlPath)(nil).child("services")
	section := field(b.root, "services")
	if section != nil {
		b.zone.Services = make([]*Service, 0, len(section.Content)/2)
	}
	seen := make(map[string]bool)
	for k, v := range entries(section) {
		if seen[k.Value] {
			continue
		}
		seen[k.Value] = true
		at := root.child(k.Value)
		s := b.service(k, v, at)
		index := len(b.zone.Services)
		b.zone.Services = append(b.zone.Services, s)
		b.serviceNodes = append(b.serviceNodes, k)
		b.done(v)
		for _, p := range s.Pools {
			b.zone.Pools[p].Services = append(b.zone.Pools[p].Services, index)
		}
	}
	b.resolveNeeds()
	for i, p := range b.zone.Pools {
		p.Failbacks = b.zone.failbacks(p)
		b.checkFence(i, p)
	}
}

func (b *builder) service(k, n *yamlNode, at *yamlPath) *Service {
	s := &Service{
		Line: int(k.Line), Name: b.ownerName(k, at), Answers: defaultAnswers,
		ECS: boolOf(field(n, "ecs")),
	}
	s.Tiers = b.tiers(field(n, "tiers"), at.child("tiers"))
	b.alias(s, n, at)
	b.clients(s, field(n, "clients"), at.child("clients"))
	b.cells(s, field(n, "cells"), at.child("cells"))
	s.Pools = b.poolsOf(s)
	b.nearest(s, n, at)
	b.kind(s, k, at)
	if a := field(n, "answers"); stringOf(a) == "all" || a == nil && field(n, "alias") != nil {
		s.Answers = 0
	} else {
		s.Answers = intOf(a, defaultAnswers)
	}
	s.TTL = b.serviceTTL(field(n, "ttl"), at.child("ttl"))
	st := field(n, "staleness")
	s.Staleness = Staleness{Target: durationOf(field(st, "target"), 0), RTO: durationOf(field(st, "rto"), 0)}
	b.rpo(s, n, at)
	b.demand(s, n, at)
	b.needs(s, n, at)
	s.OnAllDown = b.onAllDown(s, field(n, "on_all_down"), at.child("on_all_down"))
	s.Failback = b.failback(field(n, "failback"), at.child("failback"))
	s.Failover = b.failover(field(n, "failover"), at.child("failover"))
	b.rules(s, n, at)
	b.standby(s, field(n, "standby"), at.child("standby"))
	b.island(s, n, at)
	b.extras(s, n, at)
	b.hintKinds(s, n, at)
	return s
}

// ownerName is the FQDN of a service or a static record.
func (b *builder) ownerName(n *yamlNode, at *yamlPath) string { return b.owner(n, at, parseName) }

// owner reads a name of the zone by parse.
func (b *builder) owner(n *yamlNode, at *yamlPath, parse func(text, origin string) (string, error)) string {
	text := stringOf(n)
	if text == "" {
		return ""
	}
	name, err := parse(text, b.zone.Name)
	if err != nil {
		b.errorf(n, at, "", "%s", err)
		return ""
	}
	if !Within(name, b.zone.Name) {
		b.errorf(n, at, "a name with a final dot is absolute", "%s is outside the zone %s", shorten(name), b.zone.Name)
		return ""
	}
	if zone := strings.TrimSuffix(b.zone.Name, "."); strings.HasSuffix(strings.ToLower(text), "."+zone) || strings.EqualFold(text, zone) {
		b.node(n, Warning, at.String(), fmt.Sprintf("without a final dot this name is %s", shorten(name)),
			"names are relative to the zone; a final dot makes them absolute")
	}
	return name
}

func (b *builder) tiers(n *yamlNode, at *yamlPath) []Tier {
	var tiers []Tier
	for i, item := range items(n) {
		if item.Kind != yaml.MappingNode {
			continue
		}
		at := at.item(i)
		tier := make(Tier, 0, len(item.Content)/2)
		sum, bad := 0, false
		for k, v := range entries(item) {
			pool := b.refer(k, at.child(k.Value), "pool", b.pools)
			weight := intOf(v, -1)
			if bad = bad || pool < 0 || weight < 0; bad {
				continue
			}
			sum += weight
			tier = append(tier, Share{Pool: pool, Weight: weight})
		}
		if sum == 0 && !bad && len(tier) > 0 {
			b.errorf(item, at, "", "all weights of the tier are 0")
		}
		b.hintZeroShares(tier, item, at)
		b.oneKind(tier, item, at)
		tiers = append(tiers, tier)
	}
	return tiers
}

// poolsOf lists the pools that an answer may come from, each once.
func (b *builder) poolsOf(s *Service) []int {
	var pools []int
	seen := make(map[int]bool)
	add := func(p int) {
		if !seen[p] {
			seen[p] = true
			pools = append(pools, p)
		}
	}
	addTiers := func(tiers []Tier) {
		for _, t := range tiers {
			for _, share := range t {
				add(share.Pool)
			}
		}
	}
	addTiers(s.Tiers)
	for _, c := range s.Clients {
		addTiers(c.Tiers)
	}
	if s.Cells != nil {
		for _, p := range s.Cells.Pools() {
			add(p)
		}
	}
	return pools
}

func (b *builder) serviceTTL(n *yamlNode, at *yamlPath) TTL {
	t := TTL{Max: ttlOf(field(n, "max"), defaultTTLMax)}
	if stringOf(field(n, "mode")) == "horizon" {
		t.Mode = Horizon
	}
	low := field(n, "min")
	t.Min = ttlOf(low, min(defaultTTLMin, t.Max))
	if t.Min > t.Max {
		what := "ttl.max"
		if field(n, "max") == nil {
			what = "the default of ttl.max"
		}
		b.errorf(low, at.child("min"), "", "ttl.min %ds is more than %s, %ds", t.Min, what, t.Max)
	}
	return t
}

func (b *builder) onAllDown(s *Service, n *yamlNode, at *yamlPath) OnAllDown {
	o := OnAllDown{}
	if n == nil || n.Kind == yaml.ScalarNode {
		o.Policy = map[string]AllDownPolicy{"all": AnswerAll, "nodata": NoData}[stringOf(n)]
		return o
	}
	o.Policy = Fixed
	if s.Kind == Targets {
		b.errorf(n, at, "", "fixed addresses for a service that answers CNAMEs")
	}
	for i, item := range items(n) {
		a, err := parseAddress(stringOf(item))
		if err != nil {
			continue
		}
		if slices.Contains(o.Fixed, a) {
			b.errorf(item, at.item(i), "", "duplicate address %s", a)
			continue
		}
		o.Fixed = append(o.Fixed, a)
	}
	return o
}

func (b *builder) failback(n *yamlNode, at *yamlPath) Failback {
	f := Failback{Hold: durationOf(field(n, "hold"), defaultFailbackHold)}
	f.Mode = map[string]FailbackMode{"manual": FailbackManual, "never": FailbackNever}[stringOf(field(n, "mode"))]
	f.Ramp, f.Step = b.ramp(n, at)
	return f
}

// failover reads how a pool of a later tier takes over.
func (b *builder) failover(n *yamlNode, at *yamlPath) (f Failover) {
	if n == nil {
		return f
	}
	f.Ramp, f.Step = b.ramp(n, at)
	if v := field(n, "while"); v != nil {
		f.While = b.refer(v, at.child("while"), "check", b.checks)
		f.ByCheck = f.While >= 0
		if f.ByCheck && b.zone.Checks[f.While].Type == CheckLag {
			b.errorf(v, at.child("while"), "", "the check %q is of type lag: it says how far data is behind, and not what is up", b.zone.Checks[f.While].Name)
		}
	}
	return f
}

// ramp reads the steps of a ramp and the time between them; nil without one.
func (b *builder) ramp(n *yamlNode, at *yamlPath) (percents []int, between time.Duration) {
	ramp, step := field(n, "ramp"), field(n, "step")
	last := 0
	for i, item := range items(ramp) {
		v, ok := parsePercent(stringOf(item))
		if !ok {
			continue
		}
		if v <= last {
			b.errorf(item, at.at("ramp", i), "", "the ramp does not ascend: %d%% after %d%%", v, last)
		}
		last = v
		percents = append(percents, v)
		if i == len(ramp.Content)-1 && v != 100 {
			b.errorf(item, at.at("ramp", i), "", "the ramp ends at %d%%, it must end at 100%%", v)
		}
	}
	if ramp != nil {
		between = durationOf(step, defaultRampStep)
	} else if step != nil {
		b.errorf(step, at.child("step"), "", "a step without a ramp")
	}
	return percents, between
}
