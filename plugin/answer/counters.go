package answer

import "sync/atomic"

// An Outcome is what became of a question that reached one of our zones.
type Outcome uint8

// The outcomes.
const (
	// Answered: from a service by its tiers.
	Answered Outcome = iota
	// Degraded: from a service, on one of the last resorts (steer.Source.Degraded).
	Degraded
	// Static: from records of the file.
	Static
	// NoData: the name exists, the type does not.
	NoData
	// NXDomain: no such name.
	NXDomain
	// Truncated: too large for the client's buffer.
	Truncated
	// Refused: a transfer, or a class that we do not serve.
	Refused
	// Shut: the node does not answer service names now (Question.Shut).
	Shut
	// Referral: to the name servers of a zone that is delegated.
	Referral
	outcomes
)

var outcomeNames = [...]string{
	Answered: "answered", Degraded: "degraded", Static: "static", NoData: "nodata", NXDomain: "nxdomain",
	Truncated: "truncated", Refused: "refused", Shut: "shut", Referral: "referral",
}

// String is the word for o, as in metrics.
func (o Outcome) String() string { return outcomeNames[o] }

// Counters count a zone's replies by outcome, striped so that queries do not meet on one cache line.
type Counters struct {
	stripes [stripes]struct {
		n [outcomes]atomic.Uint64
	}
}

func (c *Counters) add(stripe uint32, o Outcome) { c.stripes[stripe&(stripes-1)].n[o].Add(1) }

// Total is how many replies had outcome o.
func (c *Counters) Total(o Outcome) uint64 {
	var sum uint64
	for i := range c.stripes {
		sum += c.stripes[i].n[o].Load()
	}
	return sum
}

// EachZone calls f for each zone of s with its name and counters.
func (s *Snapshot) EachZone(f func(name string, c *Counters)) {
	for _, z := range s.zones {
		f(z.cfg.Name, z.counters)
	}
}

// EachOutcome calls f for all outcomes in a fixed order.
func EachOutcome(f func(Outcome)) {
	for o := range outcomes {
		f(o)
	}
}
