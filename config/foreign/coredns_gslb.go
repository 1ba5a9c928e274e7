package foreign

import (
	"cmp"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A gslb is what the files of CoreDNS-GSLB say together.
type gslb struct {
	*importer
	// zones are the files of zones by their base names, from the Corefile.
	zones map[string]string
	// profiles are health checks for all zones, places the networks of a location map by location.
	profiles tree
	places   map[string][]string
}

// corednsGSLB reads zone files of CoreDNS-GSLB (dmachard/coredns-gslb), and the Corefile, global profiles and location map if they are among
// the files.
func (imp *importer) corednsGSLB(files []File) error {
	g := &gslb{importer: imp, zones: make(map[string]string), places: make(map[string][]string)}
	var zones []tree
	for _, f := range files {
		if strings.Contains(filepath.Base(f.Name), "Corefile") {
			g.corefile(string(f.Content))
			continue
		}
		t, err := parseTree(f)
		switch {
		case err != nil:
			return err
		case t.get("records").is():
			zones = append(zones, t)
		case t.get("subnets").is():
			for _, s := range t.get("subnets").items() {
				for _, where := range s.get("location").texts() {
					g.places[where] = append(g.places[where], s.get("subnet").str(""))
				}
			}
		case t.get("healthcheck_profiles").is():
			g.profiles = t.get("healthcheck_profiles")
		default:
			imp.note(f.Name, 0, "neither records nor profiles nor subnets: not understood")
		}
	}
	for _, t := range zones {
		g.file(t)
	}
	return nil
}

// corefile finds which file is which zone.
func (g *gslb) corefile(text string) {
	_, rest, found := strings.Cut(text, "zones {")
	if !found {
		return
	}
	block, _, _ := strings.Cut(rest, "}")
	for l := range strings.Lines(block) {
		if words := strings.Fields(l); len(words) == 2 {
			g.zones[filepath.Base(words[1])] = words[0]
		}
	}
}

func (g *gslb) file(t tree) {
	names, records := t.get("records").pairs()
	zone := g.zones[filepath.Base(t.file)]
	if zone == "" {
		zone = commonZone(names)
		g.note(t.file, 0, "no Corefile says which zone this is: taken for %s", zone)
	}
	z := g.zone(zone)
	for i, name := range names {
		g.record(z, t, strings.ToLower(strings.TrimSuffix(name, "."))+".", records[i])
	}
}

// commonZone is the longest name above all of names that leaves them a label.
func commonZone(names []string) string {
	var common []string
	for i, name := range names {
		labels := strings.Split(strings.TrimSuffix(strings.ToLower(name), "."), ".")
		slices.Reverse(labels)
		labels = labels[:max(1, len(labels)-1)]
		if i == 0 {
			common = labels
		}
		n := 0
		for n < min(len(common), len(labels)) && common[n] == labels[n] {
			n++
		}
		common = common[:n]
	}
	common = slices.Clone(common)
	slices.Reverse(common)
	return strings.Join(common, ".")
}

// record makes a service.
func (g *gslb) record(z *zone, t tree, owner string, r tree) {
	key := func(name string) tree {
		if v := r.get(name); v.is() {
			return v
		}
		return t.get("defaults").get(name)
	}
	s := &service{owner: owner}
	mode := strings.ReplaceAll(key("mode").str("failover"), "-", "")
	if r.get("discovery").is() {
		g.note(t.file, r.line(), "%s: discovery is not carried over: `from` of pools takes endpoints from Kubernetes", owner)
	}
	backends := r.get("backends").items()
	if len(backends) == 0 {
		g.note(t.file, r.line(), "%s has no backends: left out", owner)
		return
	}
	slices.SortStableFunc(backends, func(a, b tree) int { return cmp.Compare(a.get("priority").int(0), b.get("priority").int(0)) })
	b := &gslbRecord{gslb: g, z: z, t: t, key: key, owner: owner, weighted: mode == "weighted", part: make(map[string]*pool)}
	switch mode {
	case "failover", "geoip", "geoipaffinity":
		for len(backends) > 0 {
			n := 1
			for n < len(backends) && backends[n].get("priority").int(0) == backends[0].get("priority").int(0) {
				n++
			}
			s.tiers = append(s.tiers, b.tier(backends[:n]))
			backends = backends[n:]
		}
		if mode != "failover" {
			b.geo(s, r.get("backends").items())
		}
	case "roundrobin", "weighted":
		s.tiers = []tier{b.tier(backends)}
	case "random":
		s.tiers = []tier{b.tier(backends)}
		s.set("answers: all")
	case "iphash":
		s.tiers = []tier{b.tier(backends)}
		s.set("sticky: {v4: 32, v6: 128}")
	default:
		g.note(t.file, r.line(), "%s: the mode %s is not known: left out", owner, mode)
		return
	}
	s.set("ttl: {max: %ds}", ladderOf(g.importer, t.file, r.line(), owner, key("record_ttl").int(30)))
	s.asBefore(0)
	g.fallback(s, t, owner, r)
	if alpn := key("alpn").texts(); len(alpn) > 0 {
		s.set("https: {alpn: %s}", words(alpn))
	}
	z.services = append(z.services, s)
}

// fallback says what is answered when nothing is up.
func (g *gslb) fallback(s *service, t tree, owner string, r tree) {
	p := r.get("failover_policy")
	if !p.is() {
		p = r.get("fallback_policy")
	}
	ips := p.get("fallback_ips").texts()
	switch mode := p.get("mode").str("fail-open"); {
	case p.get("fallback_cname").is() && mode != "fail-open":
		g.note(t.file, p.line(), "%s: a fallback name is not carried over: nothing is answered when all is down", owner)
		s.set("on_all_down: nodata")
	case len(ips) > 0 && mode != "fail-open":
		s.set("on_all_down: %s", words(ips))
	case mode == "fail-closed" || mode == "rcode":
		if code := p.get("rcode").str("SERVFAIL"); code != "NOERROR" {
			g.note(t.file, p.line(), "%s: NODATA is answered in the place of %s when all is down", owner, code)
		}
		s.set("on_all_down: nodata")
	default:
		s.set("on_all_down: all")
	}
}

// ladderOf is a TTL as a rung, with a note where that is less.
func ladderOf(imp *importer, file string, line int, owner string, ttl int) uint32 {
	s := new(service)
	if s.ttl("", uint32(max(0, ttl)), 1) {
		imp.note(file, line, "%s: the TTL %d is rounded down to a rung of 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60 ... seconds", owner, ttl)
	}
	text := strings.TrimPrefix(s.keys[0], "ttl: {max: ")
	n, _ := strconv.ParseUint(text[:strings.IndexByte(text, 's')], 10, 32)
	return uint32(n)
}

// A gslbRecord makes pools of the backends of one record.
type gslbRecord struct {
	*gslb
	z        *zone
	t        tree
	key      func(string) tree
	owner    string
	weighted bool
	// made are the pools of the record's tiers, part those of some of their endpoints, by what these are.
	made []*pool
	part map[string]*pool
}

// tier groups backends by their checks: a pool has one.
func (b *gslbRecord) tier(backends []tree) tier {
	var out tier
	pools := make(map[string]*pool)
	sums := make(map[string]int)
	var order []string
	for _, be := range backends {
		check := b.checks(be)
		where := b.region(be)
		id := check + "@" + where
		p := pools[id]
		if p == nil {
			p = &pool{name: strings.TrimSuffix(b.z.relative(b.owner), "."), check: check, region: where}
			pools[id], order = p, append(order, id)
		}
		e := b.endpoint(be)
		p.endpoints = append(p.endpoints, e)
		sums[id] += max(1, e.weight)
	}
	for _, id := range order {
		if len(order) > 1 {
			pools[id].name += "-" + pools[id].endpoints[0].name
		}
		b.made = append(b.made, b.z.addPool(pools[id]))
		out = append(out, share{pools[id].name, sums[id]})
	}
	return out
}

// region is a region of its own for a backend with coordinates.
func (b *gslbRecord) region(be tree) string {
	lat, err1 := strconv.ParseFloat(be.get("latitude").str(""), 64)
	lon, err2 := strconv.ParseFloat(be.get("longitude").str(""), 64)
	if err1 != nil || err2 != nil {
		return onlyPlace
	}
	name := identifier(fmt.Sprintf("at_%g_%g", lat, lon))
	b.z.region(name).location = []float64{lat, lon}
	return name
}

func (b *gslbRecord) endpoint(be tree) endpoint {
	address := be.get("address").str("127.0.0.1")
	e := endpoint{name: be.get("description").str(address), never: !be.get("enable").bool(true)}
	if strings.ContainsAny(e.name, " ,") {
		e.name = address
	}
	if _, err := netip.ParseAddr(address); err == nil {
		e.addresses = []string{address}
	} else {
		e.target = strings.TrimSuffix(address, ".") + "."
	}
	if b.weighted {
		e.weight = max(1, be.get("weight").int(1))
	}
	if be.get("passive").bool(false) {
		b.note(b.t.file, be.line(), "%s: passive is not carried over: every node probes, or those that `vantages` names", b.owner)
	}
	return e
}

// checks is the check of a backend: empty for none.
func (b *gslbRecord) checks(be tree) string {
	if be.get("assume_healthy").bool(false) {
		return ""
	}
	var names []string
	for _, h := range be.get("healthchecks").items() {
		name := h.str("")
		if name != "" {
			own := b.t.get("healthcheck_profiles").get(name)
			if !own.is() {
				own = b.profiles.get(name)
			}
			if !own.is() {
				b.note(b.t.file, h.line(), "the profile %s is in none of the files", name)
				continue
			}
			h = own
		}
		if c := b.check(name, h, be); c != "" && !slices.Contains(names, c) {
			names = append(names, c)
		}
	}
	return b.z.allOf(names)
}

// check is one health check.
func (b *gslbRecord) check(name string, h, be tree) string {
	p, typ := h.get("params"), h.get("type").str("")
	interval := duration(b.key("scrape_interval").str(""), 10*time.Second)
	timeout := duration(p.get("timeout").str(b.key("scrape_timeout").str("")), 5*time.Second)
	if timeout >= interval {
		timeout = interval / 2
	}
	timing := fmt.Sprintf("interval: %s, timeout: %s, fall: %d, rise: %d", short(interval), short(timeout), be.get("fall").int(3), be.get("rise").int(2))
	if name == "" {
		name = typ
	}
	port := p.get("port").int(be.get("port").int(0))
	switch typ {
	case "http":
		return b.z.addCheck(name, b.http(h, p, port)+", "+timing)
	case "tcp":
		return b.z.addCheck(name, fmt.Sprintf("type: tcp, port: %d, %s", max(1, port), timing))
	case "icmp":
		return b.z.addCheck(name, "type: icmp, "+timing)
	case "grpc":
		service := ""
		if s := p.get("service").str(""); s != "" {
			service = ", service: " + word(s)
		}
		return b.z.addCheck(name, fmt.Sprintf("type: grpc, port: %d%s, %s", max(1, port), service, timing))
	case "mysql":
		b.note(b.t.file, h.line(), "%s: a mysql check is carried over as tcp: no query is made", b.owner)
		return b.z.addCheck(name, fmt.Sprintf("type: tcp, port: %d, %s", p.get("port").int(3306), timing))
	}
	b.note(b.t.file, h.line(), "%s: checks of type %s are not carried over; exec runs a program, push takes reports", b.owner, typ)
	return ""
}

func (b *gslbRecord) http(h, p tree, port int) string {
	typ, usual := "http", 80
	if p.get("enable_tls").bool(false) {
		typ, usual = "https", 443
		if p.get("skip_tls_verify").bool(false) {
			b.note(b.t.file, h.line(), "%s: certificates are verified here: name the CA as tls: {ca: FILE} and the host", b.owner)
		}
	}
	if port == 0 {
		port = usual
	}
	out := fmt.Sprintf("type: %s, port: %d, path: %s", typ, port, word(p.get("uri").str("/")))
	if m := p.get("method").str("GET"); m != "GET" {
		out += ", method: " + word(m)
	}
	if host := p.get("host").str(""); host != "" {
		out += ", host: " + word(host)
	}
	if names, values := p.get("headers").pairs(); len(names) > 0 {
		var list []string
		for i, name := range names {
			list = append(list, word(name)+": "+word(values[i].str("")))
		}
		out += ", headers: {" + strings.Join(list, ", ") + "}"
	}
	expect := fmt.Sprintf("status: [%d]", p.get("expected_code").int(200))
	if body := p.get("expected_body").str(""); body != "" {
		expect += ", body: " + word(body)
	}
	return out + ", expect: {" + expect + "}"
}

func duration(text string, otherwise time.Duration) time.Duration {
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d
	}
	return otherwise
}

// short is a duration as a zone file has it.
func short(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return fmt.Sprintf("%dms", d/time.Millisecond)
}
