package report

import (
	"fmt"
	"strings"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A forwardKey is a pool that takes a service over by steps. It has names, since another version of the zone file has other indexes.
type forwardKey struct{ zone, pool, service string }

// Forward tells how far pools take services over by a view that is about to be published: whoever makes a pool larger is told before
// an answer leads there. Each step is told once.
func (r *Reporter) Forward(v *health.View) {
	var is map[forwardKey]int
	told := 0
	for _, zv := range v.Zones {
		for si, svc := range zv.Zone.Services {
			if len(svc.Failover.Ramp) == 0 {
				continue
			}
			for _, pi := range svc.Pools {
				f, ok := zv.Pools[pi].Forward[si]
				if !ok {
					continue
				}
				if is == nil {
					is = make(map[forwardKey]int)
				}
				key := forwardKey{zv.Zone.Name, zv.Zone.Pools[pi].Name, svc.Name}
				if is[key] = f.Percent; r.forward[key] == f.Percent {
					continue
				}
				if told++; told <= maxTold {
					r.tellForward(zv.Zone, zv.Zone.Pools[pi], svc, f)
				}
			}
		}
	}
	r.forward = is
	r.events.Drop(max(0, told-maxTold))
}

// tellForward tells of one step, and which share comes next.
func (r *Reporter) tellForward(z *config.Zone, p *config.Pool, svc *config.Service, f health.Forward) {
	name := strings.TrimSuffix(svc.Name, ".")
	data := map[string]any{"service": name, "percent": f.Percent, "step": f.Step + 1, "steps": len(svc.Failover.Ramp)}
	if f.Step+1 < len(svc.Failover.Ramp) {
		data["next_percent"] = svc.Failover.Ramp[f.Step+1]
	}
	r.events.Add("pool.forward", displayed(z)+"/"+p.Name,
		fmt.Sprintf("may have %d%% of %s, step %d of %d", f.Percent, name, f.Step+1, len(svc.Failover.Ramp)), data)
}
