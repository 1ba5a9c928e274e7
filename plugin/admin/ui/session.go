package ui

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/fairlead-dns/fairlead/config/durable"
)

const (
	// sessionLife is how long a login is good: a shift.
	sessionLife = 12 * time.Hour
	// linkLife is how long a one-time link waits to be opened.
	linkLife = time.Minute
	// maxSessions bounds the file, maxLinks the memory; the oldest go.
	maxSessions = 1000
	maxLinks    = 100
	// secretOctets is how much of a secret is random: 256 bits, so that a digest without salt is enough.
	secretOctets = 32
	fileVersion  = 1
)

// A Login is who looks.
type Login struct {
	// Name is the name of the token or of the certificate, empty for the unix socket; Role is viewer, operator or admin.
	Name string `json:"name,omitempty"`
	Role string `json:"role"`
	// How says in words what proved it; Actor is what a link of the unix socket says of the person, which proves nothing.
	How   string `json:"how,omitempty"`
	Actor string `json:"actor,omitempty"`
	// Token is the digest of the token behind it, if there is one: the login ends with the token.
	Token string `json:"token,omitempty"`
}

// Who is the name to show.
func (l *Login) Who() string {
	switch {
	case l.Name != "":
		return l.Name
	case l.Actor != "":
		return l.Actor
	}
	return "unix socket"
}

// May tells whether the login may do what a role may.
func (l *Login) May(role string) bool {
	roles := []string{"viewer", "operator", "admin"}
	return slices.Index(roles, l.Role) >= slices.Index(roles, role)
}

// A session is a login that a cookie stands for. The cookie itself is kept nowhere.
type session struct {
	SHA256 string    `json:"sha256"`
	Ends   time.Time `json:"ends"`
	Login
}

// Sessions are the logins of people, and the links that wait to become one. They outlive a restart of the node where they have a file.
type Sessions struct {
	path   string
	logger *slog.Logger

	mu       sync.Mutex
	sessions []session // guarded by mu: the oldest first
	links    []session // guarded by mu: the oldest first
}

type sessionFile struct {
	Version  int       `json:"version"`
	Sessions []session `json:"sessions"`
}

// OpenSessions reads a file; without a path nothing outlives the process. A file that cannot be read is reported: people log in anew.
func OpenSessions(path string, logger *slog.Logger) *Sessions {
	s := &Sessions{path: path, logger: logger}
	if path == "" {
		return s
	}
	var f sessionFile
	err := durable.ReadJSON(path, fileVersion, &f)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		logger.Warn("sessions not read", "file", path, "err", err)
	}
	s.sessions = f.Sessions
	return s
}

// newSecret is a secret and its digest.
func newSecret() (secret, digest string) {
	b := make([]byte, secretOctets)
	// rand.Read does not fail.
	_, _ = rand.Read(b)
	secret = hex.EncodeToString(b)
	return secret, digestOf(secret)
}

func digestOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Link makes the secret of a one-time link for l.
func (s *Sessions) Link(l Login, now time.Time) (secret string, ends time.Time) {
	secret, digest := newSecret()
	s.mu.Lock()
	defer s.mu.Unlock()
	ends = now.Add(linkLife)
	s.links = last(append(s.links, session{SHA256: digest, Ends: ends, Login: l}), maxLinks)
	return secret, ends
}

// redeem is the login of a link, once.
func (s *Sessions) redeem(secret string, now time.Time) (Login, bool) {
	digest := digestOf(secret)
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.links, func(l session) bool { return l.SHA256 == digest })
	if i < 0 {
		return Login{}, false
	}
	l := s.links[i]
	s.links = slices.Delete(s.links, i, i+1)
	return l.Login, now.Before(l.Ends)
}

// begin makes a session that lasts so long, and returns what its cookie holds.
func (s *Sessions) begin(l Login, now time.Time, lasts time.Duration) string {
	secret, digest := newSecret()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions = slices.DeleteFunc(s.sessions, func(o session) bool { return !now.Before(o.Ends) })
	s.sessions = last(append(s.sessions, session{SHA256: digest, Ends: now.Add(lasts), Login: l}), maxSessions)
	s.writeLocked()
	return secret
}

// end ends the session of a cookie.
func (s *Sessions) end(secret string) {
	digest := digestOf(secret)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.sessions)
	s.sessions = slices.DeleteFunc(s.sessions, func(o session) bool { return o.SHA256 == digest })
	if len(s.sessions) != n {
		s.writeLocked()
	}
}

// find is the login that a cookie stands for.
func (s *Sessions) find(secret string, now time.Time) (Login, bool) {
	digest := digestOf(secret)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.sessions {
		if s.sessions[i].SHA256 == digest && now.Before(s.sessions[i].Ends) {
			return s.sessions[i].Login, true
		}
	}
	return Login{}, false
}

// writeLocked keeps the sessions. People who log in are few: the file is written while they wait.
func (s *Sessions) writeLocked() {
	if s.path == "" {
		return
	}
	if err := durable.WriteJSON(s.path, sessionFile{Version: fileVersion, Sessions: s.sessions}); err != nil {
		s.logger.Warn("sessions not written: they end with the process", "file", s.path, "err", err)
	}
}

// last is the n last of list.
func last[T any](list []T, n int) []T { return list[max(0, len(list)-n):] }
