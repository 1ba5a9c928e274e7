package admin

import (
	"net/http"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/explain"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// maxMembers bounds the endpoints that are shown with a service, a region or an AZ: an outage of thousands is one story.
const maxMembers = 100

func (s *Server) showZone(req *http.Request) (int, any) {
	r, err := s.read(req)
	if err != nil {
		return unread(err)
	}
	zv := r.zoneNamed(req.PathValue("zone"))
	if zv == nil {
		return missing("zone", req.PathValue("zone"))
	}
	return http.StatusOK, api.ZoneDetail{Page: r.head(), ZoneItem: r.zoneItem(zv, r.node.Files.Status())}
}

func (s *Server) showKeys(req *http.Request) (int, any) {
	r, err := s.read(req)
	if err != nil {
		return unread(err)
	}
	zv := r.zoneNamed(req.PathValue("zone"))
	if zv == nil {
		return missing("zone", req.PathValue("zone"))
	}
	out, err := r.node.Keys.ZoneKeys(req.Context(), zv)
	if err != nil {
		return http.StatusServiceUnavailable, failure(http.StatusServiceUnavailable, err)
	}
	return http.StatusOK, out
}

func (s *Server) showService(req *http.Request) (int, any) {
	r, err := s.read(req)
	if err != nil {
		return unread(err)
	}
	if zv, svc, i := serviceNamed(r.snap, fqdn(req.PathValue("name"))); svc != nil {
		return http.StatusOK, r.serviceDetail(zv, i)
	}
	return missing("service", req.PathValue("name"))
}

func (r *reading) serviceDetail(zv *health.ZoneView, service int) *api.ServiceDetail {
	cfg := zv.Zone.Services[service]
	bound := steer.BoundOf(zv.Zone, cfg, r.node.Allowances())
	out := &api.ServiceDetail{
		Page: r.head(), ServiceItem: api.ServiceItem{Zone: zv.Zone.Name, Service: r.zone(zv).service(service)},
		Bound: api.BoundTerms{D: bound.D.Seconds(), F: bound.F.Seconds(), G: bound.Gossip.Seconds(), Q: bound.Quiesce.Seconds(), X: bound.Transit.Seconds()},
		Pools: []api.PoolItem{},
	}
	out.Service.Degraded = r.degraded(zv, service)
	out.TTL = api.ExplainTTL{Seconds: out.TTLSeconds, MinSeconds: cfg.TTL.Min, MaxSeconds: cfg.TTL.Max}
	if e, err := r.node.Explainer.Explain(api.Question{Name: cfg.Name, Type: recordType(cfg)}); err == nil {
		out.TTL = e.TTL
	}
	for _, p := range r.snap.Decision(zv.Zone, service).Plans {
		if p.Key != "" {
			out.Classes = append(out.Classes, api.ServiceClass{
				Class: p.Key, Source: p.Source.String(), Degraded: p.Source.Degraded() || p.Kept > 0, Tier: p.Tier.Index + 1, Shares: explain.Shares(zv.Zone, p),
			})
		}
	}
	for _, i := range cfg.Pools {
		out.Pools = append(out.Pools, r.poolItem(zv, i))
		for j := range zv.Zone.Pools[i].Endpoints {
			out.Members, out.MoreMembers = r.troubled(out.Members, out.MoreMembers, zv, i, j)
		}
	}
	out.Intents = r.ordersOn(func(z *config.Zone, o *health.IntentState) bool {
		return z == zv.Zone && (o.Service == "" || o.Service == cfg.Name) && r.anyEndpoint(zv, cfg.Pools, o)
	})
	return out
}

// recordType is a type of record that the service has, in words.
func recordType(svc *config.Service) string {
	switch {
	case svc.SRV != nil:
		return "SRV"
	case svc.HTTPS != nil:
		return "HTTPS"
	}
	return "A"
}

// troubled adds an endpoint that is not simply up to members, or counts it among the others.
func (r *reading) troubled(members []api.EndpointItem, more int, zv *health.ZoneView, pool, endpoint int) ([]api.EndpointItem, int) {
	v := &zv.Pools[pool].Endpoints[endpoint]
	switch {
	case v.Shown() == health.Up && !v.Stale:
		return members, more
	case len(members) == maxMembers:
		return members, more + 1
	}
	return append(members, r.endpointItem(zv, pool, endpoint)), more
}

func (s *Server) showPool(req *http.Request) (int, any) {
	r, err := s.read(req)
	if err != nil {
		return unread(err)
	}
	zv, pool := r.poolNamed(req)
	if pool < 0 {
		return missing("pool", req.PathValue("zone")+"/"+req.PathValue("pool"))
	}
	cfg := zv.Zone.Pools[pool]
	out := api.PoolDetail{PoolItem: r.poolItem(zv, pool), Services: r.sharesOf(zv, cfg.Services, func(s *api.Share) bool { return s.Pool == cfg.Name })}
	r.page.limit = api.MaxPage
	for _, i := range byName(cfg.Endpoints, func(e *config.Endpoint) string { return e.Name }) {
		if !r.page.take(plain(zv.Zone.Name), cfg.Name, cfg.Endpoints[i].Name) {
			break
		}
		out.Endpoints = append(out.Endpoints, r.zone(zv).endpointOf(pool, i))
	}
	out.Intents = r.ordersOn(func(z *config.Zone, o *health.IntentState) bool {
		return z == zv.Zone && r.anyEndpoint(zv, []int{pool}, o)
	})
	out.Page = r.head()
	return http.StatusOK, out
}

// poolNamed is the pool that the path names; -1 if there is none.
func (r *reading) poolNamed(req *http.Request) (*health.ZoneView, int) {
	zv := r.zoneNamed(req.PathValue("zone"))
	if zv == nil {
		return nil, -1
	}
	name := req.PathValue("pool")
	return zv, slices.IndexFunc(zv.Zone.Pools, func(p *config.Pool) bool { return p.Name == name })
}

func (s *Server) showEndpoint(req *http.Request) (int, any) {
	r, err := s.read(req)
	if err != nil {
		return unread(err)
	}
	zv, pool := r.poolNamed(req)
	name, endpoint := req.PathValue("endpoint"), -1
	if pool >= 0 {
		endpoint = slices.IndexFunc(zv.Zone.Pools[pool].Endpoints, func(e *config.Endpoint) bool { return e.Name == name })
	}
	if endpoint < 0 {
		return missing("endpoint", req.PathValue("zone")+"/"+req.PathValue("pool")+"/"+name)
	}
	cfg := zv.Zone.Pools[pool]
	out := api.EndpointDetail{Page: r.head(), EndpointItem: r.endpointItem(zv, pool, endpoint)}
	out.Services = r.sharesOf(zv, cfg.Services, func(s *api.Share) bool { return s.Pool == cfg.Name && s.Endpoint == name })
	if cfg.Check >= 0 {
		// On a node alone too: this is the page that says who saw what.
		target := health.TargetOf(zv.Zone.Name, zv.Zone.Checks[cfg.Check], cfg.Endpoints[endpoint])
		out.Vantages = vantages(r.node, target)
		if o, ok := r.node.Observation(target.ID); ok {
			out.Phases = phasesOf(o.Phases)
		}
	}
	out.Intents = r.ordersOn(func(z *config.Zone, o *health.IntentState) bool {
		return z == zv.Zone && judge.Names(z, cfg, cfg.Endpoints[endpoint], &o.Intent)
	})
	return http.StatusOK, out
}

func phasesOf(p *health.Phases) *api.ProbePhases {
	if p == nil {
		return nil
	}
	return &api.ProbePhases{
		ConnectSeconds: p.Connect.Seconds(), TLSSeconds: p.TLS.Seconds(), FirstByteSeconds: p.FirstByte.Seconds(), CertificateExpires: instant(p.CertificateExpiry),
	}
}

// sharesOf are the parts of the answers of services that belong to shares which match.
func (r *reading) sharesOf(zv *health.ZoneView, services []int, match func(*api.Share) bool) []api.ServiceShare {
	out := []api.ServiceShare{}
	for _, i := range services {
		first := len(out)
		for _, s := range explain.Shares(zv.Zone, r.snap.Plan(zv.Zone, i)) {
			if !match(&s) {
				continue
			}
			at := slices.IndexFunc(out[first:], func(o api.ServiceShare) bool { return o.Family == s.Family })
			if at < 0 {
				at = len(out) - first
				out = append(out, api.ServiceShare{Service: zv.Zone.Services[i].Name, Family: s.Family})
			}
			out[first+at].Fraction += s.Fraction
		}
	}
	return out
}

// ordersOn are the intents about endpoints for which match holds in some zone.
func (r *reading) ordersOn(match func(z *config.Zone, o *health.IntentState) bool) []api.Intent {
	var out []api.Intent
	for i := range r.orders {
		o := &r.orders[i]
		if o.Scope.Kind == health.ScopeNode {
			continue
		}
		if slices.ContainsFunc(r.snap.View.Zones, func(zv *health.ZoneView) bool { return match(zv.Zone, o) }) {
			out = append(out, intentShown(o))
		}
	}
	return out
}

// anyEndpoint tells whether an order is about an endpoint of one of the pools.
func (r *reading) anyEndpoint(zv *health.ZoneView, pools []int, o *health.IntentState) bool {
	for _, i := range pools {
		p := zv.Zone.Pools[i]
		if slices.ContainsFunc(p.Endpoints, func(e *config.Endpoint) bool { return judge.Names(zv.Zone, p, e, &o.Intent) }) {
			return true
		}
	}
	return false
}

func (s *Server) runningZone(req *http.Request) (int, any) {
	r, err := s.read(req)
	if err != nil {
		return unread(err)
	}
	zv := r.zoneNamed(req.PathValue("zone"))
	if zv == nil {
		return missing("zone", req.PathValue("zone"))
	}
	out, err := r.node.Files.Running(zv.Zone)
	if err != nil {
		return http.StatusServiceUnavailable, failure(http.StatusServiceUnavailable, err)
	}
	out.Page, out.Zone = r.head(), zv.Zone.Name
	return http.StatusOK, out
}
