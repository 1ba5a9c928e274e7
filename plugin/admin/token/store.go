package token

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-dns/fairlead/config/durable"
)

// maxFile bounds what is read of the file: maxSet tokens have some 4 MB, as many revocations 1 MB.
const maxFile = 8 << 20

// A Digest tells sets of tokens apart: nodes that have the same one have the same tokens.
type Digest [16]byte

// A Store is the file of tokens and what is in it. Only this process writes the file. The nodes of a cluster bring each other's stores in line:
// see Digest, Encode and Merge.
type Store struct {
	path string
	// digest is that of what is kept, swapped with it: whoever tells it waits for no disk.
	digest atomic.Pointer[Digest]
	// doubted are the digests of the tokens that the file held when it was opened, until another node has told what it keeps: they may have
	// been revoked there meanwhile. Nil once that is known, and on a node alone.
	doubted atomic.Pointer[map[string]bool]

	mu sync.RWMutex
	// The rest is guarded by mu; digests are those of the tokens kept, in their order.
	kept    set
	digests [][sha256.Size]byte
	// changed is called, without mu, after what is kept has changed here.
	changed func()
	// broken is why the file could not be read. Nobody logs in by a token then, and the file is left as it is.
	broken error
}

// Open reads the file at path; one that is missing has no tokens. The store is usable even with an error, as one without
// tokens that takes none: a node must answer queries whatever is wrong with this file.
func Open(path string) (*Store, error) {
	s := &Store{path: path, changed: func() {}}
	kept, err := read(path)
	if err != nil {
		s.broken = fmt.Errorf("tokens %s: %w", path, err)
	}
	s.takeLocked(kept)
	return s, s.broken
}

func read(path string) (set, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return set{}, nil
	}
	if err != nil {
		return set{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return set{}, err
	}
	if len(b) > maxFile {
		return set{}, fmt.Errorf("more than %d octets", maxFile)
	}
	return parseSet(b)
}

// OnChange has f called after each change that an order made here, and not one that another node did.
func (s *Store) OnChange(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = f
}

// Doubt has nobody log in by the tokens of an earlier life until another node was heard: by Merge, or by Agreed. It is for the nodes of a
// cluster, before they answer anybody; other ways to log in are left.
func (s *Store) Doubt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	doubted := make(map[string]bool)
	for _, t := range s.kept.Tokens {
		doubted[t.SHA256] = true
	}
	s.doubted.Store(&doubted)
}

// Agreed says that another node keeps the same. It waits for nothing.
func (s *Store) Agreed() { s.doubted.Store(nil) }

// Good tells whether a login by the token of that digest, which was proved before, still stands.
func (s *Store) Good(name, digest string, now time.Time) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return !s.doubts(digest) && slices.ContainsFunc(s.kept.Tokens, func(t Token) bool {
		return t.Name == name && t.SHA256 == digest && !t.Expired(now)
	})
}

func (s *Store) doubts(digest string) bool {
	d := s.doubted.Load()
	return d != nil && (*d)[digest]
}

// takeLocked makes kept, which is valid, what is in force.
func (s *Store) takeLocked(kept set) {
	digests := make([][sha256.Size]byte, len(kept.Tokens))
	for i, t := range kept.Tokens {
		// What is kept was looked at when it was read or made.
		digests[i], _ = parseDigest(t.SHA256)
	}
	s.kept, s.digests = kept, digests
	// A set of such fields can be written as JSON.
	b, _ := kept.encode()
	sum := sha256.Sum256(b)
	d := Digest(sum[:len(Digest{})])
	s.digest.Store(&d)
}

// Create makes a token and returns it with its secret, which is nowhere else. A zero end is none. A token of that name that has
// expired is replaced. It is on disk when the error is nil.
func (s *Store) Create(name, role, by string, now, end time.Time) (Token, string, error) {
	secret, digest := newSecret()
	t := Token{Name: name, Role: role, SHA256: hex.EncodeToString(digest[:]), By: by, CreatedAt: now.UTC().Round(0)}
	if !end.IsZero() {
		t.ExpiresAt = end.UTC().Round(0)
	}
	if err := t.validate(); err != nil {
		return Token{}, "", err
	}
	err := s.change(func(kept set) (set, error) {
		if slices.ContainsFunc(kept.Tokens, func(o Token) bool { return o.Name == name && !o.Expired(now) }) {
			return set{}, fmt.Errorf("%w: %s", ErrExists, name)
		}
		rest, _ := kept.revoke(name, now)
		if len(rest.Tokens) >= MaxTokens || len(rest.Revoked) >= maxRevoked {
			return set{}, ErrFull
		}
		return rest.merge(set{Tokens: []Token{t}}, now), nil
	})
	if err != nil {
		return Token{}, "", err
	}
	return t, secret, nil
}

// Revoke ends all tokens of a name at once, for two nodes may have made one each, and returns what the latest was. They are off the disk when
// the error is nil.
func (s *Store) Revoke(name string, now time.Time) (old Token, err error) {
	err = s.change(func(kept set) (set, error) {
		next, gone := kept.revoke(name, now)
		if len(gone) == 0 {
			return set{}, fmt.Errorf("%w: %s", ErrUnknown, name)
		}
		old = slices.MaxFunc(gone, func(a, b Token) int { return a.CreatedAt.Compare(b.CreatedAt) })
		return next, nil
	})
	return old, err
}

// change makes what f makes of what is kept the next, and says so.
func (s *Store) change(f func(set) (set, error)) error {
	s.mu.Lock()
	next, err := f(s.kept)
	if err == nil {
		err = s.writeLocked(next)
	}
	changed := s.changed
	s.mu.Unlock()
	if err == nil {
		changed()
	}
	return err
}

// writeLocked makes next what is kept, on disk first.
func (s *Store) writeLocked(next set) error {
	if s.broken != nil {
		return s.broken
	}
	b, err := next.encode()
	if err != nil {
		return err
	}
	if err := durable.WriteFile(s.path, append(b, '\n')); err != nil {
		return err
	}
	s.takeLocked(next)
	return nil
}

// Digest is that of what is kept. It waits for nothing.
func (s *Store) Digest() [16]byte { return *s.digest.Load() }

// Encode is all that is kept, for another node's Merge: digests and names, and no token.
func (s *Store) Encode() ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.broken != nil {
		return nil, s.broken
	}
	return s.kept.encode()
}

// Merge takes up what another node keeps: its tokens, and what was revoked there. changed tells whether any of it was new. It is on disk when
// the error is nil.
func (s *Store) Merge(b []byte, now time.Time) (changed bool, err error) {
	other, err := parseSet(b)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.kept.merge(other, now)
	if len(next.Tokens) > maxSet || len(next.Revoked) > maxSet {
		return false, ErrFull
	}
	if next.equal(s.kept) {
		s.Agreed()
		return false, nil
	}
	if err := s.writeLocked(next); err != nil {
		return true, err
	}
	s.Agreed()
	return true, nil
}

// List are all tokens by name, those that have expired too.
func (s *Store) List() []Token {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.kept.Tokens)
}

// Verify is the token that secret is. The time that it takes tells nothing about how much of a guess was right: what is
// compared are digests, all of them, in constant time. The error is ErrUnknown, ErrUnheard, or ErrExpired with the token.
func (s *Store) Verify(secret string, now time.Time) (Token, error) {
	digest := sha256.Sum256([]byte(secret))
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := -1
	for i := range s.digests {
		equal := subtle.ConstantTimeCompare(digest[:], s.digests[i][:])
		found = subtle.ConstantTimeSelect(equal, i, found)
	}
	if found < 0 {
		return Token{}, ErrUnknown
	}
	if t := s.kept.Tokens[found]; t.Expired(now) {
		return t, ErrExpired
	}
	if s.doubts(s.kept.Tokens[found].SHA256) {
		return Token{}, ErrUnheard
	}
	return s.kept.Tokens[found], nil
}
