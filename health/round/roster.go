package round

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

const (
	// maxNames bounds a roster: five times what a node file may have.
	maxNames = 1000
	// maxName bounds a name, in octets, as the node file does.
	maxName = 63
	// A block of a roster begins with the version, the hash of the whole and how many names the whole has.
	rosterHead = 1 + rosterHashSize + 2

	rosterHashSize = 8
)

type rosterHash [rosterHashSize]byte

// rosterHashOf is over the sorted names.
func rosterHashOf(names []string) rosterHash {
	h := sha256.New()
	for _, name := range names {
		// A hash takes everything; no name has an octet 0.
		_, _ = h.Write(append([]byte(name), 0))
	}
	return rosterHash(h.Sum(nil))
}

// EncodeRoster is the part with the names of the nodes that a node is configured with, in any order. It skips what is no name
// in a node file.
func EncodeRoster(names []string) []byte {
	names = slices.DeleteFunc(slices.Clone(names), func(s string) bool { return !isName([]byte(s)) })
	slices.Sort(names)
	names = slices.Compact(names)
	names = names[:min(len(names), maxNames)]
	hash := rosterHashOf(names)
	head := binary.BigEndian.AppendUint16(append([]byte{version}, hash[:]...), uint16(len(names)))
	out := slices.Clone(head)
	start := 0
	for _, name := range names {
		if len(out)-start+1+len(name) > BlockSize {
			out = append(out, make([]byte, BlockSize-(len(out)-start))...)
			start = len(out)
			out = append(out, head...)
		}
		out = append(append(out, byte(len(name))), name...)
	}
	return out
}

// isName tells whether b has 1 to 63 octets that need no quoting anywhere.
func isName(b []byte) bool {
	return len(b) > 0 && len(b) <= maxName && bytes.IndexFunc(b, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// A rosterBlock is one block, as it came.
type rosterBlock struct {
	hash  rosterHash
	count int
	names []string
}

func parseRoster(b []byte) (r rosterBlock, err error) {
	switch {
	case len(b) < rosterHead || len(b) > BlockSize:
		return r, fmt.Errorf("%w: roster of %d octets", ErrMalformed, len(b))
	case b[0] != version:
		return r, fmt.Errorf("%w: %d", ErrVersion, b[0])
	}
	rest := b[1+copy(r.hash[:], b[1:]):]
	r.count = int(binary.BigEndian.Uint16(rest))
	for rest = rest[2:]; len(rest) > 0 && rest[0] != 0; {
		n := 1 + int(rest[0])
		if len(rest) < n || !isName(rest[1:n]) {
			return r, fmt.Errorf("%w: name in a roster", ErrMalformed)
		}
		r.names = append(r.names, string(rest[1:n]))
		rest = rest[n:]
	}
	if r.count > maxNames || len(r.names) > r.count {
		return r, fmt.Errorf("%w: %d names in a roster of %d", ErrMalformed, len(r.names), r.count)
	}
	return r, nil
}

// A rosterStore is what a node said of its roster. The zero store has heard nothing.
type rosterStore struct {
	// whole is the latest that was heard completely, with its hash; heard tells whether there is one.
	whole []string
	hash  rosterHash
	heard bool
	// parts are the names of a newer one of which blocks are missing, and next its hash; nil when none is.
	parts map[string]bool
	next  rosterHash
}

func (s *rosterStore) take(b []byte) error {
	r, err := parseRoster(b)
	if err != nil {
		return err
	}
	if s.heard && r.hash == s.hash {
		s.parts = nil
		return nil
	}
	if s.parts == nil || r.hash != s.next {
		s.parts, s.next = make(map[string]bool, r.count), r.hash
	}
	for _, name := range r.names {
		s.parts[name] = true
	}
	if len(s.parts) < r.count {
		return nil
	}
	names := slices.Sorted(maps.Keys(s.parts))
	s.parts = nil
	if rosterHashOf(names) != r.hash {
		return fmt.Errorf("%w: roster with another hash", ErrMalformed)
	}
	s.whole, s.hash, s.heard = names, r.hash, true
	return nil
}

// Roster are the names of the nodes that the node is configured with, sorted. While a newer roster has not come completely they
// are those of both: to wait for one node too many is safe.
func (v *Vantage) Roster() []string {
	names := slices.Clone(v.roster.whole)
	for name := range v.roster.parts {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// RosterWhole tells whether Roster is exactly the roster that the node told last.
func (v *Vantage) RosterWhole() bool { return v.roster.heard && v.roster.parts == nil }
