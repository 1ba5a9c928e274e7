package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const needsHead = `zone: example.org
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [eu-a]}, us: {azs: [us-a]}}
pools:
  web-eu: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}]}
  web-us: {region: us, endpoints: [{name: one, addresses: [192.0.2.2], az: us-a}]}
  db-eu: {region: eu, stateful: true, endpoints: [{name: one, addresses: [192.0.2.3], az: eu-a}]}
  db-us: {region: us, stateful: true, endpoints: [{name: one, addresses: [192.0.2.4], az: us-a}]}
services:
`

func TestNeeds(t *testing.T) {
	for _, tt := range []struct{ name, services, problem string }{
		{"in the zone", "www: {tiers: [{web-eu: 1}], needs: [db]}\n  db: {tiers: [{db-eu: 1}]}", ""},
		{"elsewhere", "www: {tiers: [{web-eu: 1}], needs: [db.example.net.]}\n  db: {tiers: [{db-eu: 1}]}", ""},
		{"a name nobody has", "www: {tiers: [{web-eu: 1}], needs: [bd]}\n  db: {tiers: [{db-eu: 1}]}", `services.www.needs[0]: unknown service "bd"`},
		{"itself", "www: {tiers: [{web-eu: 1}], needs: [www]}", "services.www.needs[0]: www.example.org needs itself"},
		{"itself by way of others", "www: {tiers: [{web-eu: 1}], needs: [api]}\n  api: {tiers: [{web-eu: 1}], needs: [db]}\n  db: {tiers: [{db-eu: 1}], needs: [www]}",
			"services.www.needs: www.example.org needs itself, by way of api.example.org, db.example.org"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z, problems := Parse("zones.d/z.yaml", []byte(needsHead+"  "+tt.services+"\n"), ParseOptions{})
			if tt.problem == "" {
				require.NoError(t, problems.Err())
				require.Len(t, z.Services[0].Needs, 1)
				return
			}
			require.ErrorContains(t, problems.Err(), tt.problem)
		})
	}
	many := strings.Repeat("db, ", maxNeeds+1)
	_, problems := Parse("zones.d/z.yaml", []byte(needsHead+fmt.Sprintf("  www: {tiers: [{web-eu: 1}], needs: [%s]}\n  db: {tiers: [{db-eu: 1}]}\n", many)), ParseOptions{})
	require.ErrorContains(t, problems.Err(), "services.www.needs")
}

// TestInOrder: what needs others leaves before them, however they stand in the file.
func TestInOrder(t *testing.T) {
	names := func(services []*Service) (out []string) {
		for _, s := range services {
			out = append(out, s.Name)
		}
		return out
	}
	db, cache := &Service{Name: "db."}, &Service{Name: "cache.", Needs: []string{"db."}}
	www, alone := &Service{Name: "www.", Needs: []string{"db.", "cache.", "else."}}, &Service{Name: "alone."}
	levels := InOrder([]*Service{db, alone, cache, www})
	require.Len(t, levels, 3)
	require.Equal(t, []string{"alone.", "www."}, names(levels[0]))
	require.Equal(t, []string{"cache."}, names(levels[1]))
	require.Equal(t, []string{"db."}, names(levels[2]))

	// Two zones may need one another, which neither file can tell: it comes to an end.
	a, b := &Service{Name: "a.", Needs: []string{"b."}}, &Service{Name: "b.", Needs: []string{"a."}}
	all := 0
	for _, level := range InOrder([]*Service{a, b}) {
		all += len(level)
	}
	require.Equal(t, 2, all)
}

// TestPlanNeeds: a plan that takes out what is needed before what needs it is warned of.
func TestPlanNeeds(t *testing.T) {
	z, problems := Parse("zones.d/z.yaml", []byte(needsHead+"  www: {tiers: [{web-eu: 1}, {web-us: 1}], needs: [db]}\n  db: {tiers: [{db-eu: 1}, {db-us: 1}]}\n"), ParseOptions{})
	require.NoError(t, problems.Err())
	const head = "plan: out\nzone: example.org\nsteps:\n"
	for _, tt := range []struct{ name, steps, warning string }{
		{"what needs leaves first", "- drain: {pool: web-eu}\n- drain: {pool: db-eu}\n", ""},
		{"the region after it", "- drain: {region: eu, service: www}\n- verify: {forgotten: true}\n- drain: {region: eu}\n", ""},
		{"the wrong way round", "- drain: {pool: db-eu}\n- drain: {pool: web-eu}\n", "steps[0]: it takes db.example.org out, which www.example.org needs, and step 2 takes that out later"},
		{"by AZ and endpoint", "- drain: {endpoint: db-eu/one}\n- drain: {az: eu-a}\n", "steps[0]: it takes db.example.org out"},
		{"one of them alone", "- drain: {pool: db-eu}\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, problems := ParsePlan("plans.d/out.yaml", []byte(head+tt.steps), []*Zone{z})
			require.NotNil(t, p, "%v", problems)
			var text []string
			for _, problem := range problems {
				text = append(text, problem.String())
			}
			if tt.warning == "" {
				require.Empty(t, text)
				return
			}
			require.Contains(t, strings.Join(text, "\n"), tt.warning)
		})
	}
}

// TestNeedsAround: who leads to services that need one another does not need itself, and many services are looked up in no time.
func TestNeedsAround(t *testing.T) {
	_, problems := Parse("zones.d/z.yaml", []byte(needsHead+"  x: {tiers: [{web-eu: 1}], needs: [a]}\n  a: {tiers: [{web-eu: 1}], needs: [b]}\n  b: {tiers: [{web-eu: 1}], needs: [a]}\n"), ParseOptions{})
	require.ErrorContains(t, problems.Err(), "services.a.needs: a.example.org needs itself, by way of b.example.org")
	require.NotContains(t, problems.Err().Error(), "x.example.org needs itself")

	var b strings.Builder
	b.WriteString(needsHead)
	const many = 20_000
	for i := range many {
		fmt.Fprintf(&b, "  s%d: {tiers: [{web-eu: 1}], needs: [s%d]}\n", i, i+1)
	}
	fmt.Fprintf(&b, "  s%d: {tiers: [{web-eu: 1}]}\n", many)
	z, problems := Parse("zones.d/z.yaml", []byte(b.String()), ParseOptions{})
	require.NoError(t, problems.Err())
	require.Equal(t, []string{fmt.Sprintf("s%d.example.org.", many)}, z.Services[many-1].Needs)
}
