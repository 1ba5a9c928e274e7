package feed

import (
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// maxSources bounds the table of sources. Beyond it the source that asked least lately begins anew.
const maxSources = 4096

// rates bound the requests of each source.
type rates struct {
	perSecond int

	mu sync.Mutex
	// sources is guarded by mu.
	sources *simplelru.LRU[netip.Prefix, *rate.Limiter]
}

func newRates(perSecond int) *rates {
	// The size is positive, which is all that could be wrong.
	table, _ := simplelru.NewLRU[netip.Prefix, *rate.Limiter](maxSources, nil)
	return &rates{perSecond: perSecond, sources: table}
}

// allow tells whether source may have one more request answered. A second's worth may come at once.
func (r *rates) allow(source netip.Prefix, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.sources.Get(source)
	if !ok {
		l = rate.NewLimiter(rate.Limit(r.perSecond), r.perSecond)
		r.sources.Add(source, l)
	}
	return l.AllowN(now, 1)
}
