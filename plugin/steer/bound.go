package steer

import (
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// Allowances are the terms of the bound that do not stand in the zone file. All are upper limits.
type Allowances struct {
	// Gossip (G) is how late a peer learns of an observation; 0 for one node alone.
	Gossip time.Duration
	// Quiesce (Q) is from the verdict until no handler uses the older snapshot.
	Quiesce time.Duration
	// Transit (X) is how late a resolver may still accept an answer after it was written.
	Transit time.Duration
	// ProbeLag is how late a probe may start behind its schedule.
	ProbeLag time.Duration
	// OlderTTL is the greatest TTL of answers that an earlier version of the file allowed, while caches may hold one; 0 for none.
	OlderTTL time.Duration
}

// Longest is the greatest TTL that an answer of svc in a cache may carry.
func (a Allowances) Longest(svc *config.Service) time.Duration {
	return max(time.Duration(svc.TTL.Max)*time.Second, a.OlderTTL)
}

// For is a for a node: what it assumes of resolvers, and what the nodes of its cluster take to tell each other. Without a cluster
// that stays as it is: the file may be served by more nodes than are known here.
func (a Allowances) For(n *config.Node) Allowances {
	a.Transit = n.Caches.Transit
	if n.Cluster != nil {
		a.Gossip = n.Cluster.Allowance()
	}
	return a
}

// DefaultAllowances are those of a cluster on a LAN, as `check` uses them: the file does not say how many nodes serve it.
func DefaultAllowances() Allowances {
	return Allowances{Gossip: time.Second, Quiesce: 250 * time.Millisecond, Transit: config.DefaultTransit, ProbeLag: 200 * time.Millisecond}
}

// withJitter is the longest interval between two starts.
func withJitter(interval time.Duration) time.Duration {
	return interval + interval*health.JitterPercent/100
}

// A Bound is the worst-case staleness of a service, known before anything happens (docs/design.md section 6): from the instant
// an endpoint dies until the last honest cache has forgotten it. Its terms add up to S.
type Bound struct {
	// Check is the check that makes the bound the worst; empty if the service has none, and then only a drain can move it.
	Check string
	// Monitored is unset when some endpoint of the service has no check: its death moves nothing.
	Monitored bool
	// D is fall × interval⁺ + timeout + probe lag, F is interval⁺ + timeout. For a check of type push both are lease + probe lag. In
	// a pool with on_vantages_lost: down they are at least the time for which a node counts as heard.
	D, F time.Duration
	Allowances
	Mode     config.TTLMode
	Min, Max uint32
	// S is the bound: D + G + Q + ttl.min + X in horizon mode, max(D + G + Q + ttl.min, F + G + Q + ttl.max) + X in
	// ceiling mode.
	S time.Duration
	// Beyond is the greatest bound of another fleet to whose name answers lead: what caches may hold of its answers once they have forgotten ours;
	// 0 where none is led to. It is a term of S.
	Beyond time.Duration
	// PeaceTTL is the TTL in seconds while all is well: what horizon mode can reach, or ttl.max.
	PeaceTTL uint32
}

// QueryFactor is how many times more often an honest cache asks than it would at ttl.max.
func (b Bound) QueryFactor() float64 { return float64(b.Max) / float64(b.PeaceTTL) }

// BoundOf reckons the bound of svc: the worst over the checks of its pools.
func BoundOf(z *config.Zone, svc *config.Service, a Allowances) Bound {
	ttl := svc.TTL
	ttl.Max = uint32(a.Longest(svc) / time.Second)
	worst := Bound{Monitored: true, Allowances: a, Mode: ttl.Mode, Min: ttl.Min, Max: ttl.Max, PeaceTTL: ttl.Max}
	first := true
	for _, i := range svc.Pools {
		watched := z.Pools[i].Watched()
		if len(watched) == 0 {
			worst.Monitored = false
		}
		// An endpoint is down at the latest when the last of its leaves is.
		for _, leaf := range z.Leaves(watched...) {
			if c := z.Checks[leaf]; c.Push != nil && c.Push.OnExpiry == config.SilenceKeep {
				// Whoever falls silent is believed for ever: nothing bounds when it is noticed.
				worst.Monitored = false
				continue
			}
			b := checkBound(z.Checks[leaf], ttl, z.Pools[i].OnVantagesLost, a)
			if f := z.Checks[leaf].Fleet; f != nil {
				b.Beyond = f.Bound
				b.S += f.Bound
			}
			peace := min(worst.PeaceTTL, b.PeaceTTL)
			if first || b.S > worst.S {
				b.Monitored, worst = worst.Monitored, b
			}
			worst.PeaceTTL, first = peace, false
		}
	}
	return worst
}

// islandNotice is from the last round that had a node hear half of the roster until the node answers as an island: those that it does not hear
// count as heard for so long, and then it looks.
const islandNotice = health.HeardFor + time.Second

// IslandOf is when, counted from a cut, the last honest cache has forgotten what a node that is cut off answered with pools of other regions, while
// one of its own region's is up there; 0 without an island. What dies on the island is bounded by S as everywhere, at the least TTL.
func IslandOf(svc *config.Service, a Allowances) time.Duration {
	if !svc.Island {
		return 0
	}
	return islandNotice + a.Quiesce + a.Longest(svc) + a.Transit
}

// DetectionOf is a Bound with D and F alone: those of c by itself.
func DetectionOf(c *config.Check, a Allowances) Bound {
	b := Bound{Check: c.Name, Monitored: true, Allowances: a}
	if c.Push != nil {
		// The first sign of silence is the end of the lease, and the last.
		b.D = c.Push.Lease + a.ProbeLag
		b.F = b.D
		return b
	}
	interval := withJitter(c.Interval)
	b.D = time.Duration(c.Fall)*interval + c.Timeout + a.ProbeLag
	b.F = interval + c.Timeout
	return b
}

// checkBound is the bound for endpoints that are watched by c, in a pool with the given on_vantages_lost.
func checkBound(c *config.Check, ttl config.TTL, lost config.SilencePolicy, a Allowances) Bound {
	b := DetectionOf(c, a)
	b.Mode, b.Min, b.Max, b.PeaceTTL = ttl.Mode, ttl.Min, ttl.Max, ttl.Max
	if silence := health.HeardFor + a.ProbeLag; lost == config.SilenceDown {
		// A site that dies with all that watch it is out when the last of them is not heard any more.
		b.D, b.F = max(b.D, silence), max(b.F, silence)
	}
	floor, ceiling := seconds(ttl.Min), seconds(ttl.Max)
	flip := b.D + a.Gossip + a.Quiesce + floor
	if ttl.Mode == config.Horizon {
		// Between two probes the earliest flip is at most a full interval and fall - 1 shortest ones away, at least fall - 1.
		b.PeaceTTL = max(ttl.Min, min(ttl.Max, config.Ladder(uint32(Reach(c)/time.Second))))
		b.S = flip + a.Transit
		return b
	}
	b.S = max(flip, b.F+a.Gossip+a.Quiesce+ceiling) + a.Transit
	return b
}

// Reach is the longest TTL that horizon mode can always give for c in peace: fall - 1 of the shortest intervals. A report may be
// taken back at any time.
func Reach(c *config.Check) time.Duration {
	if c.Push != nil {
		return 0
	}
	return time.Duration(c.Fall-1) * (c.Interval - c.Interval*health.JitterPercent/100)
}

func seconds(ttl uint32) time.Duration { return time.Duration(ttl) * time.Second }
