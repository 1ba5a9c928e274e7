package round

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

const (
	// maxVersion bounds the name of a program's version, in octets.
	maxVersion = 64
	// statusMinor grows with every field that is appended to a status.
	statusMinor = 0
	// A status has, before the name of the program's version, versions, flags and what never changes its size.
	statusFixed = 2 + 2 + len(config.Hash{}) + 8 + 16 + len(ListHash{}) + 8 + 4
)

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
	// Uptime is told in whole seconds, and 136 years at most.
	Uptime time.Duration
	Flags
}

// Flags are what is so or not.
type Flags struct {
	// Joined: it once had answers from every configured node. Answering: it answers service names.
	Joined, Answering bool
	// Blind, Isolated, Frozen and Drained are of docs/design.md, sections 4 and 5.
	Blind, Isolated, Frozen, Drained bool
	// Leaving: it stops in an orderly way. Hooks: it has webhooks.
	Leaving, Hooks bool
	// Island: it is isolated, and answers services for which the file says so with the pools of its own region.
	Island bool
	// Late: probes of it that time out do not count, since it is late by itself. Feeds: others than resolvers listen to it, or may.
	Late, Feeds bool
}

// bits are the flags in the order in which they travel; a new one is added at the end, up to 16.
func (f *Flags) bits() []*bool {
	return []*bool{&f.Joined, &f.Answering, &f.Blind, &f.Isolated, &f.Frozen, &f.Drained, &f.Leaving, &f.Hooks, &f.Late, &f.Island, &f.Feeds}
}

// Encode is the part with the status, one block.
func (s *Status) Encode() []byte {
	var flags uint16
	for i, on := range s.Flags.bits() {
		if *on {
			flags |= 1 << i
		}
	}
	b := binary.BigEndian.AppendUint16([]byte{version, statusMinor}, flags)
	b = append(b, s.Config[:]...)
	b = binary.BigEndian.AppendUint64(b, s.Plans)
	b = append(append(b, s.Intents[:]...), s.Targets[:]...)
	b = binary.BigEndian.AppendUint64(b, s.Generation)
	b = binary.BigEndian.AppendUint32(b, uint32(min(max(s.Uptime, 0)/time.Second, 1<<32-1)))
	v := clean(s.Version)
	return append(append(b, byte(len(v))), v...)
}

// ParseStatus is the inverse of Encode. What a later minor version appends, flags included, is not read.
func ParseStatus(b []byte) (s Status, err error) {
	switch {
	case len(b) == 0:
		return s, fmt.Errorf("%w: empty status", ErrMalformed)
	case b[0] != version:
		return s, fmt.Errorf("%w: %d", ErrVersion, b[0])
	case len(b) < statusFixed+1 || len(b) > BlockSize:
		return s, fmt.Errorf("%w: status of %d octets", ErrMalformed, len(b))
	}
	end := statusFixed + 1 + int(b[statusFixed])
	if b[statusFixed] > maxVersion || len(b) < end || len(b) > end && b[1] <= statusMinor {
		return s, fmt.Errorf("%w: status of %d octets, of which %d are known", ErrMalformed, len(b), end)
	}
	flags := binary.BigEndian.Uint16(b[2:])
	for i, on := range s.Flags.bits() {
		*on = flags&(1<<i) != 0
	}
	rest := b[4:]
	rest = rest[copy(s.Config[:], rest):]
	s.Plans, rest = binary.BigEndian.Uint64(rest), rest[8:]
	rest = rest[copy(s.Intents[:], rest):]
	rest = rest[copy(s.Targets[:], rest):]
	s.Generation, rest = binary.BigEndian.Uint64(rest), rest[8:]
	s.Uptime = time.Duration(binary.BigEndian.Uint32(rest)) * time.Second
	s.Version = clean(string(b[statusFixed+1 : end]))
	return s, nil
}
