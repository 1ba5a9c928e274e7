package config

import "slices"

// rules reads the rules for drains and for automatic removal.
func (b *builder) rules(s *Service, n *yamlNode, at *yamlPath) {
	safety, health := field(n, "safety"), field(n, "health")
	s.Safety = Safety{
		KeepRegions: intOf(field(safety, "keep_regions"), 0),
		KeepAZs:     intOf(field(safety, "keep_azs"), 0),
		MaxDrained:  percentOf(field(safety, "max_drained"), 0),
	}
	s.Health = Limits{MaxRemoval: percentOf(field(health, "max_removal"), defaultMaxRemoval), PanicBelow: percentOf(field(health, "panic_below"), 0)}
	if safety == nil {
		return
	}
	regions, azs := b.places(s)
	if s.Safety.KeepRegions > len(regions) {
		b.errorf(field(safety, "keep_regions"), at.at("safety", "keep_regions"), "", "%d regions cannot be kept, the service has %d", s.Safety.KeepRegions, len(regions))
	}
	if s.Safety.KeepAZs > len(azs) {
		b.errorf(field(safety, "keep_azs"), at.at("safety", "keep_azs"), "", "%d AZs cannot be kept, the service has %d", s.Safety.KeepAZs, len(azs))
	}
}

// places are the regions and AZs of a service's pools.
func (b *builder) places(s *Service) (regions, azs map[int]bool) {
	regions, azs = make(map[int]bool), make(map[int]bool)
	for _, p := range s.Pools {
		if r := b.zone.Pools[p].Region; r >= 0 {
			regions[r] = true
		}
		for _, w := range b.zone.Pools[p].AZWeights {
			azs[w.AZ] = true
		}
		for _, n := range b.zone.Pools[p].Named {
			if n.AZ >= 0 {
				azs[n.AZ] = true
			}
		}
		// What clusters give may stand in any AZ of the region.
		for i, az := range b.zone.AZs {
			if len(b.zone.Pools[p].From) > 0 && az.Region == b.zone.Pools[p].Region {
				azs[i] = true
			}
		}
	}
	return regions, azs
}

func (b *builder) standby(s *Service, n *yamlNode, at *yamlPath) {
	if n == nil {
		return
	}
	v := field(n, "trickle")
	s.Standby.Trickle, _ = parseTrickle(stringOf(v))
	if len(s.Tiers) < 2 {
		b.errorf(n, at, "", "a standby needs a second tier")
		return
	}
	for _, share := range s.Tiers[1] {
		if p := b.zone.Pools[share.Pool]; p.Stateful || p.Fence {
			b.errorf(v, at.child("trickle"), "serving a site without the data loses data",
				"a trickle into the pool %q, which is stateful or fenced and never answered outside its turn", p.Name)
		}
	}
	if first, second := b.kindOf(s.Tiers[0]), b.kindOf(s.Tiers[1]); first >= 0 && second >= 0 && first != second {
		b.errorf(v, at.child("trickle"), "a second tier of the first one's kind takes it", "a trickle between addresses and CNAME targets: a name never has both")
	}
}

// kindOf is the kind of a tier's pools; -1 where they have no endpoints.
func (b *builder) kindOf(t Tier) int {
	for _, share := range t {
		if p := b.zone.Pools[share.Pool]; p.hasMembers() {
			return int(p.Kind())
		}
	}
	return -1
}

// hintKinds says of a service whose tiers are of several kinds what a ramp, or a max_share, cannot do.
func (b *builder) hintKinds(s *Service, n *yamlNode, at *yamlPath) {
	if s.Kind != Mixed {
		return
	}
	if ramp, _ := fieldOf(field(n, "failback"), "ramp"); ramp != nil {
		b.node(ramp, Notice, at.at("failback", "ramp").String(),
			"a ramp shares traffic among addresses, or among CNAME targets: from one to the other the service goes in one step, after the hold", "")
	}
}

// extras reads the keys that stand alone.
func (b *builder) extras(s *Service, n *yamlNode, at *yamlPath) {
	for i, item := range items(field(n, "also")) {
		kind := AlsoRegion
		if stringOf(item) == "az" {
			kind = AlsoAZ
		}
		for _, k := range s.Also {
			if k == kind {
				b.errorf(item, at.at("also", i), "", "duplicate entry %q", item.Value)
			}
		}
		s.Also = append(s.Also, kind)
	}
	if v := field(n, "sticky"); v != nil {
		s.Sticky = &Sticky{V4: intOf(field(v, "v4"), defaultStickyV4), V6: intOf(field(v, "v6"), defaultStickyV6)}
	}
	if v := field(n, "srv"); v != nil {
		s.SRV = &SRV{Port: uint16(intOf(field(v, "port"), 0)), Priority: uint16(intOf(field(v, "priority"), 0))}
	}
	if v := field(n, "https"); v != nil {
		s.HTTPS = &HTTPS{Priority: uint16(intOf(field(v, "priority"), defaultHTTPSPriority)), Port: uint16(intOf(field(v, "port"), 0))}
		for _, item := range items(field(v, "alpn")) {
			s.HTTPS.ALPN = append(s.HTTPS.ALPN, stringOf(item))
		}
	}
	for key, set := range map[string]bool{"srv": s.SRV != nil, "https": s.HTTPS != nil} {
		// HTTPS records are asked for under the name that may be a CNAME, and clients follow it (RFC 9460 section 3). SRV clients do not.
		if set && (s.Kind == Targets || s.Kind == Mixed && key == "srv") {
			k, _ := fieldOf(n, key)
			b.errorf(k, at.child(key), "use pools with addresses", "%s next to CNAME targets: a CNAME stands alone", key)
		}
	}
}

// checkFence reports a fenced pool that has no home although services use it.
func (b *builder) checkFence(i int, p *Pool) {
	if !p.Fence || len(p.Services) == 0 {
		return
	}
	for _, s := range p.Services {
		if c := b.zone.Services[s].Cells; c != nil {
			if slices.Contains(c.Homes(), i) || slices.Contains(c.Empty, i) {
				return
			}
		}
	}
	b.errorf(b.fenceKeys[i], (*yamlPath)(nil).at("pools", p.Name, "fence"), "name the pool in cells.home of a service, or use stateful: true",
		"a fence without a home: no service gives the pool shards")
}
