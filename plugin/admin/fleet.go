package admin

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/fleet"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// errNotReady: this node does not answer service names, so that it has no word for other fleets.
var errNotReady = errors.New("this node does not answer service names")

func (s *Server) fleetRoutes() []route {
	return []route{{
		method: http.MethodGet, path: fleet.Path, role: viewer, doc: "How a service stands, signed, for another cluster.",
		query: []parameter{{"service", "the name of the service; required"}, {"nonce", "32 hexadecimal digits, which come back; required"}},
		reply: fleet.SignedSummary{}, handle: s.fleet,
	}}
}

func (s *Server) fleet(r *http.Request) (int, any) {
	values, err := query(r, "service", "nonce")
	if err != nil {
		return invalid(err)
	}
	nonce := values.Get("nonce")
	if raw, err := hex.DecodeString(nonce); err != nil || len(raw) != fleet.NonceSize {
		return invalid(fmt.Errorf("nonce: want %d hexadecimal digits", 2*fleet.NonceSize))
	}
	name := fqdn(values.Get("service"))
	n := s.opts.Node
	c := n.Cluster()
	snap := n.Snapshot()
	if c.Shut != "" || snap == nil {
		return http.StatusServiceUnavailable, failure(http.StatusServiceUnavailable, errNotReady)
	}
	zv, svc, index := serviceNamed(snap, name)
	if svc == nil {
		return http.StatusNotFound, failure(http.StatusNotFound, fmt.Errorf("no service %s", name))
	}
	summary := &fleet.Summary{Cluster: c.Name, Node: n.Name(), Nonce: nonce, Isolated: c.Isolated, Service: svc.Name, State: fleetState(snap.Decision(zv.Zone, index))}
	if b := steer.BoundOf(zv.Zone, svc, n.Allowances()); b.Monitored {
		summary.BoundSeconds = b.S.Seconds()
	}
	signed, err := n.SignFleet(summary)
	if err != nil {
		return http.StatusInternalServerError, failure(http.StatusInternalServerError, err)
	}
	return http.StatusOK, signed
}

// serviceNamed is a service that is served, and its index in its zone; nil if there is none.
func serviceNamed(snap *answer.Snapshot, name string) (*health.ZoneView, *config.Service, int) {
	for _, zv := range snap.View.Zones {
		i := slices.IndexFunc(zv.Zone.Services, func(svc *config.Service) bool { return svc.Name == name })
		if i >= 0 {
			return zv, zv.Zone.Services[i], i
		}
	}
	return nil, nil, 0
}

// fleetState is how a service stands for the clients that no rule names.
func fleetState(d *steer.Decision) fleet.State {
	switch p := d.Plans[0]; {
	case !p.Source.Serves():
		return fleet.Dark
	case p.Source.Degraded() || p.Kept > 0:
		return fleet.Degraded
	}
	return fleet.Up
}

// fleetsOf are the services of other clusters to which answers may lead.
func fleetsOf(snap *answer.Snapshot) (list []api.Fleet) {
	for _, zv := range snap.View.Zones {
		for pi, p := range zv.Zone.Pools {
			watched := p.Watched()
			if len(watched) == 0 {
				continue
			}
			for _, leaf := range zv.Zone.Leaves(watched...) {
				c := zv.Zone.Checks[leaf]
				if c.Fleet == nil {
					continue
				}
				for i, e := range p.Endpoints {
					v := &zv.Pools[pi].Endpoints[i]
					list = append(list, api.Fleet{
						Zone: zv.Zone.Name, Pool: p.Name, Endpoint: e.Name, Check: c.Name, Service: e.Target, State: v.Shown().String(), Reason: v.Reason,
						BoundSeconds: c.Fleet.Bound.Seconds(),
					})
				}
			}
		}
	}
	return list
}
