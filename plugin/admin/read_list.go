package admin

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func (s *Server) listZones(req *http.Request) (int, any) {
	r, err := s.readList(req)
	if err != nil {
		return unread(err)
	}
	out := api.Zones{Zones: []api.ZoneItem{}}
	files := r.node.Files.Status()
	for _, zv := range r.snap.View.Zones {
		name := plain(zv.Zone.Name)
		if !r.page.match(name) {
			continue
		}
		if !r.page.take(name) {
			break
		}
		out.Zones = append(out.Zones, r.zoneItem(zv, files))
	}
	out.Page = r.head()
	return http.StatusOK, out
}

// zoneItem is a zone without what is in it.
func (r *reading) zoneItem(zv *health.ZoneView, files []api.File) api.ZoneItem {
	z := zv.Zone
	out := api.ZoneItem{Name: z.Name, Serial: z.SOA.Serial, Hash: hex.EncodeToString(z.Hash[:]), Pools: len(z.Pools), Services: len(z.Services)}
	for _, f := range files {
		if f.Zone == z.Name {
			out.File = &f
		}
	}
	for i := range z.Services {
		if r.degraded(zv, i) {
			out.Degraded++
		}
	}
	for _, p := range zv.Pools {
		out.States = tally(out.States, p)
	}
	return out
}

// degraded tells whether a service answers on a last resort.
func (r *reading) degraded(zv *health.ZoneView, service int) bool {
	plan := r.snap.Plan(zv.Zone, service)
	return plan.Source.Degraded() || plan.Kept > 0
}

// tally adds the endpoints of p to s.
func tally(s api.States, p *health.PoolView) api.States {
	for i := range p.Endpoints {
		s = count(s, p.Endpoints[i].Shown())
	}
	return s
}

func count(s api.States, state health.State) api.States {
	switch state {
	case health.Up:
		s.Up++
	case health.Suspect:
		s.Suspect++
	case health.Down:
		s.Down++
	case health.Drained:
		s.Drained++
	default:
		s.Unknown++
	}
	return s
}

func (s *Server) listServices(req *http.Request) (int, any) {
	r, err := s.readList(req, "zone", "degraded")
	if err != nil {
		return unread(err)
	}
	want := r.values.Get("degraded")
	if want != "" && want != "true" && want != "false" {
		return invalid(fmt.Errorf("%w: degraded %q: want true or false", ErrInvalid, want))
	}
	out := api.Services{Services: []api.ServiceItem{}}
	r.eachService(func(zv *health.ZoneView, i int, name string) bool {
		if want != "" && r.degraded(zv, i) != (want == "true") {
			return true
		}
		if !r.page.take(plain(zv.Zone.Name), name) {
			return false
		}
		out.Services = append(out.Services, api.ServiceItem{Zone: zv.Zone.Name, Service: r.zone(zv).service(i)})
		return true
	})
	out.Page = r.head()
	return http.StatusOK, out
}

// eachService calls f for the services that match, in the order of their names, until it returns false. A service can be asked
// for by its name below the zone too.
func (r *reading) eachService(f func(zv *health.ZoneView, service int, name string) bool) {
	wanted := r.page.wanted
	for _, zv := range r.zones() {
		if r.page.beyond(plain(zv.Zone.Name)) {
			continue
		}
		for _, i := range byName(zv.Zone.Services, func(s *config.Service) string { return s.Name }) {
			name := plain(zv.Zone.Services[i].Name)
			if len(wanted) > 0 {
				last := wanted[len(wanted)-1]
				if below := strings.TrimSuffix(name, "."+plain(zv.Zone.Name)); below == last {
					last = name
				}
				r.page.wanted = append(wanted[:len(wanted)-1:len(wanted)-1], plain(strings.ToLower(last)))
			}
			if r.page.match(plain(zv.Zone.Name), name) && !f(zv, i, name) {
				return
			}
		}
	}
}

func (s *Server) listPools(req *http.Request) (int, any) {
	r, err := s.readList(req, "zone", "region")
	if err != nil {
		return unread(err)
	}
	region := r.values.Get("region")
	out := api.Pools{Pools: []api.PoolItem{}}
	r.eachPool(func(zv *health.ZoneView, i int) bool {
		p := zv.Zone.Pools[i]
		if !r.page.match(plain(zv.Zone.Name), p.Name) || region != "" && zv.Zone.Regions[p.Region].Name != region {
			return true
		}
		if !r.page.take(plain(zv.Zone.Name), p.Name) {
			return false
		}
		out.Pools = append(out.Pools, r.poolItem(zv, i))
		return true
	})
	out.Page = r.head()
	return http.StatusOK, out
}

// eachPool calls f for the pools that do not stand on earlier pages, in the order of their names, until it returns false.
func (r *reading) eachPool(f func(zv *health.ZoneView, pool int) bool) {
	for _, zv := range r.zones() {
		zone := plain(zv.Zone.Name)
		if r.page.beyond(zone) {
			continue
		}
		for _, i := range byName(zv.Zone.Pools, func(p *config.Pool) string { return p.Name }) {
			if !r.page.beyond(zone, zv.Zone.Pools[i].Name) && !f(zv, i) {
				return
			}
		}
	}
}

func (r *reading) poolItem(zv *health.ZoneView, pool int) api.PoolItem {
	return api.PoolItem{Zone: zv.Zone.Name, Pool: r.zone(zv).poolAlone(pool), States: tally(api.States{}, zv.Pools[pool])}
}

func (s *Server) listEndpoints(req *http.Request) (int, any) {
	r, err := s.readList(req, "zone", "state", "az", "region", "pool")
	if err != nil {
		return unread(err)
	}
	keep, err := r.endpointFilter()
	if err != nil {
		return invalid(err)
	}
	out := api.Endpoints{Endpoints: []api.EndpointItem{}}
	r.eachPool(func(zv *health.ZoneView, pool int) bool {
		zone, p := plain(zv.Zone.Name), zv.Zone.Pools[pool]
		if !keep.pool(zone, p.Name) {
			return true
		}
		for _, i := range byName(p.Endpoints, func(e *config.Endpoint) string { return e.Name }) {
			e := p.Endpoints[i]
			if !keep.endpoint(zv, pool, i) || !r.page.match(zone, p.Name, e.Name) {
				continue
			}
			if !r.page.take(zone, p.Name, e.Name) {
				return false
			}
			out.Endpoints = append(out.Endpoints, r.endpointItem(zv, pool, i))
		}
		return true
	})
	out.Page = r.head()
	return http.StatusOK, out
}

func (r *reading) endpointItem(zv *health.ZoneView, pool, endpoint int) api.EndpointItem {
	p := zv.Zone.Pools[pool]
	return api.EndpointItem{
		Zone: zv.Zone.Name, Pool: p.Name, Region: regionOf(zv.Zone, p.Endpoints[endpoint]), Endpoint: r.zone(zv).endpointOf(pool, endpoint),
	}
}

// regionOf is the region in which an endpoint stands: its AZ's.
func regionOf(z *config.Zone, e *config.Endpoint) string { return z.Regions[z.AZs[e.AZ].Region].Name }

// An endpointFilter is what a list of endpoints is asked for. It looks at the view alone, so that only what is shown is made.
type endpointFilter struct {
	state            *health.State
	az, region, name string
	// zone is that of a pool that was named in full.
	zone string
}

func (r *reading) endpointFilter() (endpointFilter, error) {
	f := endpointFilter{az: r.values.Get("az"), region: r.values.Get("region"), name: r.values.Get("pool")}
	if zone, pool, ok := strings.Cut(f.name, "/"); ok {
		f.zone, f.name = plain(strings.ToLower(zone)), pool
	}
	if text := r.values.Get("state"); text != "" {
		f.state = new(health.State)
		if err := f.state.UnmarshalText([]byte(text)); err != nil {
			return f, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	return f, nil
}

func (f *endpointFilter) pool(zone, pool string) bool {
	return (f.zone == "" || f.zone == zone) && (f.name == "" || f.name == pool)
}

func (f *endpointFilter) endpoint(zv *health.ZoneView, pool, endpoint int) bool {
	e := zv.Zone.Pools[pool].Endpoints[endpoint]
	return (f.state == nil || zv.Pools[pool].Endpoints[endpoint].Shown() == *f.state) &&
		(f.az == "" || zv.Zone.AZs[e.AZ].Name == f.az) && (f.region == "" || regionOf(zv.Zone, e) == f.region)
}
