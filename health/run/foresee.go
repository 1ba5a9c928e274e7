package run

import (
	"fmt"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A Prospect is what a step of a plan would come to if a run began now.
type Prospect struct {
	Step string
	// Skip says why it would be left out, Stop why the run would stop there, Note what it would wait for; each empty for nothing.
	Skip, Stop, Note string
}

// Foresee is what each step of a plan would come to: each by itself, as the world is now, but for what earlier steps are there to change.
func Foresee(p *config.Plan, r *Run, w World) []Prospect {
	out := make([]Prospect, len(p.Steps))
	t := &turn{p, r, StateOf(p, r), w}
	opened, acted := make(map[config.PlanPool]bool), false
	for i := range p.Steps {
		s := &p.Steps[i]
		out[i] = Prospect{Step: s.Name, Skip: skips(r, s)}
		if out[i].Skip != "" {
			continue
		}
		switch s.Kind {
		case config.StepReady:
			opened[s.Pool] = true
			if pool := w.Pool(s.Pool.Zone, s.Pool.Pool); !pool.Known {
				out[i].Stop = "there is no pool " + s.Pool.String()
			}
		case config.StepUnready:
			if pool := w.Pool(s.Pool.Zone, s.Pool.Pool); !pool.Known {
				out[i].Stop = "there is no pool " + s.Pool.String()
			}
		case config.StepHook:
			acted, out[i].Stop = true, w.May(i)
		case config.StepWait, config.StepVerify:
			t.foreseeCondition(i, &out[i], opened, acted)
		case config.StepDrain:
			out[i].Stop = t.foreseeDrain(i)
		case config.StepShift:
			t.foreseeShift(i, &out[i], acted || opened[s.Shift.To])
		case config.StepApprove:
			out[i].Note = "waits for a person"
		}
	}
	return out
}

func (t *turn) foreseeCondition(i int, out *Prospect, opened map[config.PlanPool]bool, acted bool) {
	s := &t.plan.Steps[i]
	c := s.Wait
	if c == nil {
		c = s.Verify
	}
	if c.For > 0 {
		out.Note = "waits for " + config.DurationText(c.For)
	}
	why := Unmet(c, t.w)
	switch {
	case why == "":
	case acted || opened[c.Up]:
		// A hook, or an open gate, may be there to bring that about.
		out.Note = "would wait now: " + why
	default:
		out.Stop = fmt.Sprintf("%s, unless that changes within %s", why, config.DurationText(s.Timeout))
	}
}

func (t *turn) foreseeDrain(i int) string {
	scope, err := ScopeOf(t.plan.Steps[i].Drain)
	if err != nil {
		return err.Error()
	}
	d := t.plan.Steps[i].Drain
	i2 := health.Intent{Kind: health.IntentDrain, Scope: scope, Service: d.Service, Override: d.Override, Actor: t.run.actor(), Reason: "foreseen", Forever: true}
	if err := t.w.Admissible(i2); err != nil {
		return err.Error()
	}
	return ""
}

func (t *turn) foreseeShift(i int, out *Prospect, acted bool) {
	s := t.plan.Steps[i].Shift
	if _, _, why := t.w.Weights(i); why != "" {
		out.Stop = why
		return
	}
	switch why := Unfit(s, t.w); {
	case why == "":
		out.Note = "takes at least " + (s.Every * time.Duration(parts(s)-1)).String()
	case acted:
		out.Note = "would wait now: " + why
	default:
		out.Stop = fmt.Sprintf("%s, unless that changes within %s", why, config.DurationText(t.plan.Steps[i].Timeout))
	}
}

// Stops is where a run would stop first, counted from 1, and why; 0 for nowhere.
func Stops(prospects []Prospect) (step int, why string) {
	for i, p := range prospects {
		if p.Stop != "" {
			return i + 1, p.Stop
		}
	}
	return 0, ""
}
