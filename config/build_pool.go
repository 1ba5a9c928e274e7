package config

import (
	"net/netip"
	"slices"

	"gopkg.in/yaml.v3"
)

func (b *builder) buildPools() {
	b.pools = make(map[string]int)
	root := (*yamlPath)(nil).child("pools")
	for k, v := range entries(field(b.root, "pools")) {
		at := root.child(k.Value)
		if err := parseIdentifier(k.Value); err != nil {
			b.errorf(k, at, "", "%s", err)
		}
		if _, dup := b.pools[k.Value]; dup {
			continue
		}
		b.pools[k.Value] = len(b.zone.Pools)
		b.zone.Pools = append(b.zone.Pools, b.pool(k, v, at))
		fence, _ := fieldOf(v, "fence")
		b.fenceKeys = append(b.fenceKeys, fence)
		b.done(v)
	}
}

func (b *builder) pool(k, n *yamlNode, at *yamlPath) *Pool {
	p := &Pool{Name: k.Value, Check: -1, MaxShare: percentOf(field(n, "max_share"), 0)}
	p.Region = b.refer(field(n, "region"), at.child("region"), "region", b.regions)
	if c := field(n, "check"); c != nil {
		p.Check = b.refer(c, at.child("check"), "check", b.checks)
	}
	for i, need := range items(field(n, "needs")) {
		if c := b.refer(need, at.at("needs", i), "check", b.checks); c >= 0 {
			p.Needs = append(p.Needs, c)
		}
	}
	p.Stateful, p.Fence = boolOf(field(n, "stateful")), boolOf(field(n, "fence"))
	if g := field(n, "gate"); stringOf(g) == "manual" {
		p.Gate.Manual = true
	} else if g != nil {
		p.Gate.ByCheck = true
		p.Gate.Check = b.refer(g, at.child("gate"), "check", b.checks)
	}
	p.Capacity = intOf(field(n, "capacity"), 0)
	b.poolLag(p, n, at)
	if stringOf(field(n, "on_vantages_lost")) == "down" {
		p.OnVantagesLost = SilenceDown
	}
	b.endpoints(p, field(n, "endpoints"), at.child("endpoints"))
	b.poolFleet(p, n, at)
	b.fromParts(p, field(n, "from"), at.child("from"))
	p.MinEndpoints, p.Settle = intOf(field(n, "min_endpoints"), defaultMinEndpoints), durationOf(field(n, "settle"), defaultSettle)
	b.needsMembers(n, at)
	b.lateHits(p, n, at)
	b.azWeights(p, field(n, "az_weights"), at.child("az_weights"))
	m := field(n, "min_healthy")
	p.MinHealthy = amountOf(m, defaultMinHealthy)
	if count := len(p.Endpoints); !p.MinHealthy.Percent && p.MinHealthy.N > count && count > 0 && m != nil && !p.Given() {
		b.errorf(m, at.child("min_healthy"), "", "%d endpoints are never up in a pool of %d", p.MinHealthy.N, count)
	}
	b.checkPool(p, k, at)
	list := field(n, "endpoints")
	b.hintZeros(p, list, at.child("endpoints"))
	b.hintShared(p, list, at.child("endpoints"))
	return p
}

// needsMembers says what is missing, or too much, of the two sources of endpoints.
func (b *builder) needsMembers(n *yamlNode, at *yamlPath) {
	if field(n, "endpoints") == nil && field(n, "from") == nil {
		b.errorf(n, at, "", "the key %q is missing", "endpoints")
	}
	for _, only := range []string{"min_endpoints", "settle"} {
		resolved := only == "settle" && slices.ContainsFunc(items(field(n, "endpoints")), isNamed)
		if v := field(n, only); v != nil && field(n, "from") == nil && !resolved {
			b.errorf(v, at.child(only), "", "%s without `from`: nothing takes endpoints away", only)
		}
	}
}

// lateHits gives the endpoints their counters, or that of the pool.
func (b *builder) lateHits(p *Pool, n *yamlNode, at *yamlPath) {
	all := b.hitCounter(field(n, "late_hits"), at.child("late_hits"))
	p.lateHits = all
	for _, e := range p.Endpoints {
		if e.AZ < 0 {
			continue
		}
		if e.LateHits == nil {
			e.LateHits = all
		}
		e.LateHits = e.LateHits.of(e, b.zone.AZs[e.AZ].Name)
	}
}

// checkPool says what concerns all endpoints of a pool together.
func (b *builder) checkPool(p *Pool, k *yamlNode, at *yamlPath) {
	var addresses, targets int
	weight := 0
	for _, e := range p.Endpoints {
		if e.Target != "" {
			targets++
		} else if e.V4.IsValid() || e.V6.IsValid() {
			addresses++
		}
		weight += e.Weight
	}
	for _, n := range p.Named {
		addresses++
		weight += n.Weight
	}
	for _, f := range p.From {
		if f.Target {
			targets++
		} else {
			addresses++
		}
	}
	if addresses > 0 && targets > 0 && len(p.From) > 0 {
		b.errorf(k, at, "a pool has endpoints with addresses, or endpoints with a target", "mixed answer kinds: some endpoints, or parts of `from`, are addresses, others targets")
	} else if addresses > 0 && targets > 0 {
		b.errorf(k, at, "a pool has endpoints with addresses, or endpoints with a target",
			"mixed answer kinds: %d endpoints have addresses, %d have a target", addresses, targets)
	}
	if len(p.Endpoints)+len(p.Named) > 0 && weight == 0 {
		b.node(k, Warning, at.String(), "all endpoints have weight 0: the pool never answers", "")
	}
}

func (b *builder) endpoints(p *Pool, n *yamlNode, at *yamlPath) {
	lines := make(map[string]int)
	addresses := make(map[netip.Addr]string)
	for i, item := range items(n) {
		if item.Kind != yaml.MappingNode {
			continue
		}
		at := at.item(i)
		name := field(item, "name")
		if line, dup := lines[stringOf(name)]; dup && stringOf(name) != "" {
			b.errorf(name, at.child("name"), "", "duplicate endpoint %q; it stands at line %d already", shorten(name.Value), line)
		} else if name != nil {
			lines[name.Value] = int(name.Line)
		}
		if isNamed(item) {
			n := b.named(item, at)
			b.inRegion(p, n.AZ, item, at)
			p.Named = append(p.Named, n)
			continue
		}
		e := b.endpoint(item, at)
		for _, a := range []netip.Addr{e.V4, e.V6} {
			if other, dup := addresses[a]; dup && a.IsValid() {
				b.node(item, Warning, at.String(), "the address "+a.String()+" is also that of the endpoint "+other, "")
			}
			addresses[a] = e.Name
		}
		b.inRegion(p, e.AZ, item, at)
		p.Endpoints = append(p.Endpoints, e)
	}
}

// inRegion reports an item whose AZ is not in the region of its pool.
func (b *builder) inRegion(p *Pool, az int, item *yamlNode, at *yamlPath) {
	if az >= 0 && p.Region >= 0 && b.zone.AZs[az].Region != p.Region {
		b.errorf(field(item, "az"), at.child("az"), "", "the AZ %q is in the region %q, the pool in %q",
			b.zone.AZs[az].Name, b.zone.Regions[b.zone.AZs[az].Region].Name, b.zone.Regions[p.Region].Name)
	}
}

func (b *builder) endpoint(n *yamlNode, at *yamlPath) *Endpoint {
	e := &Endpoint{Name: stringOf(field(n, "name")), Weight: intOf(field(n, "weight"), defaultWeight)}
	e.AZ = b.refer(field(n, "az"), at.child("az"), "AZ", b.azs)
	list, target := field(n, "addresses"), field(n, "target")
	switch {
	case list == nil && target == nil:
		b.errorf(n, at, "", "an endpoint needs addresses, a target or a host")
	case list != nil && target != nil:
		b.errorf(target, at.child("target"), "", "an endpoint has addresses or a target, not both")
	}
	if e.Target, _ = parseHostName(stringOf(target)); e.Target != "" && Within(e.Target, b.zone.Name) {
		b.targetNodes = append(b.targetNodes, targetNode{target, at.child("target"), e.Target})
	}
	for i, item := range items(list) {
		a, err := parseAddress(stringOf(item))
		if err != nil {
			continue
		}
		family, to := "IPv4", &e.V4
		if a.Is6() {
			family, to = "IPv6", &e.V6
		}
		if to.IsValid() {
			b.errorf(item, at.at("addresses", i), "more addresses are more endpoints", "more than one %s address in an endpoint", family)
			continue
		}
		*to = a
		if !e.ProbeAddr.IsValid() {
			e.ProbeAddr = a
		}
	}
	if v := field(n, "family"); v != nil {
		b.errorf(v, at.child("family"), "", "a family without `host`: the addresses say it")
	}
	probe := field(n, "probe")
	if a, err := parseAddress(stringOf(field(probe, "address"))); err == nil {
		e.ProbeAddr, e.ProbeGiven = a, true
	}
	e.ProbePort = uint16(intOf(field(probe, "port"), 0))
	e.LateHits = b.hitCounter(field(n, "late_hits"), at.child("late_hits"))
	return e
}

// azWeights makes one entry for each AZ that has an endpoint.
func (b *builder) azWeights(p *Pool, n *yamlNode, at *yamlPath) {
	p.Explicit = n != nil
	inPool := func(az int) bool {
		return slices.ContainsFunc(p.Endpoints, func(e *Endpoint) bool { return e.AZ == az }) || slices.ContainsFunc(p.Named, func(n *Named) bool { return n.AZ == az })
	}
	given := make(map[int]bool)
	sum := 0
	for k, v := range entries(n) {
		az := b.refer(k, at.child(k.Value), "AZ", b.azs)
		if az < 0 {
			continue
		}
		// A cluster may give an endpoint in any AZ.
		if len(p.From) == 0 && !inPool(az) {
			b.errorf(k, at.child(k.Value), "", "the pool has no endpoint in the AZ %q", k.Value)
			continue
		}
		given[az] = true
		w := AZWeight{AZ: az, Weight: intOf(v, 0)}
		p.azGiven = append(p.azGiven, w)
		sum += w.Weight
	}
	p.AZWeights = p.weighAZs()
	if !p.Explicit {
		return
	}
	missing := false
	for _, named := range p.Named {
		if named.AZ >= 0 && !given[named.AZ] && !slices.ContainsFunc(p.AZWeights, func(w AZWeight) bool { return w.AZ == named.AZ }) {
			missing = true
			b.errorf(n, at, "write 0 for an AZ that is never to answer", "the weight of the AZ %q is missing", b.zone.AZs[named.AZ].Name)
			break
		}
	}
	for _, w := range p.AZWeights {
		if !given[w.AZ] {
			missing = true
			b.errorf(n, at, "write 0 for an AZ that is never to answer", "the weight of the AZ %q is missing", b.zone.AZs[w.AZ].Name)
		}
	}
	if sum == 0 && !missing {
		b.node(n, Warning, at.String(), "all AZs have weight 0: the pool never answers", "")
	}
}
