package api

import (
	"encoding/json"
	"time"
)

// AuditPath answers GET with an Audit: the entries after the sequence number `after`, or the latest without it, `limit` of
// them at most.
const AuditPath = Base + "/audit"

// MaxAudit bounds `limit`: an entry has up to 8,192 octets.
const MaxAudit = 1000

// An Audit is a part of this node's record of what operators asked for, oldest first.
type Audit struct {
	Entries []AuditEntry `json:"entries"`
	// Broken is set when a line behind the entries is not what was written.
	Broken string `json:"broken,omitempty"`
}

// An AuditEntry is one thing that an operator asked for, and what came of it.
type AuditEntry struct {
	Seq  uint64    `json:"seq"`
	At   time.Time `json:"at"`
	Node string    `json:"node"`
	// Actor is who says they ask, From is where the connection came from.
	Actor  string `json:"actor"`
	From   string `json:"from"`
	Action string `json:"action"`
	Object string `json:"object"`
	Reason string `json:"reason"`
	// Outcome is ok, "refused: RULE" or "failed: WHY".
	Outcome string          `json:"outcome"`
	Before  json.RawMessage `json:"before,omitempty"`
	After   json.RawMessage `json:"after,omitempty"`
	// Asked is the request, of what was refused or went wrong.
	Asked json.RawMessage `json:"asked,omitempty"`
	// Prev is the hash of the entry before, Hash that of this one.
	Prev string `json:"prev"`
	Hash string `json:"hash,omitempty"`
}
