package explain

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// ErrInvalid says that a question contradicts itself or the configuration.
var ErrInvalid = errors.New("invalid request")

// An Explainer explains answers by running the code that serves them.
type Explainer struct {
	// Compiler makes snapshots of assumed views; Snapshot is what is the case.
	Compiler *answer.Compiler
	Snapshot *answer.Snapshot
	// Locator tells where clients are; nil without a geo database.
	Locator steer.Locator
	// Node is the name of the node, empty when none runs.
	Node string
}

// New explains what a model answers while all is well; no node is asked.
func New(m *config.Model, locator steer.Locator, now time.Time) *Explainer {
	c := answer.NewCompiler("explain", now)
	s := c.Compile(nil, Peace(m, now))
	s.MoveHorizons(peaceHorizons(m, now))
	return &Explainer{Compiler: c, Snapshot: s, Locator: locator}
}

// peaceHorizons are the earliest flips while no probe fails.
func peaceHorizons(m *config.Model, now time.Time) []health.PoolHorizon {
	var moves []health.PoolHorizon
	for zi, z := range m.Zones {
		for pi, p := range z.Pools {
			for _, leaf := range z.Leaves(p.Watched()...) {
				flip := now.Add(steer.Reach(z.Checks[leaf]))
				if n := len(moves); n == 0 || moves[n-1].Zone != zi || moves[n-1].Pool != pi {
					moves = append(moves, health.PoolHorizon{Zone: zi, Pool: pi, Flip: flip})
				} else if flip.Before(moves[n-1].Flip) {
					moves[n-1].Flip = flip
				}
			}
		}
	}
	return moves
}

// Under is the snapshot under assumptions.
func (x *Explainer) Under(a api.Assumptions) (*answer.Snapshot, error) {
	v, err := assume(x.Snapshot.View, a)
	if err != nil || v == x.Snapshot.View {
		return x.Snapshot, err
	}
	return x.Compiler.Compile(x.Snapshot, v), nil
}

// Explain explains the answer to q at now. Errors are ErrInvalid.
func (x *Explainer) Explain(q api.Question, now time.Time) (*api.Explanation, error) {
	asked, err := questionOf(&q)
	if err != nil {
		return nil, err
	}
	return x.ExplainQuestion(asked, q, now)
}

// ExplainQuestion explains the answer to asked, which q says in words.
func (x *Explainer) ExplainQuestion(asked answer.Question, q api.Question, now time.Time) (*api.Explanation, error) {
	snap, err := x.Under(q.Assumptions)
	if err != nil {
		return nil, err
	}
	asked.Locator = x.Locator
	look, ok := snap.Look(&asked, now)
	if !ok {
		return nil, fmt.Errorf("%w: %s is in no zone that is served here", ErrInvalid, q.Name)
	}
	e := explanation{look: look, typ: asked.Type, zone: look.Zone.Zone}
	e.out = &api.Explanation{Question: q, Node: x.Node, At: now, Generation: snap.View.Generation, Zone: e.zone.Name, Shares: []api.Share{}}
	e.fill()
	if target := e.onlyTarget(); target != "" {
		then := q
		then.Name = target
		if e.out.Then, err = x.Explain(then, now); err != nil {
			e.out.Then = nil
		}
	}
	return e.out, nil
}

// questionOf is the DNS question, and fills in what was left out of q.
func questionOf(q *api.Question) (answer.Question, error) {
	var out answer.Question
	q.Name, q.Type = strings.ToLower(dns.Fqdn(q.Name)), strings.ToUpper(q.Type)
	if q.Type == "" {
		q.Type = "A"
	}
	typ, ok := dns.StringToType[q.Type]
	if !ok {
		return out, fmt.Errorf("%w: type %q", ErrInvalid, q.Type)
	}
	buf := make([]byte, 256)
	n, err := dns.PackDomainName(q.Name, buf, 0, nil, false)
	if err != nil {
		return out, fmt.Errorf("%w: name %q: %w", ErrInvalid, q.Name, err)
	}
	out = answer.Question{Name: buf[:n], Type: typ, Class: dns.ClassINET}
	if q.Client != "" {
		addr, err := netip.ParseAddr(q.Client)
		if err != nil {
			return out, fmt.Errorf("%w: client %q: want an IP address", ErrInvalid, q.Client)
		}
		out.Client = addr.Unmap().WithZone("")
	}
	if q.Subnet != "" {
		if out.ECS.Prefix, err = netip.ParsePrefix(q.Subnet); err != nil {
			return out, fmt.Errorf("%w: subnet %q: want a prefix as in 192.0.2.0/24", ErrInvalid, q.Subnet)
		}
		out.ECS.Prefix, out.ECS.Present = out.ECS.Prefix.Masked(), true
	}
	return out, nil
}

// An explanation is in the making.
type explanation struct {
	look answer.Look
	typ  uint16
	zone *config.Zone
	out  *api.Explanation
}

var kindNames = map[answer.Kind]string{
	answer.NoName: "nxdomain", answer.NoRecords: "empty", answer.StaticName: "static", answer.ServiceName: "service",
	answer.DelegatedName: "delegation", answer.RedirectedName: "dname", answer.CellName: "cell", answer.PlaceName: "place", answer.HostName: "host",
}

func (e *explanation) fill() {
	l, out := e.look, e.out
	out.Kind = kindNames[l.Kind]
	if l.Plan == nil {
		return
	}
	p := l.Plan
	out.Class, out.Source, out.Degraded, out.Kept = p.Key, p.Source.String(), p.Source.Degraded() || p.Kept > 0, p.Kept
	out.Tier, out.Rule = p.Tier.Index+1, p.Tier.Rule+1
	if l.Kind == answer.HostName {
		out.Tier, out.Rule = 0, 0
		host := e.zone.Hosts[l.Host]
		out.TTL = api.ExplainTTL{Seconds: l.TTL, Why: "the host name of one endpoint, to which SRV records lead"}
		out.Answers = l.Per
		out.Shares = e.shares([]steer.Member{{Pool: int32(host.Pool), Endpoint: int32(host.Endpoint), Weight: 1}})
		return
	}
	svc := e.zone.Services[l.Service]
	out.Service = svc.Name
	if l.Kind == answer.CellName {
		out.Shard = &l.Shard
	}
	e.client()
	e.ttl(svc)
	out.Answers, out.Sticky = l.Per, l.Sticky >= 0
	switch {
	case l.Type == 0:
	case p.Source == steer.FromFixed:
		out.Shares = slices.DeleteFunc(Shares(e.zone, p), func(s api.Share) bool { return s.Family != dns.TypeToString[l.Type] })
	default:
		out.Shares = e.shares(l.Members)
	}
	if out.Sticky {
		out.Stays = out.Shares[l.Sticky].Data
	}
	if l.Kind != answer.PlaceName {
		e.tiers(svc)
	}
}

// shares are the parts of the members, with the RDATA that is answered.
func (e *explanation) shares(members []steer.Member) []api.Share {
	shares, sum := []api.Share{}, 0.0
	for _, m := range members {
		sum += float64(m.Weight)
	}
	for _, m := range members {
		pool := e.zone.Pools[m.Pool]
		ep := pool.Endpoints[m.Endpoint]
		shares = append(shares, api.Share{
			Family: dns.TypeToString[e.look.Type], Pool: pool.Name, AZ: e.zone.AZs[ep.AZ].Name, Endpoint: ep.Name,
			Data: e.data(int(m.Pool), int(m.Endpoint)), Fraction: float64(m.Weight) / sum,
		})
	}
	return shares
}

// data is what is answered for an endpoint.
func (e *explanation) data(pool, endpoint int) string {
	ep, view := e.zone.Pools[pool].Endpoints[endpoint], &e.look.Zone.Pools[pool].Endpoints[endpoint]
	switch e.look.Type {
	case dns.TypeA:
		return ep.V4.String()
	case dns.TypeAAAA:
		return ep.V6.String()
	case dns.TypeCNAME:
		return ep.Target
	case dns.TypeSRV:
		return e.zone.HostName(pool, endpoint)
	}
	var hints []string
	for _, f := range config.Families() {
		if a := ep.Addr(f); a.IsValid() && !view.Withheld(f) {
			hints = append(hints, a.String())
		}
	}
	return strings.Join(hints, " ")
}

// onlyTarget is the CNAME target that is resolved in the same reply, if there is one alone.
func (e *explanation) onlyTarget() string {
	if e.look.Type != dns.TypeCNAME || e.typ == dns.TypeCNAME || len(e.look.Members) != 1 {
		return ""
	}
	target := e.out.Shares[0].Data
	if !dns.IsSubDomain(e.zone.Name, target) || target == e.out.Question.Name {
		return ""
	}
	return target
}

func (e *explanation) client() {
	l := e.look
	if !l.Client.IsValid() {
		return
	}
	c := &api.ClientFound{Address: l.Client.String(), From: "address"}
	if l.Subnet {
		c.From, c.ScopeBits = "ecs", l.Bits
	}
	if loc := l.Location; loc != nil {
		c.Continent, c.Country, c.Subdivision, c.ASN = loc.Continent, loc.Country, loc.Subdivisions, loc.ASN
		if loc.HasPoint {
			c.Latitude, c.Longitude = &loc.Latitude, &loc.Longitude
		}
	}
	if l.Measured.Network != nil {
		c.Measured = e.measured(e.zone.Services[l.Service].Latency)
	}
	e.out.Client = c
}

// measured are the times of the way from the client.
func (e *explanation) measured(cfg *config.Latency) *api.ClientMeasured {
	found, region := e.look.Measured, func(i int) string { return e.zone.Regions[i].Name }
	n := found.Network
	m := &api.ClientMeasured{
		Network: n.Name(), Since: n.Since, Moves: n.Moves, At: n.At, Expired: !found.Fresh,
		MarginSeconds: cfg.Margin.Seconds(), MarginPercent: cfg.Percent, HoldSeconds: cfg.Hold.Seconds(), Regions: []api.MeasuredWay{},
	}
	if n.Region >= 0 {
		m.Region = region(n.Region)
	}
	if !found.Ahead.IsZero() {
		m.AheadAt = &found.Ahead
	}
	if n.Candidate >= 0 {
		m.Candidate, m.CandidateSince = region(n.Candidate), &n.CandidateSince
	}
	for i, d := range n.RTT {
		if d > 0 {
			m.Regions = append(m.Regions, api.MeasuredWay{Region: region(i), Seconds: d.Seconds()})
		}
	}
	slices.SortStableFunc(m.Regions, func(a, b api.MeasuredWay) int { return cmp.Compare(a.Seconds, b.Seconds) })
	return m
}

func (e *explanation) ttl(svc *config.Service) {
	l := e.look
	t := api.ExplainTTL{Seconds: l.TTL, Mode: "ceiling", MinSeconds: svc.TTL.Min, MaxSeconds: svc.TTL.Max}
	if svc.TTL.Mode == config.Horizon {
		t.Mode = "horizon"
	}
	t.Why, t.ForcedBy = ttlReason(l.Zone, svc, l.TTLReason, l.TTLPool, l.TTLEndpoint)
	e.out.TTL = t
}

// ttlReason is why a service's TTL is what it is, in words, and who forces it: POOL or POOL/ENDPOINT. pool and endpoint are as in answer.Look.
func ttlReason(zv *health.ZoneView, svc *config.Service, reason answer.TTLReason, pool, endpoint int) (why string, forcedBy []string) {
	switch reason {
	case answer.TTLPlan:
		return "the floor: an answer of this name rests on no good evidence", members(zv, svc.Pools, func(v health.EndpointView) bool {
			return v.Pending() || v.State == health.Down || v.Forced == health.Down
		})
	case answer.TTLChange:
		return fmt.Sprintf("the floor: what is answered changed less than ttl.max (%d s) ago", svc.TTL.Max), nil
	case answer.TTLTrouble:
		return "the floor: a member is suspect, never judged, judged long ago, or forced up while health says down", members(zv, svc.Pools, health.EndpointView.Uneasy)
	case answer.TTLPlanned:
		return "time to the beginning of an order that takes a member out", []string{zv.Zone.Pools[pool].Name}
	case answer.TTLShard:
		return "time to the instant at which an order moves the shard", nil
	case answer.TTLResolved:
		return "time to the end of the records that an address was resolved from; the floor once they have ended, or do not have it any more", []string{zv.Zone.Pools[pool].Name}
	case answer.TTLHorizon:
		p := zv.Zone.Pools[pool]
		by := p.Name + " (its gate)"
		if endpoint >= 0 && endpoint < len(p.Endpoints) {
			by = p.Name + "/" + p.Endpoints[endpoint].Name
		}
		return "time to the earliest instant at which health could take a member out", []string{by}
	case answer.TTLGreatest:
		return "no greater TTL is on this node's disk yet, or remembered by another node", nil
	default:
		return "nothing asks for less than ttl.max", nil
	}
}

// maxForcedBy bounds what is named: an outage of thousands is one reason.
const maxForcedBy = 10

// members are the endpoints of the pools of zv for which ok holds, POOL/ENDPOINT.
func members(zv *health.ZoneView, pools []int, ok func(health.EndpointView) bool) []string {
	var names []string
	for _, i := range pools {
		for k, v := range zv.Pools[i].Endpoints {
			if ok(v) && len(names) < maxForcedBy {
				names = append(names, zv.Zone.Pools[i].Name+"/"+zv.Zone.Pools[i].Endpoints[k].Name)
			}
		}
	}
	return names
}
