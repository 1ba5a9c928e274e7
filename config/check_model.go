package config

import (
	"net/netip"
	"slices"
	"time"
)

// CheckType is how an endpoint is probed.
type CheckType string

// The types of checks. Composite has no type key in the file: it has one of all, any, not, at_least.
const (
	CheckHTTP      CheckType = "http"
	CheckHTTPS     CheckType = "https"
	CheckTCP       CheckType = "tcp"
	CheckTLS       CheckType = "tls"
	CheckGRPC      CheckType = "grpc"
	CheckDNS       CheckType = "dns"
	CheckICMP      CheckType = "icmp"
	CheckExec      CheckType = "exec"
	CheckPush      CheckType = "push"
	CheckLag       CheckType = "lag"
	CheckFleet     CheckType = "fleet"
	CheckComposite CheckType = "composite"
)

// A Check is one way to probe an endpoint.
type Check struct {
	Name string
	Type CheckType
	// Digest covers everything that decides what is dialled, what is expected and how failures are counted, but not the
	// name, the quorum or the choice of vantages: two checks with equal digests on one address are dialled together.
	Digest Hash

	// Address is dialled instead of the endpoint's when valid. Port is 0 only for types without ports.
	Address netip.Addr
	Port    uint16

	// Interval is start to start, before jitter; Timeout bounds one whole probe and is less than Interval.
	Interval, Timeout time.Duration
	// Fall and Rise are results in a row, at least 1.
	Fall, Rise int
	Quorum     Quorum
	Vantages   Vantages
	Flap       *Flap

	HTTP      *HTTPCheck
	TCP       *TCPCheck
	TLS       *TLSCheck
	GRPC      *GRPCCheck
	DNS       *DNSCheck
	Exec      *ExecCheck
	Push      *PushCheck
	Lag       *LagCheck
	Fleet     *FleetCheck `json:",omitempty"`
	Composite *Composite
}

// Vantages chooses which nodes of the roster probe. The zero value is all of them.
type Vantages struct {
	// Count is how many of the nodes that AZs, Regions and Nodes name probe one target; 0 means each of them.
	Count int
	// AZs, Regions and Nodes name nodes: by where a node stands, by its name. A node that stands in one of the three lists is
	// named; while all three are empty every node is. They are sorted.
	AZs, Regions, Nodes []string
}

// Anywhere tells whether every node of the roster may be a vantage.
func (v *Vantages) Anywhere() bool { return len(v.AZs)+len(v.Regions)+len(v.Nodes) == 0 }

// Names tells whether a node of that name, which stands in region and az (empty for not known), may be a vantage.
func (v *Vantages) Names(node, region, az string) bool {
	return v.Anywhere() || slices.Contains(v.Nodes, node) || region != "" && slices.Contains(v.Regions, region) ||
		az != "" && slices.Contains(v.AZs, az)
}

// Most is the greatest number of vantages that one target can have, as far as the choice alone says; 0 for not known.
func (v *Vantages) Most() int {
	if len(v.Nodes) > 0 && len(v.AZs)+len(v.Regions) == 0 && (v.Count == 0 || v.Count > len(v.Nodes)) {
		return len(v.Nodes)
	}
	return v.Count
}

// And is the choice for a target that is probed for v and for w: who is named by one of them, the greater count of both.
func (v Vantages) And(w Vantages) Vantages {
	both := Vantages{Count: max(v.Count, w.Count)}
	if v.Count == 0 || w.Count == 0 {
		both.Count = 0
	}
	if v.Anywhere() || w.Anywhere() {
		return both
	}
	union := func(a, b []string) []string { return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b)))) }
	both.AZs, both.Regions, both.Nodes = union(v.AZs, w.AZs), union(v.Regions, w.Regions), union(v.Nodes, w.Nodes)
	return both
}

// Quorum is how many of the fresh vantages must say down: more than half (the zero value), N, or N percent. N counts against the
// vantages that can be heard: while fewer than N are, all of those have to say so.
type Quorum struct {
	N       int
	Percent bool
}

// Need is the least number of vantages out of fresh that make a target down; at least 1.
func (q Quorum) Need(fresh int) int {
	switch {
	case q.N == 0:
		return fresh/2 + 1
	case q.Percent:
		return fresh*q.N/100 + 1
	default:
		return max(1, min(q.N, fresh))
	}
}

// Flap holds an endpoint out that changed more than Transitions times in Window, for Hold.
type Flap struct {
	Transitions  int
	Window, Hold time.Duration
}

// HTTPCheck is set for http and https.
type HTTPCheck struct {
	Method string
	// Path starts with "/".
	Path string
	// Host is the Host header and the SNI; empty means the address.
	Host    string
	Headers []Header
	// HTTP2 offers nothing but h2 (RFC 9113): a server without it fails the check. Only for https.
	HTTP2 bool
	// Status holds the accepted ranges; never empty.
	Status []StatusRange
	// Body must occur in the first MaxBody octets of the response; empty means any.
	Body string
}

// A Header is one request header.
type Header struct{ Name, Value string }

// A StatusRange is First..Last, both included, 100..599.
type StatusRange struct{ First, Last int }

// TCPCheck is set for tcp, and for tls when it sends or expects something.
type TCPCheck struct {
	// Send is written after the connect; Read must then occur in what arrives.
	Send, Read string
}

// TLSCheck is set for https and tls, and for grpc over TLS.
type TLSCheck struct {
	// ServerName is the SNI and the name to verify; empty means the address.
	ServerName string
	// CA, ClientCert and ClientKey are PEM file contents; nil means system roots, no client certificate.
	CA, ClientCert, ClientKey []byte
	// WarnBefore is how long before the certificate's end the probe warns; expired is a failure.
	WarnBefore time.Duration
}

// GRPCCheck asks grpc.health.v1 about Service.
type GRPCCheck struct{ Service string }

// DNSCheck asks for Name and QType.
type DNSCheck struct {
	Name  string
	QType uint16
	// RCode is the wanted RCODE; Answer, when not empty, must be among the RDATA in presentation format.
	RCode  int
	Answer string
	// Answered wants at least one record of QType in the answer, whatever its RDATA.
	Answered bool `json:",omitempty"`
	TCP      bool
}

// ExecCheck runs Command without a shell; "{address}" and "{port}" are replaced in each argument.
type ExecCheck struct{ Command []string }

// PushCheck waits for reports, each good for Lease.
type PushCheck struct {
	Lease time.Duration
	// OnExpiry says what becomes of a target that has reported and whose last lease has run out.
	OnExpiry SilencePolicy
}

// SilencePolicy says what is believed of what nothing is heard of any more.
type SilencePolicy uint8

// The policies.
const (
	// SilenceKeep goes on with the last verdict, marked stale.
	SilenceKeep SilencePolicy = iota
	// SilenceDown takes the silence for a failure.
	SilenceDown
)

// CompositeOp combines the verdicts of other checks.
type CompositeOp uint8

// The operations, in three-valued logic.
const (
	OpAll CompositeOp = iota
	OpAny
	OpNot
	OpAtLeast
)

// Composite combines checks; Of index Zone.Checks and form no cycle.
type Composite struct {
	Op CompositeOp
	// N is for OpAtLeast.
	N  int
	Of []int
}
