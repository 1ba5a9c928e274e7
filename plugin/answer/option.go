package answer

import (
	"net/netip"

	"github.com/miekg/dns"
)

// OptOf is the OPT record of a query; nil without one. ok is unset where it stands in the wrong section, or twice, or under a
// name: FORMERR (RFC 6891 section 6.1.1).
func OptOf(r *dns.Msg) (opt *dns.OPT, ok bool) {
	for _, section := range [...][]dns.RR{r.Answer, r.Ns} {
		for _, rr := range section {
			if rr.Header().Rrtype == dns.TypeOPT {
				return nil, false
			}
		}
	}
	for _, rr := range r.Extra {
		if rr.Header().Rrtype != dns.TypeOPT {
			continue
		}
		o, is := rr.(*dns.OPT)
		if !is || opt != nil || o.Hdr.Name != "." {
			return nil, false
		}
		opt = o
	}
	return opt, true
}

// The address families of the client subnet option (RFC 7871 section 6, from the registry of address family numbers).
const (
	familyNone = 0
	familyIPv4 = 1
	familyIPv6 = 2
)

// SubnetOf is the client subnet option of a query. ok is unset where RFC 7871 wants FORMERR: section 7.2.1 for an option in
// the wrong format, an unknown family among that; section 6 for a scope in a query and for bits beyond the source prefix.
// Two options say two things of one client. Family 0 without an address is what dig sends for "+subnet=0".
//
// An address with too few or too many octets, which section 6 wants refused too, was padded or cut before it came here.
func SubnetOf(opt *dns.OPT) (ecs ECS, ok bool) {
	for _, o := range opt.Option {
		s, is := o.(*dns.EDNS0_SUBNET)
		if !is {
			continue
		}
		if ecs.Present || s.SourceScope != 0 {
			return ECS{}, false
		}
		ecs.Present, ecs.Family = true, s.Family
		var addr netip.Addr
		switch s.Family {
		case familyNone:
			if s.SourceNetmask != 0 {
				return ECS{}, false
			}
			continue
		case familyIPv4:
			addr, _ = netip.AddrFromSlice(s.Address.To4())
		case familyIPv6:
			addr, _ = netip.AddrFromSlice(s.Address.To16())
		}
		// Of a family that we do not know there is no address.
		p, err := addr.Prefix(int(s.SourceNetmask))
		if !addr.IsValid() || err != nil || p.Addr() != addr {
			return ECS{}, false
		}
		ecs.Prefix = p
	}
	return ecs, true
}
