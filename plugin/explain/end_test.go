package explain

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/answer/answertest"
)

// TestPreviewOfAnEnd: on random models in random weather, with some random orders, what the preview of the end of some of them says is what
// every class of clients gets once they have ended, record by record.
func TestPreviewOfAnEnd(t *testing.T) {
	models := int(suite.Cases(300, 50))
	moved, rrsets, held, admitted, comes := 0, 0, 0, 0, 0
	for seed := range uint64(models) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 22))
			z := checkedPolicies(t, r)
			n := answertest.Start(t, z)
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
			x, now := explainer(n), time.Now()
			admit := seed%2 == 0
			then := x.ForeseeEnd(n.Intents(), ends, admit, now)
			foreseen, p := then.Snapshot, x.Compare(then.Snapshot, now)
			require.NoError(t, n.EndIntent(ends, "ada", "over"))
			if admit {
				admitted += letIn(t, n, then)
			}
			got := x.Compare(n.Current.Load(), now)
			moved += len(got.Services)
			require.Len(t, p.Services, len(got.Services), "seed %d: %v", seed, ends)
			for k := range got.Services {
				require.Equal(t, got.Services[k].After.Shares, p.Services[k].After.Shares, "seed %d: %s", seed, got.Services[k].Service)
				require.Equal(t, got.Services[k].After.Source, p.Services[k].After.Source, "seed %d", seed)
			}
			require.Equal(t, got.Names, p.Names, "seed %d", seed)
			comes += len(p.Names)
			sameRRsets(t, seed, foreseen, n.Current.Load(), &rrsets)
			for at := range then.touched {
				want := n.Current.Load().View.Zones[at.zone].Pools[at.pool].Return
				require.Equal(t, want.On(), foreseen.View.Zones[at.zone].Pools[at.pool].Return.On(), "seed %d", seed)
				if want.On() {
					held++
				}
			}
		})
	}
	t.Logf("%d models, %d plans moved, %d RRsets compared, %d pools on their way back, %d let in", models, moved, rrsets, held, admitted)
	require.Positive(t, admitted)
	require.Positive(t, comes, "names beside those of services")
	require.Greater(t, moved, models/2)
	require.Greater(t, rrsets, 50*models)
	require.Greater(t, held, models/20)
}

// letIn lets in the pools that orders which ended were about, as an operator would who does not wait; it returns how many.
func letIn(t *testing.T, n *answertest.Node, then *Ended) (admitted int) {
	for at := range then.touched {
		z := then.Snapshot.View.Zones[at.zone].Zone
		view := then.Snapshot.View.Zones[at.zone].Pools[at.pool]
		if slices.ContainsFunc(append([]health.Return{view.Return}, view.ReturnAZ...), func(r health.Return) bool { return r.On() }) {
			scope := health.Scope{Kind: health.ScopePool, Zone: z.Name, Pool: z.Pools[at.pool].Name}
			_, err := n.Intend(health.Intent{Kind: health.IntentFailback, Scope: scope, Actor: "ada", Reason: "now"})
			require.NoError(t, err)
			admitted++
		}
	}
	return admitted
}
