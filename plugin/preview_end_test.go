package fairlead

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/integration/suite"
)

// TestPreviewOfAnEnd: on random models in random weather, with some random orders, what the preview of the end of some of them says is what
// every class of clients gets once they have ended, record by record.
func TestPreviewOfAnEnd(t *testing.T) {
	models := int(suite.Cases(300, 50))
	moved, rrsets, held := 0, 0, 0
	for seed := range uint64(models) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 22))
			z := checkedPolicies(t, r)
			n := previewNode(t, z)
			weather(n, z, r)
			var ids []health.IntentID
			for range 1 + r.IntN(6) {
				order := randomOrder(r)
				if r.IntN(3) == 0 {
					order.Override = health.Rules()
				}
				id, err := n.Intend(order)
				time.Sleep(time.Duration(r.IntN(40)) * time.Second)
				if err == nil && r.IntN(2) == 0 {
					ids = append(ids, id)
				}
			}
			// No hold ends at the very instant of the preview.
			time.Sleep(300 * time.Millisecond)
			synctest.Wait()
			open := make(map[health.IntentID]bool)
			for _, s := range n.Intents() {
				open[s.ID] = true
			}
			var ends []health.IntentID
			for _, id := range ids {
				// A later order may have taken its place.
				if open[id] {
					ends = append(ends, id)
				}
			}
			if len(ends) == 0 {
				return
			}
			x := &Explainer{Compiler: n.compiler, Snapshot: n.current.Load()}
			now := time.Now()
			foreseen, e := foreseeEnd(x, n.Intents(), ends, false, now)
			p, err := n.PreviewEnd(ends, false)
			require.NoError(t, err)
			require.NoError(t, n.EndIntent(ends, "ada", "over"))
			got := x.compare(n.current.Load(), now)
			moved += len(got.Services)
			require.Len(t, p.WhatIf.Services, len(got.Services), "seed %d: %v", seed, ends)
			for k := range got.Services {
				require.Equal(t, got.Services[k].After.Shares, p.WhatIf.Services[k].After.Shares, "seed %d: %s", seed, got.Services[k].Service)
				require.Equal(t, got.Services[k].After.Source, p.WhatIf.Services[k].After.Source, "seed %d", seed)
			}
			sameRRsets(t, seed, foreseen, n.current.Load(), &rrsets)
			for at := range e.touched {
				want := n.current.Load().View.Zones[at.zone].Pools[at.pool].Return
				require.Equal(t, want.On(), foreseen.View.Zones[at.zone].Pools[at.pool].Return.On(), "seed %d", seed)
				if want.On() {
					held++
				}
			}
		})
	}
	t.Logf("%d models, %d plans moved, %d RRsets compared, %d pools on their way back", models, moved, rrsets, held)
	require.Greater(t, moved, models/2)
	require.Greater(t, rrsets, 50*models)
	require.Greater(t, held, models/20)
}

// TestPreviewOfAnEndAtOnce: what would wait for its hold is answered in the preview that lets it in, as failback would have it.
func TestPreviewOfAnEndAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, problems := config.Parse("zone.yaml", []byte(`zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [a]}}
pools:
  one: {region: eu, endpoints: [{name: e, addresses: [192.0.2.1], az: a}]}
  two: {region: eu, endpoints: [{name: e, addresses: [192.0.2.2], az: a}]}
services:
  www: {tiers: [{one: 1}, {two: 1}]}
`), config.ParseOptions{})
		require.NoError(t, problems.Err())
		n := previewNode(t, z)
		scope, err := health.ParseScope(health.ScopePool, "example.org/one")
		require.NoError(t, err)
		id, err := n.Intend(health.Intent{Kind: health.IntentDrain, Scope: scope, Actor: "ada", Reason: "mistake"})
		require.NoError(t, err)
		p, err := n.PreviewEnd([]health.IntentID{id}, false)
		require.NoError(t, err)
		require.Empty(t, p.WhatIf.Services, "it waits for its hold")
		require.Equal(t, "one", p.Zones[0].Pools[0].Name)
		require.InDelta(t, 30, time.Until(*p.Zones[0].Pools[0].HeldUntil).Seconds(), 0.001)
		p, err = n.PreviewEnd([]health.IntentID{id}, true)
		require.NoError(t, err)
		require.Equal(t, "one", p.WhatIf.Services[0].After.Shares[0].Pool)
		require.Nil(t, p.Zones[0].Pools[0].HeldUntil)
		require.Len(t, n.Intents(), 1, "nothing has ended")
	})
}
