package run

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// EvidenceType is the type of the payload of signed evidence.
const EvidenceType = "application/vnd.fairlead.run+json"

// Evidence is what a run did, and how long it took: for whoever was not there.
type Evidence struct {
	// Node is the node that says so, at IssuedAt by its clock. Times of entries are by the clocks of the nodes that made them.
	Node     string    `json:"node"`
	IssuedAt time.Time `json:"issued_at"`
	Run      string    `json:"run"`
	Plan     string    `json:"plan"`
	// PlanSHA256 is that of PlanText, which was carried out.
	PlanSHA256 string    `json:"plan_sha256"`
	PlanText   string    `json:"plan_text"`
	Variant    string    `json:"variant"`
	Practice   bool      `json:"practice,omitempty"`
	Auto       bool      `json:"auto,omitempty"`
	Actor      string    `json:"actor"`
	Reason     string    `json:"reason"`
	StartedAt  time.Time `json:"started_at"`
	EndedAt    time.Time `json:"ended_at,omitzero"`
	Status     Status    `json:"status"`
	Why        string    `json:"why,omitempty"`
	// RTOSeconds is from the start until all steps were done and no honest cache held what the run took out. RPOSeconds is the greatest lag
	// that a verify step measured. BoundSeconds is how long after its order caches could hold what it took out at most. Each is absent where it
	// is not known: the text beside it says why.
	RTOSeconds   *float64       `json:"rto_seconds,omitempty"`
	RTOText      string         `json:"rto_text,omitempty"`
	RPOSeconds   *float64       `json:"rpo_seconds,omitempty"`
	RPOText      string         `json:"rpo_text,omitempty"`
	BoundSeconds *float64       `json:"bound_seconds,omitempty"`
	BoundText    string         `json:"bound_text,omitempty"`
	Steps        []EvidenceStep `json:"steps"`
	// Words are what people and nodes said: who carried the run on, who approved, paused, resumed or aborted it.
	Words []EvidenceWord `json:"words"`
}

// An EvidenceStep is what has become of a step.
type EvidenceStep struct {
	Name     string          `json:"name"`
	Kind     config.StepKind `json:"kind"`
	Does     string          `json:"does"`
	Status   Status          `json:"status"`
	Text     string          `json:"text,omitempty"`
	Attempts int             `json:"attempts"`
	Node     string          `json:"node,omitempty"`
	BeganAt  time.Time       `json:"began_at,omitzero"`
	EndedAt  time.Time       `json:"ended_at,omitzero"`
	// Seconds is from the beginning to the end of the attempt that counts.
	Seconds *float64 `json:"seconds,omitempty"`
	Orders  []string `json:"orders,omitempty"`
}

// An EvidenceWord is one entry that is of no step's own course.
type EvidenceWord struct {
	At    time.Time `json:"at"`
	Node  string    `json:"node"`
	Actor string    `json:"actor,omitempty"`
	What  string    `json:"what"`
	Text  string    `json:"text,omitempty"`
}

// DataRPO is the greatest lag that a verify step has seen, in seconds.
const DataRPO = "rpo_seconds"

// EvidenceOf is the evidence of a run as a node knows it at now.
func EvidenceOf(p *config.Plan, r *Run, w World, node string, now time.Time) *Evidence {
	st := StateOf(p, r)
	t := &turn{p, r, st, w}
	e := &Evidence{
		Node: node, IssuedAt: now.UTC().Round(0), Run: r.ID, Plan: r.Plan, PlanSHA256: hex.EncodeToString(p.Hash[:]), PlanText: r.Text, Variant: r.Variant,
		Practice: r.Practice, Auto: r.Auto, Actor: r.Actor, Reason: r.Reason, StartedAt: r.StartedAt, Status: st.Status(), Why: st.Why(p), Steps: []EvidenceStep{}, Words: []EvidenceWord{},
	}
	if st.End != nil {
		e.EndedAt = st.End.At
	}
	for i := range p.Steps {
		e.Steps = append(e.Steps, t.evidenceOf(i))
	}
	for i := range r.Entries {
		n := &r.Entries[i]
		if !slices.Contains([]Kind{Owned, Approved, Paused, Resumed, Aborted, Retried}, n.Kind) {
			continue
		}
		word := EvidenceWord{At: n.At, Node: n.Node, Actor: n.Actor, What: string(n.Kind), Text: n.Text}
		if (n.Kind == Approved || n.Kind == Retried) && n.Step < len(p.Steps) {
			word.What += " " + p.Steps[n.Step].Name
		}
		e.Words = append(e.Words, word)
	}
	t.figures(e)
	return e
}

func (t *turn) evidenceOf(i int) EvidenceStep {
	s, step := &t.st.Steps[i], &t.plan.Steps[i]
	out := EvidenceStep{Name: step.Name, Kind: step.Kind, Does: Does(step), Status: s.Status, Attempts: s.Attempt, Text: TextOf(s), Orders: OrdersOf(t.plan, t.run, t.st, i)}
	if s.Began != nil {
		out.BeganAt, out.Node = s.Began.At, s.Began.Node
	}
	if s.Ended != nil {
		out.EndedAt, out.Node = s.Ended.At, s.Ended.Node
		seconds := max(0, s.Ended.At.Sub(s.Began.At)).Seconds()
		out.Seconds = &seconds
	}
	return out
}

// TextOf says what came of a step.
func TextOf(s *StepState) string {
	var texts []string
	if s.Skip != "" {
		texts = append(texts, s.Skip)
	}
	if s.Ended != nil && s.Ended.Text != "" {
		texts = append(texts, s.Ended.Text)
	} else if s.Ended == nil && len(s.Did) > 0 {
		last := 0
		for n := range s.Did {
			last = max(last, n)
		}
		texts = append(texts, s.Did[last].Text)
	}
	if s.Undone != nil {
		texts = append(texts, strings.TrimSuffix(string(s.Undone.Kind)+": "+s.Undone.Text, ": "))
	}
	return strings.Join(texts, "; ")
}

// OrdersOf are the orders that a step placed, or found.
func OrdersOf(p *config.Plan, r *Run, st *State, i int) (ids []string) {
	s := &st.Steps[i]
	switch {
	case s.Ended == nil || s.Ended.Data[dataOrder] == "":
		return nil
	case p.Steps[i].Kind == config.StepShift:
		n := parts(p.Steps[i].Shift)
		return []string{r.OrderID(i, s.Attempt, 2*n).String(), r.OrderID(i, s.Attempt, 2*n+1).String()}
	}
	return []string{s.Ended.Data[dataOrder]}
}

// figures reckons what a run is measured by.
func (t *turn) figures(e *Evidence) {
	last := time.Time{}
	for i := range t.st.Steps {
		if s := &t.st.Steps[i]; s.Ended != nil && s.Ended.At.After(last) {
			last = s.Ended.At
		}
		if s := &t.st.Steps[i]; s.Ended != nil && s.Ended.Data[DataRPO] != "" {
			if lag, err := strconv.ParseFloat(s.Ended.Data[DataRPO], 64); err == nil && (e.RPOSeconds == nil || lag > *e.RPOSeconds) {
				e.RPOSeconds = &lag
			}
		}
	}
	for i := range t.st.Steps {
		if s := &t.st.Steps[i]; e.RPOSeconds == nil && s.Ended != nil && s.Ended.Data[dataLag] != "" {
			e.RPOText = s.Ended.Data[dataLag]
		}
	}
	if e.RPOSeconds == nil && e.RPOText == "" {
		e.RPOText = "no step measured it"
	}
	worst, out := time.Duration(0), false
	for _, id := range t.takenOut(len(t.plan.Steps)) {
		trace := t.w.Trace(id)
		switch {
		case !trace.Out:
			continue
		case !trace.Known:
			e.BoundText = "not known: " + trace.Why
		}
		out, worst = true, max(worst, trace.Within)
		if forgets := trace.Placed.Add(trace.Within); forgets.After(last) {
			last = forgets
		}
	}
	switch {
	case e.BoundText != "":
		e.RTOText = "not known, for the bound is not"
		return
	case out:
		bound := worst.Seconds()
		e.BoundSeconds = &bound
	default:
		e.BoundText = "nothing that was answered was taken out"
	}
	if t.st.Current() < len(t.plan.Steps) && (t.st.End == nil || Status(t.st.End.Data[dataOutcome]) != Succeeded) {
		e.RTOText = "not every step was done"
		return
	}
	rto := max(0, last.Sub(t.run.StartedAt)).Seconds()
	e.RTOSeconds = &rto
}

// Markdown is the evidence for people.
func (e *Evidence) Markdown() string {
	var b strings.Builder
	kind := "Run"
	if e.Practice {
		kind = "Practice run"
	}
	fmt.Fprintf(&b, "# %s %s: %s\n\n", kind, e.Run, e.Status)
	fmt.Fprintf(&b, "Plan %s, %s, started by %s at %s: %s\n", e.Plan, e.Variant, config.Printable(e.Actor), stamp(e.StartedAt), config.Printable(e.Reason))
	if e.Why != "" {
		fmt.Fprintf(&b, "\n%s\n", config.Printable(e.Why))
	}
	b.WriteString("\n| | |\n|---|---|\n")
	figure := func(name string, v *float64, text string) {
		if v != nil {
			text = fmt.Sprintf("%.3f s", *v)
		}
		fmt.Fprintf(&b, "| %s | %s |\n", name, config.Printable(text))
	}
	figure("RTO", e.RTOSeconds, e.RTOText)
	figure("RPO", e.RPOSeconds, e.RPOText)
	figure("bound: caches after an order", e.BoundSeconds, e.BoundText)
	if !e.EndedAt.IsZero() {
		fmt.Fprintf(&b, "| ended | %s |\n", stamp(e.EndedAt))
	}
	b.WriteString("\n## Steps\n\n| # | step | what | status | began | seconds | node | text |\n|---|---|---|---|---|---|---|---|\n")
	for i, s := range e.Steps {
		seconds := ""
		if s.Seconds != nil {
			seconds = fmt.Sprintf("%.3f", *s.Seconds)
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s | %s | %s | %s |\n", i+1, s.Name, cell(s.Does), s.Status, stamp(s.BeganAt), seconds, s.Node, cell(s.Text))
	}
	b.WriteString("\n## Words\n\n| at | node | who | what | text |\n|---|---|---|---|---|\n")
	for _, w := range e.Words {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", stamp(w.At), w.Node, cell(w.Actor), w.What, cell(w.Text))
	}
	fmt.Fprintf(&b, "\nIssued by %s at %s. SHA-256 of the plan: `%s`\n", e.Node, stamp(e.IssuedAt), e.PlanSHA256)
	return b.String()
}

func cell(text string) string { return strings.ReplaceAll(config.Printable(text), "|", `\|`) }

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05.000Z")
}
