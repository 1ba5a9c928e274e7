package api

import "time"

// FreezePath answers POST with a FreezeRequest: no verdict moves by itself any more. UnfreezePath lets verdicts move again.
// Both answer with the Freeze that is then in force.
const (
	FreezePath   = Base + "/freeze"
	UnfreezePath = Base + "/unfreeze"
)

// MaxText bounds the reason of a report, in octets.
const MaxText = 1000

// A FreezeRequest says who asks and why. The reason is required to freeze.
type FreezeRequest struct {
	Actor  string `json:"actor,omitempty"`
	Reason string `json:"reason,omitempty"`
	// DryRun asks for the Freeze that there would be: nothing changes.
	DryRun bool `json:"dry_run,omitempty"`
}

// A Freeze is an order that is in force; it outlives restarts.
type Freeze struct {
	Frozen bool      `json:"frozen"`
	Actor  string    `json:"actor,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since"`
	// Otherwise, in the status and in the reply to a dry run, are the endpoints whose latest probes by this node say another thing than their verdicts: what a
	// freeze keeps, and what may move once it ends.
	Otherwise []string `json:"otherwise,omitempty"`
}
