package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/memberlist"
)

var errInClear = errors.New("gossip runs in clear: it has no keyring")

// A keyring is the keys that encrypt this node's gossip. It may be used from any goroutine.
type keyring struct {
	// ringMu is held for reading while a round is encrypted: RemoveKey must not reorder the ring meanwhile.
	ringMu sync.RWMutex
	ring   *memberlist.Keyring // nil in clear
}

// AddKey makes a key decrypt. A key is rotated by AddKey on every node, then UseKey on every node, then RemoveKey of the old.
func (k *keyring) AddKey(key []byte) error {
	if k.ring == nil {
		return errInClear
	}
	if err := k.ring.AddKey(bytes.Clone(key)); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	return nil
}

// UseKey makes a key that was added the one that encrypts.
func (k *keyring) UseKey(key []byte) error {
	if k.ring == nil {
		return errInClear
	}
	if err := k.ring.UseKey(key); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	return nil
}

// RemoveKey takes a key away that does not encrypt.
func (k *keyring) RemoveKey(key []byte) error {
	if k.ring == nil {
		return errInClear
	}
	k.ringMu.Lock()
	defer k.ringMu.Unlock()
	keys := k.ring.GetKeys()
	primary := keys[0]
	at := -1
	for i, one := range keys {
		if bytes.Equal(one, key) {
			at = i
		}
	}
	if at < 0 {
		return errors.New("keyring: no such key")
	}
	if at > 0 {
		// memberlist v0.7.0 removes in place, under the eyes of whoever decrypts just now, unless the key is the last one. Used
		// keys move to the front. Meanwhile memberlist's own packets, and requests, may be encrypted with a key that others lack; no round is.
		for _, one := range keys[at+1:] {
			if err := k.ring.UseKey(one); err != nil {
				return fmt.Errorf("keyring: %w", err)
			}
		}
		if err := k.ring.UseKey(primary); err != nil {
			return fmt.Errorf("keyring: %w", err)
		}
	}
	if err := k.ring.RemoveKey(key); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	return nil
}

// Keys are how many keys decrypt; 0 means in clear.
func (k *keyring) Keys() int {
	if k.ring == nil {
		return 0
	}
	return len(k.ring.GetKeys())
}
