package api

import (
	"net/url"
	"time"
)

// PlansPath answers GET with the Plans of this node, RunsPath with the Runs of all nodes. PlanPath answers GET with one Plan, and PlanStartPath
// POST of a PlanStartRequest with the Run that began.
const (
	PlansPath = Base + "/plans"
	RunsPath  = Base + "/runs"
)

// PlanPath is the path of one plan.
func PlanPath(name string) string { return PlansPath + "/" + url.PathEscape(name) }

// PlanStartPath is where a run of the plan begins.
func PlanStartPath(name string) string { return PlanPath(name) + "/start" }

// RunPath is the path of one run. Below it approve, pause, resume and abort answer POST of a RunRequest, and evidence GET.
func RunPath(id string) string { return RunsPath + "/" + url.PathEscape(id) }

// Plans are the plans of a node, by name.
type Plans struct {
	// Node is the node's name.
	Node string `json:"node"`
	// Plans are sorted by name.
	Plans []Plan `json:"plans"`
	// Problems are what is wrong with plan files, one text for each.
	Problems []string `json:"problems,omitempty"`
}

// A Plan is what is to be done, step by step, when a site is left.
type Plan struct {
	Name string `json:"name"`
	// Says is what it is for.
	Says string `json:"says,omitempty"`
	// File is where it stands, Hash tells contents apart.
	File string `json:"file"`
	Hash string `json:"hash"`
	// OnFailure is stop or undo.
	OnFailure string `json:"on_failure" enum:"stop|undo"`
	// Steps are in their order.
	Steps []PlanStep `json:"steps"`
	// Practice is when it is practised by itself; absent for never.
	Practice *PlanPractice `json:"practice,omitempty"`
	// Foresight is what a graceful run would come to, looked at every 30 minutes and when something has changed.
	Foresight *PlanForesight `json:"foresight,omitempty"`
	// Run is the run that has not ended; empty for none.
	Run string `json:"run,omitempty"`
}

// A PlanBrief is a plan that wants somebody to look.
type PlanBrief struct {
	Name string `json:"name"`
	// Text says where a run would stop, StopsAt at which step, counted from 1; 0 for nowhere.
	Text    string `json:"text"`
	StopsAt int    `json:"stops_at"`
	// Run is the run that has not ended, RunStatus how it is.
	Run string `json:"run,omitempty"`
	// RunStatus is the status of the run.
	RunStatus string `json:"run_status,omitempty"`
}

// A PlanStep is one step of a plan.
type PlanStep struct {
	Name string `json:"name"`
	Kind string `json:"kind" enum:"hook|wait|ready|unready|drain|shift|freeze|verify|approve"`
	// Does says in words what it does, Says what it is for.
	Does string `json:"does"`
	Says string `json:"says,omitempty"`
	// Only is the variant to which it belongs; absent for both.
	Only string `json:"only,omitempty"`
	// Practised is set where practice runs carry it out.
	Practised bool `json:"practised"`
	// TimeoutSeconds is how long it may take before it has failed.
	TimeoutSeconds float64 `json:"timeout_seconds"`
}

// A PlanPractice is a weekly window of practice.
type PlanPractice struct {
	// Day is a day of the week and At a time of day, as in 09:30, both in UTC.
	Day string `json:"day"`
	At  string `json:"at"`
	// WindowSeconds is how long the window is.
	WindowSeconds float64 `json:"window_seconds"`
	// HoldSeconds is how long what a practice did stays.
	HoldSeconds float64 `json:"hold_seconds"`
	// OpensAt is when the window opens that is open, or the next one.
	OpensAt time.Time `json:"opens_at"`
	// Skipped says why no practice begins, or began in the last window; empty while nothing speaks against it.
	Skipped string `json:"skipped,omitempty"`
	// Last is the latest run that began by itself.
	Last string `json:"last,omitempty"`
}

// A PlanForesight is what a run would come to if it began at an instant.
type PlanForesight struct {
	At time.Time `json:"at"`
	// Variant is that of the run.
	Variant string `json:"variant" enum:"graceful|ungraceful"`
	// Practice is set for a practice run.
	Practice bool `json:"practice"`
	// StopsAt is the step at which it would stop, counted from 1; 0 for nowhere. Why says why.
	StopsAt int    `json:"stops_at"`
	Why     string `json:"why,omitempty"`
	Text    string `json:"text"`
	// Steps are what each step would come to.
	Steps []PlanProspect `json:"steps"`
}

// A PlanProspect is what one step would come to.
type PlanProspect struct {
	// Step is its name.
	Step string `json:"step"`
	// Skip says why it would be left out, Stop why the run would stop, Note what it would wait for.
	Skip string `json:"skip,omitempty"`
	Stop string `json:"stop,omitempty"`
	Note string `json:"note,omitempty"`
}

// A PlanStartRequest begins a run.
type PlanStartRequest struct {
	// Variant is graceful, the default, or ungraceful.
	Variant string `json:"variant,omitempty"`
	// Practice leaves out what is not practised, holds, and undoes it.
	Practice bool   `json:"practice,omitempty"`
	Actor    string `json:"actor,omitempty"`
	Reason   string `json:"reason"`
	// DryRun asks for the PlanForesight instead: nothing begins.
	DryRun bool `json:"dry_run,omitempty"`
}

// Runs are the runs that are kept, the latest first.
type Runs struct {
	// Runs have not ended, or have lately.
	Runs []Run `json:"runs"`
}

// A Run is one carrying-out of a plan.
type Run struct {
	ID string `json:"id"`
	// Plan is the name of the plan.
	Plan string `json:"plan"`
	// Variant is graceful, or ungraceful for a site that is gone already.
	Variant string `json:"variant" enum:"graceful|ungraceful"`
	// Practice is set for one that is undone at its end, Auto for one that began by itself.
	Practice bool   `json:"practice,omitempty"`
	Auto     bool   `json:"auto,omitempty"`
	Actor    string `json:"actor"`
	Reason   string `json:"reason"`
	// Status is running, waiting (for a person), paused, stopped (a step has failed), undoing, and at the end done, aborted or incomplete
	// (something could not be undone); broken where this version cannot read its plan.
	Status string `json:"status" enum:"running|waiting|paused|stopped|undoing|done|aborted|incomplete|broken"`
	// Why says in words where it stands, Waits what it waits for now.
	Why   string `json:"why,omitempty"`
	Waits string `json:"waits,omitempty"`
	// Owner is the node that carries it on, as the Epoch-th one.
	Owner     string     `json:"owner"`
	Epoch     int        `json:"epoch"`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	// Current is the step that is next or under way, counted from 1; one more than there are once all are done.
	Current int `json:"current"`
	// Steps are those of the plan, and what has become of each.
	Steps []RunStep `json:"steps"`
}

// A RunStep is what has become of a step.
type RunStep struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	// Status is how the step is: uncertain where it is not known whether its hook got through, left where it could not be undone.
	Status string `json:"status" enum:"pending|running|waiting|done|failed|uncertain|skipped|undone|left"`
	// Does says what it does, Text what came of it.
	Does string `json:"does"`
	Text string `json:"text,omitempty"`
	// Attempt counts from 1; 0 while none has begun.
	Attempt int `json:"attempt"`
	// BeganAt is when the present attempt began.
	BeganAt *time.Time `json:"began_at,omitempty"`
	EndedAt *time.Time `json:"ended_at,omitempty"`
	// Orders are those that it placed.
	Orders []string `json:"orders,omitempty"`
}

// A RunRequest is a person's word on a run.
type RunRequest struct {
	// Step is the step that is approved, by name.
	Step string `json:"step,omitempty"`
	// As says, of a run that is resumed after a failure, what becomes of the step: again, the default, or done, where somebody has done it.
	As     string `json:"as,omitempty" enum:"again|done"`
	Actor  string `json:"actor,omitempty"`
	Reason string `json:"reason,omitempty"`
}
