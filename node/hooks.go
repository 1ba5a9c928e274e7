package node

import (
	"path/filepath"

	"github.com/fairlead-dns/fairlead/health/hook"
)

// hooksName is the directory of what webhooks remember.
const hooksName = "hooks"

func (n *Node) makeHooks() (err error) {
	cfg := n.config.Load()
	if len(cfg.Hooks) == 0 {
		return nil
	}
	n.hooks, err = hook.New(hook.Options{
		Node: cfg.Name, Hooks: cfg.Hooks, Events: n.events, Dir: filepath.Join(n.state, hooksName), Sends: n.sendsHooks, Logger: n.logger, Registerer: n.scope,
	})
	return err
}

// sendsHooks tells whether this node delivers: of those that are heard and have webhooks the one with the least name does. Two sides of a partition
// both do, and receivers have to bear with an event that comes twice.
func (n *Node) sendsHooks() bool {
	for _, o := range n.engine.Cluster().Nodes {
		if o.Fresh && o.Hooks && !o.Self && o.Name < n.Name() {
			return false
		}
	}
	return true
}
