package admin

import (
	"maps"
	"net/http"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/explain"
)

// An areaKind is regions or AZs: what cuts the endpoints of all zones into areas.
type areaKind struct {
	word  string
	scope health.ScopeKind
	// of is the name of the area in which an AZ of a zone lies.
	of func(z *config.Zone, az int) string
}

var (
	regionAreas = areaKind{word: "region", scope: health.ScopeRegion, of: func(z *config.Zone, az int) string { return z.Regions[z.AZs[az].Region].Name }}
	azAreas     = areaKind{word: "AZ", scope: health.ScopeAZ, of: func(z *config.Zone, az int) string { return z.AZs[az].Name }}
)

func (s *Server) listRegions(req *http.Request) (int, any) {
	r, err := s.readList(req)
	if err != nil {
		return unread(err)
	}
	areas := r.areas(regionAreas)
	return http.StatusOK, api.Regions{Page: r.head(), Regions: areas}
}

func (s *Server) listAZs(req *http.Request) (int, any) {
	r, err := s.readList(req, "region")
	if err != nil {
		return unread(err)
	}
	areas := r.areas(azAreas)
	return http.StatusOK, api.AZs{Page: r.head(), AZs: areas}
}

func (s *Server) showRegion(req *http.Request) (int, any) { return s.showArea(req, regionAreas) }
func (s *Server) showAZ(req *http.Request) (int, any)     { return s.showArea(req, azAreas) }

func (s *Server) showArea(req *http.Request, kind areaKind) (int, any) {
	r, err := s.read(req)
	if err != nil {
		return unread(err)
	}
	name := req.PathValue("name")
	r.page.wanted = []string{name}
	areas := r.areas(kind)
	if len(areas) == 0 {
		return missing(kind.word, name)
	}
	out := api.AreaDetail{Page: r.head(), Area: areas[0]}
	for _, zv := range r.snap.View.Zones {
		for i, p := range zv.Zone.Pools {
			for j, e := range p.Endpoints {
				if kind.of(zv.Zone, e.AZ) == name {
					out.Members, out.MoreMembers = r.troubled(out.Members, out.MoreMembers, zv, i, j)
				}
			}
		}
	}
	return http.StatusOK, out
}

// areas is a page of regions or AZs, by name.
func (r *reading) areas(kind areaKind) []api.Area {
	found := r.areaNames(kind)
	page := make(map[string]*api.Area)
	out := []api.Area{}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if !r.page.match(name) {
			continue
		}
		if !r.page.take(name) {
			break
		}
		out = append(out, *found[name])
	}
	for i := range out {
		page[out[i].Name] = &out[i]
	}
	if len(page) == 0 {
		return out
	}
	for _, zv := range r.snap.View.Zones {
		r.fillAreas(kind, zv, page)
	}
	for i := range out {
		out[i].Intents = r.ordersOn(func(z *config.Zone, o *health.IntentState) bool { return r.inArea(kind, out[i].Name, z, o) })
	}
	return out
}

// areaNames are the areas of all zones, empty but for where they lie.
func (r *reading) areaNames(kind areaKind) map[string]*api.Area {
	region := r.values.Get("region")
	found := make(map[string]*api.Area)
	for _, zv := range r.snap.View.Zones {
		for i, az := range zv.Zone.AZs {
			of := zv.Zone.Regions[az.Region].Name
			if region != "" && of != region {
				continue
			}
			name := kind.of(zv.Zone, i)
			a := found[name]
			if a == nil {
				a = &api.Area{Name: name, Services: []api.ServiceShare{}}
				found[name] = a
			}
			if kind.scope == health.ScopeAZ {
				a.Region = of
			} else if !slices.Contains(a.AZs, az.Name) {
				a.AZs = append(a.AZs, az.Name)
			}
		}
	}
	return found
}

// fillAreas adds the endpoints and the services of a zone to the areas of a page.
func (r *reading) fillAreas(kind areaKind, zv *health.ZoneView, page map[string]*api.Area) {
	z := zv.Zone
	byAZ := make(map[string]*api.Area)
	for i := range z.AZs {
		if a := page[kind.of(z, i)]; a != nil {
			byAZ[z.AZs[i].Name] = a
		}
	}
	for i, p := range z.Pools {
		for j, e := range p.Endpoints {
			if a := byAZ[z.AZs[e.AZ].Name]; a != nil {
				a.States = count(a.States, zv.Pools[i].Endpoints[j].Shown())
			}
		}
	}
	for i, svc := range z.Services {
		for _, s := range explain.Shares(z, r.snap.Plan(z, i)) {
			a := byAZ[s.AZ]
			if a == nil {
				continue
			}
			if n := len(a.Services); n == 0 || a.Services[n-1].Service != svc.Name || a.Services[n-1].Family != s.Family {
				a.Services = append(a.Services, api.ServiceShare{Service: svc.Name, Family: s.Family})
			}
			a.Services[len(a.Services)-1].Fraction += s.Fraction
		}
	}
}

// inArea tells whether an order is about something in an area of z.
func (r *reading) inArea(kind areaKind, name string, z *config.Zone, o *health.IntentState) bool {
	if o.Scope.Kind == kind.scope && o.Scope.Name == name {
		return true
	}
	for _, p := range z.Pools {
		for _, e := range p.Endpoints {
			if kind.of(z, e.AZ) == name && judge.Names(z, p, e, &o.Intent) {
				return true
			}
		}
	}
	return false
}
