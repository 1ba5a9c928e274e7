package node

import (
	"path/filepath"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/run"
	"github.com/fairlead-dns/fairlead/plugin/runner"
)

// runsName holds the runs of plans, which all nodes have.
const runsName = "runs.json"

// openRuns opens the file of runs. Whatever is wrong with it, queries are answered: no plan is carried out then.
func (n *Node) openRuns() *run.Store {
	store, err := run.Open(filepath.Join(n.state, runsName), time.Now())
	if err != nil {
		n.logger.Error("runs of plans not readable: none is carried out until the file is put right or removed, and the node started again", "err", err)
	}
	return store
}

// makeRunner makes what carries out plans.
func (n *Node) makeRunner() {
	n.runner = runner.New(runner.Options{
		Node: n.config.Load().Name, Store: n.runs, Orders: n.engine, Plans: func() config.NodePlans { return n.config.Load().Plans }, Snapshot: n.current.Load,
		Seal: n.seal, Events: n.events, Logger: n.logger, Registerer: n.scope,
	})
	n.runs.OnChange(n.engine.TellShared, n.runner.Poke)
}
