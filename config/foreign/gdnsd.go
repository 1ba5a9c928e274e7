package foreign

import (
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// gdnsdDefaultTTL is zones_default_ttl of gdnsd.
const gdnsdDefaultTTL = 86400

// A gdnsd is what its configuration file says.
type gdnsd struct {
	*importer
	types, plugins *vscf
}

// gdnsd reads a configuration, the file named config, and zone files, each named as its zone.
func (imp *importer) gdnsd(files []File) error {
	g := &gdnsd{importer: imp}
	otherwise := uint32(gdnsdDefaultTTL)
	var zones []File
	for _, f := range files {
		if filepath.Base(f.Name) != "config" {
			zones = append(zones, f)
			continue
		}
		c, err := imp.parseVscf(f, 0)
		if err != nil {
			return err
		}
		g.types, g.plugins = c.get("service_types"), c.get("plugins")
		if n, ok := seconds(c.get("options").get("zones_default_ttl").str("")); ok {
			otherwise = n
		}
	}
	if len(zones) == 0 {
		return fmt.Errorf("no zone files: name the files of the directory zones beside config")
	}
	for _, f := range zones {
		// A / cannot stand in a file name: gdnsd writes @.
		name := strings.ReplaceAll(filepath.Base(f.Name), "@", "/")
		z := imp.zone(name)
		lines, err := imp.readMaster(f, z.name)
		if err != nil {
			return err
		}
		for _, l := range lines {
			if l.typ == "DYNA" || l.typ == "DYNC" {
				g.dynamic(z, l, otherwise)
				continue
			}
			imp.static(z, l, otherwise)
		}
	}
	return nil
}

// dynamic makes a service of a DYNA or DYNC record.
func (g *gdnsd) dynamic(z *zone, l line, otherwise uint32) {
	if len(l.data) != 1 {
		g.note(l.file, l.at, "%s wants one plugin!resource", l.typ)
		return
	}
	plugin, resource, _ := strings.Cut(l.data[0].text, "!")
	most, least, ok := gdnsdTTL(l.ttl, otherwise)
	if !ok {
		g.note(l.file, l.at, "the TTL %s", l.ttl)
		return
	}
	if plugin == "static" {
		g.staticResource(z, l, resource, most)
		return
	}
	s := &service{owner: l.owner}
	if !g.resource(z, s, plugin, resource, l) {
		return
	}
	mode := ""
	if c := g.checkOf(z, s); c != nil && most <= c.reach {
		// What gdnsd does: the TTL is the time to the next change that is possible.
		mode = "horizon"
	}
	if s.ttl(mode, most, least) {
		g.note(l.file, l.at, "%s: the TTL %d/%d is rounded down to rungs of 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60 ... seconds", l.owner, most, least)
	}
	z.services = append(z.services, s)
}

// gdnsdTTL reads MAX/MIN, where MIN is half of MAX unless it stands there.
func gdnsdTTL(text string, otherwise uint32) (most, least uint32, ok bool) {
	if text == "" {
		return otherwise, otherwise / 2, true
	}
	high, low, given := strings.Cut(text, "/")
	if most, ok = seconds(high); !ok {
		return 0, 0, false
	}
	least = most / 2
	if given {
		least, ok = seconds(low)
	}
	return most, least, ok
}

// staticResource is static!NAME: a record.
func (g *gdnsd) staticResource(z *zone, l line, resource string, ttl uint32) {
	v := g.plugins.get("static").get(resource)
	if v == nil {
		g.note(l.file, l.at, "static!%s is not in the configuration", resource)
		return
	}
	data := v.str("")
	typ := "CNAME"
	if a, err := netip.ParseAddr(data); err == nil {
		typ = map[bool]string{true: "A", false: "AAAA"}[a.Is4()]
	}
	z.records = append(z.records, record{l.owner, typ, data, ttl})
}

// resource fills tiers and rules of s from plugin!resource; false if that is not possible.
func (g *gdnsd) resource(z *zone, s *service, plugin, resource string, l line) bool {
	conf := g.plugins.get(plugin)
	switch plugin {
	case "multifo", "weighted", "simplefo":
		v := conf.get(resource)
		if v == nil {
			break
		}
		return g.simple(z, s, plugin, resource, v.labelled().with(conf, conf.keysThatAreHashes()...), l)
	case "metafo", "geoip":
		name, only, one := strings.Cut(resource, "/")
		v := conf.get("resources").get(name)
		if v == nil {
			break
		}
		return g.meta(z, s, plugin, name, only, one, v.with(conf, "resources", "maps"), l)
	default:
		g.note(l.file, l.at, "%s: the plugin %s is not carried over", l.owner, plugin)
		return false
	}
	g.note(l.file, l.at, "%s!%s is not in the configuration", plugin, resource)
	return false
}

// keysThatAreHashes are the resources of a plugin: the rest are defaults for them.
func (v *vscf) keysThatAreHashes() (out []string) {
	if v == nil {
		return nil
	}
	for i, k := range v.keys {
		if v.values[i].isHash || v.values[i].isList && k != "service_types" {
			out = append(out, k)
		}
	}
	return out
}

// simple is a resource of one plugin as a whole service.
func (g *gdnsd) simple(z *zone, s *service, plugin, name string, v *vscf, l line) bool {
	if plugin == "simplefo" {
		for _, which := range []string{"primary", "secondary"} {
			p := g.pool(z, plugin, name+"-"+which, "", v, which, l)
			if p == nil {
				return false
			}
			s.tiers = append(s.tiers, tier{{p.name, 1}})
		}
		s.asBefore(0)
		s.set("on_all_down: all")
		return true
	}
	p := g.pool(z, plugin, name, "", v, "", l)
	if p == nil {
		return false
	}
	s.tiers = []tier{{{p.name, 1}}}
	g.answers(s, plugin, v, l)
	s.asBefore(g.percent(v, l))
	s.set("on_all_down: all")
	return true
}

// answers sets how many addresses an answer has.
func (g *gdnsd) answers(s *service, plugin string, v *vscf, l line) {
	switch {
	case plugin == "multifo":
		s.set("answers: all")
	case plugin == "weighted" && v.get("multi").str("") == "true":
		s.set("answers: all")
		g.note(l.file, l.at, "%s: multi: every address is answered, where gdnsd leaves some out by weight", l.owner)
	}
	if v.get("ignore_health").str("") == "true" {
		g.note(l.file, l.at, "%s: ignore_health is not carried over: what is down is not answered", l.owner)
	}
}

// percent is up_thresh in percent.
func (g *gdnsd) percent(v *vscf, l line) int {
	f, err := strconv.ParseFloat(v.get("up_thresh").str("0.5"), 64)
	if err != nil || f < 0 || f > 1 {
		f = 0.5
	}
	p := int(math.Round(f * 100))
	if math.Abs(f*100-float64(p)) > 1e-9 {
		g.note(l.file, l.at, "%s: up_thresh %g is rounded to %d %%", l.owner, f, p)
	}
	return p
}

// pool makes a pool of a resource of multifo, weighted or simplefo; nil if it has nothing. only is a key of simplefo.
func (g *gdnsd) pool(z *zone, plugin, name, datacenter string, v *vscf, only string, l line) *pool {
	id := plugin + "!" + name + "@" + datacenter
	if p := z.poolFor(id); p != nil {
		return p
	}
	p := &pool{id: id, name: name, region: datacenter}
	var types []string
	for _, part := range []*vscf{v, v.get("addrs_v4"), v.get("addrs_v6")} {
		if part == nil {
			continue
		}
		if part != v {
			part = part.labelled().with(v, append(v.keysThatAreHashes(), "addrs_v4", "addrs_v6")...)
		}
		before := len(p.endpoints)
		g.endpoints(p, plugin, part, only, l)
		if len(p.endpoints) > before {
			var mine []string
			for _, t := range part.get("service_types").items() {
				mine = append(mine, t.text)
			}
			if before > 0 && !slices.Equal(mine, types) {
				g.note(l.file, l.at, "%s: both families are monitored by %s", l.owner, strings.Join(append(slices.Clone(types), "up")[:max(1, len(types))], " and "))
				continue
			}
			types = mine
		}
	}
	if len(p.endpoints) == 0 {
		g.note(l.file, l.at, "%s!%s has no addresses", plugin, name)
		return nil
	}
	scale(p.endpoints)
	p.check = g.check(z, types, l)
	return z.addPool(p)
}

// labelled is a list as the hash that it is short for.
func (v *vscf) labelled() *vscf {
	if !v.isList {
		return v
	}
	out := &vscf{file: v.file, line: v.line, isHash: true}
	for i, item := range v.list {
		out.set(strconv.Itoa(i+1), item)
	}
	return out
}

// gdnsdParameters are keys of a resource that are no endpoints.
var gdnsdParameters = []string{"up_thresh", "service_types", "ignore_health", "multi", "plugin", "addrs_v4", "addrs_v6", "datacenters", "dcmap", "map"}

func (g *gdnsd) endpoints(p *pool, plugin string, v *vscf, only string, l line) {
	for i, label := range v.keys {
		item := v.values[i]
		if slices.Contains(gdnsdParameters, label) || only != "" && label != only {
			continue
		}
		switch {
		case plugin == "weighted" && item.isHash:
			// A group: which shares an AZ here.
			for j, inner := range item.keys {
				p.add(label+"-"+inner, identifier(label), item.values[j])
			}
			g.note(l.file, l.at, "%s: the addresses of a group are answered one at a time", l.owner)
		default:
			p.add(label, "", item)
		}
	}
}

// add adds an endpoint: an address or a name, or a list of that and its weight.
func (p *pool) add(label, az string, v *vscf) {
	list := v.items()
	if len(list) == 0 || v.isHash {
		return
	}
	e := endpoint{name: label, az: az}
	if len(list) > 1 {
		e.weight, _ = strconv.Atoi(list[1].str(""))
	}
	if data := list[0].str(""); strings.HasSuffix(data, ".") {
		e.target = data
	} else {
		e.addresses = []string{strings.ToLower(data)}
	}
	p.endpoints = append(p.endpoints, e)
}

// scale makes weights fit that are too great here, in proportion.
func scale(endpoints []endpoint) {
	most := 0
	for _, e := range endpoints {
		most = max(most, e.weight)
	}
	if most <= math.MaxUint16 {
		return
	}
	for i := range endpoints {
		if w := endpoints[i].weight; w > 0 {
			endpoints[i].weight = max(1, w*math.MaxUint16/most)
		}
	}
}
