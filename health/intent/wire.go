package intent

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/fairlead-dns/fairlead/health"
)

// On the wire a set is blocks of BlockSize octets, the last one may be shorter. Each stands alone: a block that is lost takes
// nothing but its own entries with it. Instants travel as what is left until them, in milliseconds.
const (
	// BlockSize is gossip's shard.
	BlockSize = 1024
	// wireVersion is the first octet of each block. Another one is refused.
	wireVersion = 1
	// The kinds of entries; 0 is padding.
	entryIntent = 1
	entryEnd    = 2
	// snap is the difference of instants that is put down to the way between two nodes. Without it every exchange would move
	// an end on by what the way took.
	snap = 2 * time.Second
	// LeastMove is the least by which an end may be moved: beyond it two nodes do not mistake a later end for one that was
	// long on its way.
	LeastMove = 10 * time.Second
)

var (
	// ErrVersion says that a block is of a version that this program does not know.
	ErrVersion = errors.New("block of another version")
	// ErrKind says that there is an intent of a kind, or with a scope of a kind, that this program does not know: a newer node
	// has it. What stands beside it counts all the same.
	ErrKind = errors.New("intent of a kind that this version does not know")
	// errShort says that a block ends within an entry.
	errShort = errors.New("it ends too early")
)

// Flags of an entry.
const (
	flagForever = 1 << iota
	flagConfirmed
	flagSeen
	// flagWithin: the service is what stands before the scope's zone.
	flagWithin
	flagLifeboat
)

// Encode is s as blocks, as of now.
func (s Set) Encode(now time.Time) []byte {
	var out, block []byte
	add := func(entry []byte) {
		if len(block)+len(entry) > BlockSize {
			out = append(out, block...)
			out = append(out, make([]byte, BlockSize-len(block))...)
			block = nil
		}
		if block == nil {
			block = append(block, wireVersion)
		}
		block = append(block, entry...)
	}
	for _, id := range slices.SortedFunc(maps.Keys(s.intents), health.IntentID.Compare) {
		i := s.intents[id]
		add(appendIntent(nil, &i, now))
	}
	for _, id := range slices.SortedFunc(maps.Keys(s.ends), health.IntentID.Compare) {
		add(appendEnd(nil, id, s.ends[id], now))
	}
	for _, id := range slices.SortedFunc(maps.Keys(s.bounds), health.IntentID.Compare) {
		for _, entry := range appendBound(id, s.bounds[id]) {
			add(entry)
		}
	}
	return append(out, block...)
}

// Only is s without all but the ids named.
func (s Set) Only(ids ...health.IntentID) Set {
	out := Set{intents: make(map[health.IntentID]health.Intent), ends: make(map[health.IntentID]End), bounds: make(map[health.IntentID]health.Binding)}
	for _, id := range ids {
		if b, ok := s.bounds[id]; ok {
			out.bounds[id] = b
		}
		if i, ok := s.intents[id]; ok {
			out.intents[id] = i
		}
		if e, ok := s.ends[id]; ok {
			out.ends[id] = e
		}
	}
	return out
}

// Decode reads blocks that were sent such that their durations count from at. Entries before a fault in a block count, and all
// but those of an unknown kind; the error is about the first fault, an ErrKind only if there is no other.
func Decode(b []byte, at time.Time) (Set, error) {
	s := Set{intents: make(map[health.IntentID]health.Intent), ends: make(map[health.IntentID]End), bounds: make(map[health.IntentID]health.Binding)}
	var first error
	for len(b) > 0 {
		n := min(len(b), BlockSize)
		if err := s.decodeBlock(b[:n], at); err != nil && (first == nil || errors.Is(first, ErrKind)) {
			first = fmt.Errorf("intents: %w", err)
		}
		b = b[n:]
	}
	for id := range s.ends {
		delete(s.intents, id)
		delete(s.bounds, id)
	}
	return s, first
}

func (s *Set) decodeBlock(b []byte, at time.Time) error {
	if b[0] != wireVersion {
		return fmt.Errorf("%w: %d", ErrVersion, b[0])
	}
	var unknown error
	r := reader{b: b[1:]}
	for len(r.b) > 0 && r.b[0] != 0 {
		switch kind := r.octet(); kind {
		case entryIntent:
			i := r.intent(at)
			if r.failed {
				return errShort
			}
			if err := validateID(i.ID); err != nil {
				return fmt.Errorf("%s: %w", i.ID, err)
			}
			if i.Kind == kindBound {
				b, ok := parseBound(i.Reason)
				if !ok {
					return fmt.Errorf("what %s binds is malformed", i.ID)
				}
				s.bounds[i.ID] = s.bounds[i.ID].Union(b)
				continue
			}
			if !i.Kind.Known() || !i.Scope.Kind.Known() {
				unknown = fmt.Errorf("%s: %w: %s for %s", i.ID, ErrKind, i.Kind, i.Scope.Kind)
				continue
			}
			if err := i.Validate(); err != nil {
				return fmt.Errorf("%s: %w", i.ID, err)
			}
			s.intents[i.ID] = i
		case entryEnd:
			id, e := r.end(at)
			if r.failed {
				return errShort
			}
			if err := errors.Join(validateID(id), health.ValidateWords(e.Actor, e.Reason)); err != nil {
				return fmt.Errorf("end of %s: %w", id, err)
			}
			s.ends[id] = e
		default:
			return fmt.Errorf("entry of kind %d", kind)
		}
	}
	return unknown
}

// validateID refuses what no node would give: it is printed and read back.
func validateID(id health.IntentID) error {
	if again, err := health.ParseIntentID(id.String()); err != nil || again != id || strings.ContainsFunc(id.Node, unicode.IsControl) {
		return errors.New("not an id")
	}
	return nil
}

// Snap is s, heard from another node, in terms of what is known: instants that differ by no more than the way between two
// nodes explains are the same, and what is of no use is left out: intents that are unknown here and over, and ends that are
// unknown here and known everywhere.
func (s Set) Snap(known Set, now time.Time) Set {
	out := s.Merge(Set{})
	for id, i := range out.intents {
		was, ok := known.intents[id]
		_, ended := known.ends[id]
		switch {
		case ok:
			i.Start, i.End = snapTo(i.Start, was.Start), snapTo(i.End, was.End)
			out.intents[id] = i
		case i.Over(now) || ended:
			delete(out.intents, id)
		}
	}
	maps.DeleteFunc(out.bounds, func(id health.IntentID, _ health.Binding) bool {
		_, here := known.intents[id]
		_, there := out.intents[id]
		return !here && !there
	})
	for id, e := range out.ends {
		was, ok := known.ends[id]
		_, open := known.intents[id]
		switch {
		case ok:
			// The first words stay: they are for people.
			was.Seen = e.Seen
			out.ends[id] = was
		case e.Seen && !open:
			delete(out.ends, id)
		}
	}
	return out
}

func snapTo(t, known time.Time) time.Time {
	if d := t.Sub(known); d <= snap && d >= -snap {
		return known
	}
	return t
}

// Digest is the same for sets that say the same, but for instants.
func (s Set) Digest() [16]byte {
	h := sha256.New()
	for _, id := range slices.SortedFunc(maps.Keys(s.intents), health.IntentID.Compare) {
		i := s.intents[id]
		fmt.Fprintf(h, "i%s %t\n", id, i.Confirmed)
	}
	for _, id := range slices.SortedFunc(maps.Keys(s.ends), health.IntentID.Compare) {
		fmt.Fprintf(h, "e%s %t\n", id, s.ends[id].Seen)
	}
	return [16]byte(h.Sum(nil))
}

func appendIntent(b []byte, i *health.Intent, now time.Time) []byte {
	flags := byte(0)
	if i.Forever {
		flags |= flagForever
	}
	if i.Confirmed {
		flags |= flagConfirmed
	}
	if i.Lifeboat {
		flags |= flagLifeboat
	}
	service := i.Service
	if i.Scope.Zone != "" && strings.HasSuffix(service, i.Scope.Zone) {
		flags |= flagWithin
		service = strings.TrimSuffix(service, i.Scope.Zone)
	}
	b = appendID(append(b, entryIntent), i.ID)
	b = append(b, flags, byte(i.Kind), byte(i.Scope.Kind), ruleBits(i.Override))
	for _, text := range []string{i.Scope.Zone, i.Scope.Pool, i.Scope.Endpoint, i.Scope.Name, service, i.Actor} {
		b = appendText(b, text)
	}
	b = appendText(b, i.Reason)
	b = binary.AppendUvarint(b, valueOf(i))
	b = binary.AppendVarint(b, i.Start.Sub(now).Milliseconds())
	if !i.Forever {
		b = binary.AppendVarint(b, i.End.Sub(now).Milliseconds())
	}
	return b
}

// valueOf is the number that an intent sets: a weight, or the state of a force.
func valueOf(i *health.Intent) uint64 {
	if i.Kind == health.IntentForce {
		return uint64(i.State)
	}
	return uint64(i.Weight)
}

func appendEnd(b []byte, id health.IntentID, e End, now time.Time) []byte {
	flags := byte(0)
	if e.Seen {
		flags |= flagSeen
	}
	b = append(appendID(append(b, entryEnd), id), flags)
	b = appendText(appendText(b, e.Actor), e.Reason)
	return binary.AppendVarint(b, now.Sub(e.At).Milliseconds())
}

func appendID(b []byte, id health.IntentID) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(appendText(b, id.Node), id.Incarnation), id.Counter)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// ruleBits has a bit for each rule, in the order of health.Rules.
func ruleBits(override []string) (bits byte) {
	for i, rule := range health.Rules() {
		if slices.Contains(override, rule) {
			bits |= 1 << i
		}
	}
	return bits
}

// A reader takes entries apart; failed is set for good once it came to the end too early.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) octet() byte {
	if len(r.b) == 0 {
		r.failed = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.failed, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) text() string {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.failed, r.b = true, nil
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

// maxLeft bounds the durations that are believed: a century, which still fits a time.Duration.
const maxLeft = 100 * 365 * 24 * time.Hour

// left is a duration in milliseconds.
func (r *reader) left() time.Duration {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.failed, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	limit := maxLeft.Milliseconds()
	return time.Duration(max(-limit, min(limit, v))) * time.Millisecond
}

func (r *reader) id() health.IntentID {
	return health.IntentID{Node: r.text(), Incarnation: r.uvarint(), Counter: r.uvarint()}
}

func (r *reader) intent(at time.Time) health.Intent {
	i := health.Intent{ID: r.id()}
	flags := r.octet()
	i.Kind, i.Scope.Kind = health.IntentKind(r.octet()), health.ScopeKind(r.octet())
	rules := r.octet()
	for n, rule := range health.Rules() {
		if rules&(1<<n) != 0 {
			i.Override = append(i.Override, rule)
		}
	}
	for _, to := range []*string{&i.Scope.Zone, &i.Scope.Pool, &i.Scope.Endpoint, &i.Scope.Name, &i.Service, &i.Actor, &i.Reason} {
		*to = r.text()
	}
	if flags&flagWithin != 0 {
		i.Service += i.Scope.Zone
	}
	if value := r.uvarint(); i.Kind == health.IntentForce {
		i.State = health.State(min(value, math.MaxUint8))
	} else {
		i.Weight = int(min(value, math.MaxInt32))
	}
	i.Start = at.Add(r.left())
	i.Confirmed, i.Forever, i.Lifeboat = flags&flagConfirmed != 0, flags&flagForever != 0, flags&flagLifeboat != 0
	if !i.Forever {
		i.End = at.Add(r.left())
	}
	return i
}

func (r *reader) end(at time.Time) (health.IntentID, End) {
	id := r.id()
	flags := r.octet()
	e := End{Actor: r.text(), Reason: r.text()}
	e.At, e.Seen = at.Add(-r.left()), flags&flagSeen != 0
	return id, e
}
