package round

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"
)

// PartHeard is whom a node hears, told where a node of the cluster has a lease (isolate_after): a node may go on answering only
// while a majority says that it has heard it, and a majority that has not can tell when it stopped. Instants of one node come
// back to it by its own clock, so that no two clocks are compared.
const PartHeard = "heard"

const (
	// A block begins with the version, the run, the clock, the lease, and how many entries follow; these are the node, by hash, the
	// run and the clock that were heard last, the lease in them, and how long ago that was.
	heardHead = 1 + len(Boot{}) + 8 + 8 + 2
	// maxHeardEntry is the longest an entry can be.
	maxHeardEntry = len(namePrefix{}) + len(Boot{}) + 3*binary.MaxVarintLen64
	// maxHeard bounds the blocks: a thousand nodes.
	maxHeard = 64
	// heardStep is what times are rounded down to.
	heardStep = time.Millisecond
)

// A Boot tells one run of a process from all others. The zero Boot is none.
type Boot [8]byte

// A namePrefix stands for the name of a node.
type namePrefix [8]byte

func prefixOfName(name string) (p namePrefix) {
	sum := sha256.Sum256([]byte(name))
	copy(p[:], sum[:])
	return p
}

// A Pulse says which run of a node made a round, and when.
type Pulse struct {
	Boot Boot
	// Clock is the time since the run began, rounded down to a millisecond.
	Clock time.Duration
	// Lease is how long after a pulse the node stops answering unless a majority has heard a later one; 0 where it never does.
	Lease time.Duration
}

// A Hearing is the latest pulse of another node that a node has heard. The zero value is none.
type Hearing struct {
	Pulse
	// Age is how long ago that was when it was told, rounded down to a millisecond.
	Age time.Duration
}

// EncodeHeard is the part of a node with the given pulse, with what it has heard of others.
func EncodeHeard(p Pulse, names []string, hearing func(name string) Hearing) (out []byte) {
	var list []byte
	count, blocks := 0, 0
	flush := func() {
		if blocks > 0 {
			// Gossip cuts here.
			out = append(out, make([]byte, blocks*BlockSize-len(out))...)
		}
		out = append(append(out, version), p.Boot[:]...)
		out = binary.BigEndian.AppendUint64(out, uint64(p.Clock/heardStep))
		out = binary.BigEndian.AppendUint64(out, uint64(p.Lease/heardStep))
		out = append(binary.BigEndian.AppendUint16(out, uint16(count)), list...)
		list, count = list[:0], 0
		blocks++
	}
	for _, name := range names {
		h := hearing(name)
		if h.Boot == (Boot{}) {
			continue
		}
		if heardHead+len(list)+maxHeardEntry > BlockSize {
			flush()
		}
		id := prefixOfName(name)
		list = append(append(list, id[:]...), h.Boot[:]...)
		for _, d := range []time.Duration{h.Clock, h.Lease, h.Age} {
			list = binary.AppendUvarint(list, uint64(max(d, 0)/heardStep))
		}
		count++
	}
	flush()
	return out[:min(len(out), maxHeard*BlockSize)]
}

// A HeardBy is what one node said of its hearing others. The zero value has heard nothing.
type HeardBy struct {
	// Pulse is its own latest, which came at At.
	Pulse
	At   time.Time
	said map[namePrefix]Heard
}

// Heard is a Hearing as it was told: in a round of the teller's with the Pulse By, which came at At.
type Heard struct {
	Hearing
	By Pulse
	At time.Time
}

// Take takes in a block, heard at the given instant. One that is not understood changes nothing.
func (s *HeardBy) Take(b []byte, at time.Time) error {
	switch {
	case len(b) < heardHead || len(b) > BlockSize:
		return fmt.Errorf("%w: heard of %d octets", ErrMalformed, len(b))
	case b[0] != version:
		return fmt.Errorf("%w: %d", ErrVersion, b[0])
	}
	var by Pulse
	rest := b[1+copy(by.Boot[:], b[1:]):]
	by.Clock, by.Lease = steps(binary.BigEndian.Uint64(rest)), steps(binary.BigEndian.Uint64(rest[8:]))
	count := int(binary.BigEndian.Uint16(rest[16:]))
	list := reader{b: b[heardHead:]}
	entries := make(map[namePrefix]Heard, min(count, BlockSize/len(namePrefix{})))
	for range count {
		var id namePrefix
		h := Heard{By: by, At: at}
		copy(id[:], list.octets(len(id)))
		copy(h.Boot[:], list.octets(len(h.Boot)))
		h.Clock, h.Lease, h.Age = steps(list.uvarint()), steps(list.uvarint()), steps(list.uvarint())
		if list.short {
			return fmt.Errorf("%w: list of heard ends too early", ErrMalformed)
		}
		entries[id] = h
	}
	if s.said == nil || by.Boot != s.Boot || len(s.said) > maxHeard*BlockSize/len(namePrefix{}) {
		s.said = entries
	} else {
		for id, h := range entries {
			s.said[id] = h
		}
	}
	s.Pulse, s.At = by, at
	return nil
}

// Of is what the node said last of its hearing another one; ok is unset where it said nothing in this run.
func (s *HeardBy) Of(name string) (h Heard, ok bool) {
	h, ok = s.said[prefixOfName(name)]
	return h, ok
}

func steps(n uint64) time.Duration {
	return time.Duration(min(n, uint64(maxAge/heardStep))) * heardStep
}
