package config

import (
	"strconv"
)

func (b *builder) buildRegions() {
	b.regions, b.azs = make(map[string]int), make(map[string]int)
	root := (*yamlPath)(nil).child("regions")
	azLines := make(map[string]int)
	for k, v := range entries(field(b.root, "regions")) {
		at := root.child(k.Value)
		if err := parseIdentifier(k.Value); err != nil {
			b.errorf(k, at, "", "%s", err)
		}
		if _, dup := b.regions[k.Value]; dup {
			continue
		}
		index := len(b.zone.Regions)
		b.regions[k.Value] = index
		b.zone.Regions = append(b.zone.Regions, b.region(k.Value, field(v, "location"), at))
		for i, az := range items(field(v, "azs")) {
			name := stringOf(az)
			if name == "" {
				continue
			}
			if _, dup := b.azs[name]; dup {
				b.errorf(az, at.at("azs", i), "an AZ belongs to one region", "duplicate AZ %q; it stands at line %d already", shorten(name), azLines[name])
				continue
			}
			b.azs[name], azLines[name] = len(b.zone.AZs), int(az.Line)
			b.zone.AZs = append(b.zone.AZs, AZ{Name: name, Region: index})
		}
	}
}

func (b *builder) region(name string, location *yamlNode, at *yamlPath) Region {
	r := Region{Name: name}
	degrees := items(location)
	if len(degrees) != 2 {
		return r
	}
	var err1, err2 error
	r.Latitude, err1 = strconv.ParseFloat(stringOf(degrees[0]), 64)
	r.Longitude, err2 = strconv.ParseFloat(stringOf(degrees[1]), 64)
	r.HasLocation = err1 == nil && err2 == nil
	if err1 == nil && (r.Latitude < -90 || r.Latitude > 90) && r.Latitude >= -180 && r.Latitude <= 180 {
		b.errorf(degrees[0], at.at("location", 0), "a location is [latitude, longitude]", "the latitude %s is out of range, want -90 to 90", stringOf(degrees[0]))
	}
	return r
}
