package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// parseCheck is the zone of one check with the given keys, and its problems.
func parseCheck(t *testing.T, keys string) (*Check, Problems) {
	t.Helper()
	z, problems := Parse("z.yaml", []byte(head+fmt.Sprintf("checks:\n  c: {%s}\n", keys)), ParseOptions{})
	require.NotNil(t, z, "%s", problems)
	return z.Checks[0], problems
}

func TestVantages(t *testing.T) {
	for _, tt := range []struct {
		keys string
		want Vantages
	}{
		{"", Vantages{}},
		{"vantages: 1", Vantages{Count: 1}},
		{"vantages: 1000", Vantages{Count: 1000}},
		{"vantages: {count: 1}", Vantages{Count: 1}},
		{"vantages: {count: 1000, az: [b, a, b], region: [eu], nodes: [n1]}", Vantages{Count: 1000, AZs: []string{"a", "b"}, Regions: []string{"eu"}, Nodes: []string{"n1"}}},
	} {
		t.Run(tt.keys, func(t *testing.T) {
			c, problems := parseCheck(t, strings.TrimSuffix("type: tcp, port: 80, "+tt.keys, ", "))
			require.Empty(t, problems)
			require.Equal(t, tt.want, c.Vantages)
		})
	}
	plain, _ := parseCheck(t, "type: tcp, port: 80")
	placed, _ := parseCheck(t, "type: tcp, port: 80, vantages: {az: [a]}")
	require.Equal(t, plain.Digest, placed.Digest, "who probes is no part of what is dialled")
}

// TestVantagesAnd: a target behind two checks is probed by those whom one of them names.
func TestVantagesAnd(t *testing.T) {
	a, b := Vantages{Count: 1, AZs: []string{"a"}}, Vantages{Count: 3, AZs: []string{"a", "c"}, Nodes: []string{"n"}}
	require.Equal(t, Vantages{Count: 3, AZs: []string{"a", "c"}, Nodes: []string{"n"}}, a.And(b))
	require.Equal(t, a.And(b), b.And(a))
	require.Equal(t, Vantages{Count: 1}, a.And(Vantages{Count: 1}))
	require.Equal(t, Vantages{AZs: []string{"a"}}, a.And(Vantages{AZs: []string{"a"}}), "all of the AZ")
}

// TestQuorumNeed: N counts against those that are heard.
func TestQuorumNeed(t *testing.T) {
	for _, tt := range []struct {
		q           Quorum
		fresh, want int
	}{
		{Quorum{}, 0, 1}, {Quorum{}, 3, 2}, {Quorum{N: 3}, 0, 1}, {Quorum{N: 3}, 2, 2}, {Quorum{N: 3}, 5, 3}, {Quorum{N: 50, Percent: true}, 4, 3},
	} {
		require.Equal(t, tt.want, tt.q.Need(tt.fresh), "%+v of %d", tt.q, tt.fresh)
	}
}

// TestQuorumOfAll: one vantage that is wrong keeps a dead endpoint in service.
func TestQuorumOfAll(t *testing.T) {
	for keys, want := range map[string]string{
		"quorum: 2, vantages: 2":                 "2 of 2 vantages: one that sees it up keeps it in service",
		"quorum: 2, vantages: {nodes: [n1, n2]}": "2 of 2 vantages: one that sees it up keeps it in service",
		"quorum: 1, vantages: 1":                 "",
		"quorum: 2, vantages: 3":                 "",
		"quorum: 2":                              "",
	} {
		_, problems := parseCheck(t, "type: tcp, port: 80, "+keys)
		if want == "" {
			require.Empty(t, problems, keys)
			continue
		}
		require.Len(t, problems, 1, keys)
		require.Equal(t, Warning, problems[0].Severity)
		require.Equal(t, want, problems[0].Message)
	}
}

// TestSilence: a push check takes silence for a failure unless the file says otherwise, which does not change what is dialled.
func TestSilence(t *testing.T) {
	otherwise, _ := parseCheck(t, "type: push")
	require.Equal(t, &PushCheck{Lease: 30 * time.Second, OnExpiry: SilenceDown}, otherwise.Push)
	down, _ := parseCheck(t, "type: push, on_expiry: down")
	require.Equal(t, otherwise, down)
	keep, _ := parseCheck(t, "type: push, on_expiry: keep")
	require.Equal(t, SilenceKeep, keep.Push.OnExpiry)
	require.Equal(t, down.Digest, keep.Digest)
	answered, _ := parseCheck(t, "type: dns, name: example.org, expect: {answered: true}")
	require.True(t, answered.DNS.Answered)
}
