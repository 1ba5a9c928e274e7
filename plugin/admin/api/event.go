package api

import "time"

// EventsPath answers GET with Events: those after ?after=SEQ, oldest first, or the latest ones; ?limit, ?type (again and again, with
// a * at the end for a beginning) and ?subject (a part of it) choose. With "Accept: text/event-stream" it streams them, from
// Last-Event-ID or ?after on.
const EventsPath = Base + "/events"

// MaxEvents bounds ?limit.
const MaxEvents = 1000

// Events are a part of a node's record of what happened.
type Events struct {
	Events []Event `json:"events"`
	// Next is what ?after is to be the next time.
	Next uint64 `json:"next"`
	// Missed is set when some behind ?after are not kept any more.
	Missed bool `json:"missed,omitempty"`
}

// An Event is one thing that happened. Numbers grow, also over restarts, and have gaps.
type Event struct {
	Seq     uint64         `json:"seq"`
	At      time.Time      `json:"at"`
	Node    string         `json:"node"`
	Type    string         `json:"type"`
	Subject string         `json:"subject"`
	Text    string         `json:"text"`
	Data    map[string]any `json:"data,omitempty"`
}

// HooksPath answers GET with Hooks; HooksPath/NAME/dead with the DeadLetters, and POST of an EndRequest to HooksPath/NAME/redeliver
// has them delivered again.
const HooksPath = Base + "/hooks"

// Hooks are the webhooks of this node.
type Hooks struct {
	// Sends is unset while another node of the cluster delivers.
	Sends bool   `json:"sends"`
	Hooks []Hook `json:"hooks"`
}

// A Hook is one webhook.
type Hook struct {
	Name string   `json:"name"`
	URL  string   `json:"url"`
	Type []string `json:"types"`
	// Waiting is how many events wait for their delivery, Dead how many letters are dead.
	Waiting     int        `json:"waiting"`
	Dead        int        `json:"dead"`
	Delivered   uint64     `json:"delivered"`
	LastSuccess *time.Time `json:"last_success,omitempty"`
	LastError   string     `json:"last_error,omitempty"`
}

// DeadLetters are events that could not be delivered.
type DeadLetters struct {
	Letters []DeadLetter `json:"letters"`
}

// A DeadLetter is one of them.
type DeadLetter struct {
	At    time.Time `json:"at"`
	Why   string    `json:"why"`
	Event Event     `json:"event"`
}
