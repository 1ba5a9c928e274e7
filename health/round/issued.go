package round

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// PartIssued is which endpoints a node has left, and for how long caches may still hold what it answered: RELIABILITY.md E6.
// Endpoints are numbered through the configuration, so only who has the same one understands it.
const PartIssued = "issued"

// IssuedAge is how long the time of the last answer is told; who left longer ago says that much.
const IssuedAge = 10 * time.Minute

const (
	// A block begins with the version, the first octets of the configuration's hash, the run, the number of its first endpoint, how many
	// it has, and how many of these stand in the list. Then comes a bit for each, set if it left and no cache holds it; then the
	// list of the others that left: the distance from the one before, what remains, how long ago the last answer was written, epoch.
	issuedHead = 1 + len(configPrefix{}) + 4 + 4 + 2 + 2
	// maxIssued bounds the blocks; what does not fit is not confirmed.
	maxIssued = 512
	// issuedStep is what remaining times are rounded up to.
	issuedStep = 50 * time.Millisecond
	// maxBlockEndpoints is how many bits fit into a block.
	maxBlockEndpoints = 8 * (BlockSize - issuedHead)
)

type configPrefix [8]byte

// Issued is what a node says of one endpoint. The zero value says that it has not left it.
type Issued struct {
	Left bool
	// Remaining is until when caches may hold an answer, Age how long ago the last one was written.
	Remaining, Age time.Duration
	// Epoch tells one departure of the endpoint from the next ones, also from those of another run.
	Epoch Epoch
}

// An Epoch is the number of a departure in a run of the process.
type Epoch struct {
	Run    uint32
	Number uint64
}

// gone tells whether a bit says it all.
func (s Issued) gone() bool { return s.Left && s.Remaining <= 0 && s.Age >= IssuedAge }

// EncodeIssued is the part for the n endpoints of a configuration. run is that of all epochs.
func EncodeIssued(hash config.Hash, run uint32, n int, say func(i int) Issued) (out []byte) {
	for first, blocks := 0, 0; blocks == 0 || first < n && blocks < maxIssued; blocks++ {
		if blocks > 0 {
			// Gossip cuts here.
			out = append(out, make([]byte, blocks*BlockSize-len(out))...)
		}
		var block []byte
		block, first = issuedBlock(hash, run, first, n, say)
		out = append(out, block...)
	}
	return out
}

// issuedBlock is the block that begins with endpoint first, and which one the next begins with.
func issuedBlock(hash config.Hash, run uint32, first, n int, say func(i int) Issued) (block []byte, next int) {
	var gone []bool
	var list []byte
	last, listed := first, 0
	for next = first; next < n && next-first < maxBlockEndpoints; next++ {
		s := say(next)
		var entry []byte
		if s.Left && !s.gone() {
			entry = binary.AppendUvarint(nil, uint64(next-last))
			entry = binary.AppendUvarint(entry, uint64((max(s.Remaining, 0)+issuedStep-1)/issuedStep))
			entry = binary.AppendUvarint(entry, uint64(max(s.Age, 0)/time.Second))
			entry = binary.AppendUvarint(entry, s.Epoch.Number)
		}
		if issuedHead+(len(gone)+8)/8+len(list)+len(entry) > BlockSize {
			break
		}
		if entry != nil {
			list, last = append(list, entry...), next
			listed++
		}
		gone = append(gone, s.gone())
	}
	block = append(append(make([]byte, 0, BlockSize), version), hash[:len(configPrefix{})]...)
	block = binary.BigEndian.AppendUint32(block, run)
	block = binary.BigEndian.AppendUint32(block, uint32(first))
	block = binary.BigEndian.AppendUint16(block, uint16(len(gone)))
	block = binary.BigEndian.AppendUint16(block, uint16(listed))
	bits := make([]byte, (len(gone)+7)/8)
	for i, g := range gone {
		if g {
			bits[i/8] |= 1 << (i % 8)
		}
	}
	return append(append(block, bits...), list...), next
}

// An issuedRange is one block, as it came.
type issuedRange struct {
	config       configPrefix
	first, count int
	bits         []byte
	rest         map[int]Issued
	at           time.Time
}

func parseIssued(b []byte, at time.Time) (r issuedRange, err error) {
	switch {
	case len(b) < issuedHead || len(b) > BlockSize:
		return r, fmt.Errorf("%w: issued of %d octets", ErrMalformed, len(b))
	case b[0] != version:
		return r, fmt.Errorf("%w: %d", ErrVersion, b[0])
	}
	head := b[1+copy(r.config[:], b[1:]):]
	run := binary.BigEndian.Uint32(head)
	r.first = int(binary.BigEndian.Uint32(head[4:]))
	r.count = int(binary.BigEndian.Uint16(b[issuedHead-4:]))
	listed := int(binary.BigEndian.Uint16(b[issuedHead-2:]))
	r.at = at
	size := (r.count + 7) / 8
	if listed > r.count || len(b) < issuedHead+size {
		return r, fmt.Errorf("%w: issued of %d endpoints in %d octets", ErrMalformed, r.count, len(b))
	}
	r.bits = b[issuedHead : issuedHead+size]
	r.rest = make(map[int]Issued, listed)
	list := reader{b: b[issuedHead+size:]}
	i := r.first
	for range listed {
		i += int(min(list.uvarint(), uint64(maxBlockEndpoints)))
		remaining, age, epoch := list.uvarint(), list.uvarint(), list.uvarint()
		if list.short || i >= r.first+r.count {
			return r, fmt.Errorf("%w: list of issued ends too early", ErrMalformed)
		}
		r.rest[i] = Issued{
			Left: true, Remaining: time.Duration(min(remaining, uint64(maxAge/issuedStep))) * issuedStep,
			Age: time.Duration(min(age, uint64(maxAge/time.Second))) * time.Second, Epoch: Epoch{run, epoch},
		}
	}
	return r, nil
}

// An IssuedBy is what one node said of its endpoints. The zero value has heard nothing.
type IssuedBy struct {
	ranges []issuedRange
}

// Take takes in a block, shard of shards, heard at the given instant. One that is not understood changes nothing.
func (s *IssuedBy) Take(shard, shards int, b []byte, at time.Time) error {
	if shards > maxIssued || shard < 0 || shard >= shards {
		return fmt.Errorf("%w: block %d of %d of issued", ErrMalformed, shard, shards)
	}
	r, err := parseIssued(b, at)
	if err != nil {
		return err
	}
	for len(s.ranges) < shards {
		s.ranges = append(s.ranges, issuedRange{})
	}
	s.ranges = s.ranges[:shards]
	s.ranges[shard] = r
	return nil
}

// Look is what the node last said of endpoint i of a configuration, and when; ok is unset when it said nothing that is
// understood here.
func (s *IssuedBy) Look(hash config.Hash, i int) (said Issued, at time.Time, ok bool) {
	for k := range s.ranges {
		r := &s.ranges[k]
		if i < r.first || i >= r.first+r.count || string(r.config[:]) != string(hash[:len(r.config)]) || !r.at.After(at) {
			continue
		}
		at, ok = r.at, true
		said = r.rest[i]
		if n := i - r.first; r.bits[n/8]&(1<<(n%8)) != 0 {
			said = Issued{Left: true, Age: IssuedAge}
		}
	}
	return said, at, ok
}
