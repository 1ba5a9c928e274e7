package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// askKeyring has another node change its keyring.
const askKeyring = "keyring"

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

// ChangeKeyring carries an order out on every node of the roster, this one last, and returns the nodes that did not, with the
// reason. The order is in their files, so that it outlives restarts. A node that lacks a key hears nobody who uses it: a verb
// that fails anywhere is to be repeated before the next one.
func (e *Engine) ChangeKeyring(ctx context.Context, o KeyringOrder) (failed map[string]error, err error) {
	c := e.cluster
	if c == nil {
		return nil, errNoCluster
	}
	if c.opts.Keyring == "" {
		return nil, fmt.Errorf("%w: gossip is in clear", health.ErrIntentConflict)
	}
	body, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	var names []string
	if err := e.command(func(time.Time) error { names = c.others(); return nil }); err != nil {
		return nil, err
	}
	failed = make(map[string]error)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, name := range names {
		wg.Go(func() {
			if _, err := c.peer.Ask(ctx, name, askKeyring, body); err != nil {
				mu.Lock()
				failed[name] = err
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := e.changeKeyring(o); err != nil {
		failed[c.self] = err
	}
	return failed, nil
}

// handleKeyring is the reply to askKeyring.
func (e *Engine) handleKeyring(_ context.Context, from string, body []byte) ([]byte, error) {
	var o KeyringOrder
	if err := json.Unmarshal(body, &o); err != nil {
		return nil, errors.New("not an order about keys")
	}
	e.opts.Logger.Warn("keyring", "verb", o.Verb, "from", from)
	return nil, e.changeKeyring(o)
}

// changeKeyring carries an order out on this node: in the file, then in force. It is done as well when it was done before.
func (e *Engine) changeKeyring(o KeyringOrder) error {
	c := e.cluster
	c.keyMu.Lock()
	defer c.keyMu.Unlock()
	if c.opts.Keyring == "" {
		return fmt.Errorf("%w: gossip is in clear", health.ErrIntentConflict)
	}
	keys, err := config.ReadKeyring(c.opts.Keyring)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(keys, func(k []byte) bool { return bytes.Equal(k, o.Key) })
	var apply func([]byte) error
	switch o.Verb {
	case KeyAdd:
		apply = c.peer.AddKey
		if at < 0 {
			keys = append(keys, o.Key)
		}
	case KeyUse:
		if at < 0 {
			return fmt.Errorf("%w: no such key: add it on every node first", health.ErrIntentConflict)
		}
		apply = c.peer.UseKey
		keys = slices.Insert(slices.Delete(keys, at, at+1), 0, o.Key)
	case KeyRemove:
		if at == 0 {
			return fmt.Errorf("%w: this key encrypts: use another one first", health.ErrIntentConflict)
		}
		if at < 0 {
			return nil
		}
		apply = c.peer.RemoveKey
		keys = slices.Delete(keys, at, at+1)
	default:
		return fmt.Errorf("%w: verb %q: want add, use or remove", health.ErrInvalidIntent, o.Verb)
	}
	if err := config.WriteKeyring(c.opts.Keyring, keys); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	return apply(o.Key)
}
