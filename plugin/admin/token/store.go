package token

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead-dns/fairlead/config/durable"
)

// maxFile bounds what is read of the file: 1,000 tokens have some 400 kB.
const maxFile = 1 << 20

// A Store is the file of tokens and what is in it. Only this process writes the file.
type Store struct {
	path string

	mu sync.RWMutex
	// The rest is guarded by mu; digests are those of tokens, in that order.
	tokens  []Token
	digests [][sha256.Size]byte
	// broken is why the file could not be read. Nobody logs in by a token then, and the file is left as it is.
	broken error
}

// file is the content of the file.
type file struct {
	Tokens []Token `json:"tokens"`
}

// Open reads the file at path; one that is missing has no tokens. The store is usable even with an error, as one without
// tokens that takes none: a node must answer queries whatever is wrong with this file.
func Open(path string) (*Store, error) {
	s := &Store{path: path}
	s.broken = s.read()
	if s.broken != nil {
		s.broken = fmt.Errorf("tokens %s: %w", path, s.broken)
	}
	return s, s.broken
}

func (s *Store) read() error {
	f, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return err
	}
	if len(b) > maxFile {
		return fmt.Errorf("more than %d octets", maxFile)
	}
	var content file
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&content); err != nil {
		return err
	}
	digests, err := check(content.Tokens)
	if err != nil {
		return err
	}
	s.tokens, s.digests = content.Tokens, digests
	return nil
}

// check returns the digests of a list that is as Create would have made it.
func check(list []Token) ([][sha256.Size]byte, error) {
	if len(list) > MaxTokens {
		return nil, ErrFull
	}
	digests := make([][sha256.Size]byte, 0, len(list))
	for i, t := range list {
		if err := t.validate(); err != nil {
			return nil, err
		}
		if find(list[:i], t.Name) >= 0 {
			return nil, fmt.Errorf("%w: %s", ErrExists, t.Name)
		}
		b, err := hex.DecodeString(t.SHA256)
		if err != nil || len(b) != sha256.Size {
			return nil, fmt.Errorf("%w: %s: sha256: want %d octets in hexadecimal", ErrInvalid, t.Name, sha256.Size)
		}
		digests = append(digests, [sha256.Size]byte(b))
	}
	return digests, nil
}

func find(list []Token, name string) int {
	return slices.IndexFunc(list, func(t Token) bool { return t.Name == name })
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
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := s.tokens
	if i := find(rest, name); i >= 0 {
		if !rest[i].Expired(now) {
			return Token{}, "", fmt.Errorf("%w: %s", ErrExists, name)
		}
		rest = slices.Delete(slices.Clone(rest), i, i+1)
	}
	if len(rest) >= MaxTokens {
		return Token{}, "", ErrFull
	}
	next := append(slices.Clone(rest), t)
	slices.SortFunc(next, func(a, b Token) int { return strings.Compare(a.Name, b.Name) })
	if err := s.writeLocked(next); err != nil {
		return Token{}, "", err
	}
	return t, secret, nil
}

// Revoke ends a token at once and returns what it was. It is off the disk when the error is nil.
func (s *Store) Revoke(name string) (Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := find(s.tokens, name)
	if i < 0 {
		return Token{}, fmt.Errorf("%w: %s", ErrUnknown, name)
	}
	old := s.tokens[i]
	return old, s.writeLocked(slices.Delete(slices.Clone(s.tokens), i, i+1))
}

// writeLocked makes list what is kept, on disk first.
func (s *Store) writeLocked(list []Token) error {
	if s.broken != nil {
		return s.broken
	}
	digests, err := check(list)
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(file{Tokens: list}, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.WriteFile(s.path, append(b, '\n')); err != nil {
		return err
	}
	s.tokens, s.digests = list, digests
	return nil
}

// List are all tokens by name, those that have expired too.
func (s *Store) List() []Token {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.tokens)
}

// Verify is the token that secret is. The time that it takes tells nothing about how much of a guess was right: what is
// compared are digests, all of them, in constant time. The error is ErrUnknown, or ErrExpired with the token.
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
	if t := s.tokens[found]; t.Expired(now) {
		return t, ErrExpired
	}
	return s.tokens[found], nil
}
