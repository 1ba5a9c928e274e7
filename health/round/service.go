package round

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// PartServices is which services a node does not answer with which endpoints that it answers other services with, and for how long
// caches may still hold those. Both are numbered through the configuration.
const PartServices = "services"

const (
	// A block begins with the version, the first octets of the configuration's hash, the run, and how many entries follow: the numbers
	// of the service and of the endpoint, what remains, how long ago the last answer was written, and the epoch.
	servicesHead = 1 + len(configPrefix{}) + 4 + 2
	// maxServiceEntry is the longest an entry can be.
	maxServiceEntry = 5 * binary.MaxVarintLen64
	// maxServices bounds the blocks; what does not fit is not confirmed.
	maxServices = 512
	// maxNumber bounds what counts as a number.
	maxNumber = 1 << 31
)

// A ServiceIssued is what a node says of one endpoint and one service.
type ServiceIssued struct {
	Service, Endpoint int
	Issued
}

// EncodeServices is the part for the given entries: one block at least, so that it takes the place of the one before. run is that of
// all epochs.
func EncodeServices(hash config.Hash, run uint32, all []ServiceIssued) (out []byte) {
	var list []byte
	count, blocks := 0, 0
	flush := func() {
		if blocks > 0 {
			// Gossip cuts here.
			out = append(out, make([]byte, blocks*BlockSize-len(out))...)
		}
		out = append(append(out, version), hash[:len(configPrefix{})]...)
		out = binary.BigEndian.AppendUint32(out, run)
		out = append(binary.BigEndian.AppendUint16(out, uint16(count)), list...)
		list, count = list[:0], 0
		blocks++
	}
	for _, s := range all {
		if servicesHead+len(list)+maxServiceEntry > BlockSize {
			if flush(); blocks == maxServices {
				return out
			}
		}
		for _, n := range []uint64{
			uint64(s.Service), uint64(s.Endpoint), uint64((max(s.Remaining, 0) + issuedStep - 1) / issuedStep), uint64(max(s.Age, 0) / time.Second), s.Epoch.Number,
		} {
			list = binary.AppendUvarint(list, n)
		}
		count++
	}
	flush()
	return out
}

// ServicesBy is what one node said of its services. The zero value has heard nothing.
type ServicesBy struct {
	config configPrefix
	blocks []serviceBlock
}

// A pair is the numbers of a service and of an endpoint.
type pair struct{ service, endpoint int }

// A serviceBlock is one block, as it came.
type serviceBlock struct {
	at   time.Time
	said map[pair]Issued
}

// Take takes in a block, shard of shards, heard at the given instant. One that is not understood changes nothing.
func (s *ServicesBy) Take(shard, shards int, b []byte, at time.Time) error {
	switch {
	case shards > maxServices || shard < 0 || shard >= shards:
		return fmt.Errorf("%w: block %d of %d of services", ErrMalformed, shard, shards)
	case len(b) < servicesHead || len(b) > BlockSize:
		return fmt.Errorf("%w: services of %d octets", ErrMalformed, len(b))
	case b[0] != version:
		return fmt.Errorf("%w: %d", ErrVersion, b[0])
	}
	var prefix configPrefix
	head := b[1+copy(prefix[:], b[1:]):]
	run, count := binary.BigEndian.Uint32(head), int(binary.BigEndian.Uint16(head[4:]))
	list := reader{b: b[servicesHead:]}
	block := serviceBlock{at: at, said: make(map[pair]Issued, min(count, BlockSize))}
	for range count {
		at := pair{int(min(list.uvarint(), maxNumber)), int(min(list.uvarint(), maxNumber))}
		remaining, age, epoch := list.uvarint(), list.uvarint(), list.uvarint()
		if list.short {
			return fmt.Errorf("%w: list of services ends too early", ErrMalformed)
		}
		block.said[at] = Issued{
			Left: true, Remaining: time.Duration(min(remaining, uint64(maxAge/issuedStep))) * issuedStep,
			Age: time.Duration(min(age, uint64(maxAge/time.Second))) * time.Second, Epoch: Epoch{run, epoch},
		}
	}
	if prefix != s.config {
		s.config, s.blocks = prefix, nil
	}
	for len(s.blocks) < shards {
		s.blocks = append(s.blocks, serviceBlock{})
	}
	s.blocks = s.blocks[:shards]
	s.blocks[shard] = block
	return nil
}

// Look is what the node last said of a service and an endpoint of a configuration, and when; ok is unset when it said nothing of them.
func (s *ServicesBy) Look(hash config.Hash, service, endpoint int) (said Issued, at time.Time, ok bool) {
	if string(s.config[:]) != string(hash[:len(s.config)]) {
		return said, at, false
	}
	for _, b := range s.blocks {
		if one, has := b.said[pair{service, endpoint}]; has && b.at.After(at) {
			said, at, ok = one, b.at, true
		}
	}
	return said, at, ok
}
