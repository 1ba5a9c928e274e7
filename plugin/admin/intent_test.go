package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// send returns the status and the body.
func send(t *testing.T, c *http.Client, method, path, body string, into any) int {
	t.Helper()
	req, err := http.NewRequest(method, "http://node"+path, strings.NewReader(body))
	require.NoError(t, err)
	r, err := c.Do(req)
	require.NoError(t, err)
	defer r.Body.Close()
	require.NoError(t, json.NewDecoder(r.Body).Decode(into))
	return r.StatusCode
}

func TestIntentRoutes(t *testing.T) {
	n := &fakeNode{}
	c, _ := start(t, n)
	var made api.Intent
	status := send(t, c, "POST", api.IntentsPath, `{"kind":"drain","scope":{"kind":"az","name":"eu-a"},"service":"WWW.example.org","actor":"ada","reason":"CHG-1","override":["keep_azs"],"for_seconds":60}`, &made)
	require.Equal(t, http.StatusCreated, status)
	require.Equal(t, []any{"n1-1-1", "drain", api.Scope{Kind: "az", Name: "eu-a"}, "www.example.org.", api.IntentInForce, "ada"},
		[]any{made.ID, made.Kind, made.Scope, made.Service, made.State, made.Actor})
	require.Equal(t, time.Minute, made.EndsAt.Sub(made.StartsAt))
	require.Equal(t, http.StatusCreated, send(t, c, "POST", api.IntentsPath, `{"kind":"weight","scope":{"kind":"pool","name":"example.org/web"},"weight":0,"reason":"x","forever":true}`, &made))
	require.Equal(t, 0, *made.Weight)
	require.True(t, n.intents[1].Forever)
}

func TestPoolRoutes(t *testing.T) {
	n := &fakeNode{}
	c, _ := start(t, n)
	var made api.Intent
	require.Equal(t, http.StatusCreated, send(t, c, "POST", api.ReadyPath("example.org", "web"), `{"actor":"ada"}`, &made))
	require.Equal(t, "ready", made.Kind)
	require.Nil(t, made.EndsAt, "a gate does not close by itself")
	require.Equal(t, http.StatusCreated, send(t, c, "POST", api.FailbackPath("example.org.", "web"), `{"actor":"ada"}`, &made))
	require.Equal(t, health.Scope{Kind: health.ScopePool, Zone: "example.org.", Pool: "web"}, n.intents[1].Scope)
	var list api.Intents
	require.Equal(t, http.StatusOK, send(t, c, "GET", api.IntentsPath, "", &list))
	require.Len(t, list.Intents, 2)
	require.Equal(t, http.StatusOK, send(t, c, "DELETE", api.ReadyPath("example.org", "web"), `{"actor":"bob"}`, &list))
	require.Equal(t, "ready", list.Intents[0].Kind)
	require.Len(t, n.intents, 1)
	var p api.Problem
	require.Equal(t, http.StatusNotFound, send(t, c, "DELETE", api.ReadyPath("example.org", "web"), "", &p), "it is closed already")
	require.Equal(t, http.StatusOK, send(t, c, "DELETE", api.IntentPath(n.intents[0].ID.String()), "", &list))
	require.Empty(t, n.intents)
	require.Equal(t, http.StatusBadRequest, send(t, c, "POST", api.ReadyPath("example.org", "a/b"), `{}`, &p), "no such name can be")
	require.Equal(t, http.StatusMethodNotAllowed, send(t, c, "DELETE", api.FailbackPath("example.org", "web"), "", &p))
}

func TestIntentRequestsThatAreRefused(t *testing.T) {
	n := &fakeNode{}
	c, _ := start(t, n)
	drain := `{"kind":"drain","scope":{"kind":"az","name":"eu-a"},"reason":"x"}`
	for name, tt := range map[string]struct {
		method, path, body string
		err                error
		status             int
		detail             string
	}{
		"no reason":                 {body: `{"kind":"drain","scope":{"kind":"az","name":"eu-a"}}`, status: 400, detail: "reason: required"},
		"a key that does not exist": {body: `{"dry_rum":true,"kind":"drain","scope":{"kind":"az","name":"eu-a"},"reason":"x"}`, status: 400, detail: "dry_rum"},
		"no such kind":              {body: `{"kind":"promote","scope":{"kind":"az","name":"eu-a"},"reason":"x"}`, status: 400, detail: "want drain, weight or force"},
		"no such scope":             {body: `{"kind":"drain","scope":{"kind":"zone","name":"eu-a"},"reason":"x"}`, status: 400, detail: `"zone"`},
		"half a name":               {body: `{"kind":"drain","scope":{"kind":"endpoint","name":"web/a"},"reason":"x"}`, status: 400, detail: "ZONE/POOL/ENDPOINT"},
		"no weight":                 {body: `{"kind":"weight","scope":{"kind":"pool","name":"z/p"},"reason":"x"}`, status: 400, detail: "weight: required"},
		"two ends":                  {body: `{"kind":"drain","scope":{"kind":"az","name":"a"},"reason":"x","forever":true,"for_seconds":1}`, status: 400, detail: "one of them"},
		"below zero":                {body: `{"kind":"drain","scope":{"kind":"az","name":"a"},"reason":"x","for_seconds":-1}`, status: 400, detail: "for_seconds"},
		"in a million years":        {body: `{"kind":"drain","scope":{"kind":"az","name":"a"},"reason":"x","starts_in_seconds":1e300}`, status: 400, detail: "starts_in_seconds"},
		"a rule": {body: drain, status: 409, detail: "refused by keep_azs: service www.example.org",
			err: &health.RuleError{Suspension: health.Suspension{Rule: health.RuleKeepAZs, Service: "www.example.org."}, Why: "x"}},
		"a lifeboat":    {body: `{"kind":"drain","scope":{"kind":"az","name":"a"},"reason":"overloads","lifeboat":true}`, status: 409, detail: "150 % of its capacity"},
		"nothing named": {body: drain, err: fmt.Errorf("%w: az eu-a", health.ErrNothingNamed), status: 404, detail: "az eu-a"},
		"conflict":      {body: drain, err: health.ErrIntentConflict, status: 409},
		"invalid":       {body: drain, err: health.ErrInvalidIntent, status: 400},
		"disk full":     {body: drain, err: errors.New("no space left"), status: 507, detail: "no space left"},
		"no such id":    {method: "DELETE", path: api.IntentPath("n1-1-9"), status: 404, detail: "n1-1-9"},
		"not an id":     {method: "DELETE", path: api.IntentPath("x"), status: 400, detail: "NODE-INCARNATION-COUNTER"},
	} {
		t.Run(name, func(t *testing.T) {
			n.intendErr = tt.err
			if tt.method == "" {
				tt.method, tt.path = "POST", api.IntentsPath
			}
			var p api.Problem
			require.Equal(t, tt.status, send(t, c, tt.method, tt.path, tt.body, &p))
			require.Contains(t, p.Detail, tt.detail)
			if name == "a rule" {
				require.Equal(t, []string{"keep_azs", "www.example.org."}, []string{p.Rule, p.Service})
			}
		})
	}
}

func TestIntentsShown(t *testing.T) {
	rule := &health.Suspension{Rule: health.RuleNeverEmpty, Service: "www.example.org."}
	for want, i := range map[string]health.IntentState{
		api.IntentPlanned:   {Planned: true},
		api.IntentSuspended: {Suspended: rule},
		api.IntentDangling:  {Nothing: true},
		api.IntentInForce:   {},
	} {
		require.Equal(t, want, intentShown(&i).State)
	}
	require.Equal(t, "never_empty", intentShown(&health.IntentState{Suspended: rule}).Rule)
	require.NotEmpty(t, intentShown(&health.IntentState{NoEffect: "x"}).Note)
}

// TestReturnsOfServices: services wait for a pool each in its own way, and for an AZ only where the pool does not hold it back.
func TestReturnsOfServices(t *testing.T) {
	now := time.Now()
	hold, ramp, manual := config.Failback{Hold: time.Minute}, config.Failback{Ramp: []int{10, 100}, Step: time.Minute}, config.Failback{Mode: config.FailbackManual}
	zone := &config.Zone{AZs: []config.AZ{{Name: "a"}}, Services: []*config.Service{
		{Name: "one", Failback: hold}, {Name: "two", Failback: hold}, {Name: "db", Failback: manual}, {Name: "fast", Failback: ramp},
	}}
	z := zoneStatus{now: now, view: &health.ZoneView{Zone: zone}}
	pool := &config.Pool{Services: []int{0, 1, 2, 3}, Failbacks: []config.Failback{hold, manual, ramp}, AZWeights: []config.AZWeight{{AZ: 0}}}
	r := health.Return{Since: now.Add(-10 * time.Second)}
	held, next := r.Since.Add(time.Minute), r.Since.Add(time.Minute)
	require.Equal(t, []api.PoolReturn{
		{Services: []string{"one", "two"}, Next: &held}, {Services: []string{"db"}, WaitsFor: "failback"},
		{Services: []string{"fast"}, Percent: 10, Next: &next},
	}, z.returns(pool, &health.PoolView{Return: r, ReturnAZ: []health.Return{r}}), "an AZ that gives no less than its pool is nothing apart")
	require.Equal(t, []api.PoolReturn{
		{AZ: "a", Services: []string{"one", "two"}, Next: &held}, {AZ: "a", Services: []string{"db"}, WaitsFor: "failback"},
		{AZ: "a", Services: []string{"fast"}, Percent: 10, Next: &next},
	}, z.returns(pool, &health.PoolView{ReturnAZ: []health.Return{r}}))
	require.Empty(t, z.returns(pool, &health.PoolView{}))

	// While the node is isolated nothing of it moves.
	z.snap = &answer.Snapshot{View: &health.View{Isolated: true}}
	for _, got := range z.returns(pool, &health.PoolView{Return: r, At: r.Since.Add(5 * time.Second)}) {
		require.Nil(t, got.Next)
		require.Contains(t, []string{waitsCluster, waitsFailback}, got.WaitsFor)
	}
}

// TestReturning: what a pool waits for, and how far its ramp is.
func TestReturning(t *testing.T) {
	now := time.Now()
	ramp := config.Failback{Ramp: []int{10, 30, 100}, Step: time.Minute}
	for _, tt := range []struct {
		name     string
		failback config.Failback
		gate     bool
		byCheck  bool
		r        health.Return
		waits    string
		percent  int
		degraded bool
	}{
		{name: "in service", failback: ramp},
		{name: "ramping", failback: ramp, r: health.Return{Since: now.Add(-90 * time.Second)}, percent: 30},
		{name: "manual", failback: config.Failback{Mode: config.FailbackManual}, r: health.Return{Since: now}, waits: "failback", degraded: true},
		{name: "never", failback: config.Failback{Mode: config.FailbackNever}, r: health.Return{Since: now}, waits: "config", degraded: true},
		{name: "a gate", failback: ramp, gate: true, waits: "ready"},
		{name: "a gate that waits for a check", failback: ramp, gate: true, byCheck: true, waits: "check"},
		{name: "a gate first", failback: config.Failback{Mode: config.FailbackManual}, gate: true, r: health.Return{Since: now}, waits: "ready", degraded: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z := zoneStatus{now: now, view: &health.ZoneView{Zone: &config.Zone{Checks: []*config.Check{{Name: "replica"}}, Services: []*config.Service{{Name: "www", Failback: tt.failback}}}}}
			var p api.Pool
			z.returning(&p, &config.Pool{Services: []int{0}, Failbacks: []config.Failback{tt.failback}, Gate: config.Gate{Manual: !tt.byCheck, ByCheck: tt.byCheck}}, &health.PoolView{GateClosed: tt.gate, Return: tt.r})
			require.Equal(t, []any{tt.waits, tt.percent, tt.degraded}, []any{p.WaitsFor, p.RampPercent, z.degraded})
			require.Equal(t, tt.byCheck, p.GateCheck == "replica")
			require.Equal(t, tt.percent > 0, p.RampNext != nil)
		})
	}
}
