package admin

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

func (s *Server) cellRoutes() []route {
	return []route{{
		method: http.MethodGet, path: api.CellPath, role: viewer, doc: "Where a label of a service with cells goes, and why.", reply: api.Cell{}, handle: s.cell,
		query: assumed,
	}}
}

func (s *Server) cell(r *http.Request) (int, any) {
	values, err := query(r, "down", "drain", "weight")
	if err != nil {
		return invalid(err)
	}
	now, n := time.Now(), s.opts.Node
	snap := n.Snapshot()
	if snap == nil {
		return refused(fmt.Errorf("%w: nothing is served", ErrInvalid))
	}
	c, err := n.Explainer.Cell(r.PathValue("name"), r.PathValue("label"), assumptions(values))
	if err != nil {
		return refused(err)
	}
	for _, zv := range snap.View.Zones {
		i := slices.IndexFunc(zv.Zone.Services, func(svc *config.Service) bool { return svc.Name == c.Service })
		if i < 0 || zv.Zone.Name != c.Zone {
			continue
		}
		c.BoundSeconds = steer.BoundOf(zv.Zone, zv.Zone.Services[i], n.Allowances()).S.Seconds()
		if o := zv.Scoped[i].ShardOrder(c.Shard); o != nil {
			c.Order = orderNamed(n, o.ID)
		}
	}
	moved := slices.DeleteFunc(slices.Clone(n.Departures()), func(d departure.Departure) bool {
		return !d.Moved || !slices.Contains(d.Services, c.Service) || !d.Shards.Has(c.Shard)
	})
	if len(moved) > 0 {
		c.Moved = departureRows(moved, n.Caches(), now)
	}
	return http.StatusOK, c
}

// orderNamed is an order in force, or planned; nil if it is neither any more.
func orderNamed(n Node, id health.IntentID) *api.Intent {
	states := n.Intents()
	at := slices.IndexFunc(states, func(i health.IntentState) bool { return i.ID == id })
	if at < 0 {
		return nil
	}
	shown := intentShown(&states[at])
	return &shown
}
