package reload

import (
	"context"
	"runtime/debug"

	"github.com/fairlead-dns/fairlead/config"
)

// bigModel is from how many services and endpoints on a model leaves memory behind that is worth a collection: about 10 MB.
const bigModel = 10_000

// A Tidier gives memory back to the system: it holds at most one token, which asks for that.
type Tidier chan struct{}

// NewTidier is one that was not asked.
func NewTidier() Tidier { return make(Tidier, 1) }

// Run gives memory back to the system after a big model was taken up, until ctx ends. Reading a file takes several times
// the memory of what comes of it, and the older model goes at the same time. The runtime would keep most of that for
// minutes: it collects only when the heap has doubled, and gives back little by little.
func (t Tidier) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t:
			debug.FreeOSMemory()
		}
	}
}

// TookUp asks for that if m is big, or the model before it.
func (t Tidier) TookUp(m, before *config.Model) {
	if size(m) < bigModel && size(before) < bigModel {
		return
	}
	select {
	case t <- struct{}{}:
	default:
	}
}

// size counts the services and endpoints of m, which may be nil.
func size(m *config.Model) int {
	if m == nil {
		return 0
	}
	n := 0
	for _, z := range m.Zones {
		n += len(z.Services)
		for _, p := range z.Pools {
			n += len(p.Endpoints)
		}
	}
	return n
}
