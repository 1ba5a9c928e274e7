package gossip

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
)

func value(t *testing.T, m prometheus.Metric) float64 {
	var d dto.Metric
	require.NoError(t, m.Write(&d))
	if d.Gauge != nil {
		return d.Gauge.GetValue()
	}
	return d.Counter.GetValue()
}

func TestState(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := gossiptest.New(1)
		net.SetLink(lan)
		var largest atomic.Int64
		net.Tap(func(p gossiptest.Packet) { largest.Store(max(largest.Load(), int64(len(p.Data)))) })
		c := newCluster(t, net, 3, nil)
		big := make([]byte, 5*ShardSize+7)
		for i := range big {
			big[i] = byte(i * 7)
		}
		require.NoError(t, c.nodes[0].Publish(map[string][]byte{"a": []byte("1"), "b": {}, "big": big}))
		time.Sleep(2 * time.Second)
		for _, n := range c.nodes[1:] {
			require.Equal(t, "1", n.has("n1", "a"))
			got := make([]byte, len(big))
			shards := map[int]bool{}
			for _, r := range n.rounds {
				if r.Node == "n1" && r.Key == "big" {
					require.Equal(t, 6, r.Shards)
					copy(got[r.Shard*ShardSize:], r.Data)
					shards[r.Shard] = true
				}
			}
			require.Len(t, shards, 6)
			require.Equal(t, big, got)
			for _, h := range n.Heard() {
				require.Equal(t, uint64(1), h.Incarnation, h.Node)
				require.Less(t, time.Since(h.At), 1100*time.Millisecond, h.Node)
			}
		}
		// A round each second, and no more, while nothing changes; each shard is delivered once per round.
		before, sent := c.nodes[1].count(), value(t, c.nodes[0].metrics.rounds)
		time.Sleep(10 * time.Second)
		require.InDelta(t, 10, value(t, c.nodes[0].metrics.rounds)-sent, 1)
		require.InDelta(t, 10*8, c.nodes[1].count()-before, 16)
		// Changes every millisecond make five rounds a second.
		sent = value(t, c.nodes[0].metrics.rounds)
		for i := range 2000 {
			c.publish(0, "a", fmt.Sprint(i))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		require.InDelta(t, 13, value(t, c.nodes[0].metrics.rounds)-sent, 2)
		require.Equal(t, "1999", c.nodes[1].has("n1", "a"))
		require.Zero(t, value(t, c.nodes[1].metrics.dropped[dropSignature]))
		require.LessOrEqual(t, largest.Load(), int64(maxDatagram))
		require.Greater(t, largest.Load(), int64(ShardSize))
	})
}

// TestRefresh: a state in other words makes the round of the second at once, and that round alone.
func TestRefresh(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := gossiptest.New(1)
		net.SetLink(lan)
		c := newCluster(t, net, 2, nil)
		time.Sleep(3 * time.Second)
		sent := value(t, c.nodes[0].metrics.rounds)
		for i := range 20 {
			left := fmt.Sprint(i)
			require.NoError(t, c.nodes[0].Refresh(map[string][]byte{"left": []byte(left)}))
			require.Less(t, c.converged(0, "left", left, time.Second), 50*time.Millisecond)
			time.Sleep(time.Second)
		}
		require.InDelta(t, 20, value(t, c.nodes[0].metrics.rounds)-sent, 2)
		// Nobody refreshes it any more: it is said all the same.
		sent = value(t, c.nodes[0].metrics.rounds)
		time.Sleep(10 * time.Second)
		require.InDelta(t, 10, value(t, c.nodes[0].metrics.rounds)-sent, 1)
	})
}
