package node

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync/atomic"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/fleet"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// certificateKeyName is the key of a node that has no identity in a cluster.
const certificateKeyName = "certificate.key"

// A signer signs what this node says of itself, with its identity. It may be used from any goroutine.
type signer struct {
	config *atomic.Pointer[config.Node]
	state  string
}

// Certify signs c with the node's identity.
func (s *signer) Certify(c *ledger.Certificate) (*ledger.Envelope, error) {
	key, err := s.signingKey()
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return c.Sign(key)
}

// SignFleet signs what another cluster is told.
func (n *Node) SignFleet(s *fleet.Summary) (*fleet.SignedSummary, error) {
	key, err := n.signingKey()
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	return s.Sign(key)
}

// seal signs a payload of another type.
func (s *signer) seal(kind string, payload []byte) (*ledger.Envelope, error) {
	key, err := s.signingKey()
	if err != nil {
		return nil, err
	}
	return ledger.Seal(kind, s.config.Load().Name, payload, key), nil
}

// signingKey is the node's identity in its cluster, or a key of its own that is made when it is first needed.
func (s *signer) signingKey() (ed25519.PrivateKey, error) {
	if c := s.config.Load().Cluster; c != nil {
		return config.ReadIdentity(c.Gossip.Identity)
	}
	path := filepath.Join(s.state, certificateKeyName)
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
