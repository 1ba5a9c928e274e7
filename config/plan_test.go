package config

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const planZone = `zone: gslb.example.org
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [eu-a]}, us: {azs: [us-a]}}
checks: {ready: {type: http}}
pools:
  web: {region: eu, check: ready, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}]}
  web-us: {region: us, check: ready, endpoints: [{name: a, addresses: [192.0.2.2], az: us-a}]}
  data: {region: us, check: ready, gate: manual, endpoints: [{name: d, addresses: [192.0.2.3], az: us-a}]}
services:
  www: {tiers: [{web: 100, web-us: 100}]}
  app: {tiers: [{web: 1}, {web-us: 1}]}
  db: {tiers: [{data: 1}]}
`

func planZones(t *testing.T) []*Zone {
	t.Helper()
	z, problems := Parse("z.yaml", []byte(planZone), ParseOptions{})
	require.NotNil(t, z, "%s", problems)
	return []*Zone{z}
}

func TestPlanExample(t *testing.T) {
	p, problems := ParsePlan("plan.example.yaml", PlanExample, nil)
	require.Empty(t, problems)
	assert.Equal(t, "eu-out", p.Name)
	assert.Equal(t, &PlanPractice{Day: time.Tuesday, At: 9*time.Hour + 30*time.Minute, Window: 2 * time.Hour, Hold: 30 * time.Minute}, p.Practice)
	require.Len(t, p.Steps, 12)
	approve, scale, wait, move, out := p.Steps[0], p.Steps[1], p.Steps[2], p.Steps[6], p.Steps[7]
	assert.Equal(t, &PlanApproval{Role: "operator", Person: "ada", Other: true}, approve.Approve)
	assert.False(t, approve.Practised)
	assert.True(t, scale.Practised)
	assert.Equal(t, 30*time.Second, scale.Timeout)
	assert.Equal(t, []string{"/usr/local/bin/scale", "us", "down"}, scale.Hook.Undo.Run)
	assert.True(t, scale.Hook.Undo.Idempotent, "as the hook that it undoes")
	assert.Equal(t, "wait-3", wait.Name)
	assert.Equal(t, &PlanCondition{Up: PlanPool{"gslb.example.org.", "web-us"}, Least: 80, Check: "http-api", Zone: "gslb.example.org."}, wait.Wait)
	assert.Equal(t, "www.gslb.example.org.", move.Shift.Service)
	assert.Equal(t, &PlanDrain{Kind: "region", Name: "eu-west", Service: "www.gslb.example.org.", Override: []string{"max_drained"}}, out.Drain)
	assert.Equal(t, "gslb.example.org/db-us", p.Steps[10].Pool.String())
}

func TestPlanRejects(t *testing.T) {
	zones := planZones(t)
	const top = "plan: p\nzone: gslb.example.org\nsteps:\n"
	for _, tt := range []struct{ name, yaml, want string }{
		{"no step", "plan: p\nsteps: []\n", "p.yaml:2:8: error: steps: is empty"},
		{"unknown key", top + "- {drian: {pool: web}}\n", `unknown key "drian"`},
		{"nothing to do", top + "- {name: a}\n", "p.yaml:4:3: error: steps[0]: the step does not say what is done"},
		{"two things", top + "- {drain: {pool: web}, freeze: true}\n", "the step says drain and freeze; a step does one thing"},
		{"names twice", top + "- {name: a, freeze: true}\n- {name: a, freeze: false}\n", `a second step of the name "a"`},
		{"pool", top + "- drain: {pool: wbe}\n", `p.yaml:4:17: error: steps[0].drain.pool: zone gslb.example.org has no pool "wbe"`},
		{"zone", "plan: p\nzone: example.net\nsteps: [{freeze: true}]\n", `there is no zone "example.net"`},
		{"no zone", "plan: p\nsteps: [{drain: {pool: web}}]\n", `"web" names no zone, and the plan has none`},
		{"endpoint", top + "- drain: {endpoint: web/b}\n", `pool web has no endpoint "b"`},
		{"az", top + "- drain: {az: eu-b}\n", `no zone has the az "eu-b"`},
		{"service", top + "- drain: {pool: web, service: ww}\n", `there is no service "ww.gslb.example.org"`},
		{"check", top + "- wait: {check: x}\n", `zone gslb.example.org has no check "x"`},
		{"gate", top + "- ready: web\n", "pool gslb.example.org/web has no gate that waits for `ready`"},
		{"weights differ", top + "- shift: {from: web, to: web-us}\n", ""},
		{"no tier in common", top + "- shift: {from: web, to: data}\n", "web and data share no tier"},
		{"same pool", top + "- shift: {from: web, to: web}\n", "from and to are the same pool"},
		{"two drains", top + "- drain: {pool: web, az: eu-a}\n", "a second thing to drain, beside pool"},
		{"nothing waited for", top + "- wait: {}\n", "it asks for nothing"},
		{"nothing to forget", top + "- verify: {bound: 1m}\n", "no step before this one takes anything out"},
		{"lag without rpo", top + "- verify: {lag: data}\n", "lag and rpo go together"},
		{"no lag", top + "- verify: {lag: data, rpo: 30s}\n", "nothing measures how far pool gslb.example.org/data is behind"},
		{"foreign freeze", top + "- freeze: false\n", "no step before this one stops verdicts"},
		{"hook of two kinds", top + "- hook: {url: 'https://a.example.org', run: [a]}\n", "want url or run, one of them"},
		{"hook in clear", top + "- hook: {url: 'http://a.example.org'}\n", "in clear: everybody on the way could read it"},
		{"hook with a user", top + "- hook: {url: 'https://u:p@a.example.org'}\n", "a URL in a plan cannot have a user"},
		{"day", "plan: p\npractice: {day: tusday, at: '09:00'}\nsteps: [{freeze: true}]\n", "did you mean \"tuesday\"?"},
		{"time of day", "plan: p\npractice: {day: tuesday, at: '24:00'}\nsteps: [{freeze: true}]\n", "want a time of day in UTC"},
		{"one variant", "plan: p\nsteps: [{only: graceful, freeze: true}]\n", "warning: steps: no step belongs to the ungraceful variant"},
		{"too long", "plan: p\n#" + strings.Repeat("x", MaxPlanBytes) + "\nsteps: [{freeze: true}]\n", "a plan has at most 16384"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, problems := ParsePlan("p.yaml", []byte(tt.yaml), zones)
			if tt.want == "" {
				require.Empty(t, problems)
				return
			}
			assert.Contains(t, problems.String(), tt.want)
			assert.Equal(t, problems.HasErrors(), p == nil)
		})
	}
}

// A plan is parsed without zones too: then names are taken as they are.
func TestPlanWithoutZones(t *testing.T) {
	p, problems := ParsePlan("p.yaml", []byte("plan: p\nzone: Example.ORG\nsteps: [{drain: {pool: nothing}}, {wait: {for: 30m}}]\n"), nil)
	require.Empty(t, problems)
	assert.Equal(t, "example.org/nothing", p.Steps[0].Drain.Name)
	assert.Equal(t, 40*time.Minute, p.Steps[1].Timeout, "a wait does not fail by its own length")
}

// Weights are those of the one tier that both pools have; a share too small for the steps is told.
func TestShiftWeights(t *testing.T) {
	zones := planZones(t)
	s := &PlanShift{From: PlanPool{"gslb.example.org.", "web"}, To: PlanPool{"gslb.example.org.", "web-us"}, Step: 20}
	from, to, why := s.Weights(zones)
	assert.Equal(t, []any{100, 100, ""}, []any{from, to, why})
	zones[0].Services[0].Tiers[0][0].Weight = 4
	_, _, why = s.Weights(zones)
	assert.Contains(t, why, "too little to go in steps of 20 %")
}

func FuzzParsePlan(f *testing.F) {
	f.Add(PlanExample)
	f.Add([]byte("plan: p\nsteps: [{drain: {pool: z/p}}]\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		p, problems := ParsePlan("p.yaml", content, nil)
		if (p == nil) != problems.HasErrors() {
			t.Fatalf("plan %v with %s", p != nil, problems)
		}
	})
}
