// Package api holds the types that the admin HTTP API speaks, for the server and for its clients. It holds values only.
//
// All paths begin with Base. Bodies are JSON; an error is a Problem (RFC 9457). Times are RFC 3339, durations are seconds.
package api

// Base is the prefix of all paths.
const Base = "/api/v1"

// ProblemType is the media type of a Problem.
const ProblemType = "application/problem+json"

// A Problem is an error (RFC 9457).
type Problem struct {
	Type   string `json:"type,omitempty"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Rule is the safety rule that refuses, Service the service for which it does.
	Rule    string `json:"rule,omitempty"`
	Service string `json:"service,omitempty"`
}

// Error is the title and the detail.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Title + ": " + p.Detail
}
