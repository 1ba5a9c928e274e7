package config

import "time"

const (
	// MaxPlanBytes is the greatest size of a plan file: every run of it carries its text, to all nodes.
	MaxPlanBytes = 16 << 10
	// MaxPlanSteps bounds the steps of a plan.
	MaxPlanSteps = 50
	// maxPlanName leaves room for what makes the name of a run.
	maxPlanName = 40
	// maxPlanText bounds what a plan and its steps say of themselves, in octets.
	maxPlanText = 200
)

// The defaults of a plan file.
const (
	defaultStepTimeout     = 10 * time.Minute
	defaultPlanHookTimeout = 30 * time.Second
	defaultApproveTimeout  = 24 * time.Hour
	defaultShiftTimeout    = 2 * time.Hour
	defaultShiftEvery      = 30 * time.Second
	defaultShiftStep       = 20
	defaultPracticeHold    = 30 * time.Minute
	defaultPracticeWindow  = 2 * time.Hour
	maxStepTimeout         = 7 * 24 * time.Hour
)

// A Plan is a plan file: what is to be done, step by step, when a site is left or taken up. It is frozen like a Zone.
type Plan struct {
	// Name is the plan's, Says what it is for.
	Name, Says string
	// Zone is the FQDN of the zone in which names without one are looked for; empty for none.
	Zone string
	// Undo is set where a step that fails has the run undone; else the run stops and waits for a person.
	Undo bool
	// Practice is when the plan is practised by itself; nil for never.
	Practice *PlanPractice
	Steps    []PlanStep
	// File is where it was read, Text its content, which a run carries to nodes that do not have the file.
	File string
	Text []byte
	// Hash tells contents apart.
	Hash Hash
}

// A PlanPractice is a weekly window in which a plan is practised, in UTC.
type PlanPractice struct {
	Day time.Weekday
	// At is since midnight. A practice begins within Window, once nothing speaks against it, and Hold is how long what it did stays.
	At, Window, Hold time.Duration
}

// A StepKind is what a step of a plan does; its text is the key that says so.
type StepKind string

// The kinds of steps.
const (
	StepHook    StepKind = "hook"
	StepWait    StepKind = "wait"
	StepReady   StepKind = "ready"
	StepUnready StepKind = "unready"
	StepDrain   StepKind = "drain"
	StepShift   StepKind = "shift"
	StepFreeze  StepKind = "freeze"
	StepVerify  StepKind = "verify"
	StepApprove StepKind = "approve"
)

// stepKinds are all kinds, in the order of the documentation.
var stepKinds = []StepKind{StepHook, StepWait, StepReady, StepUnready, StepDrain, StepShift, StepFreeze, StepVerify, StepApprove}

// Acts tells whether a step of the kind changes what is answered, or something outside.
func (k StepKind) Acts() bool { return k != StepWait && k != StepVerify && k != StepApprove }

// The variants of a run.
const (
	PlanGraceful   = "graceful"
	PlanUngraceful = "ungraceful"
)

// A PlanStep is one step.
type PlanStep struct {
	// Name is unique in the plan; without one in the file it is the kind and the place.
	Name string
	Kind StepKind
	Says string
	// Only is the variant to which the step belongs; empty for both.
	Only string
	// Practised is set where the step is carried out in practice runs too.
	Practised bool
	// Timeout is how long the step may take before it has failed.
	Timeout time.Duration

	Hook    *PlanHook
	Wait    *PlanCondition
	Verify  *PlanCondition
	Pool    PlanPool // of ready and unready
	Drain   *PlanDrain
	Shift   *PlanShift
	Freeze  bool
	Approve *PlanApproval
	// Line is where it stands in the file.
	Line int
}

// A PlanPool names a pool: the zone is an FQDN.
type PlanPool struct{ Zone, Pool string }

// String is ZONE/POOL as orders have it.
func (p PlanPool) String() string {
	if p.Pool == "" {
		return ""
	}
	return trimDot(p.Zone) + "/" + p.Pool
}

// A PlanHook tells somebody outside, who acts. Either URL or Run is set.
type PlanHook struct {
	// URL gets a POST; Secret is the path of the file whose content signs it, empty for unsigned.
	URL, Secret string
	// Run is a program and its arguments.
	Run []string
	// Idempotent is set where whoever gets one key twice acts once: then what may have got through is sent again.
	Idempotent bool
	// Undo is told when the run is undone; nil for nobody. It has no Undo of its own.
	Undo *PlanHook
}

// A PlanCondition is what a wait or a verify step asks for; all that is set must hold.
type PlanCondition struct {
	// For is a time to pass; of waits alone.
	For time.Duration
	// Up has at least Least percent of its endpoints in service, Down none.
	Up, Down PlanPool
	Least    int
	// Check is a check of Zone whose endpoints are all up.
	Check, Zone string
	// Lag has data that is behind its source by RPO at most; nothing is asked where RPO.Max is 0.
	Lag PlanPool
	RPO RPO
	// Bound is how long after their order caches may hold what the run took out, by what the nodes know; 0 asks nothing. Forgotten asks that
	// every node has said that no honest cache holds it.
	Bound     time.Duration
	Forgotten bool
}

// A PlanDrain takes something out of the answers until the run is undone, or a person ends it.
type PlanDrain struct {
	// Kind is endpoint, pool, az or region, Name as orders have it.
	Kind, Name string
	// Service is the FQDN of the one service; empty for all.
	Service  string
	Override []string
}

// A PlanShift moves the share of one pool to another one, Step percent at a time, each at least Every after the one before, while the
// receiver is well.
type PlanShift struct {
	From, To PlanPool
	Service  string
	Step     int
	Every    time.Duration
	// Check is one of the zone of To that must be up too; empty for none.
	Check string
}

// A PlanApproval waits for a person.
type PlanApproval struct {
	// Role is operator or admin, Person the one who may; empty for anybody of the role. Other is set where whoever started the run may not.
	Role, Person string
	Other        bool
}
