package health

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"strconv"

	"github.com/fairlead-dns/fairlead/config"
)

// JitterPercent is how far the time between the starts of two probes may stray from the check's interval, either way.
// The bound and the horizon are reckoned with it.
const JitterPercent = 10

// A TargetID names what is dialled: the same check on the same address has the same id on every node, after every restart
// and in every zone. It is a truncated SHA-256.
type TargetID [16]byte

// String is the id in hexadecimal.
func (id TargetID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText is String.
func (id TargetID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (id *TargetID) UnmarshalText(b []byte) error {
	if len(b) != hex.EncodedLen(len(id)) {
		return fmt.Errorf("target id: %d digits, want %d", len(b), hex.EncodedLen(len(id)))
	}
	if _, err := hex.Decode(id[:], b); err != nil {
		return fmt.Errorf("target id: %w", err)
	}
	return nil
}

// A Target is one thing to probe. Many endpoints, pools and zones can stand behind one target.
type Target struct {
	ID    TargetID
	Check *config.Check
	// Host is the address to dial, or a name where a CNAME endpoint has no probe address. Port is 0 for types without ports.
	Host string
	Port uint16
}

// Address is host:port, or the host alone where there is no port.
func (t Target) Address() string {
	if t.Port == 0 {
		return t.Host
	}
	return net.JoinHostPort(t.Host, strconv.Itoa(int(t.Port)))
}

// TargetOf is what check dials for endpoint e: the check's own address first, then the endpoint's probe address, then its
// CNAME target.
func TargetOf(check *config.Check, e *config.Endpoint) Target {
	t := Target{Check: check, Port: check.Port}
	switch {
	case check.Address.IsValid():
		t.Host = check.Address.String()
	case e.ProbeAddr.IsValid():
		t.Host = e.ProbeAddr.String()
	default:
		t.Host = e.Target
	}
	if !check.Address.IsValid() && e.ProbePort != 0 {
		t.Port = e.ProbePort
	}
	h := sha256.New()
	h.Write(check.Digest[:])
	h.Write(binary.BigEndian.AppendUint16(nil, t.Port))
	h.Write([]byte(t.Host))
	copy(t.ID[:], h.Sum(nil))
	return t
}
