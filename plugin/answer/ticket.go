package answer

import "sync/atomic"

// A ticket counts the answers given for one owner name and family. It is the one shared counter on the query path; the
// padding keeps it alone on its cache line. It survives recompilation as long as members and weights stay, so that the order
// of answers goes on.
type ticket struct {
	n atomic.Uint64
	_ [56]byte
}

func (t *ticket) take() uint64 { return t.n.Add(1) - 1 }

// next is the number that the next take returns, if nobody else comes first.
func (t *ticket) next() uint64 { return t.n.Load() }
