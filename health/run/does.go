package run

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/fairlead-dns/fairlead/config"
)

// Does says in words what a step does.
func Does(s *config.PlanStep) string {
	switch s.Kind {
	case config.StepHook:
		return "calls " + calls(s.Hook)
	case config.StepWait:
		return "waits " + condition(s.Wait)
	case config.StepVerify:
		return "verifies " + condition(s.Verify)
	case config.StepReady:
		return "opens the gate of " + s.Pool.String()
	case config.StepUnready:
		return "closes the gate of " + s.Pool.String()
	case config.StepDrain:
		return "drains " + s.Drain.Kind + " " + s.Drain.Name + forService(s.Drain.Service)
	case config.StepShift:
		return fmt.Sprintf("shifts %s to %s%s, %d %% every %s", s.Shift.From, s.Shift.To.Pool, forService(s.Shift.Service), s.Shift.Step, config.DurationText(s.Shift.Every))
	case config.StepFreeze:
		if s.Freeze {
			return "stops automatic verdicts"
		}
		return "lets verdicts move again"
	case config.StepApprove:
		if s.Approve.Person != "" {
			return "waits for the word of " + s.Approve.Person
		}
		return "waits for the word of somebody with the role " + s.Approve.Role
	}
	return string(s.Kind)
}

// calls is who is called, without what may be secret in a URL.
func calls(h *config.PlanHook) string {
	if len(h.Run) > 0 {
		return h.Run[0]
	}
	u, err := url.Parse(h.URL)
	if err != nil {
		return "a receiver"
	}
	return u.Scheme + "://" + u.Host
}

func forService(service string) string {
	if service == "" {
		return ""
	}
	return " for " + strings.TrimSuffix(service, ".")
}

func condition(c *config.PlanCondition) string {
	var parts []string
	if c.For > 0 {
		parts = append(parts, "for "+config.DurationText(c.For))
	}
	if c.Up.Pool != "" {
		parts = append(parts, fmt.Sprintf("that %d %% of %s are up", c.Least, c.Up))
	}
	if c.Down.Pool != "" {
		parts = append(parts, "that "+c.Down.String()+" is down")
	}
	if c.Check != "" {
		parts = append(parts, "that the check "+c.Check+" is up")
	}
	if c.RPO.On() {
		parts = append(parts, "that "+c.Lag.String()+" is behind by "+c.RPO.Text()+" at most")
	}
	if c.Bound > 0 {
		parts = append(parts, "that caches forget within "+config.DurationText(c.Bound))
	}
	if c.Forgotten {
		parts = append(parts, "that no honest cache holds it")
	}
	return strings.Join(parts, ", ")
}
