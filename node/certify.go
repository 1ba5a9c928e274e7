package node

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// certificateKeyName is the key of a node that has no identity in a cluster.
const certificateKeyName = "certificate.key"

// Certify signs c with the node's identity.
func (n *Node) Certify(c *ledger.Certificate) (*ledger.Envelope, error) {
	key, err := n.signingKey()
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return c.Sign(key)
}

// seal signs a payload of another type.
func (n *Node) seal(kind string, payload []byte) (*ledger.Envelope, error) {
	key, err := n.signingKey()
	if err != nil {
		return nil, err
	}
	return ledger.Seal(kind, n.Name(), payload, key), nil
}

// signingKey is the node's identity in its cluster, or a key of its own that is made when it is first needed.
func (n *Node) signingKey() (ed25519.PrivateKey, error) {
	if c := n.config.Load().Cluster; c != nil {
		return config.ReadIdentity(c.Gossip.Identity)
	}
	path := filepath.Join(n.state, certificateKeyName)
	key, err := config.ReadIdentity(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	_, key, err = ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return key, config.WriteIdentity(path, key)
}
