package answer

import (
	"net/netip"

	"github.com/fairlead-dns/fairlead/plugin/steer"
	"github.com/miekg/dns"
)

// ednsSize is the UDP payload size that we announce, and the most we send over UDP (RFC 9715).
const ednsSize = 1232

// cookieLen is the length of a client cookie and a server cookie of ours (RFC 9018).
const cookieLen = 24

// A Question is a query that has passed the rules of the transport: one question, opcode QUERY, class IN or not.
type Question struct {
	ID uint16
	// RD and CD are copied to the reply.
	RD, CD bool
	// Name is the QNAME in wire format, 1 to 255 octets, uncompressed, in the case in which it was asked.
	Name        []byte
	Type, Class uint16
	// EDNS is set when the query has an OPT record, DO when that asks for DNSSEC.
	EDNS, DO bool
	// Size is the client's UDP payload size; 0 over TCP and the like.
	Size int
	// Length is how many octets the query has over UDP, where nothing else shows that the client is where it seems to be: answers of
	// services then keep to a multiple of that (config.Zone.Amplification). 0 elsewhere.
	Length int
	// Cookie is the COOKIE option of the reply, where WithCookie is set.
	Cookie     [cookieLen]byte
	WithCookie bool
	// Stripe is any number that differs among concurrent queries, such as the client's port.
	Stripe uint32
	// Client is who asked: the resolver, as the transport knows it. It is invalid where the transport has no addresses.
	Client netip.Addr
	// ECS is the client subnet that the resolver speaks for; the zero value when there is no such option.
	ECS ECS
	// Locator tells where a client is; nil without a geo database.
	Locator steer.Locator
	// Shut is set while service names are not answered: SERVFAIL sends resolvers to another name server.
	Shut bool
	// Issued, if it is not nil, takes which endpoints the reply names.
	Issued *Issued
	// Past is an instant that has passed, in nanoseconds on the clock of Snapshot.Ledger; 0 if none is known.
	Past int64
	// Spot is where Name leads in the snapshot that is asked; the zero Spot where nobody looked. It must not be set for DS.
	Spot Spot
	// Files, when not empty, leaves only zones whose File begins with it: a server block answers from its own directory.
	Files string
}

// An ECS is the EDNS Client Subnet option of a query (RFC 7871). The zero value means that there was none.
type ECS struct {
	// Present is set when the query has the option; the reply then has it too.
	Present bool
	// Family is 1 for IPv4, 2 for IPv6, 0 where the resolver says nothing about its client.
	Family uint16
	// Prefix is the client's network, masked to the source prefix length; with length 0 it says nothing.
	Prefix netip.Prefix
}

// limit is the greatest length of the reply in octets.
func (q *Question) limit() int {
	switch {
	case q.Size == 0:
		return dns.MaxMsgSize
	case !q.EDNS:
		return dns.MinMsgSize
	default:
		return min(max(q.Size, dns.MinMsgSize), ednsSize)
	}
}
