package judge

import (
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// Foresee gives next, which would follow on prev at now by an order alone, the returns that the order begins: a pool or an AZ that has
// nothing eligible in prev, and something in next, waits for its failback. The verdicts of next are those of prev.
func Foresee(z *config.Zone, p *config.Pool, prev, next *health.PoolView, now time.Time) {
	in := PoolInput{Zone: z, Pool: p, Prev: prev, Now: now}
	next.At = now
	next.Return, next.ReturnAZ = health.Return{}, nil
	in.holds(next)
	next.Calm = true
	for i, e := range next.Endpoints {
		next.Calm = next.Calm && !(e.Uneasy() && in.answerable(i))
	}
}
