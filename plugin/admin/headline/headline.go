package headline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const (
	// Named is how many causes the headline has; the others are counted.
	Named = 4
	// apart is how many causes of one kind stand beside each other before they are told as one.
	apart = 3
)

// The states of causes: those of endpoints.
const (
	up, suspect, down, drained, unknown = "up", "suspect", "down", "drained", "unknown"
)

// severities orders states: what needs a person first.
var severities = []string{down, suspect, unknown, drained, up}

// levels orders levels: what explains most first.
var levels = []string{api.LevelCluster, api.LevelService, api.LevelAZ, api.LevelEndpoint}

// shapes stand before the words, so that nobody depends on colours. They are those of health.State.Shape.
var shapes = map[string]string{up: "●", suspect: "▲", down: "■", drained: "⏸", unknown: "○"}

// Shape is the shape of a state.
func Shape(state string) string { return cmp.Or(shapes[state], shapes[unknown]) }

// Fill sets the causes and the headline of a status, and that it is degraded if a cause says so.
func Fill(s *api.Status) {
	s.Causes = Causes(s)
	s.Headline = Line(s)
	s.Degraded = s.Degraded || Degraded(s.Causes)
}

// Degraded tells whether a cause wants somebody to look.
func Degraded(causes []api.Cause) bool {
	return slices.ContainsFunc(causes, func(c api.Cause) bool { return c.State == down || c.State == suspect || c.State == unknown })
}

// State is the worst state of some causes; up without any.
func State(causes []api.Cause) string {
	worst := len(severities) - 1
	for i := range causes {
		worst = min(worst, rank(severities, causes[i].State))
	}
	return severities[worst]
}

// Causes are what is the matter, the worst first, and of those that are as bad in the order cluster, service, AZ, endpoint.
func Causes(s *api.Status) []api.Cause {
	t := teller{status: s, causes: []api.Cause{}}
	t.node()
	t.cluster()
	t.files()
	t.clusters()
	t.hosts()
	t.orders()
	t.services()
	t.measurements()
	t.areas()
	t.pools()
	t.gates()
	slices.SortStableFunc(t.causes, func(a, b api.Cause) int {
		return cmp.Or(rank(severities, a.State)-rank(severities, b.State), rank(levels, a.Level)-rank(levels, b.Level))
	})
	return t.causes
}

func rank(order []string, word string) int {
	if i := slices.Index(order, word); i >= 0 {
		return i
	}
	return len(order) - 1
}

// Line is the headline of a status whose causes are set: shape, the first causes in words, and when caches forget.
func Line(s *api.Status) string {
	var parts []string
	for i := range s.Causes[:min(len(s.Causes), Named)] {
		parts = append(parts, s.Causes[i].Text)
	}
	if n := len(s.Causes) - Named; n > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", n))
	}
	forget := forgetting(s.Caches, s.At)
	if len(parts) == 0 {
		parts = append(parts, "all is well: "+extent(s))
		if forget != "" {
			// Nothing is wrong any more, yet caches may still say what was.
			parts[0] = "all is up: " + extent(s)
		}
	}
	if forget != "" {
		parts = append(parts, forget)
	}
	return Shape(State(s.Causes)) + " " + strings.Join(parts, " · ")
}

// extent is how much there is.
func extent(s *api.Status) string {
	endpoints, services := 0, 0
	for _, z := range s.Zones {
		services += len(z.Services)
		for _, p := range z.Pools {
			endpoints += len(p.Endpoints)
		}
	}
	return count(endpoints, "endpoint") + ", " + count(services, "service")
}

// forgetting says when caches have forgotten all that has left; empty once that is certain, or if nothing has.
func forgetting(f *api.Forgetting, now time.Time) string {
	switch {
	case f == nil || f.Final:
		return ""
	case f.SafeAt != nil && !now.Before(*f.SafeAt):
		return "caches forgot " + clock(*f.SafeAt) + ", to be confirmed"
	case f.SafeAt != nil:
		return "caches forget " + clock(*f.SafeAt)
	}
	var silent, answering []string
	for _, u := range f.Unknown {
		if u.Answering {
			answering = append(answering, u.Node)
		} else {
			silent = append(silent, u.Node)
		}
	}
	text := "when caches forget is unknown"
	if len(silent) > 0 {
		text += ", no word of " + strings.Join(silent, ", ")
	}
	if len(answering) > 0 {
		text += ", still answered by " + strings.Join(answering, ", ")
	}
	if f.AtLeast != nil {
		text += ", not before " + clock(*f.AtLeast)
	}
	return text
}

// A teller gathers the causes.
type teller struct {
	status *api.Status
	causes []api.Cause
}

func (t *teller) add(c api.Cause) { t.causes = append(t.causes, c) }

// since is " since 3m", reckoned to the moment of the status; empty if that is not known.
func (t *teller) since(at time.Time) string {
	if at.IsZero() || at.Unix() == 0 {
		return ""
	}
	return " since " + age(t.status.At.Sub(at))
}

// clock is a moment in UTC.
func clock(at time.Time) string { return at.UTC().Format("15:04:05") }

// age is a duration in one unit: the headline has no room for two.
func age(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours())/24)
	}
}

// count is "1 endpoint", "2 endpoints".
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// short is a name of a zone's as people type it: without the zone where there is no other one.
func (t *teller) short(zone, name string) string {
	if name = display(name); len(t.status.Zones) == 1 && name != display(zone) {
		name = strings.TrimPrefix(strings.TrimSuffix(name, "."+display(zone)), display(zone)+"/")
	}
	return name
}

// display is a name without the final dot.
func display(name string) string {
	if name == "." {
		return name
	}
	return strings.TrimSuffix(name, ".")
}

// list names the first of some things and counts the others.
func list(all []string) string {
	if n := len(all) - apart; n > 1 {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:apart], ", "), n)
	}
	return strings.Join(all, ", ")
}

// instant is t for JSON; nil for one that is not known.
func instant(t time.Time) *time.Time {
	if t.IsZero() || t.Unix() == 0 {
		return nil
	}
	return &t
}
