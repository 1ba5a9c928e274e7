// Package token keeps the bearer tokens of the admin API: names, roles, ends and digests, in one file of the state directory.
//
// A token is shown once, when it is made; afterwards nobody can say what it was, the file included. Stores are safe for
// concurrent use. The package asks nobody who may make tokens, counts no failures and knows no HTTP.
package token

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Prefix begins every token, so that one which leaked is found by what looks for secrets.
const Prefix = "flt_"

const (
	// secretOctets is how much of a token is random: 256 bits, so that a digest without salt or stretching is enough.
	secretOctets = 32
	// maxName bounds a name, MaxTokens the file: all digests are compared at every login.
	maxName   = 63
	MaxTokens = 1000
	// MaxLife is the longest life of a token that has an end.
	MaxLife = 10 * 365 * 24 * time.Hour
)

// Errors for which callers have answers of their own.
var (
	ErrInvalid = errors.New("invalid token")
	ErrExists  = errors.New("a token of that name exists")
	ErrUnknown = errors.New("no such token")
	ErrFull    = fmt.Errorf("%d tokens, which is the most there can be", MaxTokens)
	// ErrUnheard is of a token that this node knows from an earlier life, while no other node has said yet that it still is one.
	ErrUnheard = errors.New("this node has just started, and no other node has said yet which tokens were revoked meanwhile")
	// ErrExpired comes with the token that has ended.
	ErrExpired = errors.New("the token has expired")
)

// Roles are what a token may be for, each may do what those before it may.
func Roles() []string { return []string{"viewer", "operator", "admin"} }

// A Token is what is kept of a token: everything but the token.
type Token struct {
	Name string `json:"name"`
	// Role is viewer, operator or admin.
	Role string `json:"role"`
	// SHA256 is of the whole token, its prefix included, in hexadecimal.
	SHA256 string `json:"sha256"`
	// By is who made it.
	By        string    `json:"by"`
	CreatedAt time.Time `json:"created_at"`
	// ExpiresAt is zero for a token without an end.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// Expired tells whether the token has ended at now.
func (t *Token) Expired(now time.Time) bool { return !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt) }

func (t *Token) validate() error {
	switch {
	case t.Name == "" || len(t.Name) > maxName:
		return fmt.Errorf("%w: a name has 1 to %d characters", ErrInvalid, maxName)
	case strings.IndexFunc(t.Name, notInName) >= 0:
		return fmt.Errorf("%w: name %q: want letters, digits, and -, _ or . between them", ErrInvalid, t.Name)
	case t.Role != "viewer" && t.Role != "operator" && t.Role != "admin":
		return fmt.Errorf("%w: role %q: want viewer, operator or admin", ErrInvalid, t.Role)
	case !t.ExpiresAt.IsZero() && (!t.ExpiresAt.After(t.CreatedAt) || t.ExpiresAt.Sub(t.CreatedAt) > MaxLife):
		return fmt.Errorf("%w: a token lives up to ten years, or for ever", ErrInvalid)
	}
	return nil
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}

// newSecret is a new token and its digest.
func newSecret() (secret string, digest [sha256.Size]byte) {
	b := make([]byte, secretOctets)
	// rand.Read does not fail.
	_, _ = rand.Read(b)
	secret = Prefix + hex.EncodeToString(b)
	return secret, sha256.Sum256([]byte(secret))
}
