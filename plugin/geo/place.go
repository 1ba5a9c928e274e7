package geo

import (
	"math"
	"strings"
)

// A Place is what the databases know of one network. The zero Place knows nothing. It has the fields of steer.Location, in
// the same order, so that one converts to the other.
type Place struct {
	// Continent is a code as in EU, Country an ISO 3166-1 code, Subdivisions are ISO 3166-2 codes as in US-CA, the
	// largest first. All are upper-case.
	Continent, Country string
	Subdivisions       []string
	// ASN is the autonomous system that announces the network; 0 if unknown.
	ASN uint32
	// Latitude and Longitude are in degrees; HasPoint tells 0,0 from not known.
	Latitude, Longitude float64
	HasPoint            bool
	// Bits is the length of the longest prefix around the address of which all of this holds, counted in the address's own
	// family: 0..32 or 0..128.
	Bits int
}

// A record is what is read of one data record; all else is skipped.
type record struct {
	Continent struct {
		Code string `maxminddb:"code"`
	} `maxminddb:"continent"`
	Country           country `maxminddb:"country"`
	RegisteredCountry country `maxminddb:"registered_country"`
	Subdivisions      []struct {
		ISOCode string `maxminddb:"iso_code"`
	} `maxminddb:"subdivisions"`
	Location struct {
		Latitude  *float64 `maxminddb:"latitude"`
		Longitude *float64 `maxminddb:"longitude"`
	} `maxminddb:"location"`
	ASN uint32 `maxminddb:"autonomous_system_number"`
}

type country struct {
	ISOCode string `maxminddb:"iso_code"`
}

// add takes from r what p does not know yet: of two databases that know a thing, the first one named is believed.
func (p *Place) add(r *record) {
	home := r.Country.ISOCode
	if home == "" {
		// Anycast networks, satellite links: known is only where the owner is registered.
		home = r.RegisteredCountry.ISOCode
	}
	home = strings.ToUpper(home)
	if p.Continent == "" {
		p.Continent = strings.ToUpper(r.Continent.Code)
	}
	if p.Country == "" {
		p.Country = home
	}
	// Subdivisions of another country would contradict the one that is believed.
	if len(p.Subdivisions) == 0 && home != "" && home == p.Country {
		for _, s := range r.Subdivisions {
			if s.ISOCode != "" {
				p.Subdivisions = append(p.Subdivisions, home+"-"+strings.ToUpper(s.ISOCode))
			}
		}
	}
	if lat, long := r.Location.Latitude, r.Location.Longitude; !p.HasPoint && lat != nil && long != nil &&
		math.Abs(*lat) <= 90 && math.Abs(*long) <= 180 {
		p.Latitude, p.Longitude, p.HasPoint = *lat, *long, true
	}
	if p.ASN == 0 {
		p.ASN = r.ASN
	}
}

// knows tells whether there is anything in p.
func (p *Place) knows() bool {
	return p.Continent != "" || p.Country != "" || p.HasPoint || p.ASN != 0
}
