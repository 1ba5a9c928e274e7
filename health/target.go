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

// A TargetID names what evidence is about: an address and the name of a check in a zone, on every node and after every restart. The
// check's parameters are no part of it, so that what is known outlives their edit, and the votes of nodes that have not read the
// same version of a file yet count together. It is a truncated SHA-256.
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

// A Target is one thing to judge. Many endpoints and pools of a zone can stand behind one target, and targets that dial the same
// (Dial) are dialled together.
type Target struct {
	ID    TargetID
	Check *config.Check
	// Host is the address to dial, or a name where a CNAME endpoint has no probe address. Port is 0 for types without ports.
	Host string
	Port uint16
	// Tier is the first tier of a service in which an endpoint behind it stands: first probes are made in this order.
	Tier int
}

// Address is host:port, or the host alone where there is no port.
func (t Target) Address() string {
	if t.Port == 0 {
		return t.Host
	}
	return net.JoinHostPort(t.Host, strconv.Itoa(int(t.Port)))
}

// A Dial is what a prober does: a check with all its parameters, and where to. Targets with the same Dial see the same.
type Dial struct {
	Check config.Hash
	Host  string
	Port  uint16
}

// Dial is what is done for t.
func (t Target) Dial() Dial { return Dial{Check: t.Check.Digest, Host: t.Host, Port: t.Port} }

// TargetsOf are what check, which stands in the zone of that name, dials for endpoint e: one target, or where each of two addresses
// is dialled for itself that of its IPv4 and that of its IPv6 address.
func TargetsOf(zone string, check *config.Check, e *config.Endpoint) []Target {
	if !e.Dual() || check.Address.IsValid() || check.Push != nil {
		return []Target{TargetOf(zone, check, e)}
	}
	return []Target{TargetOn(zone, check, e, config.IPv4), TargetOn(zone, check, e, config.IPv6)}
}

// TargetOn is what check dials for the address of endpoint e in a family. It is the same for both where the check has its own address, and
// where endpoints report for themselves.
func TargetOn(zone string, check *config.Check, e *config.Endpoint, f config.Family) Target {
	if !e.Dual() || check.Push != nil {
		return TargetOf(zone, check, e)
	}
	of := *e
	of.ProbeAddr = e.Addr(f)
	return TargetOf(zone, check, &of)
}

// TargetOf is what check, which stands in the zone of that name, dials for endpoint e, or for its first address: the check's own address
// first, then the endpoint's probe address, then its CNAME target. A port that the endpoint itself names tells it from its neighbours on the
// same address; the check's own is one of its parameters.
func TargetOf(zone string, check *config.Check, e *config.Endpoint) Target {
	t := Target{Check: check, Port: check.Port}
	var own uint16
	switch {
	case check.Address.IsValid():
		t.Host = check.Address.String()
	case e.ProbeAddr.IsValid():
		t.Host = e.ProbeAddr.String()
	default:
		t.Host = e.Target
	}
	if !check.Address.IsValid() && e.ProbePort != 0 {
		t.Port, own = e.ProbePort, e.ProbePort
	}
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint16(nil, own))
	for _, part := range [...]string{zone, check.Name, t.Host} {
		// None of them holds the octet 0.
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	copy(t.ID[:], h.Sum(nil))
	return t
}

var families = config.Families()

// Dialled are the families for which something is dialled for an endpoint; one where that is the same for all of its addresses.
func Dialled(e *config.Endpoint) []config.Family {
	if e.Dual() {
		return families[:]
	}
	return families[:1]
}
