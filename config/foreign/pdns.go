package foreign

import (
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// pdnsDefaultTTL stands where a record has none: `default-ttl` of PowerDNS.
const pdnsDefaultTTL = 3600

// pdnsInterval is lua-health-checks-interval of PowerDNS, in seconds; pdnsTimeout the default of the option timeout.
const pdnsInterval, pdnsTimeout = 5, 2

// pdnsLua reads zone files with LUA records, as the BIND backend and `pdnsutil list-zone` have them.
func (imp *importer) pdnsLua(files []File) error {
	for _, f := range files {
		name := zoneOfMaster(f)
		if name == "" {
			return fmt.Errorf("%s has no SOA record: which zone it is cannot be known", f.Name)
		}
		z := imp.zone(name)
		lines, err := imp.readMaster(f, z.name)
		if err != nil {
			return err
		}
		p := &pdns{importer: imp, z: z, services: make(map[string]*pdnsService)}
		for _, l := range lines {
			if l.typ == "LUA" {
				p.lua(l)
				continue
			}
			imp.static(z, l, pdnsDefaultTTL)
		}
		for _, owner := range p.order {
			z.services = append(z.services, p.services[owner].service)
		}
	}
	return nil
}

// zoneOfMaster is the owner of the SOA record, else $ORIGIN, else the name of the file.
func zoneOfMaster(f File) string {
	entries, err := tokens(string(f.Content))
	if err != nil {
		return strings.TrimSuffix(filepath.Base(f.Name), ".zone")
	}
	origin := ""
	for _, e := range entries {
		if strings.EqualFold(e.words[0].text, "$ORIGIN") && len(e.words) > 1 && origin == "" {
			origin = e.words[1].text
		}
		if slices.ContainsFunc(e.words, func(t token) bool { return strings.EqualFold(t.text, "SOA") }) {
			if owner := e.words[0].text; owner != "@" && strings.HasSuffix(owner, ".") {
				return owner
			} else if origin != "" {
				return origin
			}
		}
	}
	if origin == "" {
		origin = strings.TrimSuffix(strings.TrimPrefix(filepath.Base(f.Name), "db."), ".zone")
	}
	return origin
}

type pdns struct {
	*importer
	z        *zone
	order    []string
	services map[string]*pdnsService
}

// A pdnsService is a service, and what it was made of: a record of another type for the name has to fit.
type pdnsService struct {
	*service
	shape string
	pools []*pool
}

// A pick is what a Lua record chooses from: sets of addresses with weights, in order of preference, and how.
type pick struct {
	sets [][]endpoint
	// checks are by set, empty for none; keys are those of the service.
	checks []string
	keys   []string
	// clients are prefixes by set: those of a view, where set i is for prefixes i alone. nil means that all sets are for all.
	clients [][]string
}

func (p *pdns) lua(l line) {
	var text strings.Builder
	if len(l.data) < 2 {
		p.note(l.file, l.at, "%s LUA wants a type and a snippet", l.owner)
		return
	}
	for _, t := range l.data[1:] {
		text.WriteString(t.text)
	}
	typ := strings.ToUpper(l.data[0].text)
	if typ != "A" && typ != "AAAA" && typ != "CNAME" {
		p.note(l.file, l.at, "%s LUA %s: only A, AAAA and CNAME are carried over", l.owner, typ)
		return
	}
	v, err := parseLua(text.String())
	if err != nil {
		p.note(l.file, l.at, "%s LUA %s is not carried over: %s", l.owner, typ, err)
		return
	}
	ttl, ok := uint32(pdnsDefaultTTL), true
	if l.ttl != "" {
		ttl, ok = seconds(l.ttl)
	}
	if !ok {
		p.note(l.file, l.at, "the TTL %s", l.ttl)
		return
	}
	if fixed := v.str(""); fixed != "" || v.call == "all" {
		values := []string{fixed}
		if v.call == "all" && len(v.args) == 1 {
			values = texts(v.args[0])
		}
		for _, data := range values {
			p.z.records = append(p.z.records, record{l.owner, typ, data, ttl})
		}
		return
	}
	if c := p.pick(v, typ, l); c != nil {
		p.serve(c, v.call, ttl, l)
	}
}

// serve makes the service, or adds the other family to it.
func (p *pdns) serve(c *pick, function string, ttl uint32, l line) {
	shape := fmt.Sprint(function, len(c.sets), c.checks, c.keys, c.clients == nil)
	if s := p.services[l.owner]; s != nil {
		if s.shape != shape || c.clients != nil {
			p.note(l.file, l.at, "%s: a second LUA record that chooses otherwise than the first: left out", l.owner)
			return
		}
		for i, set := range c.sets {
			join(s.pools[i], set)
		}
		return
	}
	s := &pdnsService{service: &service{owner: l.owner}, shape: shape}
	for i, set := range c.sets {
		name := strings.TrimSuffix(p.z.relative(l.owner), ".")
		if len(c.sets) > 1 {
			name += "-" + strconv.Itoa(i+1)
		}
		s.pools = append(s.pools, p.z.addPool(&pool{name: name, check: c.checks[i], endpoints: set}))
		t := tier{{s.pools[i].name, 1}}
		if c.clients == nil && len(c.sets) > 1 {
			// While nothing is up all addresses of all sets are answered alike, so that larger sets are answered more often.
			t[0].weight = len(set)
		}
		switch {
		case c.clients == nil:
			s.tiers = append(s.tiers, t)
		case len(c.clients[i]) == 0:
			s.tiers = []tier{t}
		default:
			s.clients = append(s.clients, client{match: "cidr: " + words(c.clients[i]), tiers: []tier{t}})
		}
	}
	if len(s.tiers) == 0 {
		p.note(l.file, l.at, "%s: no view is for everybody: those that none is for get the last one", l.owner)
		s.tiers = []tier{{{s.pools[len(s.pools)-1].name, 1}}}
	}
	s.keys = append(s.keys, c.keys...)
	s.set("ttl: {max: %ds}", ladderOf(p.importer, l.file, l.at, l.owner, int(ttl)))
	s.asBefore(0)
	s.set("on_all_down: all")
	p.services[l.owner], p.order = s, append(p.order, l.owner)
}

// join gives addresses of the other family to the endpoints of a pool, one by one.
func join(p *pool, set []endpoint) {
	for i, e := range set {
		if i < len(p.endpoints) && p.endpoints[i].weight == e.weight {
			p.endpoints[i].addresses = append(p.endpoints[i].addresses, e.addresses...)
			continue
		}
		e.name, e.az = fmt.Sprintf("%s-v6", e.name), p.region
		p.endpoints = append(p.endpoints, e)
	}
}

func texts(v *lua) (out []string) {
	if v == nil {
		return nil
	}
	if !v.table {
		return []string{v.text}
	}
	for _, item := range v.list {
		if item.str("") != "" {
			out = append(out, item.text)
		}
	}
	return out
}

// endpointsOf are the values of a record of type typ.
func endpointsOf(values []string, typ string) (out []endpoint) {
	for i, v := range values {
		e := endpoint{name: fmt.Sprintf("e%d", i+1), az: onlyPlace}
		if typ == "CNAME" {
			e.target = strings.TrimSuffix(v, ".") + "."
		} else if a, err := netip.ParseAddr(v); err == nil && a.Is4() == (typ == "A") {
			e.addresses = []string{v}
		} else {
			return nil
		}
		out = append(out, e)
	}
	return out
}

// pick understands one call; nil after a note.
func (p *pdns) pick(v *lua, typ string, l line) *pick {
	arg := func(i int) *lua {
		if i < len(v.args) {
			return v.args[i]
		}
		return nil
	}
	c := new(pick)
	switch v.call {
	case "pickrandom", "pickhashed", "pickclosest":
		c.add(endpointsOf(texts(arg(0)), typ), "")
	case "pickrandomsample":
		c.add(endpointsOf(texts(arg(1)), typ), "")
		c.keys = append(c.keys, fmt.Sprintf("answers: %d", max(1, arg(0).int(1))))
	case "pickwrandom", "pickwhashed":
		c.add(weightedOf(arg(0), typ), "")
	case "ifportup":
		check := fmt.Sprintf("type: tcp, port: %d, %s", arg(0).int(0), pdnsTiming(arg(2)))
		p.sets(c, arg(1), typ, p.z.addCheck(fmt.Sprintf("port-%d", arg(0).int(0)), check))
		p.selector(c, arg(2), l)
	case "ifurlup":
		if check := p.url(arg(0).str(""), arg(2), l); check != "" {
			p.sets(c, arg(1), typ, check)
			p.selector(c, arg(2), l)
		}
	case "view":
		p.view(c, arg(0), typ)
	default:
		p.note(l.file, l.at, "%s: the function %s is not carried over", l.owner, v.call)
		return nil
	}
	switch v.call {
	case "pickhashed", "pickwhashed":
		c.keys = append(c.keys, "sticky: {v4: 32, v6: 128}")
	case "pickclosest":
		p.note(l.file, l.at, "%s: pickclosest: give the regions locations, and the service `order: nearest`; until then by weight", l.owner)
	}
	if len(c.sets) == 0 || slices.ContainsFunc(c.sets, func(set []endpoint) bool { return len(set) == 0 }) {
		p.note(l.file, l.at, "%s: what %s chooses from is not understood: left out", l.owner, v.call)
		return nil
	}
	return c
}

func (c *pick) add(set []endpoint, check string) {
	c.sets, c.checks = append(c.sets, set), append(c.checks, check)
}

// sets adds addresses: one list, or lists of lists that take over from each other.
func (p *pdns) sets(c *pick, v *lua, typ, check string) {
	if v != nil && len(v.list) > 0 && v.list[0].table {
		for _, set := range v.list {
			c.add(endpointsOf(texts(set), typ), check)
		}
		return
	}
	c.add(endpointsOf(texts(v), typ), check)
}

// weightedOf reads {{WEIGHT, VALUE}, ...}.
func weightedOf(v *lua, typ string) (out []endpoint) {
	if v == nil {
		return nil
	}
	for i, pair := range v.list {
		if len(pair.list) != 2 {
			return nil
		}
		e := endpointsOf([]string{pair.list[1].str("")}, typ)
		w := pair.list[0].int(-1)
		if len(e) != 1 || w < 0 {
			return nil
		}
		e[0].name, e[0].weight, e[0].never = fmt.Sprintf("e%d", i+1), w, w == 0
		out = append(out, e[0])
	}
	scale(out)
	return out
}

// view reads {{{NETS}, {VALUES}}, ...}.
func (p *pdns) view(c *pick, v *lua, typ string) {
	c.clients = [][]string{}
	if v == nil {
		return
	}
	for _, pair := range v.list {
		if len(pair.list) != 2 {
			c.add(nil, "")
			return
		}
		var nets []string
		for _, n := range texts(pair.list[0]) {
			prefix, err := netip.ParsePrefix(n)
			if err != nil {
				c.add(nil, "")
				return
			}
			if prefix.Bits() > 0 {
				nets = append(nets, prefix.Masked().String())
			}
		}
		c.add(endpointsOf(texts(pair.list[1]), typ), "")
		c.clients = append(c.clients, nets)
	}
	c.keys = append(c.keys, "ecs: true")
}

// selector says how many of those that are up are answered.
func (p *pdns) selector(c *pick, options *lua, l line) {
	selector := options.get("selector").str("random")
	switch selector {
	case "random":
	case "all":
		c.keys = append(c.keys, "answers: all")
	case "hashed":
		c.keys = append(c.keys, "sticky: {v4: 32, v6: 128}")
	default:
		p.note(l.file, l.at, "%s: the selector %s: give the regions locations, and the service `order: nearest`; until then by weight", l.owner, selector)
	}
	if backup := options.get("backupSelector").str("random"); backup != selector {
		p.note(l.file, l.at, "%s: while nothing is up the selector %s counts here too, not %s", l.owner, selector, backup)
	}
	for _, name := range []string{"source", "byteslimit"} {
		if options.get(name) != nil {
			p.note(l.file, l.at, "%s: the option %s is not carried over", l.owner, name)
		}
	}
}

// pdnsTiming: one failure is down there, and one success is up.
func pdnsTiming(options *lua) string {
	interval := options.get("interval").int(pdnsInterval)
	timeout := min(options.get("timeout").int(pdnsTimeout), max(1, interval-1))
	return fmt.Sprintf("interval: %ds, timeout: %ds, fall: %d, rise: 1", interval, timeout, max(1, options.get("minimumFailures").int(1)))
}

// url is the check of ifurlup; empty after a note.
func (p *pdns) url(text string, options *lua, l line) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		p.note(l.file, l.at, "%s: the URL %q", l.owner, text)
		return ""
	}
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	if u.Port() != "" {
		port = u.Port()
	}
	expect := "status: [200]"
	if match := options.get("stringmatch").str(""); match != "" {
		expect += ", body: " + word(match)
	}
	agent := ""
	if a := options.get("useragent").str(""); a != "" {
		agent = ", headers: {User-Agent: " + word(a) + "}"
	}
	return p.z.addCheck("url-"+u.Hostname(), fmt.Sprintf("type: %s, port: %s, path: %s, host: %s%s, expect: {%s}, %s",
		u.Scheme, port, word(orSlash(u.RequestURI())), word(u.Hostname()), agent, expect, pdnsTiming(options)))
}

func orSlash(path string) string {
	if path == "" {
		return "/"
	}
	return path
}
