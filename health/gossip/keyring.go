package gossip

import (
	"bytes"
	"errors"
	"fmt"
)

var errInClear = errors.New("gossip runs in clear: it has no keyring")

// AddKey makes a key decrypt. A key is rotated by AddKey on every node, then UseKey on every node, then RemoveKey of the old.
func (p *Peer) AddKey(key []byte) error {
	if p.ring == nil {
		return errInClear
	}
	if err := p.ring.AddKey(bytes.Clone(key)); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	return nil
}

// UseKey makes a key that was added the one that encrypts.
func (p *Peer) UseKey(key []byte) error {
	if p.ring == nil {
		return errInClear
	}
	if err := p.ring.UseKey(key); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	return nil
}

// RemoveKey takes a key away that does not encrypt.
func (p *Peer) RemoveKey(key []byte) error {
	if p.ring == nil {
		return errInClear
	}
	p.ringMu.Lock()
	defer p.ringMu.Unlock()
	keys := p.ring.GetKeys()
	primary := keys[0]
	at := -1
	for i, k := range keys {
		if bytes.Equal(k, key) {
			at = i
		}
	}
	if at < 0 {
		return errors.New("keyring: no such key")
	}
	if at > 0 {
		// memberlist v0.7.0 removes in place, under the eyes of whoever decrypts just now, unless the key is the last one. Used
		// keys move to the front. Meanwhile memberlist's own packets, and requests, may be encrypted with a key that others lack; no round is.
		for _, k := range keys[at+1:] {
			if err := p.ring.UseKey(k); err != nil {
				return fmt.Errorf("keyring: %w", err)
			}
		}
		if err := p.ring.UseKey(primary); err != nil {
			return fmt.Errorf("keyring: %w", err)
		}
	}
	if err := p.ring.RemoveKey(key); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	return nil
}

// Keys are how many keys decrypt; 0 means in clear.
func (p *Peer) Keys() int {
	if p.ring == nil {
		return 0
	}
	return len(p.ring.GetKeys())
}
