package gossip

import (
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzDecode gives a Peer what no decoder may fall over: no panic, and memory in proportion to the message.
func FuzzDecode(f *testing.F) {
	key := testKey("n1")
	addr := netip.MustParseAddrPort("192.0.2.1:7946")
	raw := appendPacket(nil, packet{cluster: "test", node: "n1", incarnation: 1, seq: 1, count: 1, addr: addr,
		entries: []entry{{"k", 0, 1, []byte("v")}}}, key)
	f.Add(raw)
	f.Add(appendRelayed(appendRelayed([]byte{protocol, kindRelay}, relayed{raw: raw, age: time.Second}), relayed{raw: raw}))
	f.Add(appendMessage(message{kind: kindAsk, cluster: "test", from: "n1", to: "n2", id: 1, addr: addr, about: "x", body: []byte("y")}, key))
	f.Add(appendMessage(message{kind: kindReply, cluster: "test", from: "n1", to: "n2", id: 1, addr: addr, about: "x"}, key))
	f.Add([]byte{})
	f.Add([]byte{protocol, kindRelay, 0, 0, 0, 0, 0xff, 0xff})
	c := &cluster{name: "test", roster: []Member{testMember(0, testAddress(0)), testMember(1, testAddress(1))}}
	p, err := New(c.options(1, testAddress(1), 1))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if pk, err := decodePacket(b); err == nil {
			size := 0
			for _, e := range pk.entries {
				size += len(e.data)
			}
			require.LessOrEqual(t, size, len(b))
			if !pk.broken {
				// What was read is what was written.
				again := appendPacket(nil, pk, key)
				require.Equal(t, b[:len(pk.signed)], again[:len(pk.signed)])
			}
		}
		if m, err := decodeMessage(b); err == nil {
			again := appendMessage(m, key)
			require.Equal(t, b[:len(m.signed)], again[:len(m.signed)])
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		p.enqueue(b, maxBlob)
		select {
		case i := <-p.queue:
			p.receive(i)
		default:
		}
		runtime.ReadMemStats(&after)
		// A relay message of n packets is copied once, and each of its packets.
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64*len(b)+1<<18))
	})
}
