package config

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// A Carrier is a static record of a zone that carries an address, or a name, as endpoints have them. Its answers are nobody's endpoints:
// they go on whatever health and orders say, and no bound counts them.
type Carrier struct {
	Name string
	Type uint16
	// RData is as Endpoint.RData has it, TTL in seconds.
	RData string
	TTL   uint32
}

// String is the carrier's name and type.
func (c Carrier) String() string { return c.Name + " " + dns.TypeToString[c.Type] }

// Carriers calls f for all static records of the zone, addresses of its name servers included, that carry an address or lead to a name.
func (z *Zone) Carriers(f func(Carrier)) {
	for _, ns := range z.NameServers {
		if !Within(ns.Name, z.Name) {
			continue
		}
		for _, a := range ns.Addresses {
			typ := dns.TypeA
			if a.Is6() {
				typ = dns.TypeAAAA
			}
			f(Carrier{ns.Name, typ, a.String(), z.NSTTL})
		}
	}
	for i := range z.Records {
		r := &z.Records[i]
		for _, data := range r.RData {
			for _, rdata := range carriedBy(r.Type, data) {
				f(Carrier{r.Name, r.Type, rdata, r.TTL})
			}
		}
	}
}

// A SharedCarrier is a Carrier of a zone that carries what POOL/ENDPOINT has.
type SharedCarrier struct {
	Carrier
	Zone, Endpoint string
}

// SharedCarriers are the carriers of zones that carry what an endpoint of the zones in of has.
func SharedCarriers(zones, of []*Zone) (list []SharedCarrier) {
	for _, z := range zones {
		z.Carriers(func(c Carrier) { list = append(list, SharedCarrier{c, z.Name, ""}) })
	}
	if len(list) == 0 {
		return nil
	}
	endpoints := make(map[string]string)
	for _, z := range of {
		z.endpointsByRData(endpoints)
	}
	for i := range list {
		list[i].Endpoint = endpoints[list[i].RData]
	}
	return slices.DeleteFunc(list, func(c SharedCarrier) bool { return c.Endpoint == "" })
}

// GoneCarriers are the carriers of before that after lacks, whatever their TTL, of those that carry what an endpoint of either has. A zone
// that is in both is passed over.
func GoneCarriers(before, after []*Zone) []SharedCarrier {
	list := SharedCarriers(Replaced(before, after), slices.Concat(before, after))
	if len(list) == 0 {
		return nil
	}
	there := make(map[Carrier]bool)
	for _, z := range after {
		z.Carriers(func(c Carrier) { there[c.Whatever()] = true })
	}
	return slices.DeleteFunc(list, func(c SharedCarrier) bool { return there[c.Whatever()] })
}

// ForeignCarriers are the carriers of zones that carry what an endpoint of another of them has, as ZONE/POOL/ENDPOINT, and none of their own.
func ForeignCarriers(zones []*Zone) (list []SharedCarrier) {
	all, own := make(map[string]string), make([]map[string]string, len(zones))
	for i, z := range zones {
		own[i] = make(map[string]string)
		z.endpointsByRData(own[i])
		for rdata, e := range own[i] {
			if all[rdata] == "" {
				all[rdata] = strings.TrimSuffix(z.Name, ".") + "/" + e
			}
		}
	}
	for i, z := range zones {
		z.Carriers(func(c Carrier) {
			if e := all[c.RData]; e != "" && own[i][c.RData] == "" {
				list = append(list, SharedCarrier{c, z.Name, e})
			}
		})
	}
	return list
}

// Whatever is the carrier without its TTL, for comparison.
func (c Carrier) Whatever() Carrier {
	c.TTL = 0
	return c
}

// Replaced are the zones of before that are not in after as they are.
func Replaced(before, after []*Zone) (list []*Zone) {
	same := make(map[*Zone]bool, len(after))
	for _, z := range after {
		same[z] = true
	}
	for _, z := range before {
		if !same[z] {
			list = append(list, z)
		}
	}
	return list
}

// endpointsByRData adds the endpoints of the zone, as POOL/ENDPOINT, by what they have, unless somebody has it already.
func (z *Zone) endpointsByRData(of map[string]string) {
	for _, p := range z.Pools {
		for _, e := range p.Endpoints {
			for _, rdata := range e.RData() {
				if of[rdata] == "" {
					of[rdata] = p.Name + "/" + e.Name
				}
			}
		}
	}
}

// carriedBy are the addresses and targets in the RDATA of a record of a type, which is in wire format.
func carriedBy(typ uint16, data []byte) (all []string) {
	switch typ {
	case dns.TypeA, dns.TypeAAAA:
		if a, ok := netip.AddrFromSlice(data); ok {
			all = append(all, a.String())
		}
		return all
	case dns.TypeCNAME, dns.TypeSRV, dns.TypeHTTPS, dns.TypeSVCB:
	default:
		return nil
	}
	rr, _, err := dns.UnpackRRWithHeader(dns.RR_Header{Name: ".", Rrtype: typ, Class: dns.ClassINET, Rdlength: uint16(len(data))}, data, 0)
	if err != nil {
		return nil
	}
	switch r := rr.(type) {
	case *dns.CNAME:
		return append(all, strings.ToLower(r.Target))
	case *dns.SRV:
		return append(all, strings.ToLower(r.Target))
	case *dns.HTTPS:
		return hinted(&r.SVCB)
	case *dns.SVCB:
		return hinted(r)
	}
	return all
}

// hinted are the target and the address hints of a record (RFC 9460 section 7.3).
func hinted(r *dns.SVCB) (all []string) {
	if r.Target != "." {
		all = append(all, strings.ToLower(r.Target))
	}
	add := func(ip []byte) {
		if a, ok := netip.AddrFromSlice(ip); ok {
			all = append(all, a.Unmap().String())
		}
	}
	for _, v := range r.Value {
		switch hint := v.(type) {
		case *dns.SVCBIPv4Hint:
			for _, ip := range hint.Hint {
				add(ip)
			}
		case *dns.SVCBIPv6Hint:
			for _, ip := range hint.Hint {
				add(ip)
			}
		}
	}
	return all
}
