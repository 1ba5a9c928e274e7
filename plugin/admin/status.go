package admin

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/admin/headline"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

func (s *Server) status(*http.Request) (int, any) {
	return http.StatusOK, s.newStatus()
}

// newStatus is the status now, with how the issuer of tokens is.
func (s *Server) newStatus() *api.Status {
	out := NewStatus(s.opts.Node, s.opts.Version, s.opts.StartedAt, time.Now())
	if s.oidc != nil {
		state := s.oidc.State()
		out.OIDC = &api.OIDC{Issuer: state.Issuer, Known: state.Known, FailedSince: instant(state.FailedSince), Failure: state.Why}
	}
	return out
}

// NewStatus is the whole status of a node at now, in the order of the files.
func NewStatus(n Node, version string, startedAt, now time.Time) *api.Status {
	out := &api.Status{Node: n.Name(), Version: version, At: now, StartedAt: startedAt, Files: n.Files.Status(), Zones: []api.Zone{}, FastLanes: n.FastLanes()}
	if err := n.Ready(); err != nil {
		out.NotReady, out.Degraded = err.Error(), true
	} else {
		out.Ready = true
	}
	for _, f := range out.Files {
		out.Degraded = out.Degraded || f.LastGood || f.BrokenSince != nil || f.Hash == ""
	}
	for _, name := range n.Files.Bare() {
		out.BareBlocks = append(out.BareBlocks, strings.TrimSuffix(name, "."))
	}
	out.Unwritable = n.Unwritable()
	out.Degraded = out.Degraded || out.Unwritable != nil || len(out.BareBlocks) > 0
	for _, c := range n.Discovery.Status() {
		c.Endpoints = nil
		out.Discovery = append(out.Discovery, c)
		out.Degraded = out.Degraded || c.Stranger || c.Since != nil || !c.Configured || c.Held > 0
	}
	for _, h := range n.hosts() {
		h.Addresses = nil
		out.Hosts = append(out.Hosts, h)
		out.Degraded = out.Degraded || h.Since != nil
	}
	out.Plans = plansInBrief(n)
	if n.Feeds != nil {
		out.Feeds = n.Feeds.Feeds()
	}
	snap := n.Snapshot()
	if snap == nil {
		return out
	}
	out.Generation, out.ConfigHash = snap.View.Generation, snap.View.Model.Hash.String()
	out.Blind, out.Late = snap.View.Blind, snap.View.Late
	if f := frozenOf(n); f.Frozen {
		f.Otherwise = otherwise(n)
		out.Freeze = &f
	}
	out.Degraded = out.Degraded || out.Blind || out.Late || out.Freeze != nil
	if c := nodesOf(n); c.Cluster != "" {
		out.Cluster = c
		out.Degraded = out.Degraded || slices.ContainsFunc(c.Nodes, func(n api.Node) bool { return n.Troubled() })
	}
	out.Intents = intentsOf(n)
	for _, i := range out.Intents {
		out.Degraded = out.Degraded || i.State == api.IntentSuspended || i.State == api.IntentDangling
	}
	for _, zv := range snap.View.Zones {
		z := zoneStatus{node: n, snap: snap, view: zv, now: now, clustered: out.Cluster != nil}
		zone, degraded := z.build()
		out.Zones = append(out.Zones, zone)
		out.Degraded = out.Degraded || degraded
	}
	out.Fleets = fleetsOf(snap)
	out.Caches, out.OpenIncidents = cachesOf(n, startedAt, now), openIncidents(n)
	headline.Fill(out)
	return out
}

// cachesOf is when caches have forgotten all that has left; nil if nothing has.
func cachesOf(n Node, startedAt, now time.Time) *api.Forgetting {
	rows := departureRows(shownDepartures(n, startedAt, now), n.Caches(), now)
	if len(rows) == 0 {
		return nil
	}
	f := together(rows)
	return &f
}

// openIncidents are those that go on, the newest first.
func openIncidents(n Node) (open []api.OpenIncident) {
	for _, i := range slices.Backward(n.Incidents()) {
		if !i.Open() {
			continue
		}
		o := api.OpenIncident{
			ID: i.ID, Kind: i.Kind, Title: i.Title, Cause: i.Cause, Intent: i.Intent, OpenedAt: i.OpenedAt, SafeAt: instant(i.SafeAt),
			ForgottenAt: instant(i.ForgottenAt), ReturnedAt: instant(i.ReturnedAt), Relapses: i.Relapses,
		}
		for _, svc := range i.Services {
			o.Services = append(o.Services, svc.Service)
		}
		open = append(open, o)
	}
	return open
}

// zoneStatus makes the status of one zone.
type zoneStatus struct {
	node     Node
	snap     *answer.Snapshot
	view     *health.ZoneView
	now      time.Time
	degraded bool
	// clustered is set when other nodes have a say.
	clustered bool
	// intents are the orders, read when the first endpoint asks who drains it.
	intents []health.IntentState
}

func (z *zoneStatus) build() (zone api.Zone, degraded bool) {
	cfg := z.view.Zone
	zone = api.Zone{Name: cfg.Name, Serial: cfg.SOA.Serial, Pools: make([]api.Pool, 0, len(cfg.Pools)), Services: make([]api.Service, 0, len(cfg.Services))}
	for i := range cfg.Pools {
		zone.Pools = append(zone.Pools, z.pool(i))
	}
	for i := range cfg.Services {
		zone.Services = append(zone.Services, z.service(i))
	}
	return zone, z.degraded
}

func (z *zoneStatus) pool(i int) api.Pool {
	p := z.poolAlone(i)
	endpoints := z.view.Zone.Pools[i].Endpoints
	p.Endpoints = make([]api.Endpoint, 0, len(endpoints))
	for j := range endpoints {
		p.Endpoints = append(p.Endpoints, z.endpointOf(i, j))
	}
	return p
}

// poolAlone is the pool without its endpoints.
func (z *zoneStatus) poolAlone(i int) api.Pool {
	cfg, view := z.view.Zone.Pools[i], z.view.Pools[i]
	p := api.Pool{Name: cfg.Name, Region: z.view.Zone.Regions[cfg.Region].Name, Weight: view.Weight}
	if cfg.Check >= 0 {
		p.Check = z.view.Zone.Checks[cfg.Check].Name
	}
	z.returning(&p, cfg, view)
	z.lagging(&p, cfg, view)
	for _, f := range view.Forward {
		if f.Percent < health.Whole && (p.ForwardPercent == 0 || f.Percent < p.ForwardPercent) {
			p.ForwardPercent, p.ForwardNext = f.Percent, instant(f.Next)
		}
	}
	return p
}

// endpointOf is endpoint j of pool i.
func (z *zoneStatus) endpointOf(i, j int) api.Endpoint {
	pool := z.view.Zone.Pools[i]
	var check *config.Check
	if pool.Check >= 0 {
		check = z.view.Zone.Checks[pool.Check]
	}
	return z.endpoint(pool, check, pool.Endpoints[j], z.view.Pools[i].Endpoints[j])
}

// returning says what the pool waits for, how far its ramp is, and for which services.
func (z *zoneStatus) returning(p *api.Pool, cfg *config.Pool, view *health.PoolView) {
	switch {
	case view.GateClosed && cfg.Gate.Manual:
		p.WaitsFor = waitsReady
	case view.GateClosed:
		p.WaitsFor, p.GateCheck = waitsCheck, z.view.Zone.Checks[cfg.Gate.Check].Name
	}
	p.Returns = z.returns(cfg, view)
	for i := range p.Returns {
		r := &p.Returns[i]
		switch {
		case r.WaitsFor == waitsFailback && !view.GateClosed:
			p.WaitsFor = waitsFailback
		case r.WaitsFor != "" && p.WaitsFor == "":
			p.WaitsFor = r.WaitsFor
		case r.WaitsFor != "":
		case r.Percent == 0 && r.Next != nil && (p.HeldUntil == nil || r.Next.After(*p.HeldUntil)):
			p.HeldUntil = r.Next
		case r.Percent > 0 && (p.RampPercent == 0 || r.Percent < p.RampPercent):
			p.RampPercent, p.RampNext = r.Percent, r.Next
		}
		z.degraded = z.degraded || r.WaitsFor != ""
	}
}

// returns are how the services of a pool wait for it and for its AZs.
func (z *zoneStatus) returns(cfg *config.Pool, view *health.PoolView) (list []api.PoolReturn) {
	// What stands still is as it was when this node made the view.
	at, still := z.now, z.snap != nil && z.snap.View.Isolated
	if still {
		at = view.At
	}
	if !view.Waits(cfg.Failbacks, at) {
		return nil
	}
	// most is what the pool gives the service: an AZ that gives no less is nothing apart.
	add := func(az string, r health.Return, svc *config.Service, most int) (gives int) {
		f := svc.FailbackOf(cfg)
		percent, next := r.Share(f, at)
		if percent >= most {
			return percent
		}
		one := api.PoolReturn{AZ: az, Services: []string{svc.Name}, Percent: percent, Next: instant(next)}
		if percent == 0 && next.IsZero() {
			if one.WaitsFor = waitsFailback; f.Mode == config.FailbackNever {
				one.WaitsFor = waitsConfig
			}
		} else if still {
			one.WaitsFor, one.Next, next = waitsCluster, nil, time.Time{}
		}
		k := slices.IndexFunc(list, func(o api.PoolReturn) bool {
			return o.AZ == az && o.Percent == percent && o.WaitsFor == one.WaitsFor && (o.Next == nil) == (one.Next == nil) && (o.Next == nil || o.Next.Equal(next))
		})
		if k < 0 {
			list = append(list, one)
		} else {
			list[k].Services = append(list[k].Services, svc.Name)
		}
		return percent
	}
	for _, si := range cfg.Services {
		svc := z.view.Zone.Services[si]
		gives := add("", view.Return, svc, health.Whole)
		for i, r := range view.ReturnAZ {
			add(z.view.Zone.AZs[cfg.AZWeights[i].AZ].Name, r, svc, gives)
		}
	}
	for i := range list {
		list[i].All = len(list[i].Services) == len(cfg.Services)
	}
	return list
}

// The values of api.Pool.WaitsFor.
const (
	waitsReady    = "ready"
	waitsCheck    = "check"
	waitsFailback = "failback"
	waitsConfig   = "config"
	waitsCluster  = "cluster"
)

// force says who forces an endpoint, why and until when.
func (z *zoneStatus) force(pool *config.Pool, cfg *config.Endpoint, state health.State) *api.Force {
	f := &api.Force{State: state.String()}
	for _, i := range z.node.Intents() {
		if i.Kind == health.IntentForce && i.Intent.State == state && i.Suspended == nil && !i.Planned && judge.Names(z.view.Zone, pool, cfg, &i.Intent) {
			f.Intent, f.Actor, f.Reason = i.ID.String(), i.Actor, i.Reason
			f.Since, f.EndsAt = instant(i.Start), instant(i.End)
		}
	}
	return f
}

// drained is the order that keeps an endpoint out of all services: of several the one that began first. nil if it is not known.
func (z *zoneStatus) drained(pool *config.Pool, cfg *config.Endpoint) (d *api.Drained) {
	if z.intents == nil {
		z.intents = z.node.Intents()
	}
	for _, i := range z.intents {
		if i.Kind != health.IntentDrain || i.Service != "" || i.Suspended != nil || i.Planned || !judge.Names(z.view.Zone, pool, cfg, &i.Intent) {
			continue
		}
		if d == nil || i.Start.Before(d.Since) {
			d = &api.Drained{Intent: i.ID.String(), Actor: i.Actor, Reason: i.Reason, Since: i.Start}
			if !i.Forever {
				d.EndsAt = instant(i.End)
			}
		}
	}
	return d
}

func (z *zoneStatus) endpoint(pool *config.Pool, check *config.Check, cfg *config.Endpoint, view health.EndpointView) api.Endpoint {
	e := api.Endpoint{
		Name: cfg.Name, Of: cfg.Of, AZ: z.view.Zone.AZs[cfg.AZ].Name, Target: cfg.Target, Weight: cfg.Weight,
		State: view.Shown().String(), Health: view.State.String(),
		Stale: view.Stale, Unmonitored: view.Unmonitored, Since: view.Since, Reason: view.Reason,
	}
	if cfg.V4.IsValid() {
		e.Addresses = append(e.Addresses, cfg.V4.String())
	}
	if cfg.V6.IsValid() {
		e.Addresses = append(e.Addresses, cfg.V6.String())
	}
	if view.State == health.Suspect || view.State == health.Down {
		z.degraded = true
	}
	if view.Forced != health.Unknown {
		e.Forced = z.force(pool, cfg, view.Forced)
		if e.Forced.Since != nil && e.State != e.Health {
			// It is so by order, and no longer than that.
			e.Since = *e.Forced.Since
		}
	}
	if view.Drained {
		e.Drained = z.drained(pool, cfg)
	}
	if view.Each != nil {
		e.AddressStates = z.addressStates(check, cfg, &view)
	}
	if check == nil {
		return e
	}
	target := health.TargetOf(z.view.Zone.Name, check, cfg)
	e.Probed = target.Address()
	if o, ok := z.node.Observation(target.ID); ok {
		at := o.At
		e.ProbedAt, e.LatencySeconds = &at, o.Latency.Seconds()
		e.Failures, e.Successes, e.Warning = o.Failures, o.Successes, o.Warning
		if e.State == health.Suspect.String() {
			e.Since = suspectSince(check, &o, &view)
		}
	}
	if z.clustered {
		e.Vantages = vantages(z.node, target)
	}
	return e
}

// suspectSince is since when something speaks against an endpoint in service, as far as it is known: verdicts remember when it came into service.
func suspectSince(check *config.Check, o *health.Observation, view *health.EndpointView) time.Time {
	since := view.SuspectSince
	if o.Failures > 0 {
		if first := o.At.Add(-time.Duration(o.Failures-1) * check.Interval); since.IsZero() || first.Before(since) {
			since = first
		}
	}
	return ledger.Later(view.Since, since)
}

// addressStates are those of an endpoint of which each address is probed for itself.
func (z *zoneStatus) addressStates(check *config.Check, cfg *config.Endpoint, view *health.EndpointView) (list []api.AddressState) {
	for _, f := range config.Families() {
		v := &view.Each[f]
		a := api.AddressState{
			Address: cfg.Addr(f).String(), State: v.State.String(), Withheld: view.Withheld(f), Stale: v.Stale, Since: v.Since, Reason: v.Reason,
		}
		z.degraded = z.degraded || a.Withheld
		if check != nil {
			target := health.TargetOn(z.view.Zone.Name, check, cfg, f)
			a.Probed = target.Address()
			if o, ok := z.node.Observation(target.ID); ok {
				at := o.At
				a.ProbedAt, a.LatencySeconds = &at, o.Latency.Seconds()
				a.Failures, a.Successes, a.Warning = o.Failures, o.Successes, o.Warning
			}
			if z.clustered {
				a.Vantages = vantages(z.node, target)
			}
		}
		list = append(list, a)
	}
	return list
}

// vantages are what every node last saw of a target.
func vantages(n Node, t health.Target) []api.Vantage {
	var list []api.Vantage
	for _, o := range n.Observations(t) {
		list = append(list, api.Vantage{
			Node: o.Vantage, State: o.State.String(), Failures: o.Failures, LatencySeconds: o.Latency.Seconds(), Reason: o.Reason, At: o.At,
		})
	}
	return list
}
