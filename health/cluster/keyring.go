package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A KeyringOrder changes the keys that encrypt gossip: add makes one decrypt, use makes it the one that encrypts, remove takes
// one away that does not encrypt.
type KeyringOrder struct {
	Verb string `json:"verb"`
	Key  []byte `json:"key"`
}

// Keyring verbs, in the order in which a key is replaced, each on every node before the next.
const (
	KeyAdd    = "add"
	KeyUse    = "use"
	KeyRemove = "remove"
)

// A KeyPeer is this node's part in gossip, as far as its keys go. A *gossip.Peer is one.
type KeyPeer interface {
	AddKey(key []byte) error
	UseKey(key []byte) error
	RemoveKey(key []byte) error
	Ask(ctx context.Context, node, kind string, body []byte) ([]byte, error)
}

// A Keyring is the keys that encrypt gossip: those in the file at a path, and in force. It may be used from any goroutine.
type Keyring struct {
	path string // empty: gossip is in clear
	peer KeyPeer
	// kind is that of the request by which another node is asked to change its keyring.
	kind string
	mu   sync.Mutex // held while the keyring changes
	// changed is when the file was written last; zero where there is none.
	changed atomic.Pointer[time.Time]
}

// NewKeyring is the keyring in a file, which is empty where gossip is in clear. Nodes ask each other by requests of a kind, which Handle
// answers.
func NewKeyring(path string, peer KeyPeer, kind string) *Keyring {
	k := &Keyring{path: path, peer: peer, kind: kind}
	var at time.Time
	if info, err := os.Stat(path); err == nil {
		at = info.ModTime()
	}
	k.changed.Store(&at)
	return k
}

// ChangedAt is when the keys were changed last: the age of those that are in force. Zero where gossip is in clear.
func (k *Keyring) ChangedAt() time.Time { return *k.changed.Load() }

// Change carries an order out on every node of the roster, others, and this one last, which is called self, and returns the nodes that did
// not, with the reason. The order is in their files, so that it outlives restarts. A node that lacks a key hears nobody who uses it: a verb
// that fails anywhere is to be repeated before the next one.
func (k *Keyring) Change(ctx context.Context, o KeyringOrder, self string, others []string) (failed map[string]error, err error) {
	body, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	failed = make(map[string]error)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, name := range others {
		wg.Go(func() {
			if _, err := k.peer.Ask(ctx, name, k.kind, body); err != nil {
				mu.Lock()
				failed[name] = err
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := k.change(o); err != nil {
		failed[self] = err
	}
	return failed, nil
}

// Encrypts is nil unless gossip is in clear.
func (k *Keyring) Encrypts() error {
	if k.path == "" {
		return fmt.Errorf("%w: gossip is in clear", health.ErrIntentConflict)
	}
	return nil
}

// Handle carries out here what another node asks for; the order is what was asked.
func (k *Keyring) Handle(body []byte) (o KeyringOrder, err error) {
	if err := json.Unmarshal(body, &o); err != nil {
		return o, errors.New("not an order about keys")
	}
	return o, k.change(o)
}

// change carries an order out on this node: in the file, then in force. It is done as well when it was done before.
func (k *Keyring) change(o KeyringOrder) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.Encrypts(); err != nil {
		return err
	}
	keys, err := config.ReadKeyring(k.path)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(keys, func(k []byte) bool { return bytes.Equal(k, o.Key) })
	var apply func([]byte) error
	switch o.Verb {
	case KeyAdd:
		apply = k.peer.AddKey
		if at < 0 {
			keys = append(keys, o.Key)
		}
	case KeyUse:
		if at < 0 {
			return fmt.Errorf("%w: no such key: add it on every node first", health.ErrIntentConflict)
		}
		apply = k.peer.UseKey
		keys = slices.Insert(slices.Delete(keys, at, at+1), 0, o.Key)
	case KeyRemove:
		if at == 0 {
			return fmt.Errorf("%w: this key encrypts: use another one first", health.ErrIntentConflict)
		}
		if at < 0 {
			return nil
		}
		apply = k.peer.RemoveKey
		keys = slices.Delete(keys, at, at+1)
	default:
		return fmt.Errorf("%w: verb %q: want add, use or remove", health.ErrInvalidIntent, o.Verb)
	}
	if err := config.WriteKeyring(k.path, keys); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	k.changed.Store(new(time.Now()))
	return apply(o.Key)
}
