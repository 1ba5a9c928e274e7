package node

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/history"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/explain"
)

const (
	// historyEvery is how often states and shares are looked at, sampleEvery latencies and what was answered: those move all the time.
	historyEvery = 10 * time.Second
	sampleEvery  = time.Minute
)

// A dayLog writes down the history of the last day: by name of the series STATE/zone/pool/endpoint or SHARE/service/AZ. One goroutine
// uses it.
type dayLog struct {
	node *Node
	log  *history.Log
	// sampled is when latencies and answers were looked at last; answers is how many there were then, by holding.
	sampled time.Time
	answers map[ledger.Key]uint64
	// planned are the AZs that a service was planned to lead to, by series: one that has no part any more has the part 0.
	planned map[string]bool
}

func newDayLog(n *Node, now time.Time) *dayLog {
	log := history.Open(history.Options{Dir: n.state, Logger: n.logger, Registerer: n.scope}, now)
	return &dayLog{node: n, log: log, answers: make(map[ledger.Key]uint64), planned: make(map[string]bool)}
}

func (h *dayLog) run(ctx context.Context) error {
	defer h.log.Close()
	h.look(time.Now())
	return every(ctx, historyEvery, h.look)
}

// look notes what is so at now.
func (h *dayLog) look(now time.Time) {
	snap := h.node.current.Load()
	if snap == nil {
		return
	}
	sample := now.Sub(h.sampled) >= sampleEvery
	values := make(map[string]float64)
	for _, zv := range snap.View.Zones {
		h.endpoints(zv, sample, values)
	}
	for _, zv := range snap.View.Zones {
		h.services(snap, zv, sample, values)
	}
	if sample {
		h.sampled = now
	}
	seen := make(map[string]bool, len(values))
	for name := range values {
		seen[name] = true
	}
	sampled := func(name string) bool {
		return strings.HasPrefix(name, api.HistoryLatency) || strings.HasPrefix(name, api.HistoryCounted)
	}
	h.log.Add(now, values)
	// What was there the last time and is not any more has ended; what is sampled less often has not, between two samples.
	h.log.End(now, func(name string) bool { return !seen[name] && (sample || !sampled(name)) })
}

// endpoints notes states and latencies, of as many endpoints as half of the history has room for.
func (h *dayLog) endpoints(zv *health.ZoneView, sample bool, values map[string]float64) {
	for p, pool := range zv.Zone.Pools {
		for i, e := range pool.Endpoints {
			if len(values) >= history.MaxSeries/2 {
				return
			}
			name := strings.TrimSuffix(zv.Zone.Name, ".") + "/" + pool.Name + "/" + e.Name
			values[api.HistoryState+name] = float64(zv.Pools[p].Endpoints[i].Shown())
			if !sample || pool.Check < 0 {
				continue
			}
			if o, ok := h.node.engine.Observation(health.TargetOf(zv.Zone.Name, zv.Zone.Checks[pool.Check], e).ID); ok && o.Latency > 0 {
				values[api.HistoryLatency+name] = rounded(o.Latency.Seconds())
			}
		}
	}
}

// services notes shares, of as many services as the history has room for.
func (h *dayLog) services(snap *answer.Snapshot, zv *health.ZoneView, sample bool, values map[string]float64) {
	// A service has two series for each AZ at most.
	room := (history.MaxSeries - len(values)) / (2 * max(1, len(zv.Zone.AZs)))
	for i, pools := range poolsOf(zv.Zone, min(room, len(zv.Zone.Services))) {
		h.shares(snap, zv, i, pools, sample, values)
	}
}

// poolsOf are the pools of each of the first n services of a zone.
func poolsOf(z *config.Zone, n int) [][]*config.Pool {
	pools := make([][]*config.Pool, n)
	for _, pool := range z.Pools {
		for _, i := range pool.Services {
			if i < n {
				pools[i] = append(pools[i], pool)
			}
		}
	}
	return pools
}

// shares notes how the answers of a service are planned to be split over AZs, and how those of the last minute were, which led to pools.
func (h *dayLog) shares(snap *answer.Snapshot, zv *health.ZoneView, i int, pools []*config.Pool, sample bool, values map[string]float64) {
	svc := zv.Zone.Services[i]
	shares := explain.Shares(zv.Zone, snap.Plan(zv.Zone, i))
	for _, s := range shares {
		if s.Family == shares[0].Family && s.AZ != "" {
			values[api.HistoryPlanned+svc.Name+"/"+s.AZ] += s.Fraction
		}
	}
	for _, az := range zv.Zone.AZs {
		name := api.HistoryPlanned + svc.Name + "/" + az.Name
		if v, ok := values[name]; ok || h.planned[name] {
			h.planned[name], values[name] = true, rounded(v)
		}
	}
	if !sample {
		return
	}
	counted, sum := make(map[string]uint64), uint64(0)
	for _, pool := range pools {
		for _, e := range pool.Endpoints {
			n := h.since(svc.Name, e)
			counted[zv.Zone.AZs[e.AZ].Name] += n
			sum += n
		}
	}
	for az, n := range counted {
		if n > 0 || sum > 0 && h.planned[api.HistoryPlanned+svc.Name+"/"+az] {
			values[api.HistoryCounted+svc.Name+"/"+az] = rounded(float64(n) / float64(sum))
		}
	}
}

// since counts the answers under an owner name that carried an endpoint since the last call.
func (h *dayLog) since(owner string, e *config.Endpoint) (n uint64) {
	var data []string
	if e.V4.IsValid() {
		data = append(data, e.V4.String())
	}
	if e.V6.IsValid() {
		data = append(data, e.V6.String())
	}
	if e.Target != "" {
		data = append(data, e.Target)
	}
	for _, d := range data {
		key := ledger.Holding{Owner: owner, RData: d}.Key()
		total := h.node.compiler.Ledger().AnswersOf(key)
		// A holding that left and came back counts from zero again.
		if was := h.answers[key]; total >= was {
			n += total - was
		}
		if total > 0 {
			h.answers[key] = total
		} else {
			delete(h.answers, key)
		}
	}
	return n
}

// rounded keeps two digits: what nobody sees is no change.
func rounded(v float64) float64 {
	if v == 0 {
		return 0
	}
	scale := math.Pow(10, 1-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*scale) / scale
}
