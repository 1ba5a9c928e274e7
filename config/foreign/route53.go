package foreign

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// A route53 is what the output of list-resource-record-sets and list-health-checks says together.
type route53 struct {
	*importer
	checks map[string]tree
	// sets are those with a routing policy or an alias, by name without type, in the order of the files.
	order []string
	sets  map[string][]tree
	// plain are the addresses of sets without policy, by name.
	plain map[string][]string
}

// route53 reads JSON as `aws route53 list-resource-record-sets` and `list-health-checks` print it.
func (imp *importer) route53(files []File) error {
	r := &route53{importer: imp, checks: make(map[string]tree)}
	for _, f := range files {
		t, err := parseTree(f)
		if err != nil {
			return err
		}
		for _, c := range t.get("HealthChecks").items() {
			r.checks[c.get("Id").str("")] = c.get("HealthCheckConfig")
		}
	}
	for _, f := range files {
		t, err := parseTree(f)
		if err != nil {
			return err
		}
		if sets := t.get("ResourceRecordSets"); sets.is() {
			if err := r.zoneOf(f, sets.items()); err != nil {
				return err
			}
		} else if !t.get("HealthChecks").is() {
			imp.note(f.Name, 0, "neither ResourceRecordSets nor HealthChecks: not understood")
		}
	}
	return nil
}

// zoneOf makes the zone of one hosted zone.
func (r *route53) zoneOf(f File, sets []tree) error {
	name := ""
	for _, s := range sets {
		if s.get("Type").str("") == "SOA" {
			name = route53Name(s)
		}
	}
	if name == "" {
		return fmt.Errorf("%s has no SOA record: which zone it is cannot be known", f.Name)
	}
	z := r.zone(name)
	r.order, r.sets, r.plain = nil, make(map[string][]tree), make(map[string][]string)
	for _, s := range sets {
		owner := route53Name(s)
		typ := s.get("Type").str("")
		routed := s.get("SetIdentifier").is() || s.get("AliasTarget").is() || s.get("HealthCheckId").is()
		switch {
		case routed && typ != "A" && typ != "AAAA" && typ != "CNAME":
			r.note(f.Name, s.line(), "%s %s with a routing policy: only A, AAAA and CNAME are carried over", owner, typ)
		case routed:
			if r.sets[owner] == nil {
				r.order = append(r.order, owner)
			}
			r.sets[owner] = append(r.sets[owner], s)
		default:
			r.records(z, f, s, owner, typ)
		}
	}
	for _, owner := range r.order {
		r.service(z, f, owner)
	}
	return nil
}

// route53Name is the owner name, whose escapes are octal there.
func route53Name(s tree) string {
	name := strings.ToLower(s.get("Name").str(""))
	return strings.TrimSuffix(strings.ReplaceAll(name, `\052`, "*"), ".") + "."
}

func (r *route53) records(z *zone, f File, s tree, owner, typ string) {
	for _, v := range s.get("ResourceRecords").items() {
		data := v.get("Value").str("")
		rr, err := dns.NewRR(fmt.Sprintf("%s %d IN %s %s", owner, s.get("TTL").int(300), typ, data))
		if err != nil || rr == nil {
			r.note(f.Name, s.line(), "%s %s %s is not understood: left out", owner, typ, data)
			continue
		}
		if typ == "A" || typ == "AAAA" {
			r.plain[owner] = append(r.plain[owner], data)
		}
		r.add(z, rr, line{file: f.Name, at: s.line()})
	}
}

// service makes a service of all sets of a name.
func (r *route53) service(z *zone, f File, owner string) {
	s := &service{owner: owner}
	b := &route53Service{route53: r, z: z, f: f, owner: owner, pools: make(map[string]*pool)}
	sets := r.sets[owner]
	first := sets[0]
	ttl := first.get("TTL").int(60)
	switch {
	case first.get("Failover").is():
		b.failover(s, sets)
	case first.get("Weight").is():
		s.tiers = b.one(sets, func(t tree) int { return t.get("Weight").int(1) })
	case first.get("MultiValueAnswer").bool(false):
		s.tiers = b.one(sets, nil)
		s.set("answers: 8")
	case first.get("GeoLocation").is():
		b.geolocation(s, sets)
	case first.get("Region").is(), first.get("GeoProximityLocation").is():
		b.nearest(s, sets)
	case first.get("CidrRoutingConfig").is():
		r.note(f.Name, first.line(), "%s: CIDR routing is not carried over: the collections are not in the input; write `clients: [{match: {cidr: [...]}, ...}]`", owner)
		return
	default:
		s.tiers = b.one(sets, nil)
	}
	if len(s.tiers) == 0 {
		r.note(f.Name, first.line(), "%s: nothing of it can be carried over", owner)
		return
	}
	if b.several && !first.get("MultiValueAnswer").bool(false) {
		s.set("answers: all")
		if first.get("Weight").is() {
			r.note(f.Name, first.line(), "%s: sets with several values: all values that are up are answered, whatever their weights", owner)
		}
	}
	s.set("ttl: {max: %ds}", ladderOf(r.importer, f.Name, first.line(), owner, ttl))
	s.asBefore(0)
	s.set("on_all_down: all")
	z.services = append(z.services, s)
}

// A route53Service makes pools of the sets of one name.
type route53Service struct {
	*route53
	z     *zone
	f     File
	owner string
	// pools are by set identifier: sets of A and AAAA share one. several is set once a set has several values of a type.
	pools   map[string]*pool
	several bool
}

// one is one tier of all sets; weight may be nil. Where all weights are 0 they are the same.
func (b *route53Service) one(sets []tree, weight func(tree) int) []tier {
	var t tier
	sum := 0
	for _, s := range sets {
		for _, p := range b.poolsOf(s, 0) {
			if slices.ContainsFunc(t, func(sh share) bool { return sh.pool == p.name }) {
				continue
			}
			w := 1
			if weight != nil {
				w = weight(s)
			}
			sum += w
			t = append(t, share{p.name, w})
		}
	}
	if len(t) == 0 {
		return nil
	}
	for i := range t {
		if sum == 0 {
			t[i].weight = 1
		}
	}
	return []tier{t}
}

func (b *route53Service) failover(s *service, sets []tree) {
	for _, which := range []string{"PRIMARY", "SECONDARY"} {
		var mine []tree
		for _, set := range sets {
			if set.get("Failover").str("") == which {
				mine = append(mine, set)
			}
		}
		s.tiers = append(s.tiers, b.one(mine, nil)...)
	}
}

func (b *route53Service) geolocation(s *service, sets []tree) {
	byMatch := make(map[string][]tree)
	var order []string
	for _, set := range sets {
		where := set.get("GeoLocation")
		match := ""
		switch country := where.get("CountryCode").str(""); {
		case country == "*":
		case where.get("SubdivisionCode").is():
			match = "subdivision: [" + word(country+"-"+where.get("SubdivisionCode").str("")) + "]"
		case country != "":
			match = "country: [" + word(country) + "]"
		default:
			match = "continent: [" + word(where.get("ContinentCode").str("")) + "]"
		}
		if byMatch[match] == nil {
			order = append(order, match)
		}
		byMatch[match] = append(byMatch[match], set)
	}
	slices.SortStableFunc(order, func(x, y string) int { return specificity(y) - specificity(x) })
	for _, match := range order {
		tiers := b.one(byMatch[match], nil)
		if match == "" {
			s.tiers = tiers
		} else if tiers != nil {
			s.clients = append(s.clients, client{match: match, tiers: tiers})
		}
	}
	if len(s.tiers) == 0 && len(s.clients) > 0 {
		b.note(b.f.Name, sets[0].line(), "%s has no default location: others get %s, where Route 53 answers nothing", b.owner, s.clients[0].match)
		s.tiers = s.clients[0].tiers
	}
	s.set("ecs: true")
}

// nearest is latency and geoproximity: by distance.
func (b *route53Service) nearest(s *service, sets []tree) {
	ok := true
	for _, set := range sets {
		where, place := set.get("Region").str(""), awsRegions[set.get("Region").str("")]
		if c := set.get("GeoProximityLocation"); c.is() {
			where = c.get("AWSRegion").str(where)
			place = awsRegions[where]
			if xy := c.get("Coordinates"); xy.is() {
				where = identifier("at_" + xy.get("Latitude").str("") + "_" + xy.get("Longitude").str(""))
				place = []float64{float(xy.get("Latitude")), float(xy.get("Longitude"))}
			}
			if c.get("Bias").int(0) != 0 {
				b.note(b.f.Name, set.line(), "%s: the bias is not carried over", b.owner)
			}
		}
		if place == nil {
			ok = false
			b.note(b.f.Name, set.line(), "%s: the place of the region %q is not known here: give it a location", b.owner, where)
			continue
		}
		for _, p := range b.poolsOf(set, 0) {
			p.region = where
			for i := range p.endpoints {
				p.endpoints[i].az = b.z.az(where, where)
			}
			b.z.region(where).location = place
		}
	}
	if s.tiers = b.one(sets, nil); ok {
		s.set("order: nearest")
	}
	s.set("ecs: true")
	b.note(b.f.Name, sets[0].line(), "%s: clients go to the nearest region by distance, where Route 53 goes by measured latency or bias", b.owner)
}

func float(t tree) float64 {
	var f float64
	if _, err := fmt.Sscanf(t.str(""), "%g", &f); err != nil {
		return 0
	}
	return f
}

// maxAlias bounds aliases of aliases.
const maxAlias = 4

// poolsOf are the pools of one set: one, or those of what it is an alias of.
func (b *route53Service) poolsOf(set tree, depth int) []*pool {
	id := set.get("SetIdentifier").str("only")
	if depth > 0 {
		id = route53Name(set) + id
	}
	var values []string
	for _, v := range set.get("ResourceRecords").items() {
		values = append(values, v.get("Value").str(""))
	}
	if alias := set.get("AliasTarget"); alias.is() {
		target := strings.ToLower(strings.TrimSuffix(alias.get("DNSName").str(""), ".") + ".")
		if strings.HasSuffix(target, "."+b.z.name) || target == b.z.name {
			if inner := b.sets[target]; inner != nil && depth < maxAlias {
				var out []*pool
				for _, s := range inner {
					for _, p := range b.poolsOf(s, depth+1) {
						if !slices.Contains(out, p) {
							out = append(out, p)
						}
					}
				}
				b.note(b.f.Name, set.line(), "%s is an alias of %s: the endpoints of that share its place evenly", b.owner, target)
				return out
			}
			values = b.plain[target]
		} else {
			values = []string{target}
		}
	}
	p := b.pools[id]
	if p == nil && len(values) > 0 {
		p = &pool{name: strings.TrimSuffix(b.z.relative(b.owner), ".") + "-" + id, check: b.healthCheck(set, values)}
		b.fill(p, values)
		b.pools[id] = b.z.addPool(p)
	} else if p != nil {
		b.fill(p, values)
	}
	if p == nil {
		return nil
	}
	return []*pool{p}
}

// fill adds values to a pool: the first of the other family joins an endpoint that is there.
func (b *route53Service) fill(p *pool, values []string) {
	for i, v := range values {
		if slices.ContainsFunc(p.endpoints, func(e endpoint) bool { return slices.Contains(e.addresses, v) || e.target == v }) {
			continue
		}
		a, err := netip.ParseAddr(v)
		if err != nil {
			e := endpoint{name: fmt.Sprintf("e%d", len(p.endpoints)+1), az: orMain(p.region), target: strings.TrimSuffix(v, ".") + "."}
			if b.owner == b.z.name {
				// There is no CNAME at the apex.
				e.target, e.host = "", e.target
			}
			p.endpoints = append(p.endpoints, e)
			continue
		}
		if i < len(p.endpoints) && len(p.endpoints[i].addresses) == 1 {
			if have := netip.MustParseAddr(p.endpoints[i].addresses[0]); have.Is4() != a.Is4() {
				p.endpoints[i].addresses = append(p.endpoints[i].addresses, v)
				continue
			}
		}
		p.endpoints = append(p.endpoints, endpoint{name: fmt.Sprintf("e%d", len(p.endpoints)+1), az: orMain(p.region), addresses: []string{v}})
	}
	b.several = b.several || len(values) > 1
}

func orMain(region string) string {
	if region == "" {
		return onlyPlace
	}
	return region
}
