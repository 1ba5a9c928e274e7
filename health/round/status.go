package round

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// maxVersion bounds the name of a program's version, in octets.
const maxVersion = 64

// A Status is what a node says of itself.
type Status struct {
	// Version is the program's.
	Version string
	Config  config.Hash
	// Plans is the hash of all that is decided, Intents that of what operators asked for.
	Plans   uint64
	Intents [16]byte
	Targets ListHash
	// Generation counts the views that it published, in this run.
	Generation uint64
	Uptime     time.Duration
	Flags
}

// Flags are what is so or not.
type Flags struct {
	// Joined: it once had answers from every configured node. Answering: it answers service names.
	Joined, Answering bool
	// Blind, Isolated, Frozen and Drained are DESIGN.md sections 4 and 5.
	Blind, Isolated, Frozen, Drained bool
}

func (f *Flags) bits() []*bool {
	return []*bool{&f.Joined, &f.Answering, &f.Blind, &f.Isolated, &f.Frozen, &f.Drained}
}

const statusFixed = 1 + 1 + len(config.Hash{}) + 8 + 16 + len(ListHash{}) + 8 + 4

// Encode is the part with the status, one block.
func (s *Status) Encode() []byte {
	var flags byte
	for i, on := range s.Flags.bits() {
		if *on {
			flags |= 1 << i
		}
	}
	b := append([]byte{version, flags}, s.Config[:]...)
	b = binary.BigEndian.AppendUint64(b, s.Plans)
	b = append(append(b, s.Intents[:]...), s.Targets[:]...)
	b = binary.BigEndian.AppendUint64(b, s.Generation)
	b = binary.BigEndian.AppendUint32(b, uint32(min(s.Uptime/time.Second, 1<<32-1)))
	v := s.Version[:min(len(s.Version), maxVersion)]
	return append(append(b, byte(len(v))), v...)
}

// ParseStatus is the inverse of Encode. A later program may append to what it knows.
func ParseStatus(b []byte) (s Status, err error) {
	switch {
	case len(b) == 0:
		return s, fmt.Errorf("%w: empty status", ErrMalformed)
	case b[0] != version:
		return s, fmt.Errorf("%w: %d", ErrVersion, b[0])
	case len(b) < statusFixed+1 || len(b) < statusFixed+1+int(b[statusFixed]):
		return s, fmt.Errorf("%w: status of %d octets", ErrMalformed, len(b))
	}
	for i, on := range s.Flags.bits() {
		*on = b[1]&(1<<i) != 0
	}
	rest := b[2:]
	rest = rest[copy(s.Config[:], rest):]
	s.Plans, rest = binary.BigEndian.Uint64(rest), rest[8:]
	rest = rest[copy(s.Intents[:], rest):]
	rest = rest[copy(s.Targets[:], rest):]
	s.Generation, rest = binary.BigEndian.Uint64(rest), rest[8:]
	s.Uptime, rest = time.Duration(binary.BigEndian.Uint32(rest))*time.Second, rest[4:]
	s.Version = clean(string(rest[1 : 1+rest[0]]))
	return s, nil
}

// EncodeRoster is the part with the names of the nodes that a node is configured with.
func EncodeRoster(names []string) []byte {
	var out, block []byte
	for _, name := range names {
		if len(name) > 255 {
			continue
		}
		if block == nil || len(block)+1+len(name) > BlockSize {
			if block != nil {
				out = append(append(out, block...), make([]byte, BlockSize-len(block))...)
			}
			block = []byte{version}
		}
		block = append(append(block, byte(len(name))), name...)
	}
	return append(out, block...)
}

// parseRoster is one block of EncodeRoster.
func parseRoster(b []byte) (names []string, err error) {
	switch {
	case len(b) == 0 || len(b) > BlockSize:
		return nil, fmt.Errorf("%w: roster of %d octets", ErrMalformed, len(b))
	case b[0] != version:
		return nil, fmt.Errorf("%w: %d", ErrVersion, b[0])
	}
	for b = b[1:]; len(b) > 0 && b[0] != 0; b = b[1+int(b[0]):] {
		if len(b) < 1+int(b[0]) {
			return nil, fmt.Errorf("%w: roster ends too early", ErrMalformed)
		}
		names = append(names, clean(string(b[1:1+b[0]])))
	}
	slices.Sort(names)
	return names, nil
}
