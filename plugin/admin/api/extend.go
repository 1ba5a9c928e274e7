package api

// An ExtendRequest moves the end of an intent to a later time. An earlier one is refused: end it, and make a new one. It goes to
// IntentPath as a PATCH; the reply is the Intent, 200 when another node, or with Wait every one, has that on disk, else 202.
type ExtendRequest struct {
	Actor  string `json:"actor"`
	Reason string `json:"reason,omitempty"`
	// ForSeconds is how long it is in force from now on; Forever takes the end away. One of the two is required.
	ForSeconds float64 `json:"for_seconds,omitempty"`
	Forever    bool    `json:"forever,omitempty"`
	// Wait is IntentRequest.Wait.
	Wait bool `json:"wait,omitempty"`
	// DryRun asks for the Intent with the end that it would have, or for the refusal: nothing changes.
	DryRun bool `json:"dry_run,omitempty"`
}

// ResumePath is where POST with a ResumeRequest puts an intent in force that a safety rule suspends. The reply is as to a POST
// of an intent: a new one takes the place of the one that was suspended.
func ResumePath(id string) string { return IntentPath(id) + "/resume" }

// A ResumeRequest says who resumes an intent, and why. The rule that suspends it is overridden; Override names others that
// would hold it back.
type ResumeRequest struct {
	Actor    string   `json:"actor"`
	Reason   string   `json:"reason"`
	Override []string `json:"override,omitempty"`
	// Wait is IntentRequest.Wait.
	Wait bool `json:"wait,omitempty"`
	// DryRun asks for a Preview instead: nothing changes.
	DryRun bool `json:"dry_run,omitempty"`
}
