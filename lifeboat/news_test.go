package lifeboat

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// TestAskGap: however much happens, and whatever comes of it, the node is asked no more often than each askGap.
func TestAskGap(t *testing.T) {
	for name, err := range map[string]error{"a node that answers": nil, "a node that does not": errors.New("out of reach")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				b := &Boat{opts: Options{
					Ask: func(context.Context, string) (*api.Lifeboat, error) {
						asked++
						return new(api.Lifeboat), err
					},
					Follow: func(ctx context.Context, nudge func()) error {
						tick := time.NewTicker(time.Millisecond)
						defer tick.Stop()
						for {
							nudge()
							select {
							case <-tick.C:
							case <-ctx.Done():
								return ctx.Err()
							}
						}
					},
				}}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				news := make(chan *api.Lifeboat, 1000)
				b.watch(ctx, news, nil)
				synctest.Wait()
				require.InDelta(t, 10*time.Second/askGap, asked, 1)
			})
		})
	}
}
