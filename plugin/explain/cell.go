package explain

import (
	"fmt"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// Cell is where a label of a service with cells goes under assumptions, and why. Errors are ErrInvalid.
func (x *Explainer) Cell(service, label string, a api.Assumptions, now time.Time) (*api.Cell, error) {
	service, label = strings.ToLower(dns.Fqdn(service)), strings.ToLower(label)
	for _, zv := range x.Snapshot.View.Zones {
		for i, svc := range zv.Zone.Services {
			if svc.Name == service {
				return x.cell(zv, i, label, a, now)
			}
		}
	}
	return nil, fmt.Errorf("%w: no service %s", ErrInvalid, strings.TrimSuffix(service, "."))
}

func (x *Explainer) cell(zv *health.ZoneView, service int, label string, a api.Assumptions, now time.Time) (*api.Cell, error) {
	svc := zv.Zone.Services[service]
	switch {
	case svc.Cells == nil:
		return nil, fmt.Errorf("%w: the service %s has no cells", ErrInvalid, strings.TrimSuffix(svc.Name, "."))
	case label == "" || strings.Contains(label, ".") || len(label) > 63:
		return nil, fmt.Errorf("%w: label %q: want one label, as in 17 or acme", ErrInvalid, label)
	}
	e, err := x.Explain(api.Question{Name: label + "." + svc.Name, Type: typeOf(zv.Zone, svc), Assumptions: a}, now)
	if err != nil {
		return nil, err
	}
	c := &api.Cell{
		Node: x.Node, At: now, Zone: zv.Zone.Name, Service: svc.Name, Label: label, Shards: svc.Cells.Shards, Answer: e,
	}
	c.Shard, c.By = svc.Cells.Find([]byte(label))
	c.Home = zv.Zone.Pools[svc.Cells.HomeOf(c.Shard)].Name
	scoped := zv.Scoped[service]
	pool, drained := scoped.ShardAt(svc.Cells, c.Shard)
	switch next := svc.Cells.Failover[pool]; {
	case !drained:
		c.Pool = zv.Zone.Pools[pool].Name
	case len(next) > 0:
		c.Pool = zv.Zone.Pools[next[0]].Name
	}
	if at := scoped.ShardMove(c.Shard); !at.IsZero() {
		c.MovesAt = &at
	}
	return c, nil
}

// typeOf is a type of record that the endpoints of a service have.
func typeOf(z *config.Zone, svc *config.Service) string {
	v6 := false
	for _, p := range svc.Pools {
		for _, e := range z.Pools[p].Endpoints {
			switch {
			case e.Target != "":
				return "CNAME"
			case e.V4.IsValid():
				return "A"
			case e.V6.IsValid():
				v6 = true
			}
		}
	}
	if v6 {
		return "AAAA"
	}
	return "A"
}
