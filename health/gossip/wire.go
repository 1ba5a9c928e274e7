package gossip

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"
)

// protocol is the first octet of every message. A receiver counts and ignores what has another.
const protocol = 1

// The kinds of message, the second octet.
const (
	kindRound byte = 1 + iota
	kindRelay
	kindAsk
	kindReply
)

// Limits in octets. With the longest names and IPv6 a whole shard still fits one packet; a test holds that.
const (
	// maxDatagram is what a UDP payload may have: room for tunnels in an MTU of 1,500, and memberlist's own figure.
	maxDatagram = 1400
	// sealing is what memberlist puts around a message: version, nonce and tag of AES-GCM, and the type.
	sealing = 29 + 1
	// maxName bounds the names of clusters, nodes and of what is asked.
	maxName = 63
	// MaxKey bounds the keys of parts.
	MaxKey = 24
	// ShardSize is where parts are cut: shard i holds the octets from i*ShardSize on.
	ShardSize = 1024
	// maxPackets bounds the packets of a round.
	maxPackets = 1024
	// MaxState bounds the parts of a node together.
	MaxState = 512 << 10
	// relayHead is kind and version, relayItem age and length of one packet in a relay message.
	relayHead, relayItem = 2, 4 + 2
	// flagUrgent marks rounds that a change caused: relays pass them on at once.
	flagUrgent = 1
)

// Each signature is over a domain as well, so that none can pass for one of another use of the same key.
const (
	roundDomain = "fairlead gossip round\x00"
	askDomain   = "fairlead gossip ask\x00"
)

// Why a message is dropped; the reasons are label values.
var (
	errVersion   = errors.New("version")
	errMalformed = errors.New("malformed")
)

// packet is a decoded message of kindRound. Its slices point into the message.
type packet struct {
	flags        byte
	cluster      string
	node         string
	incarnation  uint64
	seq          uint64
	index, count uint16
	// addr is where the origin wants its messages; the zero value when it does not say.
	addr    netip.AddrPort
	entries []entry
	// broken says that the last entries could not be read. Those before count.
	broken bool
	signed []byte
	sig    []byte
}

// entry is one shard of one part.
type entry struct {
	key           string
	shard, shards uint16
	data          []byte
}

func (e entry) size() int { return 1 + len(e.key) + 2 + 2 + 2 + len(e.data) }

func appendName(b []byte, s string) []byte { return append(append(b, byte(len(s))), s...) }

func appendAddr(b []byte, a netip.AddrPort) []byte {
	if !a.IsValid() {
		return append(b, 0)
	}
	ip := a.Addr().Unmap().AsSlice()
	b = append(append(b, byte(len(ip))), ip...)
	return binary.BigEndian.AppendUint16(b, a.Port())
}

// roundOverhead is the size of a packet without entries.
func roundOverhead(cluster, node string, addr netip.AddrPort) int {
	return 3 + 1 + len(cluster) + 1 + len(node) + 8 + 8 + 2 + 2 + len(appendAddr(nil, addr)) + ed25519.SignatureSize
}

// appendPacket appends p, signed with key. The fields of p that decoding sets are not read.
func appendPacket(b []byte, p packet, key ed25519.PrivateKey) []byte {
	start := len(b)
	b = append(b, protocol, kindRound, p.flags)
	b = appendName(b, p.cluster)
	b = appendName(b, p.node)
	b = binary.BigEndian.AppendUint64(b, p.incarnation)
	b = binary.BigEndian.AppendUint64(b, p.seq)
	b = binary.BigEndian.AppendUint16(b, p.index)
	b = binary.BigEndian.AppendUint16(b, p.count)
	b = appendAddr(b, p.addr)
	for _, e := range p.entries {
		b = appendName(b, e.key)
		b = binary.BigEndian.AppendUint16(b, e.shard)
		b = binary.BigEndian.AppendUint16(b, e.shards)
		b = binary.BigEndian.AppendUint16(b, uint16(len(e.data)))
		b = append(b, e.data...)
	}
	return append(b, sign(roundDomain, b[start:], key)...)
}

func sign(domain string, message []byte, key ed25519.PrivateKey) []byte {
	return ed25519.Sign(key, append([]byte(domain), message...))
}

func verify(domain string, message, sig []byte, key ed25519.PublicKey) bool {
	return ed25519.Verify(key, append([]byte(domain), message...), sig)
}

// reader takes fields from the front of b. After a short read it gives zero values, and bad is set.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) octet() byte {
	if v := r.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if v := r.take(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if v := r.take(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if v := r.take(8); v != nil {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// name reads a name of 1 to limit octets.
func (r *reader) name(limit int) string {
	n := int(r.octet())
	if n == 0 || n > limit {
		r.bad = true
	}
	return string(r.take(n))
}

func (r *reader) addr() netip.AddrPort {
	n := int(r.octet())
	if n == 0 {
		return netip.AddrPort{}
	}
	ip, ok := netip.AddrFromSlice(r.take(n))
	port := r.uint16()
	if !ok || port == 0 || ip.Is4In6() {
		r.bad = true
	}
	return netip.AddrPortFrom(ip, port)
}

// decodePacket reads a message of kindRound. It checks the form, and neither signature nor names.
func decodePacket(b []byte) (packet, error) {
	var p packet
	if len(b) == 0 || b[0] != protocol {
		return p, errVersion
	}
	if len(b) > maxDatagram || len(b) < 2+ed25519.SignatureSize {
		return p, errMalformed
	}
	p.signed, p.sig = b[:len(b)-ed25519.SignatureSize], b[len(b)-ed25519.SignatureSize:]
	r := reader{b: p.signed[1:]}
	if r.octet() != kindRound {
		return p, errMalformed
	}
	p.flags = r.octet()
	p.cluster = r.name(maxName)
	p.node = r.name(maxName)
	p.incarnation = r.uint64()
	p.seq = r.uint64()
	p.index = r.uint16()
	p.count = r.uint16()
	p.addr = r.addr()
	if r.bad || p.index >= p.count || p.count > maxPackets {
		return p, errMalformed
	}
	for len(r.b) > 0 {
		e := entry{key: r.name(MaxKey), shard: r.uint16(), shards: r.uint16()}
		e.data = r.take(int(r.uint16()))
		if r.bad || e.shard >= e.shards || int(e.shards) > MaxState/ShardSize || len(e.data) > ShardSize {
			p.broken = true
			break
		}
		p.entries = append(p.entries, e)
	}
	return p, nil
}

// relayed is a packet and how long it took since its origin's packet first arrived at a node.
type relayed struct {
	raw []byte
	age time.Duration
}

// appendRelayed appends one item of a relay message, which starts with protocol and kindRelay.
func appendRelayed(b []byte, r relayed) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(min(r.age.Milliseconds(), math.MaxUint32)))
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.raw)))
	return append(b, r.raw...)
}

// eachRelayed calls f for each item of a relay message. Items before a broken one count.
func eachRelayed(b []byte, f func(relayed)) error {
	if len(b) == 0 || b[0] != protocol {
		return errVersion
	}
	r := reader{b: b[1:]}
	if r.octet() != kindRelay {
		return errMalformed
	}
	for len(r.b) > 0 {
		age := time.Duration(r.uint32()) * time.Millisecond
		raw := r.take(int(r.uint16()))
		if r.bad || len(raw) == 0 {
			return errMalformed
		}
		f(relayed{raw: raw, age: age})
	}
	return nil
}

// message is a request or a reply of Ask.
type message struct {
	kind        byte
	cluster     string
	from, to    string
	incarnation uint64
	// toIncarnation is the receiver's, as the sender knows it: without it a recorded request could be played to a node
	// that has forgotten it.
	toIncarnation uint64
	id            uint64
	addr          netip.AddrPort
	// status is a reply's; about is what a request is about.
	status byte
	about  string
	body   []byte
	signed []byte
	sig    []byte
}

// The states of a reply.
const (
	replied byte = iota
	replyError
	// replyIncarnation says that the request named another incarnation of the receiver than its present one.
	replyIncarnation
)

func appendMessage(m message, key ed25519.PrivateKey) []byte {
	b := []byte{protocol, m.kind}
	b = appendName(b, m.cluster)
	b = appendName(b, m.from)
	b = appendName(b, m.to)
	b = binary.BigEndian.AppendUint64(b, m.incarnation)
	b = binary.BigEndian.AppendUint64(b, m.toIncarnation)
	b = binary.BigEndian.AppendUint64(b, m.id)
	b = appendAddr(b, m.addr)
	b = append(b, m.status)
	b = appendName(b, m.about)
	b = append(b, m.body...)
	return append(b, sign(askDomain, b, key)...)
}

// decodeMessage reads a message of kindAsk or kindReply. It checks the form, and neither signature nor names.
func decodeMessage(b []byte) (message, error) {
	var m message
	if len(b) == 0 || b[0] != protocol {
		return m, errVersion
	}
	if len(b) < 2+ed25519.SignatureSize || len(b) > MaxAsk+maxDatagram {
		return m, errMalformed
	}
	m.signed, m.sig = b[:len(b)-ed25519.SignatureSize], b[len(b)-ed25519.SignatureSize:]
	r := reader{b: m.signed[1:]}
	if m.kind = r.octet(); m.kind != kindAsk && m.kind != kindReply {
		return m, errMalformed
	}
	m.cluster = r.name(maxName)
	m.from = r.name(maxName)
	m.to = r.name(maxName)
	m.incarnation = r.uint64()
	m.toIncarnation = r.uint64()
	m.id = r.uint64()
	m.addr = r.addr()
	m.status = r.octet()
	m.about = r.name(maxName)
	m.body = r.b
	if r.bad || m.status > replyIncarnation {
		return m, errMalformed
	}
	return m, nil
}

// pack cuts parts into shards and lays them into as few packets of room octets as come easily, keys in order. Equal parts
// give equal packets.
func pack(parts []part, room int) [][]entry {
	var packets [][]entry
	var free []int
	place := func(e entry) {
		n := e.size()
		for i := range packets {
			if free[i] >= n {
				packets[i], free[i] = append(packets[i], e), free[i]-n
				return
			}
		}
		packets, free = append(packets, []entry{e}), append(free, room-n)
	}
	for _, p := range parts {
		shards := max(1, (len(p.data)+ShardSize-1)/ShardSize)
		for i := range shards {
			place(entry{key: p.key, shard: uint16(i), shards: uint16(shards),
				data: p.data[i*ShardSize : min(len(p.data), (i+1)*ShardSize)]})
		}
	}
	if len(packets) == 0 {
		// A node without state is heard all the same.
		packets = [][]entry{nil}
	}
	return packets
}

// part is one key of a node's state.
type part struct {
	key  string
	data []byte
}

func checkParts(parts map[string][]byte) error {
	total := 0
	for k, v := range parts {
		if len(k) == 0 || len(k) > MaxKey {
			return fmt.Errorf("part %q: a key has 1 to %d octets", k, MaxKey)
		}
		total += len(k) + len(v)
	}
	if total > MaxState {
		return fmt.Errorf("state of %d octets: at most %d", total, MaxState)
	}
	if len(parts) > maxPackets/2 {
		return fmt.Errorf("state of %d parts: at most %d", len(parts), maxPackets/2)
	}
	return nil
}
