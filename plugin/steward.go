package fairlead

import (
	"errors"
	"runtime"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/node"
)

// process is the one runtime of this process.
var process steward

// A steward owns the node that all CoreDNS instances of the process share, and counts who uses it.
//
// CoreDNS starts a new instance before it stops the old one. The life of an attachment is: attach (OnStartup, before
// listeners open) makes it pending, or fails the start and changes nothing; commit (InstanceStartupEvent) makes it live
// and applies what its Corefile changed; release (OnShutdown) ends it. The instance whose start fails is told nothing:
// the running one's OnRestartFailed drops the pending attachment. The node starts with the first attachment and ends
// with the last.
type steward struct {
	mu      sync.Mutex // guards the rest
	node    *node.Node
	live    *attachment
	pending *attachment
	// committed is set once an instance of the node has started.
	committed bool
	// began is set once this process may listen: from then on its addresses are its own.
	began bool
}

// attach prepares a. On an error nothing has changed.
func (r *steward) attach(a *attachment) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending != nil && r.live != nil {
		return errors.New("another reload is under way: try again")
	}
	if r.live == nil && r.node != nil {
		// A first start that failed: nobody said so, and nobody closed its sockets; see restartFailed.
		r.stop()
		runtime.GC()
	}
	if r.node == nil && r.live == nil && !r.began {
		if err := a.free(); err != nil {
			return err
		}
	}
	r.began = true
	if r.node == nil {
		n, err := node.Start(&a.Corefile, node.Options{
			Version: version(), Logger: newLogger(), Registerer: prometheus.DefaultRegisterer, Lanes: laneStates, Streams: streams.counts,
		})
		if err != nil {
			return err
		}
		r.node = n
	} else if err := r.node.Admit(&a.Corefile); err != nil {
		return err
	}
	a.bind(r.node)
	r.pending = a
	return nil
}

// commit makes a what the process serves.
func (r *steward) commit(a *attachment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.commitLocked(a)
}

func (r *steward) commitLocked(a *attachment) {
	if r.live == a || r.node == nil || !a.Ready() {
		return
	}
	first := r.live == nil && !r.committed
	r.live = a
	if r.pending == a {
		r.pending = nil
	}
	r.committed = true
	if !first {
		r.node.Take(&a.Corefile)
	}
}

// restartFailed drops what the start that failed left behind. of is the attachment of the instance that was to be replaced.
func (r *steward) restartFailed(of *attachment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.node != nil {
		r.node.Refused()
	}
	switch p := r.pending; {
	case p == nil:
	case !running(of):
		// Only the old instance's shutdown went wrong; the new one serves.
		r.commitLocked(p)
	case running(p):
		// Another restart goes on at the same time, and this failure was not its.
	default:
		r.pending = nil
		// Caddy forgets what the failed instance had opened, and SO_REUSEPORT gives such sockets a part of the queries
		// until the collector closes them.
		runtime.GC()
	}
}

// release ends a. The last one stops the node.
func (r *steward) release(a *attachment) {
	// Before the node ends: connections are answered from it.
	streams.release(a)
	// Before the node ends: lanes answer from it.
	releaseLanes(a)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.node != nil {
		for _, b := range a.blocks {
			r.node.Secondaries().Listen(b.handler, "", nil)
		}
	}
	if r.pending == a {
		r.pending = nil
	}
	if r.live == a {
		r.live = nil
	}
	if r.live == nil && r.pending == nil {
		r.stop()
	}
}

// stop ends the node; the caller holds mu.
func (r *steward) stop() {
	if r.node != nil {
		r.node.Stop()
	}
	r.node, r.live, r.pending, r.committed = nil, nil, nil, false
}

// Abandon ends what a start left behind that failed after OnStartup: CoreDNS tells nobody. A program calls it when its
// first caddy.Start returned an error; it does nothing while an instance serves.
func Abandon() {
	process.mu.Lock()
	defer process.mu.Unlock()
	if process.live == nil {
		process.stop()
	}
}
