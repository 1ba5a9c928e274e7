// Package answertest runs an engine whose views are compiled and served, in a bubble: no sockets, no probes, no files.
package answertest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/engine"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// A Node is an engine over one zone file, and what it has served.
type Node struct {
	*engine.Engine
	Compiler *answer.Compiler
	Current  *answer.Current
	zone     *config.Zone
}

// Start runs an engine over z until the test ends.
func Start(t *testing.T, z *config.Zone) *Node {
	t.Helper()
	n := &Node{Compiler: answer.NewCompiler("n1", time.Now()), Current: new(answer.Current), zone: z}
	var err error
	n.Engine, err = engine.New(engine.Options{
		Publisher: &answer.Publisher{Compiler: n.Compiler, Current: n.Current}, Ledger: n.Compiler.Ledger(), Prober: prober{},
		Model: config.NewModel([]*config.Zone{z}), Node: "n1",
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return n
}

// See has the first probe of every endpoint of the pools end with a state.
func (n *Node) See(state health.State, pools ...string) {
	for _, p := range n.zone.Pools {
		for _, name := range pools {
			if p.Name != name {
				continue
			}
			for _, e := range p.Endpoints {
				o := health.Observation{
					Target: health.TargetOf(n.zone.Name, n.zone.Checks[p.Check], e).ID, State: state, Since: time.Now(), At: time.Now(), Next: time.Now().Add(time.Hour),
				}
				if state == health.Down {
					o.Failures, o.Reason = 2, "refused"
				}
				n.Observe(o)
			}
		}
	}
	synctest.Wait()
}

// A prober probes nothing: tests say what was seen.
type prober struct{}

func (prober) Run(ctx context.Context) error                         { <-ctx.Done(); return nil }
func (prober) SetTargets([]health.Target)                            {}
func (prober) Restore(health.TargetID, health.State, time.Time) bool { return false }
func (prober) Alive() error                                          { return nil }
