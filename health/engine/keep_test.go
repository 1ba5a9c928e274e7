package engine

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/intent"
	"github.com/fairlead-dns/fairlead/health/loop"
)

// stall has each write of orders take a time from now on.
func (b *bed) stall(t *testing.T, d time.Duration, err error) {
	require.NoError(t, b.loop.Do(func(time.Time) error {
		b.orders.SlowDown(func(j *intent.Job) error {
			time.Sleep(d) // in a bubble
			return errors.Join(err, j.Write())
		})
		return nil
	}))
}

// TestSlowDisk: while a disk takes 5 s for each write, verdicts are taken, horizons move and what other nodes say is in force; orders wait,
// one after the other, and are in force once they are on disk.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1", "192.0.2.2", "192.0.2.3")
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z}), State: t.TempDir()})
		for i := range 3 {
			b.report(z, i, health.Up, 0)
		}
		const slow = 5 * time.Second
		b.stall(t, slow, nil)
		begun := time.Now()
		type answer struct {
			err   error
			after time.Duration
		}
		drained, frozen := make(chan answer, 1), make(chan answer, 1)
		go func() {
			_, err := b.Intend(drainOf(oneEnd))
			drained <- answer{err, time.Since(begun)}
		}()
		synctest.Wait()
		go func() { frozen <- answer{b.Freeze(true, "ada", ""), time.Since(begun)} }()
		synctest.Wait()

		b.report(z, 1, health.Down, 3)
		require.Equal(t, health.Down, stateOf(b.View(), 1), "a verdict moves")
		flip := b.publisher.flips[0]
		time.Sleep(time.Second)
		b.report(z, 2, health.Up, 1)
		require.True(t, b.publisher.flips[0].Before(flip) || b.publisher.flips[0].After(flip), "a horizon moves")
		another := drainOf(health.Scope{Kind: health.ScopeEndpoint, Zone: "example.org.", Pool: z.Pools[0].Name, Endpoint: z.Pools[0].Endpoints[2].Name})
		another.ID, another.Start, another.End = health.IntentID{Node: "n2", Incarnation: 1, Counter: 1}, begun, begun.Add(time.Hour)
		kept := make(chan error, 1)
		go func() {
			kept <- b.orders.TakeKept(t.Context(), intent.Set{}.Add(another), func(time.Time) error { return nil })
		}()
		synctest.Wait()
		require.Empty(t, kept, "it is not on disk")
		require.True(t, b.pool().Endpoints[2].Drained, "what others say is in force at once")
		require.False(t, b.pool().Endpoints[0].Drained, "the order is not on disk")
		require.Empty(t, drained)

		require.Equal(t, answer{nil, slow}, <-drained)
		require.True(t, b.pool().Endpoints[0].Drained)
		require.True(t, b.pool().Endpoints[2].Drained)
		require.False(t, b.View().Frozen)
		got := <-frozen
		require.NoError(t, got.err)
		require.Equal(t, 2*slow, got.after, "behind the order before it")
		require.True(t, b.View().Frozen)
		require.NoError(t, <-kept)
	})
}

// TestSlowDiskRefuses: an order that a slow disk refuses in the end has changed nothing, and the one behind it is taken all the same.
func TestSlowDiskRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1", "192.0.2.2")
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z}), State: t.TempDir()})
		full := errors.New("no space left on device")
		b.stall(t, 5*time.Second, full)
		refused, taken := make(chan error, 1), make(chan error, 1)
		go func() { _, err := b.Intend(drainOf(oneEnd)); refused <- err }()
		synctest.Wait()
		go func() { _, err := b.Intend(forceOf(oneEnd, health.Up)); taken <- err }()
		time.Sleep(time.Second)
		b.stall(t, 0, nil)
		require.ErrorIs(t, <-refused, full)
		require.NoError(t, <-taken)
		require.False(t, b.pool().Endpoints[0].Drained)
		require.Equal(t, health.Up, b.pool().Endpoints[0].Forced)
	})
}

// TestEndWhileWriting: an order that is being written when the node ends is answered by what came of it, and is there after the restart.
func TestEndWhileWriting(t *testing.T) {
	dir := t.TempDir()
	opts := Options{Model: config.NewModel([]*config.Zone{testZone("example.org.", "192.0.2.1", "192.0.2.2")}), State: dir}
	synctest.Test(t, func(t *testing.T) {
		b, end := begin(t, opts)
		b.stall(t, 5*time.Second, nil)
		taken, late := make(chan error, 1), make(chan error, 1)
		go func() { _, err := b.Intend(drainOf(oneEnd)); taken <- err }()
		synctest.Wait()
		go func() { late <- b.Freeze(true, "ada", "") }()
		synctest.Wait()
		end()
		require.NoError(t, <-taken)
		require.ErrorIs(t, <-late, loop.ErrEnded)
	})
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Minute)
		b := start(t, opts)
		require.True(t, b.pool().Endpoints[0].Drained)
		require.False(t, b.View().Frozen)
	})
}
