package gossip

import (
	"testing"
	"time"
)

// BenchmarkReceive takes packets of a whole shard, verified and delivered.
func BenchmarkReceive(b *testing.B) {
	c := &cluster{name: "test", roster: []Member{testMember(0, testAddress(0)), testMember(1, testAddress(1))}}
	p, err := New(c.options(1, testAddress(1), 1))
	if err != nil {
		b.Fatal(err)
	}
	list := make([][]byte, 1000)
	for i := range list {
		list[i] = appendPacket(nil, packet{cluster: "test", node: "n1", incarnation: 1, seq: uint64(i + 1), count: 1,
			entries: []entry{{"k", 0, 1, make([]byte, ShardSize)}}}, testKey("n1"))
	}
	at := time.Now()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%len(list) == 0 {
			p.known = map[string]*known{}
		}
		p.receive(item{list[i%len(list)], at})
	}
}

// BenchmarkRefuse drops what has been here, as most of what relays bring.
func BenchmarkRefuse(b *testing.B) {
	c := &cluster{name: "test", roster: []Member{testMember(0, testAddress(0)), testMember(1, testAddress(1))}}
	p, err := New(c.options(1, testAddress(1), 1))
	if err != nil {
		b.Fatal(err)
	}
	raw := appendPacket(nil, packet{cluster: "test", node: "n1", incarnation: 1, seq: 1, count: 1,
		entries: []entry{{"k", 0, 1, make([]byte, ShardSize)}}}, testKey("n1"))
	p.receive(item{raw, time.Now()})
	b.ReportAllocs()
	for b.Loop() {
		p.receive(item{raw, time.Now()})
	}
}
