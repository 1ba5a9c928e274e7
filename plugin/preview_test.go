package fairlead

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/engine"
	"github.com/fairlead-dns/fairlead/plugin/admin"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// previewNode runs an engine over z until the test ends.
func previewNode(t *testing.T, z *config.Zone) *node {
	n := &node{current: new(answer.Current), compiler: answer.NewCompiler("n1", time.Now())}
	n.config.Store(&config.Node{Name: "n1"})
	var err error
	n.engine, err = engine.New(engine.Options{
		Publisher: &publisher{compiler: n.compiler, current: n.current}, Prober: newDrivenProber(nil),
		Model: config.NewModel([]*config.Zone{z}), Node: "n1",
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.engine.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return n
}

// randomOrder is a drain or a weight.
func randomOrder(r *rand.Rand) health.Intent {
	i := health.Intent{Kind: health.IntentDrain, Actor: "ada", Reason: "preview", Forever: true}
	if r.IntN(3) == 0 {
		i.Service = []string{"www.example.org.", "geo.example.org.", "stay.example.org."}[r.IntN(3)]
	}
	if r.IntN(3) == 0 {
		i.Kind, i.Weight = health.IntentWeight, r.IntN(100)
		i.Scope, _ = health.ParseScope(health.ScopePool, "example.org./"+[]string{"p0", "p1", "p2"}[r.IntN(3)])
		return i
	}
	switch r.IntN(4) {
	case 0:
		i.Scope, _ = health.ParseScope(health.ScopePool, "example.org./p1")
	case 1:
		i.Scope, _ = health.ParseScope(health.ScopeEndpoint, "example.org./p0/e1")
	case 2:
		i.Scope, _ = health.ParseScope(health.ScopeAZ, "r1a")
	default:
		i.Scope, _ = health.ParseScope(health.ScopeRegion, []string{"r0", "r1", "r2"}[r.IntN(3)])
	}
	return i
}

// TestPreviewIsTheResult: on 150 random models with a random order each, what the preview says is what every class of clients
// gets once the order is given, and a refusal that it foresees comes.
func TestPreviewIsTheResult(t *testing.T) {
	refused, touched := 0, 0
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 21))
			z, problems := config.Parse("zone.yaml", []byte(randomPolicies(r)), config.ParseOptions{Geo: config.GeoPresent})
			require.NoError(t, problems.Err())
			n := previewNode(t, z)
			for range r.IntN(5) {
				_, _ = n.Intend(randomOrder(r))
			}
			order := randomOrder(r)
			p, err := n.Preview(order)
			if err != nil {
				require.ErrorIs(t, err, health.ErrNothingNamed, "seed %d: the service does not use the pool", seed)
				return
			}
			before := n.current.Load()
			x := &Explainer{Compiler: n.compiler, Snapshot: before}
			_, err = n.Intend(order)
			if p.Rule != "" {
				refused++
				require.ErrorContains(t, err, p.Rule, "seed %d", seed)
				order.Override = health.Rules()
				_, err = n.Intend(order)
			}
			require.NoError(t, err, "seed %d", seed)
			got := x.compare(n.current.Load(), time.Now())
			touched += len(got.Services)
			require.Len(t, p.WhatIf.Services, len(got.Services), "seed %d", seed)
			for k := range got.Services {
				require.Equal(t, got.Services[k].Service, p.WhatIf.Services[k].Service)
				require.Equal(t, got.Services[k].After.Shares, p.WhatIf.Services[k].After.Shares, "seed %d: %s", seed, got.Services[k].Service)
				require.Equal(t, got.Services[k].After.Source, p.WhatIf.Services[k].After.Source, "seed %d", seed)
			}
			if len(got.Services) > 0 {
				require.InDelta(t, 30+5.25, p.ForgottenWithinSeconds, 1e-9)
			}
		})
	}
	require.Greater(t, refused, 3)
	require.Greater(t, touched, 300)
}

func TestPreviewOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := previewNode(t, testZone(t))
		scope, err := health.ParseScope(health.ScopeAZ, "mars")
		require.NoError(t, err)
		_, err = n.Preview(health.Intent{Kind: health.IntentDrain, Scope: scope, Reason: "x"})
		require.ErrorIs(t, err, health.ErrNothingNamed)
		require.NotErrorIs(t, err, admin.ErrInvalid)
		require.Empty(t, n.Intents())
	})
}
