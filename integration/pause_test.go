package integration

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// TestPausedNode: rounds that waited for a node that stood still say what was left of an order when they were sent. It takes no order from them,
// so that what is over stays over, and what is not ends when it was to.
func TestPausedNode(t *testing.T) {
	if inNamespaces(t) {
		return
	}
	c := newCluster(t, 3)
	first, paused := c.nodes[0], c.nodes[2]
	require.NoError(t, paused.cmd.Process.Signal(syscall.SIGSTOP))
	stopped := true
	defer func() {
		if stopped {
			_ = paused.cmd.Process.Signal(syscall.SIGCONT)
		}
	}()
	require.NoError(t, unix.Waitid(unix.P_PID, paused.cmd.Process.Pid, nil, unix.WSTOPPED, nil))
	var short, long api.Intent
	for _, o := range []struct {
		endpoint string
		seconds  float64
		into     *api.Intent
	}{{"eu/a", 5, &short}, {"us/b", 40, &long}} {
		req := api.IntentRequest{Kind: "drain", Scope: api.Scope{Kind: "endpoint", Name: "example.org/" + o.endpoint}, ForSeconds: o.seconds, Actor: "test", Reason: "test"}
		require.Less(t, first.call(http.MethodPost, api.IntentsPath, req, o.into), 300)
	}
	of := func(n *clusterNode) map[string]api.Intent {
		var list api.Intents
		if n.call(http.MethodGet, api.IntentsPath, nil, &list) != http.StatusOK {
			return nil
		}
		found := make(map[string]api.Intent)
		for _, i := range list.Intents {
			if i.State == api.IntentInForce {
				found[i.ID] = i
			}
		}
		return found
	}
	await(t, "the short one is over", func() bool { _, there := of(first)[short.ID]; return !there })
	require.NoError(t, paused.cmd.Process.Signal(syscall.SIGCONT))
	stopped = false
	await(t, "it has heard of the long one", func() bool { _, there := of(paused)[long.ID]; return there })
	for range 20 {
		for _, n := range c.nodes {
			have := of(n)
			require.NotContains(t, have, short.ID, "%s has an order that is over", n.name)
			if i, there := have[long.ID]; there {
				require.WithinDuration(t, *long.EndsAt, *i.EndsAt, 3*time.Second, n.name)
			}
		}
		time.Sleep(100 * time.Millisecond) // two rounds pass
	}
}
