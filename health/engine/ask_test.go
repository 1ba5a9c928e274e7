package engine

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/gossip"
)

// TestAskEach: every other node replies, or it is said why not.
func TestAskEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := false
		hello := map[string]gossip.Handler{"hello": func(_ context.Context, from string, body []byte) ([]byte, error) {
			if failing {
				return nil, errors.New("not now")
			}
			return fmt.Appendf(nil, "%s said %s", from, body), nil
		}}
		s := startSharing(t, map[string]map[string]gossip.Handler{"n2": hello})
		time.Sleep(20 * time.Second) // in a bubble
		said := func() (words []string) {
			replies, err := s.beds[0].AskEach(t.Context(), "hello", []byte("x"))
			require.NoError(t, err)
			for _, r := range replies {
				require.Equal(t, r.Why == "", string(r.Body) != "")
				words = append(words, r.Node+" "+r.Why+string(r.Body))
			}
			return words
		}
		require.Equal(t, []string{"n2 n1 said x", "n3 runs an older version, which does not say"}, said())
		failing = true
		require.Equal(t, []string{"n2 does not reply", "n3 runs an older version, which does not say"}, said())
		failing = false
		s.net.Partition(s.addrs[:2], s.addrs[2:])
		require.Equal(t, []string{"n2 n1 said x", "n3 does not reply"}, said(), "not known to be silent so far")
		time.Sleep(15 * time.Second) // in a bubble
		require.Equal(t, []string{"n2 n1 said x", "n3 is not heard"}, said())
		_, err := s.beds[0].Intend(health.Intent{Kind: health.IntentStopped, Scope: health.Scope{Kind: health.ScopeNode, Name: "n3"}, Actor: "ada", Reason: "x", Forever: true})
		require.NoError(t, err)
		time.Sleep(time.Second) // in a bubble
		require.Equal(t, []string{"n2 n1 said x", "n3 is declared stopped, and has not said what it answered"}, said())
		until, why := s.beds[0].Earlier()
		require.Empty(t, why)
		require.True(t, until.Before(time.Now()))
	})
}
