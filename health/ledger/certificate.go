package ledger

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// CertificateType is the media type of a certificate's payload.
const CertificateType = "application/vnd.fairlead.certificate+json"

// A Certificate says that no honest cache holds some endpoints any more, and who confirmed that.
type Certificate struct {
	Incident  string   `json:"incident"`
	Node      string   `json:"node"`
	Zone      string   `json:"zone"`
	Title     string   `json:"title"`
	Intent    string   `json:"intent,omitempty"`
	Endpoints []string `json:"endpoints"`
	// Addresses is what answers carried of them. NotCovered are static records that hold one of them: nobody counts those answers.
	Addresses  []string `json:"addresses"`
	NotCovered []string `json:"not_covered,omitempty"`
	// SafeAt is the bound, after which every node said again that it does not answer them; TransitSeconds is what it allows for the way of an answer.
	SafeAt         time.Time      `json:"safe_at"`
	TransitSeconds float64        `json:"transit_seconds"`
	LastAnswerAt   time.Time      `json:"last_answer_at"`
	Confirmed      []Confirmation `json:"confirmed"`
	// ExposureZeroAt is when the last answer of the signing node that names one of them expired.
	ExposureZeroAt time.Time `json:"exposure_zero_at"`
	IssuedAt       time.Time `json:"issued_at"`
	// Lines are the three things to know of caches (docs/design.md section 8), and what subscribers have confirmed where a node has feeds.
	Lines []string `json:"lines"`
	// Losses are what services may have lost of what was written, in words, where a lag was measured.
	Losses []string `json:"losses,omitempty"`
}

// ErrNotKnown: there is nothing to certify.
var ErrNotKnown = errors.New("nothing can be certified")

// An Envelope is a signed payload as of DSSE 1.0 (github.com/secure-systems-lab/dsse).
type Envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     []byte      `json:"payload"`
	Signatures  []Signature `json:"signatures"`
}

// A Signature is one over an Envelope.
type Signature struct {
	// KeyID is the node's name.
	KeyID string `json:"keyid"`
	Sig   []byte `json:"sig"`
}

// Sign makes an envelope around c.
func (c *Certificate) Sign(key ed25519.PrivateKey) (*Envelope, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return Seal(CertificateType, c.Node, payload, key), nil
}

// Seal makes an envelope around a payload of a type, signed by a node.
func Seal(kind, node string, payload []byte, key ed25519.PrivateKey) *Envelope {
	return &Envelope{PayloadType: kind, Payload: payload, Signatures: []Signature{{KeyID: node, Sig: ed25519.Sign(key, encoding(kind, payload))}}}
}

// encoding is DSSE's pre-authentication encoding.
func encoding(kind string, payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(kind), kind, len(payload), payload)
}

// Verify is the certificate in e if the key's owner signed it.
func (e *Envelope) Verify(key ed25519.PublicKey) (*Certificate, error) {
	payload, err := e.Open(CertificateType, key)
	if err != nil {
		return nil, err
	}
	c := new(Certificate)
	if err := json.Unmarshal(payload, c); err != nil {
		return nil, err
	}
	return c, nil
}

// Open is the payload, which is to be of a type, if the key's owner signed it.
func (e *Envelope) Open(kind string, key ed25519.PublicKey) ([]byte, error) {
	if e.PayloadType != kind {
		return nil, fmt.Errorf("payload of type %q, want %q", e.PayloadType, kind)
	}
	for _, s := range e.Signatures {
		if len(key) == ed25519.PublicKeySize && ed25519.Verify(key, encoding(e.PayloadType, e.Payload), s.Sig) {
			return e.Payload, nil
		}
	}
	return nil, errors.New("no signature by that key")
}
