package round

import (
	"encoding/binary"
	"fmt"

	"github.com/fairlead-dns/fairlead/health"
)

// A Mark is one vantage's observation of one target, in four bits.
type Mark uint8

// The marks. From MarkUpFailing and MarkUndecidedFailing on there are maxLeft each: with one failure left until down, with two
// and so on.
const (
	// MarkNone: not one of its targets, or it does not say: the observation is stale, or it abstains.
	MarkNone Mark = iota
	MarkUndecided
	MarkUp
	MarkDown
	MarkUpFailing
	MarkUndecidedFailing Mark = MarkUpFailing + maxLeft
)

// maxLeft is the greatest number of failures left until down that is told; who has more is taken to have as few, which errs on
// the early side.
const maxLeft = 6

// MarkOf is the mark for an observation by a check that takes fall failures in a row for down.
func MarkOf(o health.Observation, fall int) Mark {
	left := Mark(min(max(fall-o.Failures, 1), maxLeft) - 1)
	switch {
	case o.State == health.Down:
		return MarkDown
	case o.State == health.Up && o.Failures == 0:
		return MarkUp
	case o.State == health.Up:
		return MarkUpFailing + left
	case o.Failures == 0:
		return MarkUndecided
	}
	return MarkUndecidedFailing + left
}

// Observation is what the mark says: the state, and at least as many failures as there were. ok is unset for MarkNone.
func (m Mark) Observation(fall int) (state health.State, failures int, ok bool) {
	switch {
	case m == MarkNone:
		return health.Unknown, 0, false
	case m == MarkUndecided:
		return health.Unknown, 0, true
	case m == MarkUp:
		return health.Up, 0, true
	case m == MarkDown:
		return health.Down, fall, true
	case m < MarkUndecidedFailing:
		return health.Up, max(1, fall-int(m-MarkUpFailing)-1), true
	}
	return health.Unknown, max(1, fall-int(m-MarkUndecidedFailing)-1), true
}

const (
	// A block of marks begins with the version, the hash of the list, the index of its first target and how many it has.
	marksHead = 1 + len(ListHash{}) + 4 + 2
	// blockMarks is how many fit behind it.
	blockMarks = 2 * (BlockSize - marksHead)
)

// EncodeMarks is the part with the marks, which stand in the order of t.
func EncodeMarks(t *Targets, marks []Mark) []byte {
	blocks := (len(marks) + blockMarks - 1) / blockMarks
	out := make([]byte, 0, blocks*BlockSize)
	for first := 0; first < len(marks); first += blockMarks {
		// All blocks but the last are full, so they end where gossip cuts.
		chunk := marks[first:min(len(marks), first+blockMarks)]
		out = append(append(out, version), t.Hash[:]...)
		out = binary.BigEndian.AppendUint32(out, uint32(first))
		out = binary.BigEndian.AppendUint16(out, uint16(len(chunk)))
		for i := 0; i < len(chunk); i += 2 {
			b := byte(chunk[i]) << 4
			if i+1 < len(chunk) {
				b |= byte(chunk[i+1])
			}
			out = append(out, b)
		}
	}
	return out
}

// A marksBlock is one block, as it came.
type marksBlock struct {
	hash   ListHash
	first  int
	count  int
	packed []byte
}

func parseMarks(b []byte) (m marksBlock, err error) {
	switch {
	case len(b) < marksHead:
		return m, fmt.Errorf("%w: marks of %d octets", ErrMalformed, len(b))
	case b[0] != version:
		return m, fmt.Errorf("%w: %d", ErrVersion, b[0])
	}
	copy(m.hash[:], b[1:])
	m.first = int(binary.BigEndian.Uint32(b[1+len(m.hash):]))
	m.count = int(binary.BigEndian.Uint16(b[marksHead-2:]))
	m.packed = b[marksHead:]
	if m.first%blockMarks != 0 || m.first >= MaxTargets || m.count > blockMarks || len(m.packed) != (m.count+1)/2 {
		return m, fmt.Errorf("%w: %d marks from %d on in %d octets", ErrMalformed, m.count, m.first, len(b))
	}
	return m, nil
}

func (m *marksBlock) at(i int) Mark {
	if i%2 == 0 {
		return Mark(m.packed[i/2] >> 4)
	}
	return Mark(m.packed[i/2] & 15)
}
