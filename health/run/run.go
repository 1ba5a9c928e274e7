package run

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// maxSteps bounds what is believed of the steps of a run.
const maxSteps = 2 * config.MaxPlanSteps

// A Run is one carrying-out of a plan. All but the entries is written once, as it starts.
type Run struct {
	// ID is run-PLAN-RANDOM: the orders of the run have it in the place of a node's name.
	ID   string `json:"id"`
	Plan string `json:"plan"`
	// File is where the plan was read, Text what it said then: it is carried out as it was.
	File string `json:"file"`
	Text string `json:"text"`
	// Variant is graceful or ungraceful. Practice is set for one that is undone at its end, Auto for one that began by itself.
	Variant  string `json:"variant"`
	Practice bool   `json:"practice,omitempty"`
	Auto     bool   `json:"auto,omitempty"`
	// Actor and Reason are those of the start, Node took it.
	Actor     string    `json:"actor"`
	Reason    string    `json:"reason"`
	Node      string    `json:"node"`
	StartedAt time.Time `json:"started_at"`
	// Entries are sorted by their time, as it is told.
	Entries []Entry `json:"entries"`
}

// New is a run of a plan that begins at now on a node.
func New(p *config.Plan, node string, now time.Time) *Run {
	var random [4]byte
	// rand.Read does not fail.
	_, _ = rand.Read(random[:])
	now = now.UTC().Round(0)
	r := &Run{ID: "run-" + p.Name + "-" + hex.EncodeToString(random[:]), Plan: p.Name, File: p.File, Text: string(p.Text), Variant: config.PlanGraceful, Node: node, StartedAt: now}
	r.Entries = []Entry{{Kind: Owned, Node: node, Epoch: 1, At: now}}
	return r
}

var idText = regexp.MustCompile(`^run-[a-z0-9-]{1,60}-[0-9a-f]{8}$`)

func (r *Run) validate() error {
	switch {
	case !idText.MatchString(r.ID):
		return fmt.Errorf("run %.80q: no such id", r.ID)
	case len(r.Text) > config.MaxPlanBytes || len(r.Entries) > maxEntries:
		return fmt.Errorf("run %s: too large", r.ID)
	case r.Variant != config.PlanGraceful && r.Variant != config.PlanUngraceful:
		return fmt.Errorf("run %s: variant %.20q", r.ID, r.Variant)
	case len(r.Plan)+len(r.File)+len(r.Node) > 3*maxText:
		return fmt.Errorf("run %s: too large", r.ID)
	}
	if err := health.ValidateWords(r.Actor, r.Reason); err != nil {
		return fmt.Errorf("run %s: %w", r.ID, err)
	}
	for i := range r.Entries {
		if err := r.Entries[i].validate(); err != nil {
			return fmt.Errorf("run %s: %w", r.ID, err)
		}
	}
	return nil
}

// Parse is the plan that the run carries out.
func (r *Run) Parse() (*config.Plan, error) {
	p, problems := config.ParsePlan(r.File, []byte(r.Text), nil)
	return p, problems.Err()
}

// merge is what either of the two has. Neither is changed.
func (r *Run) merge(o *Run) *Run {
	out := *r
	if strings.Compare(o.header(), r.header()) < 0 {
		out = *o
	}
	byKey := make(map[string]Entry, len(r.Entries)+len(o.Entries))
	for _, e := range slices.Concat(r.Entries, o.Entries) {
		if was, ok := byKey[e.Key()]; !ok || e.compare(&was) < 0 {
			byKey[e.Key()] = e
		}
	}
	out.Entries = make([]Entry, 0, len(byKey))
	for _, e := range byKey {
		out.Entries = append(out.Entries, e)
	}
	slices.SortFunc(out.Entries, func(a, b Entry) int { return a.compare(&b) })
	return &out
}

// header is what is written once; two copies differ in it only if somebody made it up.
func (r *Run) header() string {
	return fmt.Sprintf("%q %q %q %q %q %t %t %q %q %q %s", r.ID, r.Plan, r.File, r.Text, r.Variant, r.Practice, r.Auto, r.Actor, r.Reason, r.Node, r.StartedAt.UTC())
}

// Over tells whether the run has ended: one that was aborted, also after all its steps were done, has once it is undone.
func (r *Run) Over() bool {
	aborted := slices.ContainsFunc(r.Entries, func(e Entry) bool { return e.Kind == Aborted })
	return slices.ContainsFunc(r.Entries, func(e Entry) bool { return e.Kind == Ended && (e.Sub == endUndone) == aborted })
}

// The numbers of the entries that end a run: with all steps done, and undone.
const (
	endDone   = 0
	endUndone = 1
)

// OrderID is the id of an order of the run: nobody else gives it, and whoever carries the run on gives the same.
func (r *Run) OrderID(step, attempt, sub int) health.IntentID {
	return health.IntentID{Node: r.ID, Incarnation: uint64(step + 1), Counter: uint64(attempt*ordersPerAttempt + sub)}
}

// ordersPerAttempt is how many orders an attempt at a step can have: a shift in steps of 1 % has 200.
const ordersPerAttempt = 1000

// HookKey is the idempotency key with which the hook of a step, or its undo, is called.
func (r *Run) HookKey(p *config.Plan, step, attempt int, undo bool) string {
	key := fmt.Sprintf("%s/%s/%d", r.ID, p.Steps[step].Name, attempt)
	if undo {
		key += "/undo"
	}
	return key
}
