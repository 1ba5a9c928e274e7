package api

import "net/url"

// IncidentsPath answers GET with the Incidents that this node keeps; see package health/ledger for one of them.
const IncidentsPath = Base + "/incidents"

// IncidentPath is one incident, as JSON. With MarkdownSuffix it is a report, with CertificateSuffix a signed certificate, once its
// bound is known.
func IncidentPath(id string) string { return IncidentsPath + "/" + url.PathEscape(id) }

// What may follow an IncidentPath.
const (
	MarkdownSuffix    = "/report.md"
	CertificateSuffix = "/certificate"
)

// A LateHitsRequest tells of requests that reached the endpoints of an incident after they had left the answers, as somebody
// counted them since then.
type LateHitsRequest struct {
	Actor string `json:"actor,omitempty"`
	// Hits are how many came, by when they came, in seconds after the endpoints left.
	Hits []LateHit `json:"hits"`
	// Source says who counted.
	Source string `json:"source"`
}

// A LateHit is a number of requests that came at the same second.
type LateHit struct {
	AfterSeconds float64 `json:"after_seconds"`
	Count        uint64  `json:"count"`
}
