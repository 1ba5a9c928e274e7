package api

import "time"

// HistoryPath answers GET with a History: ?series=PREFIX, and ?hours=N back, 24 at most.
const HistoryPath = Base + "/history"

// What the names of series begin with. Behind HistoryState and HistoryLatency stands ZONE/POOL/ENDPOINT, behind the other two SERVICE/AZ.
const (
	// HistoryState is 0 unknown, 1 up, 2 suspect, 3 down, 4 drained; HistoryLatency is in seconds, by this node's probes, once a minute.
	HistoryState   = "state/"
	HistoryLatency = "latency/"
	// HistoryPlanned is the part of the answers that is planned to lead to an AZ, HistoryCounted that of those that this node gave in the
	// last minute, 0..1.
	HistoryPlanned = "planned/"
	HistoryCounted = "counted/"
)

// A History is what a node kept of the last day.
type History struct {
	Node   string          `json:"node"`
	At     time.Time       `json:"at"`
	Since  time.Time       `json:"since"`
	Series []HistorySeries `json:"series"`
}

// A HistorySeries holds a point for each change.
type HistorySeries struct {
	Name   string         `json:"name"`
	Points []HistoryPoint `json:"points"`
}

// A HistoryPoint is a value from an instant on; null where nothing is known from then on.
type HistoryPoint struct {
	At    time.Time `json:"at"`
	Value *float64  `json:"value"`
}
