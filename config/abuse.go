package config

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/miekg/dns"
)

// An RRL bounds how many replies over UDP a network gets that shows no cookie.
type RRL struct {
	// PerSecond is for each network, and each name or each sort of denial in a zone; as many may come at once.
	PerSecond int
	// Slip is how many replies over the limit there are for each that goes out empty, with TC; 0: none does.
	Slip int
	// V4 and V6 are the prefix lengths by which networks are told apart.
	V4, V6 int
	// Exempt are networks without a limit.
	Exempt []netip.Prefix
}

// Exempts tells whether an address has no limit.
func (r *RRL) Exempts(a netip.Addr) bool {
	return slices.ContainsFunc(r.Exempt, func(p netip.Prefix) bool { return p.Contains(a) })
}

const (
	defaultSlip          = 2
	defaultRRLV4         = 24
	defaultRRLV6         = 56
	defaultAmplification = 3
)

func rrlShape() *shape {
	return object(
		required("responses_per_second", integer(1, 1_000_000)).says("To one network, about one name."),
		optional("slip", integer(0, 100)).or(defaultSlip).says("One of so many replies over the limit goes out empty, with TC; 0 is none."),
		optional("v4", integer(8, 32)).or(defaultRRLV4).says("The prefix length by which IPv4 networks are told apart."),
		optional("v6", integer(16, 128)).or(defaultRRLV6).says("The prefix length by which IPv6 networks are told apart."),
		optional("exempt", list(prefix())).or("none").says("Networks without a limit."),
	)
}

func cookiesShape() *shape {
	return object(
		optional("amplification", integer(0, 1000)).or(defaultAmplification).says(
			"Without a cookie an answer of a service over UDP has at most so many times the octets of its query, or 512, signatures aside; else TC. 0 is no bound."),
	)
}

// buildAbuse reads the keys rrl and cookies.
func (b *builder) buildAbuse() {
	b.zone.Amplification = intOf(field(field(b.root, "cookies"), "amplification"), defaultAmplification)
	n := field(b.root, "rrl")
	if n == nil {
		return
	}
	r := &RRL{
		PerSecond: intOf(field(n, "responses_per_second"), 1), Slip: intOf(field(n, "slip"), defaultSlip),
		V4: intOf(field(n, "v4"), defaultRRLV4), V6: intOf(field(n, "v6"), defaultRRLV6),
	}
	for _, item := range items(field(n, "exempt")) {
		if p, err := parsePrefix(stringOf(item)); err == nil {
			r.Exempt = append(r.Exempt, p)
		}
	}
	b.zone.RRL = r
}

// PlainOctets is what every client takes over UDP (RFC 1035 section 2.3.4). Some of them never ask over TCP, so that no answer of that length is
// truncated for being longer than its query.
const PlainOctets = 512

// The octets of a message with one question, without the name, and of address records whose owner is a pointer.
const (
	questionOctets = 12 + 4
	v4Octets       = 16
	v6Octets       = 28
)

// noteAmplified says which services give answers that clients without a cookie get over TCP alone.
func (b *builder) noteAmplified() {
	most := b.zone.Amplification
	if most == 0 {
		return
	}
	for i, svc := range b.zone.Services {
		if i >= len(b.serviceNodes) || b.serviceNodes[i] == nil || svc.Kind == Targets {
			continue
		}
		query := questionOctets + nameOctets(svc.Name)
		for _, f := range []struct {
			family Family
			octets int
		}{{IPv4, v4Octets}, {IPv6, v6Octets}} {
			n := b.greatestAnswer(svc, f.family)
			if reply := query + n*f.octets; reply > max(most*query, PlainOctets) {
				b.node(b.serviceNodes[i], Notice, (*yamlPath)(nil).at("services", b.serviceNodes[i].Value).String(), fmt.Sprintf(
					"%d %s addresses in one answer are %d octets, more than 512 and than %d times the query: clients without a DNS cookie ask again over TCP", n, f.family, reply, most),
					"fewer `answers`, or a greater cookies.amplification")
				break
			}
		}
	}
}

// nameOctets is the length of a name in wire format.
func nameOctets(name string) int {
	var buf [256]byte
	n, err := dns.PackDomainName(name, buf[:], 0, nil, false)
	if err != nil {
		return len(name) + 1
	}
	return n
}

// greatestAnswer is how many addresses of a family one answer of a service can have.
func (b *builder) greatestAnswer(svc *Service, f Family) (most int) {
	tiers := slices.Clone(svc.Tiers)
	for _, rule := range svc.Clients {
		tiers = append(tiers, rule.Tiers...)
	}
	for _, tier := range tiers {
		n := 0
		for _, share := range tier {
			for _, e := range b.zone.Pools[share.Pool].Endpoints {
				if e.Addr(f).IsValid() {
					n++
				}
			}
		}
		most = max(most, n)
	}
	if svc.Answers > 0 {
		most = min(most, svc.Answers)
	}
	return most
}
