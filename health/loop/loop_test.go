package loop

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

func TestMain(m *testing.M) { suite.Main(m) }

// own turns a loop until ctx ends, and settles all that it was commanded.
func own(ctx context.Context, l *Loop) {
	settled := 0
	defer l.Close()
	l.Run(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-l.Commands():
			c.Do(time.Now(), func(time.Time) { settled++ })
		case <-l.Woken():
			l.DoPosted(time.Now())
		}
	}
}

// TestLoop: commands are answered with their result, what is posted is done in its order, and nothing is taken once the owner has ended.
func TestLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New()
		ctx, cancel := context.WithCancel(t.Context())
		go own(ctx, l)
		var order []int
		for i := range 3 {
			l.Post(func(time.Time) { order = append(order, i) })
		}
		synctest.Wait()
		refused := errors.New("refused")
		require.Equal(t, refused, l.Do(func(time.Time) error { return refused }))
		var seen []int
		require.NoError(t, l.Do(func(time.Time) error { seen = order; return nil }))
		require.Equal(t, []int{0, 1, 2}, seen)
		cancel()
		synctest.Wait()
		require.ErrorIs(t, l.Do(func(time.Time) error { panic("the owner has ended") }), ErrEnded)
		select {
		case <-l.Ended():
		default:
			t.Error("it has not ended")
		}
	})
}

// TestBeside: what runs beside the owner ends with the owner's context, or when its time is over, and is waited for.
func TestBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New()
		ctx, cancel := context.WithCancel(t.Context())
		go own(ctx, l)
		synctest.Wait()
		begun, ended := time.Now(), make(chan time.Duration, 2)
		for _, most := range []time.Duration{time.Second, time.Hour} {
			l.Beside(most, func(ctx context.Context) { <-ctx.Done(); ended <- time.Since(begun) })
		}
		require.Equal(t, time.Second, <-ended)
		time.Sleep(time.Second) // in a bubble
		cancel()
		l.Wait()
		require.Equal(t, 2*time.Second, <-ended)
	})
}
