package gossip

import (
	"net/netip"
	"time"
)

const (
	// window is how many rounds a packet may be late. What is older than that is old without a look at shards, so that the
	// marks of shards that have gone need not be kept for ever.
	window = 64
	// maxShards bounds the shards of one node that are kept track of: eight times the greatest state, for keys that change.
	maxShards = 8 * MaxState / ShardSize
)

// known is what this node has of another one. Single writer: the origin, ordered by (incarnation, seq).
type known struct {
	incarnation, seq uint64
	// at is when the newest round came.
	at time.Time
	// direct is when the newest that came straight from its origin did.
	direct time.Time
	addr   netip.AddrPort
	count  uint16
	// packets has the newest packet at each index, to be relayed.
	packets map[uint16]held
	// shards has the newest seq of each shard.
	shards map[shardID]uint64
}

type held struct {
	seq uint64
	at  time.Time
	raw []byte
}

type shardID struct {
	key   string
	shard uint16
}

// isOld tells whether p brings nothing: it has been here, or something newer has.
func (k *known) isOld(p packet) bool {
	if k == nil || p.incarnation > k.incarnation {
		return false
	}
	if p.incarnation < k.incarnation || p.seq+window <= k.seq {
		return true
	}
	h, ok := k.packets[p.index]
	return ok && h.seq >= p.seq
}

// accept takes a packet that is not old and whose signature is right, and returns the entries that are newer than what was
// there, and how many were not noted because there are too many shards.
func (k *known) accept(p packet, raw []byte, at time.Time, direct bool) (fresh []entry, crowded int) {
	if p.incarnation > k.incarnation {
		*k = known{incarnation: p.incarnation, at: k.at, direct: k.direct, packets: map[uint16]held{}, shards: map[shardID]uint64{}}
	}
	if p.seq > k.seq || len(k.packets) == 0 {
		k.seq, k.count, k.addr = p.seq, p.count, p.addr
		if at.After(k.at) {
			k.at = at
		}
		k.tidy()
	}
	if direct && p.seq == k.seq && at.After(k.direct) {
		k.direct = at
	}
	k.packets[p.index] = held{seq: p.seq, at: at, raw: raw}
	for _, e := range p.entries {
		id := shardID{e.key, e.shard}
		seq, ok := k.shards[id]
		switch {
		case ok && seq >= p.seq:
		case !ok && len(k.shards) >= maxShards:
			crowded++
		default:
			k.shards[id] = p.seq
			fresh = append(fresh, e)
		}
	}
	return fresh, crowded
}

// tidy forgets what the window makes old anyway.
func (k *known) tidy() {
	for i, h := range k.packets {
		if h.seq+window <= k.seq {
			delete(k.packets, i)
		}
	}
	if len(k.shards) < maxShards/2 && k.seq%window != 0 {
		return
	}
	for id, seq := range k.shards {
		if seq+window <= k.seq {
			delete(k.shards, id)
		}
	}
}

// relay appends the newest packets that are younger than limit.
func (k *known) relay(list []relayed, now time.Time, limit time.Duration) []relayed {
	for i := range k.count {
		if h, ok := k.packets[i]; ok {
			if age := max(0, now.Sub(h.at)); age < limit {
				list = append(list, relayed{raw: h.raw, age: age})
			}
		}
	}
	return list
}
