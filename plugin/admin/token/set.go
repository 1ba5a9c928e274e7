package token

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// keepExpired is for how long a token that has ended is listed still, and for how long the end of a revoked one is remembered after it
	// would have ended anyway. No node's clock is off by as much.
	keepExpired = 30 * 24 * time.Hour
	// maxSet bounds what of a set is believed, for each of tokens and revocations: each of ten nodes that did not hear each other could have
	// made MaxTokens.
	maxSet = 10 * MaxTokens
	// maxRevoked is how many revocations there may be where a token is made: they and MaxTokens tokens fit a reply between nodes (1 MiB). What
	// exists can always be revoked.
	maxRevoked = 4 * MaxTokens
)

// A Revocation outlives its token, so that no node that missed it brings the token back.
type Revocation struct {
	// SHA256 is that of the token.
	SHA256 string `json:"sha256"`
	// ExpiresAt is the token's: the revocation is forgotten some time after it. Zero is never.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// A set is what is kept, and what nodes tell each other: tokens by name, and what was revoked by digest. Merge is idempotent, commutative and
// associative: each token has a digest of its own, and a revocation is for ever. The clock only ever removes what has ended long ago.
type set struct {
	Tokens  []Token      `json:"tokens"`
	Revoked []Revocation `json:"revoked,omitempty"`
}

// parseSet reads what encode wrote, or an older version's file.
func parseSet(b []byte) (s set, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return set{}, err
	}
	if len(s.Tokens) > maxSet || len(s.Revoked) > maxSet {
		return set{}, ErrFull
	}
	seen := make(map[string]bool, len(s.Tokens))
	for i := range s.Tokens {
		t := &s.Tokens[i]
		if err := t.validate(); err != nil {
			return set{}, err
		}
		if _, err := parseDigest(t.SHA256); err != nil {
			return set{}, fmt.Errorf("%w: %s: %w", ErrInvalid, t.Name, err)
		}
		if seen[t.SHA256] {
			return set{}, fmt.Errorf("%w: %s: stands twice", ErrInvalid, t.Name)
		}
		seen[t.SHA256] = true
	}
	for _, r := range s.Revoked {
		if _, err := parseDigest(r.SHA256); err != nil {
			return set{}, fmt.Errorf("%w: revoked: %w", ErrInvalid, err)
		}
	}
	s.sort()
	return s, nil
}

func parseDigest(text string) (d [sha256.Size]byte, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != sha256.Size || strings.ToLower(text) != text {
		return d, fmt.Errorf("sha256: want %d octets in hexadecimal, in lower case", sha256.Size)
	}
	return [sha256.Size]byte(b), nil
}

func (s *set) sort() {
	slices.SortFunc(s.Tokens, func(a, b Token) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.SHA256, b.SHA256))
	})
	slices.SortFunc(s.Revoked, func(a, b Revocation) int { return strings.Compare(a.SHA256, b.SHA256) })
}

// encode is the same for the same set, on every node.
func (s set) encode() ([]byte, error) { return json.Marshal(s) }

func (s set) equal(o set) bool {
	return slices.Equal(s.Tokens, o.Tokens) && slices.Equal(s.Revoked, o.Revoked)
}

// merge is what stands in s or o and is not revoked in either, without what ended long before now. Neither is changed.
func (s set) merge(o set, now time.Time) (out set) {
	old := func(end time.Time) bool { return !end.IsZero() && now.Sub(end) > keepExpired }
	revoked := make(map[string]bool)
	for _, r := range slices.Concat(s.Revoked, o.Revoked) {
		if !revoked[r.SHA256] && !old(r.ExpiresAt) {
			out.Revoked = append(out.Revoked, r)
		}
		revoked[r.SHA256] = true
	}
	seen := make(map[string]bool)
	for _, t := range slices.Concat(s.Tokens, o.Tokens) {
		if !seen[t.SHA256] && !revoked[t.SHA256] && !old(t.ExpiresAt) {
			out.Tokens = append(out.Tokens, t)
		}
		seen[t.SHA256] = true
	}
	out.sort()
	return out
}

// revoke is s without the tokens of that name, and those tokens.
func (s set) revoke(name string, now time.Time) (out set, gone []Token) {
	var ends []Revocation
	for _, t := range s.Tokens {
		if t.Name == name {
			gone = append(gone, t)
			ends = append(ends, Revocation{SHA256: t.SHA256, ExpiresAt: t.ExpiresAt})
		}
	}
	return s.merge(set{Revoked: ends}, now), gone
}
