package probe

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Kind is the type of a failure.
type Kind uint8

// The kinds. None is success.
const (
	None Kind = iota
	Refused
	Unreachable
	// NoAddress means that a named target could not be resolved.
	NoAddress
	ConnectTimeout
	TLSTimeout
	FirstByteTimeout
	// HeaderTimeout is an answer that began and did not get past its header.
	HeaderTimeout
	BodyTimeout
	Status
	// Redirect is a status 3xx that the check does not expect: redirects are not followed.
	Redirect
	BodyMismatch
	CertificateExpired
	CertificateNotYetValid
	UnknownAuthority
	WrongName
	// TLSError is any other failure of TLS.
	TLSError
	// Closed means that the peer closed or reset the connection too early.
	Closed
	Protocol
	// Forbidden is an address that the fence refuses (fence.go).
	Forbidden
	// NoAnswer means that nothing came in time, where there are no phases: dns, icmp, exec.
	NoAnswer
	// RCode is a DNS answer with another RCODE; NoRecord is one without the wanted record.
	RCode
	NoRecord
	// NotServing is the health service of a gRPC server saying so; GRPCStatus is a call that failed.
	NotServing
	GRPCStatus
	// Exit is a program that ended with another status than 0, or by a signal.
	Exit
	// Reported is an endpoint that said down of itself.
	Reported
	// NoNumber is a lag that could not be read.
	NoNumber
	// Fleet is what another fleet says of a service, or that it says nothing.
	Fleet
	// Resource means that this node lacks what a probe needs; it says nothing about the target.
	Resource
	// Panic is a fault of ours, recovered.
	Panic
	// Unsupported means that this program cannot carry out the check.
	Unsupported
	kinds
)

var kindLabels = [kinds]string{
	None: "ok", Refused: "refused", Unreachable: "unreachable", NoAddress: "no_address", ConnectTimeout: "connect_timeout",
	TLSTimeout: "tls_timeout", FirstByteTimeout: "first_byte_timeout", HeaderTimeout: "header_timeout",
	BodyTimeout: "body_timeout", Status: "status", Redirect: "redirect", BodyMismatch: "body",
	CertificateExpired: "certificate_expired", CertificateNotYetValid: "certificate_not_yet_valid",
	UnknownAuthority: "unknown_authority", WrongName: "wrong_name", TLSError: "tls", Closed: "closed",
	Protocol: "protocol", Forbidden: "forbidden", NoAnswer: "no_answer", RCode: "rcode", NoRecord: "no_record",
	NotServing: "not_serving", GRPCStatus: "grpc_status", Exit: "exit", Reported: "reported", NoNumber: "no_number", Fleet: "fleet", Resource: "resource", Panic: "panic", Unsupported: "unsupported",
}

// String is the word for the kind, as in metrics and JSON.
func (k Kind) String() string {
	if k < kinds {
		return kindLabels[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// MarshalText is String.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Evidence tells whether the kind says anything about the target, rather than about this node.
func (k Kind) Evidence() bool { return k != Resource && k != Unsupported }

// A Reason is why a probe failed. The text is made for people; the same fault has the same text every time.
type Reason struct {
	Kind Kind
	Text string
}

// String is the text.
func (r Reason) String() string { return r.Text }

// maxReason is the length of the longest text in octets: peers have a say in it.
const maxReason = 200

// because makes a Reason with a bounded text of valid UTF-8 on one line.
func because(kind Kind, format string, args ...any) Reason {
	text := strings.ToValidUTF8(fmt.Sprintf(format, args...), "?")
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' ' // also what would command a terminal or turn the line around
	}, text)
	return Reason{Kind: kind, Text: clip(text, maxReason)}
}

// clip shortens s to n octets and says so.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n -= len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
