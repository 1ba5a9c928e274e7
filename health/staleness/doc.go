// Package staleness is what is known of answers that caches may hold, brought in line once a second and with each publication: departures by the
// words of the nodes, the greatest TTL, incidents, and from when on there is nothing to forget.
//
// A Staleness belongs to the goroutine of its parts, but for what its methods say may be called from others: that waits for the owner's loop where it
// has to. It decides nothing itself; the rules stand in packages departure, cluster and ledger.
package staleness
