package config

import (
	"crypto/sha256"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParsePlan reads one plan file, as strictly as Parse reads a zone file. With zones that are not nil, what the plan names must be in them.
// With an error among the problems the plan is nil.
func ParsePlan(file string, content []byte, zones []*Zone) (*Plan, Problems) {
	r := newReport(file, content)
	if len(content) > MaxPlanBytes {
		r.whole(fmt.Sprintf("the file has %d octets; a plan has at most %d", len(content), MaxPlanBytes), "every run carries it to all nodes")
		return nil, r.finish()
	}
	root := r.parseTree(content)
	if root == nil {
		return nil, r.finish()
	}
	r.walk(root, sharedPlanShape(), nil)
	b := &planBuilder{report: r, zones: zones, plan: &Plan{File: file, Text: slices.Clone(content), Hash: sha256.Sum256(content)}}
	b.build(root)
	problems := r.finish()
	if problems.HasErrors() {
		return nil, problems
	}
	return b.plan, problems
}

// IsPlan tells whether content is meant as a plan file: it has the key that only those have, at the left margin.
func IsPlan(content []byte) bool {
	for line := range strings.Lines(string(content)) {
		if strings.HasPrefix(line, "plan:") {
			return true
		}
	}
	return false
}

// A planBuilder turns a tree into a Plan. It says what the shape cannot.
type planBuilder struct {
	*report
	// zones are those that references are looked up in; nil for nowhere.
	zones []*Zone
	plan  *Plan
	// froze and takes are set once a step has stopped verdicts, or taken something out.
	froze, takes bool
}

func (b *planBuilder) errorf(n *yamlNode, at *yamlPath, help, format string, args ...any) {
	b.node(n, Error, at.String(), fmt.Sprintf(format, args...), help)
}

func (b *planBuilder) build(root *yamlNode) {
	p := b.plan
	p.Name, p.Says, p.Undo = stringOf(field(root, "plan")), stringOf(field(root, "says")), stringOf(field(root, "on_failure")) == "undo"
	if n := field(root, "zone"); n != nil {
		if zone, err := ZoneName(stringOf(n)); err == nil {
			p.Zone = zone
			b.zone(n, (*yamlPath)(nil).child("zone"), zone)
		}
	}
	if n := field(root, "practice"); n != nil {
		p.Practice = &PlanPractice{
			Day: time.Weekday(max(0, slices.Index(weekdays, stringOf(field(n, "day"))))), At: clockOf(stringOf(field(n, "at"))),
			Window: durationOf(field(n, "window"), defaultPracticeWindow), Hold: durationOf(field(n, "hold"), defaultPracticeHold),
		}
	}
	steps := field(root, "steps")
	lines, variants := make(map[string]int), make(map[string]bool)
	for i, n := range items(steps) {
		at := (*yamlPath)(nil).child("steps").item(i)
		s, ok := b.step(n, at, i)
		if !ok {
			continue
		}
		if line, dup := lines[s.Name]; dup {
			b.errorf(n, at, "approvals and reports tell steps apart by it", "a second step of the name %q; the first one stands at line %d", s.Name, line)
		}
		lines[s.Name] = s.Line
		for _, v := range []string{PlanGraceful, PlanUngraceful} {
			variants[v] = variants[v] || s.Only == "" || s.Only == v
		}
		p.Steps = append(p.Steps, s)
	}
	if len(p.Steps) == len(items(steps)) {
		b.needed(steps)
	}
	for _, v := range []string{PlanGraceful, PlanUngraceful} {
		if len(p.Steps) > 0 && !variants[v] {
			b.node(steps, Warning, "steps", fmt.Sprintf("no step belongs to the %s variant: it does nothing", v), "")
		}
	}
}

func clockOf(text string) time.Duration {
	t, err := time.Parse("15:04", text)
	if err != nil {
		return 0
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
}

// step reads one step.
func (b *planBuilder) step(n *yamlNode, at *yamlPath, index int) (s PlanStep, ok bool) {
	var said []string
	for _, k := range stepKinds {
		if field(n, string(k)) != nil {
			said, s.Kind = append(said, string(k)), k
		}
	}
	if len(said) != 1 {
		words := make([]string, len(stepKinds))
		for i, k := range stepKinds {
			words[i] = string(k)
		}
		if len(said) == 0 {
			b.errorf(n, at, "one of: "+strings.Join(words, ", "), "the step does not say what is done")
		} else {
			b.errorf(n, at, "make it "+strconv.Itoa(len(said))+" steps", "the step says %s; a step does one thing", strings.Join(said, " and "))
		}
		return s, false
	}
	s.Line = int(n.Line)
	if s.Name = stringOf(field(n, "name")); s.Name == "" {
		s.Name = fmt.Sprintf("%s-%d", s.Kind, index+1)
	}
	s.Says, s.Only = stringOf(field(n, "says")), stringOf(field(n, "only"))
	s.Practised = s.Kind != StepHook && s.Kind != StepReady && s.Kind != StepUnready && s.Kind != StepApprove
	if p := field(n, "practice"); p != nil {
		s.Practised = boolOf(p)
	}
	s.Timeout = defaultStepTimeout
	switch s.Kind {
	case StepHook:
		s.Timeout = defaultPlanHookTimeout
	case StepShift:
		s.Timeout = defaultShiftTimeout
	case StepApprove:
		s.Timeout = defaultApproveTimeout
	}
	s.Timeout = durationOf(field(n, "timeout"), s.Timeout)
	b.body(&s, field(n, string(s.Kind)), at.child(string(s.Kind)))
	return s, true
}

// body reads what a step does.
func (b *planBuilder) body(s *PlanStep, n *yamlNode, at *yamlPath) {
	switch s.Kind {
	case StepHook:
		s.Hook = b.hook(n, at)
	case StepWait:
		s.Wait = b.condition(n, at)
		if s.Wait.For >= s.Timeout {
			// A wait that lasts longer than the timeout of its step would always fail.
			s.Timeout += s.Wait.For
		}
	case StepVerify:
		s.Verify = b.condition(n, at)
		if (s.Verify.Bound > 0 || s.Verify.Forgotten) && !b.takes {
			b.errorf(n, at, "put it behind the drain or the shift", "no step before this one takes anything out, so that there is nothing to forget")
		}
	case StepReady, StepUnready:
		s.Pool = b.pool(n, at)
		if p := b.poolOf(s.Pool); p != nil && !p.Gate.Manual {
			b.errorf(n, at, "give it `gate: manual` in its zone file, or leave the step out", "pool %s has no gate that waits for `ready`", s.Pool)
		}
	case StepDrain:
		s.Drain, b.takes = b.drain(n, at), true
	case StepShift:
		s.Shift, b.takes = b.shift(n, at), true
	case StepFreeze:
		s.Freeze = boolOf(n)
		if !s.Freeze && !b.froze {
			b.errorf(n, at, "", "no step before this one stops verdicts: a run ends no freeze of somebody else")
		}
		b.froze = b.froze || s.Freeze
	case StepApprove:
		s.Approve = &PlanApproval{Role: stringOf(field(n, "role")), Person: stringOf(field(n, "person")), Other: boolOf(field(n, "other"))}
		if s.Approve.Role == "" {
			s.Approve.Role = "operator"
		}
	}
}

func (b *planBuilder) hook(n *yamlNode, at *yamlPath) *PlanHook {
	h := &PlanHook{URL: stringOf(field(n, "url")), Secret: stringOf(field(n, "secret_file")), Idempotent: boolOf(field(n, "idempotent"))}
	for _, word := range items(field(n, "run")) {
		h.Run = append(h.Run, stringOf(word))
	}
	u, err := url.Parse(h.URL)
	switch {
	case (h.URL == "") == (len(h.Run) == 0):
		b.errorf(n, at, "", "want url or run, one of them")
	case h.URL == "" && h.Secret != "":
		b.errorf(field(n, "secret_file"), at.child("secret_file"), "", "a program gets nothing signed")
	case err == nil && u.Scheme == "http" && !boolOf(field(n, "insecure")):
		b.errorf(field(n, "url"), at.child("url"), "use https, or set insecure: true", "in clear: everybody on the way could read it and answer")
	}
	if undo := field(n, "undo"); undo != nil {
		h.Undo = b.hook(undo, at.child("undo"))
		h.Undo.Idempotent = h.Idempotent
	}
	return h
}

func (b *planBuilder) condition(n *yamlNode, at *yamlPath) *PlanCondition {
	c := &PlanCondition{
		For: durationOf(field(n, "for"), 0), Least: percentOf(field(n, "least"), 100), Bound: durationOf(field(n, "bound"), 0),
		Forgotten: boolOf(field(n, "forgotten")), Check: stringOf(field(n, "check")),
	}
	if up := field(n, "up"); up != nil {
		c.Up = b.pool(up, at.child("up"))
	} else if least := field(n, "least"); least != nil {
		b.errorf(least, at.child("least"), "", "least is for `up`")
	}
	if down := field(n, "down"); down != nil {
		c.Down = b.pool(down, at.child("down"))
	}
	if c.Check != "" {
		c.Zone = b.checkIn(field(n, "check"), at.child("check"), b.plan.Zone)
	}
	b.lag(c, n, at)
	if c.Empty() {
		b.errorf(n, at, "", "it asks for nothing")
	}
	return c
}

// lag reads how far the data of a pool may be behind.
func (b *planBuilder) lag(c *PlanCondition, n *yamlNode, at *yamlPath) {
	lag, rpo := field(n, "lag"), field(n, "rpo")
	if (lag == nil) != (rpo == nil) {
		b.errorf(n, at, "", "lag and rpo go together: of which pool, and how much")
		return
	}
	if lag == nil {
		return
	}
	c.Lag = b.pool(lag, at.child("lag"))
	c.RPO.Max, c.RPO.Unit, _ = parseLoss(stringOf(rpo))
	p := b.poolOf(c.Lag)
	if p == nil {
		return
	}
	if !p.HasLag {
		b.errorf(lag, at.child("lag"), "give it a `lag` in its zone file", "nothing measures how far pool %s is behind", c.Lag)
		return
	}
	for _, z := range b.zones {
		if z.Name == c.Lag.Zone && z.Checks[p.Lag].Lag.Unit != c.RPO.Unit {
			b.errorf(rpo, at.child("rpo"), "", "the lag of pool %s is in %s, the rpo in %s", c.Lag, z.Checks[p.Lag].Lag.Unit, c.RPO.Unit)
		}
	}
}

// Empty tells whether nothing is asked for.
func (c *PlanCondition) Empty() bool {
	return c.For == 0 && c.Up.Pool == "" && c.Down.Pool == "" && c.Check == "" && !c.RPO.On() && c.Bound == 0 && !c.Forgotten
}

func (b *planBuilder) drain(n *yamlNode, at *yamlPath) *PlanDrain {
	d := &PlanDrain{Service: b.service(field(n, "service"), at.child("service"))}
	for _, word := range items(field(n, "override")) {
		d.Override = append(d.Override, stringOf(word))
	}
	for _, kind := range []string{"pool", "az", "region", "endpoint"} {
		v := field(n, kind)
		if v == nil {
			continue
		}
		if d.Kind != "" {
			b.errorf(v, at.child(kind), "make it two steps", "a second thing to drain, beside %s", d.Kind)
			continue
		}
		d.Kind, d.Name = kind, stringOf(v)
		switch kind {
		case "pool":
			d.Name = b.pool(v, at.child(kind)).String()
		case "endpoint":
			d.Name = b.endpoint(v, at.child(kind))
		default:
			b.place(v, at.child(kind), kind)
		}
	}
	if d.Kind == "" {
		b.errorf(n, at, "", "want one of pool, az, region, endpoint")
	}
	return d
}

func (b *planBuilder) shift(n *yamlNode, at *yamlPath) *PlanShift {
	s := &PlanShift{
		Service: b.service(field(n, "service"), at.child("service")), Step: percentOf(field(n, "step"), defaultShiftStep),
		Every: durationOf(field(n, "every"), defaultShiftEvery), Check: stringOf(field(n, "check")),
	}
	if from := field(n, "from"); from != nil {
		s.From = b.pool(from, at.child("from"))
	}
	if to := field(n, "to"); to != nil {
		s.To = b.pool(to, at.child("to"))
	}
	if s.Check != "" {
		b.checkIn(field(n, "check"), at.child("check"), s.To.Zone)
	}
	switch {
	case s.From.Pool == "" || s.To.Pool == "":
	case s.From == s.To:
		b.errorf(n, at, "", "from and to are the same pool")
	case s.From.Zone != s.To.Zone:
		b.errorf(n, at, "", "pools of two zones share no tier")
	default:
		if _, _, why := b.sharesOf(s); why != "" {
			b.errorf(n, at, "", "%s", why)
		}
	}
	return s
}
