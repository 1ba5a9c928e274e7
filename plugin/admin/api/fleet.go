package api

// A Fleet is a service of another Fairlead cluster, as a check of type fleet sees it.
type Fleet struct {
	// Zone, Pool and Endpoint are what leads there, and Check is the check.
	Zone     string `json:"zone"`
	Pool     string `json:"pool"`
	Endpoint string `json:"endpoint"`
	Check    string `json:"check"`
	// Service is the name there, State as that of the endpoint, Reason why it is down.
	Service string `json:"service"`
	State   string `json:"state" enum:"unknown|up|suspect|down|drained"`
	Reason  string `json:"reason,omitempty"`
	// BoundSeconds is the greatest bound that is accepted of the service there, and a part of the bounds here.
	BoundSeconds float64 `json:"bound_seconds"`
}
