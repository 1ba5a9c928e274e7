package answer

import (
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A shardMove is an instant, in nanoseconds since the base, at which orders move shards.
type shardMove struct {
	shards config.Shards
	at     int64
}

func (c *Compiler) shardMoves(scoped *health.ServiceView) (moves []shardMove) {
	if scoped == nil {
		return nil
	}
	for _, m := range scoped.ShardMoves {
		moves = append(moves, shardMove{m.Shards, int64(m.At.Sub(c.base))})
	}
	return moves
}

// cellTTL is the TTL of an answer about a shard: no older one outlives the instant at which an order moves the shard, but for the floor. A
// shard's label is an owner name of its own, so that those that stay keep their TTL.
func (s *service) cellTTL(z *zone, c *clock, shard int) (ttl uint32, why TTLReason, pool int) {
	ttl, why, pool = s.ttl.at(z, c)
	for i := range s.moves {
		m := &s.moves[i]
		if !m.shards.Has(shard) {
			continue
		}
		if t := s.ttl.until(m.at, c); t < ttl {
			ttl, why = t, TTLShard
		}
	}
	return ttl, why, pool
}

// ttlOf is the TTL of an answer of s to the class c.
func (r *reply) ttlOf(s *service, c *choice) uint32 {
	if c.shard >= 0 {
		ttl, _, _ := s.cellTTL(r.z, &r.now, c.shard)
		return ttl
	}
	ttl, _, _ := s.ttl.at(r.z, &r.now)
	return ttl
}
