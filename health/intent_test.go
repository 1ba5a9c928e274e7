package health

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestIntentID(t *testing.T) {
	for _, text := range []string{"n1-1-2", "ns-eu-1-3-18446744073709551615", "a.b-0-0"} {
		id, err := ParseIntentID(text)
		require.NoError(t, err)
		require.Equal(t, text, id.String())
	}
	for _, text := range []string{"", "n1", "n1-2", "-1-2", "n1-1-x", "n1-01-2", "n1-1-+2", "n1-1-18446744073709551616"} {
		_, err := ParseIntentID(text)
		require.Error(t, err, text)
	}
	ids := []IntentID{{"a", 9, 9}, {"b", 1, 1}, {"b", 1, 2}, {"b", 2, 1}}
	for i := range ids {
		for j := range ids {
			require.Equal(t, i < j, ids[i].Compare(ids[j]) < 0)
		}
	}
}

func TestScope(t *testing.T) {
	for _, tt := range []struct {
		kind ScopeKind
		name string
		want Scope
	}{
		{ScopeEndpoint, "Example.org/web/one", Scope{Kind: ScopeEndpoint, Zone: "example.org.", Pool: "web", Endpoint: "one"}},
		{ScopePool, "example.org./web", Scope{Kind: ScopePool, Zone: "example.org.", Pool: "web"}},
		{ScopeAZ, "eu-a", Scope{Kind: ScopeAZ, Name: "eu-a"}},
		{ScopeCluster, "", Scope{Kind: ScopeCluster}},
		{ScopeCluster, "eu-1", Scope{Kind: ScopeKubernetes, Name: "eu-1"}},
	} {
		s, err := ParseScope(tt.kind, tt.name)
		require.NoError(t, err)
		require.Equal(t, tt.want, s)
		again, err := ParseScope(s.Kind, s.Path())
		require.NoError(t, err)
		require.Equal(t, s, again)
		text, err := json.Marshal(s)
		require.NoError(t, err)
		var read Scope
		require.NoError(t, json.Unmarshal(text, &read))
		require.Equal(t, s, read)
	}
	for _, bad := range []struct {
		kind ScopeKind
		name string
	}{{ScopeEndpoint, "web/one"}, {ScopePool, "web"}, {ScopePool, "a//"}, {ScopeAZ, "a/b"}, {ScopeRegion, ""}, {ScopeKubernetes, ""}} {
		_, err := ParseScope(bad.kind, bad.name)
		require.ErrorIs(t, err, ErrInvalidIntent)
	}
}

func TestValidateIntent(t *testing.T) {
	now := time.Now()
	pool := Scope{Kind: ScopePool, Zone: "example.org.", Pool: "web"}
	good := Intent{Kind: IntentDrain, Scope: pool, Start: now, End: now.Add(time.Hour)}
	require.NoError(t, good.Validate())
	for name, change := range map[string]func(*Intent){
		"no kind":             func(i *Intent) { i.Kind = 0 },
		"no scope":            func(i *Intent) { i.Scope = Scope{} },
		"weight of an AZ":     func(i *Intent) { i.Kind, i.Scope = IntentWeight, Scope{Kind: ScopeAZ, Name: "a"} },
		"freeze of a pool":    func(i *Intent) { i.Kind = IntentFreeze },
		"drain of everything": func(i *Intent) { i.Scope = Scope{Kind: ScopeCluster} },
		"a stopped pool":      func(i *Intent) { i.Kind = IntentStopped },
		"weight too great":    func(i *Intent) { i.Kind, i.Weight = IntentWeight, 65536 },
		"weight below 0":      func(i *Intent) { i.Kind, i.Weight = IntentWeight, -1 },
		"force of a pool": func(i *Intent) {
			i.Kind, i.State, i.Scope = IntentForce, Up, Scope{Kind: ScopePool, Zone: "z.", Pool: "p"}
		},
		"force of a service": func(i *Intent) {
			i.Kind, i.State, i.Service, i.Scope = IntentForce, Up, "s.", Scope{Kind: ScopeEndpoint, Zone: "z.", Pool: "p", Endpoint: "e"}
		},
		"force to drained": func(i *Intent) {
			i.Kind, i.State, i.Scope = IntentForce, Drained, Scope{Kind: ScopeEndpoint, Zone: "z.", Pool: "p", Endpoint: "e"}
		},
		"force to nothing": func(i *Intent) {
			i.Kind, i.Scope = IntentForce, Scope{Kind: ScopeEndpoint, Zone: "z.", Pool: "p", Endpoint: "e"}
		},
		"drain with a state":   func(i *Intent) { i.State = Up },
		"drain with a weight":  func(i *Intent) { i.Weight = 1 },
		"ready of an AZ":       func(i *Intent) { i.Kind, i.Scope = IntentReady, Scope{Kind: ScopeAZ, Name: "a"} },
		"failback of one":      func(i *Intent) { i.Kind, i.Service = IntentFailback, "www.example.org." },
		"no end":               func(i *Intent) { i.End = time.Time{} },
		"ends at its start":    func(i *Intent) { i.End = i.Start },
		"forever and an end":   func(i *Intent) { i.Forever = true },
		"rule that is not one": func(i *Intent) { i.Override = []string{"keep_calm"} },
		"a painted reason":     func(i *Intent) { i.Reason = "\x1b[31m" },
		"lifeboat of a weight": func(i *Intent) { i.Kind, i.Lifeboat = IntentWeight, true },
		"lifeboat of a node":   func(i *Intent) { i.Scope, i.Lifeboat = Scope{Kind: ScopeNode, Name: "n1"}, true },
		"lifeboat of one":      func(i *Intent) { i.Service, i.Lifeboat = "www.example.org.", true },
		"a long reason":        func(i *Intent) { i.Reason = string(make([]byte, MaxReason+1)) },
	} {
		i := good
		change(&i)
		require.ErrorIs(t, i.Validate(), ErrInvalidIntent, name)
	}
	boat := good
	boat.Lifeboat = true
	require.NoError(t, boat.Validate())
	good.Start = now.Add(time.Minute)
	require.False(t, good.Active(now))
	require.True(t, good.Active(now.Add(time.Minute)))
	require.False(t, good.Active(now.Add(time.Hour)))
}
