package foreign

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// meta fills s from a resource of metafo or geoip. With one, only that datacenter answers.
func (g *gdnsd) meta(z *zone, s *service, plugin, name, only string, one bool, v *vscf, l line) bool {
	names := v.get("datacenters")
	geo := (*vscf)(nil)
	if plugin == "geoip" {
		geo = g.plugins.get("geoip").get("maps").get(v.get("map").str(""))
		if geo == nil {
			g.note(l.file, l.at, "%s: the map %s is not in the configuration", l.owner, v.get("map").str(""))
			return false
		}
		names = geo.get("datacenters")
	}
	pools := make(map[string]*pool)
	var order []string
	below, first := 50, ""
	for _, item := range names.items() {
		dc := item.text
		if one && dc != only {
			continue
		}
		p, plug, conf := g.datacenter(z, plugin, name, dc, v, l)
		if p == nil {
			continue
		}
		if len(order) > 0 && plug != first {
			g.note(l.file, l.at, "%s: the datacenter %s answers as many addresses as %s does", l.owner, dc, order[0])
		}
		if len(order) == 0 {
			first = plug
			g.answers(s, plug, conf, l)
			below = g.percent(conf, l)
		}
		if p.minHealthy == "" && below > 0 && p.check != "" {
			p.minHealthy = fmt.Sprintf("%d%%", below)
		}
		pools[dc], order = p, append(order, dc)
	}
	if len(order) == 0 {
		g.note(l.file, l.at, "%s: no datacenter of %s!%s can be carried over", l.owner, plugin, name)
		return false
	}
	s.tiers = tiersOf(order, pools)
	if geo != nil && !one {
		g.places(z, s, geo, pools, l)
	}
	s.asBefore(below)
	s.set("on_all_down: all")
	return true
}

// tiersOf has one tier for each datacenter that has a pool.
func tiersOf(order []string, pools map[string]*pool) (out []tier) {
	for _, dc := range order {
		if p := pools[dc]; p != nil {
			out = append(out, tier{{p.name, 1}})
		}
	}
	return out
}

// datacenter is the pool of one entry of dcmap, the plugin behind it and the configuration of that.
func (g *gdnsd) datacenter(z *zone, plugin, name, dc string, v *vscf, l line) (*pool, string, *vscf) {
	item := v.get("dcmap").get(dc)
	if item == nil {
		g.note(l.file, l.at, "%s: the datacenter %s has nothing in dcmap", l.owner, dc)
		return nil, "", nil
	}
	inner := v.get("plugin").str("multifo")
	text := item.str("")
	if ref, direct := strings.CutPrefix(text, "%"); direct || strings.HasPrefix(text, "!") {
		kind, resource, _ := strings.Cut(ref, "!")
		if kind == "" {
			kind = inner
		}
		conf := g.plugins.get(kind)
		res := conf.get(resource)
		if res == nil || kind != "multifo" && kind != "weighted" {
			g.note(l.file, l.at, "%s: the datacenter %s, %s, is not carried over", l.owner, dc, text)
			return nil, "", nil
		}
		res = res.labelled().with(conf, conf.keysThatAreHashes()...)
		return g.pool(z, kind, resource, dc, res, "", l), kind, res
	}
	if strings.HasSuffix(text, ".") {
		g.note(l.file, l.at, "%s: the datacenter %s is the name %s: a service answers addresses or names, so it is left out", l.owner, dc, text)
		return nil, "", nil
	}
	if !item.isHash {
		inner = "multifo"
		item = (&vscf{file: item.file, line: item.line, isList: true, list: item.items()}).labelled()
	}
	res := item.with(v, "datacenters", "dcmap", "map")
	kind := res.get("plugin").str(inner)
	if kind != "multifo" && kind != "weighted" {
		g.note(l.file, l.at, "%s: the datacenter %s: the plugin %s is not carried over inside of %s", l.owner, dc, kind, plugin)
		return nil, "", nil
	}
	return g.pool(z, kind, name+"-"+dc, dc, res, "", l), kind, res
}

// places makes client rules of a map of geoip.
func (g *gdnsd) places(z *zone, s *service, m *vscf, pools map[string]*pool, l line) {
	if coords := m.get("auto_dc_coords"); coords != nil {
		for i, dc := range coords.keys {
			p := pools[dc]
			if at := coords.values[i].items(); p != nil && len(at) == 2 {
				lat, err1 := strconv.ParseFloat(at[0].text, 64)
				lon, err2 := strconv.ParseFloat(at[1].text, 64)
				if err1 == nil && err2 == nil {
					z.region(p.region).location = []float64{lat, lon}
				}
			}
		}
		mapped := true
		for _, p := range pools {
			mapped = mapped && z.region(p.region).location != nil
		}
		if mapped {
			// One tier, which distance splits.
			var all tier
			for _, t := range s.tiers {
				all = append(all, t...)
			}
			s.tiers = []tier{all}
			s.set("order: nearest")
		} else {
			g.note(l.file, l.at, "%s: auto_dc_coords: not every datacenter has coordinates, so the order of datacenters stands", l.owner)
		}
	}
	nets := m.get("nets")
	if nets != nil && nets.isHash {
		for i, net := range nets.keys {
			prefix, err := netip.ParsePrefix(net)
			if err != nil {
				g.note(l.file, l.at, "the network %s", net)
				continue
			}
			g.rule(s, "cidr: ["+word(prefix.Masked().String())+"]", nets.values[i], pools, l)
		}
	} else if nets != nil {
		g.note(l.file, l.at, "%s: nets in the file %s are not carried over", l.owner, nets.text)
	}
	// The most specific rules first, as gdnsd's hierarchy has it.
	if where := m.get("map"); where != nil {
		g.level(s, where, nil, pools, l)
	}
	if m.get("ignore_ecs").str("") != "true" {
		s.set("ecs: true")
	}
	if def := m.get("map").get("default"); def != nil && def.isList {
		var order []string
		for _, dc := range def.items() {
			order = append(order, dc.text)
		}
		s.tiers = tiersOf(order, pools)
	}
}

// level goes through one level of the hierarchy of places: continent, country, subdivision.
func (g *gdnsd) level(s *service, m *vscf, above []string, pools map[string]*pool, l line) {
	for i, key := range m.keys {
		v := m.values[i]
		if key == "default" && len(above) == 0 {
			continue
		}
		path := above
		if key != "default" {
			path = append(slices.Clone(above), key)
		}
		if v.isHash {
			g.level(s, v, path, pools, l)
			continue
		}
		match := ""
		switch {
		case v.text == "auto":
			g.note(l.file, l.at, "%s: auto for %s only is not carried over", l.owner, strings.Join(path, " "))
			continue
		case len(path) == 1:
			match = "continent: [" + word(path[0]) + "]"
		case len(path) == 2:
			match = "country: [" + word(path[1]) + "]"
		case len(path[len(path)-1]) <= 3 && strings.ToUpper(path[len(path)-1]) == path[len(path)-1]:
			match = "subdivision: [" + word(path[1]+"-"+path[len(path)-1]) + "]"
		default:
			g.note(l.file, l.at, "%s: cities are not carried over: %s", l.owner, strings.Join(path, " "))
			continue
		}
		g.rule(s, match, v, pools, l)
	}
	slices.SortStableFunc(s.clients, func(a, b client) int { return specificity(b.match) - specificity(a.match) })
}

// specificity orders rules: the smaller the place, the greater.
func specificity(match string) int {
	return slices.IndexFunc([]string{"continent", "country", "subdivision", "cidr"}, func(kind string) bool { return strings.HasPrefix(match, kind) })
}

func (g *gdnsd) rule(s *service, match string, dcs *vscf, pools map[string]*pool, l line) {
	var order []string
	for _, dc := range dcs.items() {
		order = append(order, dc.text)
	}
	tiers := tiersOf(order, pools)
	if len(tiers) == 0 {
		g.note(l.file, l.at, "%s: nothing for clients of %s: a name is never empty here, so they get what all others get", l.owner, match)
		return
	}
	s.clients = append(s.clients, client{match: match, tiers: tiers, strict: true})
}
