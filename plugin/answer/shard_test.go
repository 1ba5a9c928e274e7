package answer

import (
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// TestShardDeadline: until an order moves shards no answer about them outlives that instant, but for the floor; others keep their TTL.
func TestShardDeadline(t *testing.T) {
	snap, _ := policyQuestions(t)
	zv := *snap.View.Zones[0]
	at := base.Add(21 * time.Second)
	for i, svc := range zv.Zone.Services {
		if svc.Cells != nil {
			zv.Scoped = map[int]*health.ServiceView{i: {ShardMoves: []health.ShardMove{{Shards: config.Shards{{First: 3, Last: 7}}, At: at}}}}
		}
	}
	snap = NewCompiler("n1", base).Compile(nil, &health.View{At: base, Model: snap.View.Model, Zones: []*health.ZoneView{&zv}})
	for _, tt := range []struct {
		name  string
		after time.Duration
		want  uint32
		why   TTLReason
	}{
		{"7.orders", 0, 20, TTLShard},
		{"3.orders", 14500 * time.Millisecond, 6, TTLShard},
		{"7.orders", 20 * time.Second, 2, TTLShard},
		{"7.orders", time.Hour, 2, TTLShard},
		{"8.orders", 0, 30, TTLPeace},
		{"8.orders", 20 * time.Second, 30, TTLPeace},
		{"orders", 20 * time.Second, 30, TTLPeace},
	} {
		q := &Question{Name: mustPackName(tt.name + ".example.org."), Type: dns.TypeA, Class: classIN}
		look, ok := snap.Look(q, base.Add(tt.after))
		require.True(t, ok)
		require.Equal(t, tt.want, look.TTL, "%s after %s", tt.name, tt.after)
		require.Equal(t, tt.why, look.TTLReason, "%s after %s", tt.name, tt.after)
		// The answer itself says the same.
		out, _, _ := snap.AppendAt(nil, q, base.Add(tt.after))
		var m dns.Msg
		require.NoError(t, m.Unpack(out))
		require.Equal(t, tt.want, m.Answer[0].Header().Ttl, "%s after %s", tt.name, tt.after)
	}
}
