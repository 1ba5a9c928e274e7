package answer

import (
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// A Kind is what stands at a name.
type Kind uint8

// The kinds.
const (
	// NoName: NXDOMAIN.
	NoName Kind = iota
	// NoRecords: an empty non-terminal.
	NoRecords
	// StaticName has records of the file alone.
	StaticName
	// ServiceName, CellName and PlaceName are answered by a plan.
	ServiceName
	CellName
	PlaceName
	// DelegatedName is that of another zone, RedirectedName lies below a DNAME.
	DelegatedName
	RedirectedName
	// HostName is that of one endpoint, to which SRV records lead.
	HostName
)

// A Look is how a question finds its answer: the steps of Append, without the answer. No ticket is taken.
type Look struct {
	Zone *health.ZoneView
	Kind Kind
	// Service indexes Zone.Zone.Services, Place the service's Places, Host Zone.Zone.Hosts; each where Kind has one.
	Service, Place, Host int
	// Shard is that of a CellName.
	Shard int
	// Client is the address that chose the class; Subnet is set when it came from an EDNS Client Subnet option. Bits is how
	// much of it was looked at.
	Client netip.Addr
	Subnet bool
	Bits   int
	// Location is what the geo database knows of Client; nil if it was not asked.
	Location *steer.Location
	// Measured is what was measured of the way from Client.
	Measured steer.Measurement
	// Plan is what the class gets; nil where nothing is steered.
	Plan *steer.Plan
	// Type is that of the records that answer: the question's, or CNAME. Members are those of Plan that have such records,
	// in the order in which Per of them stand in a reply. Type is 0 for NODATA.
	Type    uint16
	Members []steer.Member
	Per     int
	// Sticky is the member that this client stays with; -1 where there is a turn instead.
	Sticky int
	// TTL is in seconds. TTLPool and TTLEndpoint say who makes it so where TTLReason is TTLTrouble or TTLHorizon;
	// TTLEndpoint is -1 where it is the gate of the pool.
	TTL                  uint32
	TTLReason            TTLReason
	TTLPool, TTLEndpoint int
}

// Look looks at a question. ok is unset when no zone of s holds the name.
func (s *Snapshot) Look(q *Question, now time.Time) (look Look, ok bool) {
	var buf [maxNameLen]byte
	name := lower(&buf, q.Name)
	z, _ := s.zoneFor(name, q)
	if z == nil {
		return look, false
	}
	look.Sticky = -1
	for _, zv := range s.View.Zones {
		if zv.Zone == z.cfg {
			look.Zone = zv
		}
	}
	f := z.index.find(name)
	if f.barrier >= 0 && (q.Type != dns.TypeDS || f.owner != f.barrier) {
		look.Kind = RedirectedName
		if z.index.owners[f.barrier].cut {
			look.Kind = DelegatedName
		}
		return look, true
	}
	if f.owner < 0 {
		return look, true
	}
	o, cell := &z.index.owners[f.owner], f.cell
	if o.set(q.Type) != nil {
		look.Kind = StaticName
		return look, true
	}
	r := reply{q: q, z: z, now: clockAt(s.base, now)}
	look.Service, look.Place, look.Host = int(o.service), int(o.place), int(o.host)
	switch {
	case o.place >= 0:
		look.Kind = PlaceName
		look.at(&r, z.services[o.service].places[o.place], nil)
	case o.service >= 0 && cell != nil:
		look.Kind = CellName
		look.Shard = z.cfg.Services[o.service].Cells.Shard(cell)
		look.at(&r, z.services[o.service], cell)
	case o.service >= 0:
		look.Kind = ServiceName
		look.at(&r, z.services[o.service], nil)
	case o.host >= 0:
		look.Kind = HostName
		look.at(&r, z.hosts[o.host], nil)
	case o.static != nil:
		look.Kind = StaticName
	default:
		look.Kind = NoRecords
	}
	return look, true
}

// at looks at what s gives to the client of r.
func (l *Look) at(r *reply, s *service, cell []byte) {
	c := r.class(s, cell)
	l.Plan, l.Client, l.Subnet, l.Bits = c.plan.plan, c.client, c.subnet, c.bits
	if s.chooser != nil && cell == nil && r.q.Locator != nil && l.Client.IsValid() {
		l.Location = r.q.Locator.Locate(l.Client)
	}
	if s.chooser != nil && cell == nil {
		l.Measured = s.chooser.Measured(l.Client, r.q.Locator, r.now.base.Add(time.Duration(r.now.now())))
	}
	if l.TTL, l.TTLReason, l.TTLPool = s.ttl.at(r.z, &r.now); c.shard >= 0 {
		l.TTL, l.TTLReason, l.TTLPool = s.cellTTL(r.z, &r.now, c.shard)
	}
	l.TTLEndpoint = int(r.z.pools[l.TTLPool].first.Load())
	set := c.plan.set(r.q.Type)
	if set == nil {
		return
	}
	l.Type, l.Per = set.typ, int(set.per)
	if f, ok := familyOf(set.typ); ok {
		l.Members = l.Plan.Sets[f]
	}
	if pick := set.pick(); pick != nil {
		l.Sticky = pick.Pick(c.key)
	}
}
