package health

import "fmt"

// A State is what is believed about a target or an endpoint. The zero State is Unknown.
type State uint8

// The states, with the same name, shape and colour in every output (docs/design.md section 1).
const (
	// Unknown means no evidence; see Verdict.Stale for what is done about it.
	Unknown State = iota
	Up
	// Suspect is up, with a failure that could lead to down.
	Suspect
	Down
	// Drained is an operator's intent. It overlays the verdict and never replaces it: both are shown.
	Drained
)

var stateNames = [...]string{Unknown: "unknown", Up: "up", Suspect: "suspect", Down: "down", Drained: "drained"}

var stateShapes = [...]string{Unknown: "○", Up: "●", Suspect: "▲", Down: "■", Drained: "⏸"}

// States lists all states in a fixed order, for metrics and legends.
func States() []State { return []State{Up, Suspect, Down, Drained, Unknown} }

// String is the word for the state, as in JSON and metrics.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// Shape is the sign for the state: no state is told by its colour alone.
func (s State) Shape() string {
	if int(s) < len(stateShapes) {
		return stateShapes[s]
	}
	return "?"
}

// MarshalText is String.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (s *State) UnmarshalText(b []byte) error {
	for i, n := range stateNames {
		if n == string(b) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("state %q: want up, suspect, down, drained or unknown", b)
}

// Settled leaves out what is about single failures, whose count is not kept.
func (s State) Settled() State {
	if s == Suspect {
		return Up
	}
	return s
}
