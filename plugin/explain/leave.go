package explain

import (
	"cmp"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// A Leave is an address, or a name, that answers to an owner name carry by one version of a zone and do not by the next.
type Leave struct {
	Name string `json:"name"`
	Data string `json:"data"`
	// Endpoint is POOL/ENDPOINT; empty for a fixed address.
	Endpoint string `json:"endpoint,omitempty"`
	Why      string `json:"why"`
	// HeldSeconds is the greatest TTL that answers with it carry: for so long after the swap caches may hold it, and for the transit
	// allowance of the node.
	HeldSeconds float64 `json:"held_seconds"`
	// Shards are those that move From one pool To another, as in 0-19,40; absent for others. Count is how many they are.
	Shards string `json:"shards,omitempty"`
	Count  int    `json:"count,omitempty"`
	From   string `json:"from,omitempty"`
	To     string `json:"to,omitempty"`
	// Standby is set where it is answered only while something else is down, drained or shut: caches hold it if that is so now.
	Standby bool `json:"standby,omitempty"`
}

// Leaves are what leaves the answers when after takes the place of before; either may be nil.
func Leaves(before, after *config.Zone, now time.Time) []Leave {
	if before == nil {
		return nil
	}
	was, is := answeredBy(before, now), answeredBy(after, now)
	could := configured(after)
	var out []Leave
	for h, of := range was {
		if _, stays := is[h]; !stays {
			out = append(out, of.leave(before, after, h, false))
		}
	}
	for h, of := range configured(before) {
		_, answered := was[h]
		_, stays := could[h]
		_, goes := is[h]
		switch {
		case !stays && !answered:
			out = append(out, of.leave(before, after, h, true))
		case stays && (goes || !answered) && lastResortGoes(before, after, of.service):
			l := of.leave(before, after, h, true)
			l.Why = "no last resort any more"
			out = append(out, l)
		}
	}
	out = append(out, leavingRecords(before, after)...)
	out = append(out, movingNames(before, after)...)
	slices.SortFunc(out, func(a, b Leave) int {
		standby := func(l Leave) int {
			if l.Standby {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(a.Name, b.Name), standby(a)-standby(b), cmp.Compare(a.Endpoint, b.Endpoint), cmp.Compare(a.Data, b.Data))
	})
	return out
}

// lastResortGoes tells whether a service answers with its endpoints while all of them are down, and does not after the change.
func lastResortGoes(before, after *config.Zone, service string) bool {
	answers := func(z *config.Zone) bool {
		i := slices.IndexFunc(z.Services, func(s *config.Service) bool { return s.Name == service })
		return i >= 0 && (z.Services[i].OnAllDown.Policy == config.LastGood || z.Services[i].OnAllDown.Policy == config.AnswerAll)
	}
	return after != nil && answers(before) && !answers(after)
}

// leavingRecords are static records that go and carry what an endpoint of either version has.
func leavingRecords(before, after *config.Zone) (out []Leave) {
	var now []*config.Zone
	if after != nil {
		now = append(now, after)
	}
	for _, g := range config.GoneCarriers([]*config.Zone{before}, now) {
		out = append(out, Leave{Name: g.Name, Data: g.RData, Endpoint: g.Endpoint, Why: "the static record goes", HeldSeconds: float64(g.TTL)})
	}
	return out
}

// movingNames are names that are answered with other addresses; after may be nil.
func movingNames(before, after *config.Zone) (out []Leave) {
	if after == nil {
		return nil
	}
	for _, m := range config.Moved(before, after) {
		out = append(out, Leave{Name: m.Service, Data: m.What, Why: m.Why, HeldSeconds: float64(m.Before.TTL.Max),
			Shards: m.Shards.String(), Count: m.Shards.Count(), From: m.From, To: m.To})
	}
	return out
}

// A bearer is whose answers carry a holding: the service, empty for host names, and the endpoint, with pool -1 for a fixed address.
type bearer struct {
	service        string
	pool, endpoint int
}

// answeredBy are the holdings of a zone's answers while everything is up; z may be nil.
func answeredBy(z *config.Zone, now time.Time) map[ledger.Holding]bearer {
	out := make(map[ledger.Holding]bearer)
	if z == nil {
		return out
	}
	snap := New(config.NewModel([]*config.Zone{z}), nil, now).Snapshot
	snap.Holdings(func(h ledger.Holding, service string, pool, endpoint int) { out[h] = bearer{service, pool, endpoint} })
	return out
}

// configured are the holdings that answers for services carry in some state of the world, fixed addresses left out.
func configured(z *config.Zone) map[ledger.Holding]bearer {
	out := make(map[ledger.Holding]bearer)
	if z == nil {
		return out
	}
	for _, svc := range z.Services {
		for _, pi := range svc.Pools {
			for ei, e := range z.Pools[pi].Endpoints {
				for _, rdata := range e.RData() {
					out[ledger.Holding{Owner: svc.Name, RData: rdata}] = bearer{svc.Name, pi, ei}
				}
			}
		}
	}
	return out
}

func (b bearer) leave(before, after *config.Zone, h ledger.Holding, standby bool) Leave {
	l := Leave{Name: h.Owner, Data: h.RData, Endpoint: ledger.LabelOf(before, b.pool, b.endpoint).Name(), Standby: standby}
	for _, svc := range before.Services {
		if b.service == "" || svc.Name == b.service {
			l.HeldSeconds = max(l.HeldSeconds, float64(svc.TTL.Max))
		}
	}
	l.Why = b.why(before, after, h)
	return l
}

// why is the difference between the two versions, in words.
func (b bearer) why(before, after *config.Zone, h ledger.Holding) string {
	switch {
	case after == nil:
		return "the zone goes"
	case b.service != "" && !slices.ContainsFunc(after.Services, func(s *config.Service) bool { return s.Name == b.service }):
		return "the service goes"
	case b.pool < 0:
		return "the fixed address goes"
	}
	p := before.Pools[b.pool]
	pi := slices.IndexFunc(after.Pools, func(o *config.Pool) bool { return o.Name == p.Name })
	if pi < 0 {
		return "the pool goes"
	}
	ei := slices.IndexFunc(after.Pools[pi].Endpoints, func(o *config.Endpoint) bool { return o.Name == p.Endpoints[b.endpoint].Name })
	if ei < 0 {
		return "the endpoint goes"
	}
	if h.RData != before.HostName(b.pool, b.endpoint) && !slices.Contains(after.Pools[pi].Endpoints[ei].RData(), h.RData) {
		return "the endpoint has other addresses"
	}
	return "not answered any more"
}
