package engine

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/round"
	"github.com/fairlead-dns/fairlead/health/table"
)

// lagsPart is what this node has measured of lags, and which services it has moved to pools that keep data. The latter is news: who has not moved
// yet follows, since there is where data is written by now.
func (e *Engine) lagsPart() cluster.Part {
	return cluster.Part{Key: round.PartLags, Spare: true, Take: e.takeLags, Encode: func(now time.Time) ([]byte, any) {
		l := round.Lags{Measured: make(map[round.Prefix]health.Lag), Entered: make(map[round.MemoryKey]bool)}
		for id, target := range e.cur.LagTargets() {
			if o, ok := e.evidence.Own(id); ok && o.Lag.Fresh(target.Check, now) && !e.evidence.Drained {
				l.Measured[round.PrefixOf(id)] = o.Lag
			}
		}
		for entered := range e.cur.Entered() {
			l.Entered[cluster.EnteredKey(entered.Zone, entered.Pool, entered.Service)] = true
		}
		b, left := l.Encode(now)
		e.metrics.cluster.lagsUntold.Set(float64(left))
		return b, fmt.Sprint(slices.SortedFunc(maps.Keys(l.Entered), func(a, b round.MemoryKey) int { return slices.Compare(a[:], b[:]) }))
	}}
}

// takeLags takes in what another node says of lags.
func (e *Engine) takeLags(r *gossip.Round, _ time.Time) error {
	said, err := round.ParseLags(r.Data, r.At)
	if err != nil {
		return err
	}
	p := e.cluster.peers[r.Node]
	if p.entered == nil {
		p.entered = make(map[int]map[round.MemoryKey]bool)
	}
	p.entered[r.Shard] = said.Entered
	maps.DeleteFunc(p.entered, func(shard int, _ map[round.MemoryKey]bool) bool { return shard >= r.Shards })
	for prefix, lag := range said.Measured {
		if id, ok := e.cluster.marks.ID(prefix); ok {
			e.evidence.Lags.Note(id, table.Measured{Lag: lag, Vantage: r.Node})
		}
	}
	return nil
}

// enteredElsewhere tells whether another node that is heard says that a service has moved to a pool.
func (c *membership) enteredElsewhere(z *config.Zone, p *config.Pool, svc *config.Service) bool {
	key := cluster.EnteredKey(z, p, svc)
	for _, peer := range c.peers {
		if !peer.fresh || !peer.status.Answering || peer.status.Isolated {
			continue
		}
		for _, shard := range peer.entered {
			if shard[key] {
				return true
			}
		}
	}
	return false
}

// Lag is how far pool p of zone z, which has a check of its lag, is behind by what counts now; view is that of the pool. It may be called from any
// goroutine.
func (e *Engine) Lag(z *config.Zone, p *config.Pool, view *health.PoolView, now time.Time) table.PoolLag {
	return e.evidence.Lags.Of(z, p, view, time.Time{}, 0, now)
}

// loss is what a service may have lost that leaves pool p at now for one of a later tier which keeps data: what had been written until failed and
// had not reached that pool. nil where nothing measures it.
func (e *Engine) loss(z *config.Zone, p *config.Pool, svc *config.Service, failed, now time.Time) *ledger.Loss {
	to := -1
	own := tierOf(svc, p, z)
	for t, tier := range svc.Tiers {
		for _, share := range tier {
			if next := z.Pools[share.Pool]; to < 0 && t > own && own >= 0 && next.KeepsData() && next.HasLag {
				to = share.Pool
			}
		}
	}
	if to < 0 || !p.KeepsData() {
		return nil
	}
	next := z.Pools[to]
	var view *health.PoolView
	for zi, of := range e.cur.Model.Zones {
		if of == z {
			view = e.cur.Pool(table.Ref{Zone: zi, Pool: to})
		}
	}
	if failed.IsZero() {
		failed = now
	}
	lag := e.evidence.Lags.Of(z, next, view, failed, e.evidence.Allowance(), now)
	l := &ledger.Loss{Pool: next.Name, From: p.Name, Unit: z.Checks[next.Lag].Lag.Unit.String(), RPO: svc.RPO.Max, Until: failed}
	if lag.Known() && !lag.Unknown {
		l.Lag, l.MeasuredAt = &lag.Value, lag.At
	}
	return l
}

// tierOf is the first tier of a service in which a pool stands; -1 for none.
func tierOf(svc *config.Service, p *config.Pool, z *config.Zone) int {
	return slices.IndexFunc(svc.Tiers, func(tier config.Tier) bool {
		return slices.ContainsFunc(tier, func(s config.Share) bool { return z.Pools[s.Pool] == p })
	})
}
