package gossip

import (
	"bytes"
	"crypto/ed25519"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRoom holds that a whole shard under the longest names fits one datagram, relayed.
func TestRoom(t *testing.T) {
	long := strings.Repeat("x", maxName)
	addr := netip.MustParseAddrPort("[2001:db8::1]:7946")
	room := maxDatagram - sealing - 2 - len(long)
	groups := pack([]part{{strings.Repeat("k", MaxKey), make([]byte, 3*ShardSize)}}, room-relayHead-relayItem-roundOverhead(long, long, addr))
	require.Len(t, groups, 3)
	raw := appendPacket(nil, packet{cluster: long, node: long, addr: addr, count: 3, entries: groups[0]}, testKey("a"))
	require.LessOrEqual(t, relayHead+relayItem+len(raw), room)
	p, err := decodePacket(raw)
	require.NoError(t, err)
	require.Equal(t, addr, p.addr)
	require.Equal(t, groups[0], p.entries)
}

func TestPack(t *testing.T) {
	parts := []part{{"a", make([]byte, 300)}, {"b", make([]byte, 2500)}, {"c", make([]byte, 300)}, {"d", nil}}
	groups := pack(parts, 1200)
	var got []string
	for _, g := range groups {
		size := 0
		for _, e := range g {
			size += e.size()
			got = append(got, e.key)
		}
		require.LessOrEqual(t, size, 1200)
	}
	slices.Sort(got)
	require.Equal(t, []string{"a", "b", "b", "b", "c", "d"}, got)
	require.Len(t, groups, 3)
	require.Len(t, pack(nil, 1200), 1, "a node without state is heard")
}

func TestDecode(t *testing.T) {
	key := testKey("a")
	public := key.Public().(ed25519.PublicKey)
	want := packet{flags: flagUrgent, cluster: "c", node: "n", incarnation: 3, seq: 1 << 60, index: 2, count: 3,
		addr: netip.MustParseAddrPort("192.0.2.1:7946"), entries: []entry{{"k", 0, 1, []byte("v")}, {"l", 1, 2, []byte{}}}}
	raw := appendPacket(nil, want, key)
	got, err := decodePacket(raw)
	require.NoError(t, err)
	require.True(t, verify(roundDomain, got.signed, got.sig, public))
	require.False(t, verify(askDomain, got.signed, got.sig, public), "for nothing else")
	got.signed, got.sig = nil, nil
	require.Equal(t, want, got)
	require.Less(t, len(raw), 130)
	for i := range raw {
		_, _ = decodePacket(raw[:i])
		// Every bit is under the signature.
		bad := bytes.Clone(raw)
		bad[i] ^= 1
		if p, err := decodePacket(bad); err == nil {
			require.False(t, verify(roundDomain, p.signed, p.sig, public), "octet %d", i)
		}
	}
}

// TestMerge holds the laws of what is known: in whatever order and however often packets come, what is there at the end is the
// newest of each shard, and each is handed on at most once.
func TestMerge(t *testing.T) {
	var packets []packet
	for inc := uint64(1); inc <= 2; inc++ {
		for seq := uint64(1); seq <= 3; seq++ {
			for i := range uint16(2) {
				packets = append(packets, packet{incarnation: inc, seq: seq, index: i, count: 2,
					entries: []entry{{key: "k", shard: i, shards: 2}}})
			}
		}
	}
	now := time.Now()
	for _, order := range orders(len(packets)) {
		k := &known{packets: map[uint16]held{}, shards: map[shardID]uint64{}}
		last := map[shardID][2]uint64{}
		for range 2 {
			for _, i := range order {
				p := packets[i]
				if k.isOld(p) {
					continue
				}
				fresh, _ := k.accept(p, nil, now, true)
				for _, e := range fresh {
					id, at := shardID{e.key, e.shard}, [2]uint64{p.incarnation, p.seq}
					require.Equal(t, 1, slices.Compare(at[:], earlier(last[id])), "newer each time")
					last[id] = at
				}
			}
		}
		require.Equal(t, map[shardID][2]uint64{{"k", 0}: {2, 3}, {"k", 1}: {2, 3}}, last)
		require.Equal(t, uint64(2), k.incarnation)
		require.Equal(t, uint64(3), k.seq)
	}
}

// TestKnownIsBounded lets a node change its keys for ever.
func TestKnownIsBounded(t *testing.T) {
	k := &known{packets: map[uint16]held{}, shards: map[shardID]uint64{}}
	crowded := 0
	for seq := uint64(1); seq < 2000; seq++ {
		p := packet{incarnation: 1, seq: seq, index: uint16(seq % 1000), count: 1000}
		for i := range 100 {
			p.entries = append(p.entries, entry{key: string([]byte{byte(seq), byte(seq >> 8), byte(i)}), shards: 1})
		}
		_, n := k.accept(p, nil, time.Now(), true)
		crowded += n
		require.LessOrEqual(t, len(k.shards), maxShards)
		require.LessOrEqual(t, len(k.packets), window+1)
	}
	require.NotZero(t, crowded)
}

func earlier(v [2]uint64) []uint64 { return v[:] }

// orders are 500 permutations of n, always the same.
func orders(n int) [][]int {
	r := rand.New(rand.NewPCG(1, 2))
	list := make([][]int, 500)
	for i := range list {
		list[i] = r.Perm(n)
	}
	return list
}
