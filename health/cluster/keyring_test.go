package cluster

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// keys are what a node's gossip decrypts with; nodes are the keyrings of the others, by name.
type keys struct {
	ring  [][]byte
	nodes map[string]*Keyring
}

func (p *keys) AddKey(key []byte) error    { p.ring = append(p.ring, key); return nil }
func (p *keys) UseKey(key []byte) error    { p.ring[0] = key; return nil }
func (p *keys) RemoveKey(key []byte) error { p.ring = p.ring[:len(p.ring)-1]; return nil }

func (p *keys) Ask(_ context.Context, node, kind string, body []byte) ([]byte, error) {
	if kind != "keys" || p.nodes[node] == nil {
		return nil, errors.New("does not answer")
	}
	_, err := p.nodes[node].Handle(body)
	return nil, err
}

func newKeyring(t *testing.T, peer *keys, list ...[]byte) (*Keyring, string) {
	path := filepath.Join(t.TempDir(), "keyring")
	require.NoError(t, config.WriteKeyring(path, list))
	return NewKeyring(path, peer, "keys"), path
}

// TestKeyring: a key is added, used and the old one removed, on every node that answers and in its file; whoever does not is named.
func TestKeyring(t *testing.T) {
	old, next := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	two, file := newKeyring(t, &keys{ring: [][]byte{old}}, old)
	one, own := newKeyring(t, &keys{ring: [][]byte{old}, nodes: map[string]*Keyring{"n2": two}}, old)
	order := func(verb string, key []byte) map[string]error {
		failed, err := one.Change(t.Context(), KeyringOrder{verb, key}, "n1", []string{"n2", "n3"})
		require.NoError(t, err)
		require.ErrorContains(t, failed["n3"], "does not answer")
		delete(failed, "n3")
		return failed
	}
	holds := func(want ...[]byte) {
		t.Helper()
		for _, path := range []string{own, file} {
			got, err := config.ReadKeyring(path)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	}
	require.Len(t, order(KeyUse, next), 2, "nobody has it yet")
	require.Empty(t, order(KeyAdd, next))
	require.Empty(t, order(KeyAdd, next), "once more is no fault")
	holds(old, next)
	require.Len(t, order(KeyRemove, old), 2, "it encrypts")
	require.Empty(t, order(KeyUse, next))
	holds(next, old)
	require.Empty(t, order(KeyRemove, old))
	require.Empty(t, order(KeyRemove, old))
	holds(next)
	require.Len(t, order("turn", next), 2)
	_, err := two.Handle([]byte("{"))
	require.Error(t, err)
	require.NoError(t, one.Encrypts())
	require.ErrorIs(t, NewKeyring("", nil, "keys").Encrypts(), health.ErrIntentConflict)
}
