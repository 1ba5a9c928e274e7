package node

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/answer/answertest"
)

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
		served := answertest.Start(t, z)
		node := &Node{current: served.Current, compiler: served.Compiler, engine: served.Engine, day: &dayLog{}}
		node.config.Store(config.DefaultNode())
		n := &explainer{node}
		scope, err := health.ParseScope(health.ScopePool, "example.org/one")
		require.NoError(t, err)
		id, err := served.Intend(health.Intent{Kind: health.IntentDrain, Scope: scope, Actor: "ada", Reason: "mistake"})
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
		require.Len(t, served.Intents(), 1, "nothing has ended")
	})
}
