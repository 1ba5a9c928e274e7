package fairlead

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

func TestPublisher(t *testing.T) {
	p := &publisher{compiler: answer.NewCompiler("n1", time.Now()), current: new(answer.Current)}
	first := allUp(testZone(t))
	swap := p.Publish(first, nil)
	<-swap.Quiet
	require.NotEmpty(t, swap.Entered)
	require.Empty(t, swap.Left)
	require.Same(t, first, p.current.Load().View)

	// A prepared model serves when its view is published, and only then.
	second, third := allUp(testZone(t)), allUp(testZone(t))
	p.Prepare(second)
	again := *first
	p.Publish(&again, nil)
	require.Same(t, first.Model, p.current.Load().View.Model)
	require.NotNil(t, p.prepared.Load(), "it still waits")

	p.Prepare(third)
	require.Same(t, third.Model, p.prepared.Load().View.Model, "one that is overtaken is dropped")
	p.Publish(second, nil)
	require.Same(t, second, p.current.Load().View, "without the prepared snapshot it is compiled on the spot")
	lease := p.current.Enter(0)
	swap = p.Publish(third, []health.PoolHorizon{{Flip: time.Now()}})
	require.Nil(t, p.prepared.Load())
	select {
	case <-swap.Quiet:
		t.Fatal("a reader still uses the older snapshot")
	default:
	}
	lease.Leave()
	<-swap.Quiet
}
