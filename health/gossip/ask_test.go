package gossip

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
)

func TestAsk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := gossiptest.New(21)
		net.SetLink(lan)
		var calls, running atomic.Int32
		c := newCluster(t, net, 3, func(o *Options) {
			o.Handlers = map[string]Handler{
				"echo": func(_ context.Context, from string, body []byte) ([]byte, error) {
					calls.Add(1)
					return []byte(from + " said " + string(body)), nil
				},
				"refuse": func(context.Context, string, []byte) ([]byte, error) { return nil, errors.New("the disk is full") },
				"huge":   func(context.Context, string, []byte) ([]byte, error) { return make([]byte, MaxAsk+1), nil },
				"size": func(_ context.Context, _ string, body []byte) ([]byte, error) {
					return fmt.Appendf(nil, "%d", len(body)), nil
				},
				"sleep": func(ctx context.Context, _ string, _ []byte) ([]byte, error) {
					running.Add(1)
					defer running.Add(-1)
					<-ctx.Done()
					return nil, ctx.Err()
				},
			}
		})
		ctx := t.Context()
		n := c.nodes[0]
		<-n.Ready()
		<-c.nodes[1].Ready()
		// At once: nothing was heard of n2, and its incarnation is not known.
		reply, err := n.Ask(ctx, "n2", "echo", []byte("hello"))
		require.NoError(t, err)
		require.Equal(t, "n1 said hello", string(reply))
		require.EqualValues(t, 1, calls.Load())
		time.Sleep(5 * time.Second)
		var remote *RemoteError
		for kind, want := range map[string]string{"refuse": "the disk is full", "unheard-of": `unknown kind "unheard-of"`, "huge": "at most 1048576"} {
			_, err = n.Ask(ctx, "n2", kind, nil)
			require.ErrorAs(t, err, &remote, kind)
			require.Contains(t, remote.Text, want)
			require.Equal(t, kind == "unheard-of", remote.UnknownKind, kind)
		}
		reply, err = n.Ask(ctx, "n3", "size", make([]byte, MaxAsk))
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(MaxAsk), string(reply))
		_, err = n.Ask(ctx, "n3", "size", make([]byte, MaxAsk+1))
		require.ErrorContains(t, err, "at most")
		_, err = n.Ask(ctx, "n9", "echo", nil)
		require.ErrorIs(t, err, ErrUnknownNode)
		_, err = n.Ask(ctx, "n1", "echo", nil)
		require.ErrorIs(t, err, ErrUnknownNode)

		// Timeouts: the caller's, ours, and of a node that is not there.
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		start := time.Now()
		_, err = n.Ask(short, "n2", "sleep", nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		start = time.Now()
		_, err = n.Ask(ctx, "n2", "sleep", nil)
		require.Error(t, err)
		require.LessOrEqual(t, time.Since(start), askTimeout+time.Second)
		net.Kill(testAddress(2))
		c.nodes[2].stop()
		start = time.Now()
		_, err = n.Ask(ctx, "n3", "echo", nil)
		require.Error(t, err)
		require.LessOrEqual(t, time.Since(start), askTimeout)
		time.Sleep(askTimeout)
		require.Zero(t, running.Load())

		// It comes back under a later incarnation.
		c.nodes[2] = c.start(2, testAddress(2), 2)
		<-c.nodes[2].Ready()
		reply, err = n.Ask(ctx, "n3", "echo", []byte("again"))
		require.NoError(t, err)
		require.Equal(t, "n1 said again", string(reply))

		// Too many at once.
		var wg sync.WaitGroup
		var busy atomic.Int32
		for range maxTasks + 20 {
			wg.Go(func() {
				if _, err := n.Ask(ctx, "n2", "sleep", nil); errors.Is(err, ErrBusy) {
					busy.Add(1)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 20, busy.Load())
		require.Empty(t, n.asks.waiting)
	})
}

// TestAskReplay plays a recorded request again, to the node that had it and to the same node after a restart.
func TestAskReplay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := gossiptest.New(22)
		net.SetLink(lan)
		var calls atomic.Int32
		c := newCluster(t, net, 3, func(o *Options) {
			o.Handlers = map[string]Handler{"count": func(context.Context, string, []byte) ([]byte, error) {
				calls.Add(1)
				return nil, nil
			}}
		})
		time.Sleep(5 * time.Second)
		request := message{kind: kindAsk, cluster: "test", from: "n1", to: "n2", incarnation: 1, toIncarnation: 1, id: 77,
			addr: testAddress(0), about: "count"}
		raw := appendMessage(request, testKey("n1"))
		forged := appendMessage(request, testKey("n3"))
		send := func(b []byte) {
			to := c.nodes[2].targets([]string{"n2"})[0]
			require.NoError(t, c.nodes[2].list.SendToAddress(to, b))
			time.Sleep(time.Second)
		}
		send(forged)
		require.EqualValues(t, 0, calls.Load())
		send(raw)
		require.EqualValues(t, 1, calls.Load())
		send(raw)
		require.EqualValues(t, 1, calls.Load())
		c.nodes[1].stop()
		c.nodes[1] = c.start(1, testAddress(1), 2)
		time.Sleep(time.Second)
		send(raw)
		require.EqualValues(t, 1, calls.Load())
		require.Equal(t, 1.0, c.nodes[1].dropped(dropIncarnation))
		// To another node than the one that it names.
		to := c.nodes[2].targets([]string{"n1"})[0]
		require.NoError(t, c.nodes[2].list.SendToAddress(to, raw))
		time.Sleep(time.Second)
		require.EqualValues(t, 1, calls.Load())
	})
}

// TestAskOfAnother: a node that has lost its disk, identity included, is heard under its old name once the rosters have its new key, although its
// numbers are lower than those of the node before it.
func TestAskOfAnother(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := gossiptest.New(23)
		net.SetLink(lan)
		another := false
		c := newCluster(t, net, 3, func(o *Options) {
			o.Handlers = map[string]Handler{"echo": func(_ context.Context, _ string, body []byte) ([]byte, error) { return body, nil }}
			if another && o.Node == "n3" {
				o.SigningKey = testKey("another n3")
			}
		})
		time.Sleep(5 * time.Second)
		c.nodes[2].stop()
		c.nodes[2] = c.start(2, testAddress(2), 7)
		time.Sleep(5 * time.Second)
		_, err := c.nodes[2].Ask(t.Context(), "n1", "echo", nil)
		require.NoError(t, err)
		c.nodes[2].stop()
		another = true
		c.roster = slices.Clone(c.roster)
		c.roster[2].PublicKey = testKey("another n3").Public().(ed25519.PublicKey)
		c.nodes[2] = c.start(2, testAddress(2), 1)
		for _, n := range c.nodes[:2] {
			require.NoError(t, n.SetRoster(c.roster))
		}
		time.Sleep(5 * time.Second)
		reply, err := c.nodes[2].Ask(t.Context(), "n1", "echo", []byte("here"))
		require.NoError(t, err)
		require.Equal(t, "here", string(reply))
	})
}

func TestSeen(t *testing.T) {
	s := &seen{ids: map[uint64]struct{}{}}
	require.True(t, s.first(1, 5))
	require.False(t, s.first(1, 5))
	require.True(t, s.first(1, 3), "they overtake each other")
	require.True(t, s.first(2, 1))
	require.False(t, s.first(1, 9), "an earlier life")
	for i := range uint64(10 * askWindow) {
		require.True(t, s.first(3, i+1))
		require.False(t, s.first(3, i+1))
	}
	require.False(t, s.first(3, 4), "too late")
	require.LessOrEqual(t, len(s.ids), 2*askWindow)
}

func TestAskNames(t *testing.T) {
	p, err := New((&cluster{name: "test", roster: []Member{testMember(0, testAddress(0))}}).options(0, testAddress(0), 1))
	require.NoError(t, err)
	_, err = p.Ask(t.Context(), "n2", "x", nil)
	require.ErrorIs(t, err, ErrStopped)
	_, err = p.Ask(t.Context(), "n1", strings.Repeat("x", 64), nil)
	require.ErrorContains(t, err, "1 to 63")
}
