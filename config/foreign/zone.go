package foreign

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// onlyPlace is the region and the AZ of endpoints of which nothing is known.
const onlyPlace = "main"

// A zone is a zone file in the making.
type zone struct {
	// name is lower-case, with the final dot.
	name        string
	soa         []string
	nameservers []nameserver
	records     []record
	regions     []*region
	checks      []check
	pools       []*pool
	services    []*service
}

type nameserver struct {
	name      string
	addresses []string
}

// A record is one static record: the owner is absolute, data as in a master file.
type record struct {
	owner, typ, data string
	ttl              uint32
}

type region struct {
	name string
	azs  []string
	// location is latitude and longitude; nil for none.
	location []float64
}

// A check is what stands behind its name, in flow style.
type check struct{ name, text string }

type pool struct {
	name, region, check string
	endpoints           []endpoint
	minHealthy          string
	// id says of what it was made, so that it is made once.
	id string
}

type endpoint struct {
	name, az, target string
	// host stands in the place of target where its addresses are answered.
	host      string
	addresses []string
	// weight is that of the file; 0 stands for the default.
	weight int
	never  bool
	port   int
}

// A service is an owner name that is answered from pools.
type service struct {
	// owner is absolute.
	owner string
	// tiers are pools with weights.
	tiers   []tier
	clients []client
	// keys are further keys in flow style, in order.
	keys []string
}

type tier []share

type share struct {
	pool   string
	weight int
}

type client struct {
	// match is in flow style.
	match  string
	tiers  []tier
	strict bool
}

func (s *service) set(format string, args ...any) {
	s.keys = append(s.keys, fmt.Sprintf(format, args...))
}

// poolFor is the pool that was made of id; nil if there is none yet.
func (z *zone) poolFor(id string) *pool {
	for _, p := range z.pools {
		if p.id == id {
			return p
		}
	}
	return nil
}

// addPool adds a pool under a name of its own.
func (z *zone) addPool(p *pool) *pool {
	p.name = z.unused(identifier(p.name), func(name string) bool {
		return slices.ContainsFunc(z.pools, func(o *pool) bool { return o.name == name })
	})
	if p.region == "" {
		p.region = onlyPlace
	}
	seen := make(map[string]bool)
	for i := range p.endpoints {
		e := &p.endpoints[i]
		if e.az == "" {
			e.az = p.region
		}
		e.name = z.unused(identifier(e.name), func(name string) bool { return seen[name] })
		seen[e.name] = true
		e.az = z.az(p.region, e.az)
	}
	z.pools = append(z.pools, p)
	return p
}

// unused is name, with a number behind it where it is taken.
func (z *zone) unused(name string, taken func(string) bool) string {
	out := name
	for n := 2; taken(out); n++ {
		out = fmt.Sprintf("%s-%d", name, n)
	}
	return out
}

// region is the region of that name, which is made if it is not there yet.
func (z *zone) region(name string) *region {
	for _, r := range z.regions {
		if r.name == name {
			return r
		}
	}
	r := &region{name: name}
	z.regions = append(z.regions, r)
	return r
}

// az is the AZ of that name in a region, which is made if it is not there yet. Where another region has it, the name of its own stands before it: an AZ
// belongs to one region.
func (z *zone) az(of, name string) string {
	r := z.region(of)
	for _, other := range z.regions {
		if other != r && slices.Contains(other.azs, name) {
			return z.az(of, of+"-"+name)
		}
	}
	if !slices.Contains(r.azs, name) {
		r.azs = append(r.azs, name)
	}
	return name
}

// allOf is the name of the check that is up while all of those named are; empty for none.
func (z *zone) allOf(names []string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return names[0]
	}
	return z.addCheck(strings.Join(names, "-and-"), "all: "+words(names))
}

// addCheck adds a check, unless one of its text is there, and gives its name.
func (z *zone) addCheck(name, text string) string {
	for _, c := range z.checks {
		if c.text == text {
			return c.name
		}
	}
	name = z.unused(identifier(name), func(n string) bool { return slices.ContainsFunc(z.checks, func(c check) bool { return c.name == n }) })
	z.checks = append(z.checks, check{name, text})
	return name
}

// complete puts in what a zone file needs and the input did not have.
func (z *zone) complete(imp *importer) {
	if len(z.nameservers) == 0 {
		z.nameservers = []nameserver{{name: "ns1." + z.name, addresses: []string{"192.0.2.53"}}}
		imp.note("", 0, "%s: the input has no name servers: ns1 with the address 192.0.2.53 stands there to be replaced", strings.TrimSuffix(z.name, "."))
	} else {
		names := make([]string, 0, len(z.nameservers))
		for _, ns := range z.nameservers {
			names = append(names, strings.TrimSuffix(ns.name, "."))
		}
		imp.note("", 0, "%s: its name servers, and the SOA's mname, are those of the input (%s): yours are to stand there before the zone is delegated to your nodes",
			strings.TrimSuffix(z.name, "."), strings.Join(names, ", "))
	}
	// Addresses of name servers in the zone stand with them.
	for i := range z.nameservers {
		ns := &z.nameservers[i]
		if !strings.HasSuffix(ns.name, "."+z.name) {
			continue
		}
		z.records = slices.DeleteFunc(z.records, func(r record) bool {
			if r.owner != ns.name || r.typ != "A" && r.typ != "AAAA" {
				return false
			}
			ns.addresses = append(ns.addresses, r.data)
			return true
		})
	}
}

// text is the zone file.
func (z *zone) text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("zone: %s", word(strings.TrimSuffix(z.name, ".")))
	if len(z.soa) > 0 {
		line("\nsoa: {%s}", strings.Join(z.soa, ", "))
	}
	line("\nnameservers:")
	for _, ns := range z.nameservers {
		if len(ns.addresses) == 0 {
			line("  - %s", word(ns.name))
			continue
		}
		line("  - {name: %s, addresses: %s}", word(ns.name), words(ns.addresses))
	}
	if len(z.records) > 0 {
		line("\nrecords:")
		for _, r := range z.records {
			line("  - {name: %s, type: %s, data: %s, ttl: %ds}", word(z.relative(r.owner)), r.typ, word(r.data), r.ttl)
		}
	}
	z.steering(line)
	return b.String()
}

func (z *zone) steering(line func(format string, args ...any)) {
	if len(z.pools) == 0 {
		return
	}
	line("\nregions:")
	for _, r := range z.regions {
		location := ""
		if r.location != nil {
			location = fmt.Sprintf("location: [%g, %g], ", r.location[0], r.location[1])
		}
		line("  %s: {%sazs: %s}", word(r.name), location, words(r.azs))
	}
	if len(z.checks) > 0 {
		line("\nchecks:")
		for _, c := range z.checks {
			line("  %s: {%s}", word(c.name), c.text)
		}
	}
	line("\npools:")
	for _, p := range z.pools {
		line("  %s:\n    region: %s", word(p.name), word(p.region))
		if p.check != "" {
			line("    check: %s", word(p.check))
		}
		if p.minHealthy != "" {
			line("    min_healthy: %s", p.minHealthy)
		}
		line("    endpoints:")
		for _, e := range p.endpoints {
			line("      - {%s}", e.text())
		}
	}
	line("\nservices:")
	for _, s := range z.services {
		line("  %s:\n    tiers: %s", word(z.relative(s.owner)), tiersText(s.tiers))
		if len(s.clients) > 0 {
			line("    clients:")
		}
		for _, c := range s.clients {
			strict := ""
			if c.strict {
				strict = ", strict: true"
			}
			line("      - {match: {%s}, tiers: %s%s}", c.match, tiersText(c.tiers), strict)
		}
		for _, k := range s.keys {
			line("    %s", k)
		}
	}
}

func (e *endpoint) text() string {
	out := "name: " + word(e.name)
	if e.host != "" {
		out += ", host: " + word(e.host)
	} else if e.target != "" {
		out += ", target: " + word(e.target)
	} else {
		out += ", addresses: " + words(e.addresses)
	}
	out += ", az: " + word(e.az)
	if e.never {
		out += ", weight: 0"
	} else if e.weight > 0 {
		out += fmt.Sprintf(", weight: %d", e.weight)
	}
	if e.port > 0 {
		out += fmt.Sprintf(", probe: {port: %d}", e.port)
	}
	return out
}

func tiersText(tiers []tier) string {
	var list []string
	for _, t := range tiers {
		var shares []string
		for _, s := range t {
			shares = append(shares, fmt.Sprintf("%s: %d", word(s.pool), s.weight))
		}
		list = append(list, "{"+strings.Join(shares, ", ")+"}")
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// relative is an absolute name as the zone file writes it.
func (z *zone) relative(owner string) string {
	if owner == z.name {
		return "@"
	}
	if rest, ok := strings.CutSuffix(owner, "."+z.name); ok {
		return rest
	}
	return owner
}

// plainWord is what YAML takes for text without quotes: no number, nothing with a meaning of its own.
var plainWord = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./-]*$`)

// word is a text as YAML has it.
func word(s string) string {
	if plainWord.MatchString(s) && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(s)) {
		return s
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Is4() {
		return s
	}
	out, err := json.Marshal(s)
	if err != nil {
		// A string is always JSON.
		panic(err)
	}
	return string(out)
}

func words(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = word(s)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// identifier is a name of a pool, endpoint, check, region or AZ.
func identifier(s string) string {
	s = strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.:", r) {
			return r
		}
		return '-'
	}, s), "-.:")
	if len(s) > 60 {
		s = s[:60]
	}
	if s == "" {
		return "x"
	}
	return s
}

// ttl sets the TTL of a service from seconds of the other system: both bounds are rungs here.
func (s *service) ttl(mode string, high, low uint32) (rounded bool) {
	most := config.Ladder(min(max(high, 1), uint32(config.MaxTTL/time.Second)))
	least := min(config.Ladder(max(low, 1)), most)
	if mode != "" {
		mode = "mode: " + mode + ", "
	}
	s.set("ttl: {%smax: %ds, min: %ds}", mode, most, least)
	return most != high || least != low
}

// asBefore turns off what the other systems do not have: the speed limit, and the wait before a pool returns.
func (s *service) asBefore(panicBelow int) {
	s.set("health: {max_removal: 100%%, panic_below: %d%%}", panicBelow)
	s.set("failback: {hold: 0s}")
}
