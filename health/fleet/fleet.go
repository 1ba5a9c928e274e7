// Package fleet is what one Fairlead cluster says of its services to another: a summary, signed by the node that gives it, with the nonce of
// whoever asks. It is read and never merged: nothing of it reaches orders, verdicts or words of the cluster that asks, but for one probe's result.
//
// All is pure. A summary is as new as its nonce, and durations travel: no clock of the other cluster plays a part.
package fleet

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
)

const (
	// Path is where the admin API of a node has the signed summary of one service: GET with `service`, and with the `nonce` that comes back in it.
	Path = "/api/v1/fleet"
	// MaxSigned bounds a signed summary, in octets, before anything of it is decoded.
	MaxSigned = 64 << 10
	// NonceSize is how many octets a nonce has, in hexadecimal on the way.
	NonceSize = 16
	// context keeps a signature over a summary from being one over anything else.
	context = "fairlead fleet summary 1\n"
)

// A State is how a service stands.
type State string

// The states. Dark: nothing is answered that is up. Degraded: what is answered is not what the file has in peace.
const (
	Up       State = "up"
	Degraded State = "degraded"
	Dark     State = "dark"
)

// A Summary is one service of a cluster, as one of its nodes sees it.
type Summary struct {
	// Cluster is the name of the cluster, empty for a node alone; Node is that of the node.
	Cluster string `json:"cluster,omitempty"`
	Node    string `json:"node"`
	// Nonce is that of the request.
	Nonce string `json:"nonce"`
	// Isolated is set where the node hears fewer than half of its cluster: what it says is what it believed before.
	Isolated bool `json:"isolated,omitempty"`
	// Service is the FQDN.
	Service string `json:"service"`
	State   State  `json:"state" enum:"up|degraded|dark"`
	// BoundSeconds is S of the service: from the death of something until the last honest cache has forgotten it; 0 where nothing bounds that.
	BoundSeconds float64 `json:"bound_seconds"`
}

// A SignedSummary is a summary as it travels.
type SignedSummary struct {
	// Payload is a Summary in JSON, in base64.
	Payload []byte `json:"payload"`
	// Signature is that of the node's identity, Ed25519, over a constant and the payload.
	Signature []byte `json:"signature"`
}

// Sign signs s.
func (s *Summary) Sign(key ed25519.PrivateKey) (*SignedSummary, error) {
	payload, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return &SignedSummary{Payload: payload, Signature: ed25519.Sign(key, append([]byte(context), payload...))}, nil
}

// Errors of Open.
var (
	ErrKey   = errors.New("signed by none of the keys")
	ErrNonce = errors.New("an answer to another question")
)

// Open is the summary in a reply, if one of keys signed it, and it answers nonce about service.
func Open(reply []byte, keys []ed25519.PublicKey, nonce, service string) (*Summary, error) {
	if len(reply) > MaxSigned {
		return nil, fmt.Errorf("more than %d octets", MaxSigned)
	}
	var signed SignedSummary
	if err := json.Unmarshal(reply, &signed); err != nil {
		return nil, errors.New("no signed summary")
	}
	genuine := false
	for _, key := range keys {
		genuine = genuine || ed25519.Verify(key, append([]byte(context), signed.Payload...), signed.Signature)
	}
	if !genuine {
		return nil, ErrKey
	}
	s := new(Summary)
	if err := json.Unmarshal(signed.Payload, s); err != nil {
		return nil, errors.New("no summary")
	}
	if s.Nonce != nonce || s.Service != service {
		return nil, ErrNonce
	}
	switch s.State {
	case Up, Degraded, Dark:
	default:
		return nil, fmt.Errorf("a state %q that is not known here", clip(string(s.State)))
	}
	return s, nil
}

func clip(s string) string { return s[:min(len(s), 20)] }
