package api

import "time"

// ProbePath answers POST with a ProbeRequest by probing at once, from this node, whatever the schedule says; the verdict
// does not move. ReportPath answers POST with a ReportRequest for a check of type push.
const (
	ProbePath  = Base + "/probe"
	ReportPath = Base + "/report"
)

// A ProbeRequest names an endpoint as zone/pool/endpoint.
type ProbeRequest struct {
	Endpoint string `json:"endpoint"`
}

// A ProbeReply is what each check behind the endpoint saw, composites taken apart.
type ProbeReply struct {
	Node     string        `json:"node"`
	Endpoint string        `json:"endpoint"`
	Results  []ProbeResult `json:"results"`
}

// A ProbeResult is one probe. A phase that was not reached takes 0 seconds.
type ProbeResult struct {
	Check   string `json:"check"`
	Type    string `json:"type"`
	Address string `json:"address"`
	OK      bool   `json:"ok"`
	// Kind is the kind of the failure in one word, Reason the whole of it in words.
	Kind    string `json:"kind,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Warning string `json:"warning,omitempty"`
	// Lag is what a check of type lag has read, and Unit its unit.
	Lag  *float64 `json:"lag,omitempty"`
	Unit string   `json:"unit,omitempty"`

	ConnectSeconds   float64 `json:"connect_seconds"`
	TLSSeconds       float64 `json:"tls_seconds"`
	FirstByteSeconds float64 `json:"first_byte_seconds"`
	TotalSeconds     float64 `json:"total_seconds"`

	CertificateExpires *time.Time `json:"certificate_expires,omitempty"`
	// Sent and Received are the exchange above TLS, the first 4,096 octets of each.
	Sent     []byte `json:"sent,omitempty"`
	Received []byte `json:"received,omitempty"`
}

// A ReportRequest is what an endpoint, or a monitor for it, says of the endpoint. It is good for a lease.
type ReportRequest struct {
	// Endpoint is zone/pool/endpoint. Check may name one of the checks of type push behind it; empty means all.
	Endpoint string `json:"endpoint"`
	Check    string `json:"check,omitempty"`
	// State is up or down.
	State string `json:"state" enum:"up|down"`
	// Weight is how many percent of its configured weight the endpoint wants, 0..100; absent means all.
	Weight *int `json:"weight,omitempty"`
	// Lag is how far it is behind, in the unit of a check of type lag that waits for reports.
	Lag *float64 `json:"lag,omitempty"`
	// LeaseSeconds is for how long the report is good, at most the check's lease; 0 means that.
	LeaseSeconds float64 `json:"lease_seconds,omitempty"`
	Reason       string  `json:"reason,omitempty"`
}
