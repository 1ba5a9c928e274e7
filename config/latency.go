package config

import (
	"net/netip"
	"path"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Latency is what `order: fastest` chooses regions by: a log of measurements from networks of clients to regions. What is chosen at an instant
// follows from the log alone: from its measurements up to then, in the order of their instants, whenever it was read. So every node that has
// the file chooses alike, also after a restart, as far as their clocks are alike.
type Latency struct {
	Table string
	// A region is left for another one that has been faster by Margin, and by Percent of what the region takes, in all measurements of Hold.
	Margin  time.Duration
	Percent int
	Hold    time.Duration
	// MaxAge is how old a measurement may be that counts.
	MaxAge time.Duration
	// Networks are those of the log, in its order.
	Networks []MeasuredNetwork
	// Measured tells, by index of Zone.Regions, whether the latest time to a region is known from anywhere.
	Measured []bool
	// Latest is the last instant of the log that counted when it was read, zero for none, and Ahead are those that did not, in order.
	Latest time.Time
	Ahead  []time.Time
}

// A MeasuredNetwork is what is known of the way from some clients: of the addresses in Prefix, or of the autonomous system ASN, or of the
// country, or of the continent.
type MeasuredNetwork struct {
	Prefix             netip.Prefix
	ASN                uint32
	Country, Continent string
	// RTT is the latest time for the way to each region and back, by index of Zone.Regions; 0 for what is not known.
	RTT []time.Duration
	// At is when it was measured last.
	At time.Time
	// Region is the one that is chosen, by index of Zone.Regions, since Since; Moves is how often another one was chosen in the log.
	Region int
	Since  time.Time
	Moves  int
	// Candidate is the region that has been faster by the margin since CandidateSince; -1 for none.
	Candidate      int
	CandidateSince time.Time
	// Later is what is known from the instants on that lay ahead when the log was read, in order. Until the first of them a network of which
	// nothing else is known has no Region: -1.
	Later []MeasuredNetwork
}

// AsOf is what is known of the network at an instant, at or after the one at which the log was read; nil for nothing yet.
func (n *MeasuredNetwork) AsOf(at time.Time) *MeasuredNetwork {
	later := n.Later
	if len(later) > 0 {
		later = later[:sort.Search(len(later), func(i int) bool { return isAhead(later[i].At, at) })]
	}
	switch {
	case len(later) > 0:
		return &later[len(later)-1]
	case n.Region < 0:
		return nil
	}
	return n
}

// Ahead is the first instant of what is known of the network that does not count yet at an instant; zero for none.
func (n *MeasuredNetwork) Ahead(at time.Time) time.Time {
	for i := range n.Later {
		if isAhead(n.Later[i].At, at) {
			return n.Later[i].At
		}
	}
	return time.Time{}
}

// Name is how the log names the network.
func (n *MeasuredNetwork) Name() string {
	switch {
	case n.Prefix.IsValid():
		return n.Prefix.String()
	case n.ASN != 0:
		return "asn:" + strconv.FormatUint(uint64(n.ASN), 10)
	case n.Country != "":
		return "country:" + n.Country
	}
	return "continent:" + n.Continent
}

// Fresh tells whether what is known counts at an instant.
func (l *Latency) Fresh(n *MeasuredNetwork, at time.Time) bool { return at.Sub(n.At) <= l.MaxAge }

// AsOf is the last instant of the log that counts at an instant, zero for none, and which do not count yet.
func (l *Latency) AsOf(at time.Time) (latest time.Time, ahead []time.Time) {
	latest, ahead = l.Latest, l.Ahead
	for len(ahead) > 0 && !isAhead(ahead[0], at) {
		latest, ahead = ahead[0], ahead[1:]
	}
	return latest, ahead
}

// isAhead tells whether a measurement does not count yet at now.
func isAhead(at, now time.Time) bool { return at.Sub(now) > AheadAllowed }

const (
	defaultLatencyMargin  = 5 * time.Millisecond
	defaultLatencyPercent = 10
	defaultLatencyHold    = 5 * time.Minute
	defaultLatencyMaxAge  = time.Hour
	// maxMeasured bounds the networks of one log, maxMeasurements its lines.
	maxMeasured     = 100_000
	maxMeasurements = 1_000_000
	// maxRTT bounds what is believed.
	maxRTT = 10 * time.Second
	// AheadAllowed is how far ahead of a node's clock a measurement may be dated that counts at once: clocks differ a little.
	AheadAllowed = 5 * time.Second
)

// latency reads what `order: fastest` goes by.
func (b *builder) latency(s *Service, n *yamlNode, at *yamlPath) {
	k, v := fieldOf(n, "latency")
	wanted := stringOf(field(n, "order")) == "fastest"
	switch {
	case v == nil && wanted:
		ok, _ := fieldOf(n, "order")
		b.errorf(ok, at.child("order"), "add latency: {table: FILE} with measurements", "order: fastest without a table of measurements")
		return
	case v != nil && !wanted:
		b.errorf(k, at.child("latency"), "", "latency without order: fastest")
		return
	case v == nil:
		return
	}
	at = at.child("latency")
	l := &Latency{
		Table:  stringOf(field(v, "table")),
		Margin: durationOf(field(v, "margin"), defaultLatencyMargin), Percent: percentOf(field(v, "margin_percent"), defaultLatencyPercent),
		Hold: durationOf(field(v, "hold"), defaultLatencyHold), MaxAge: durationOf(field(v, "max_age"), defaultLatencyMaxAge),
	}
	s.Latency = l
	if l.Table == "" {
		return
	}
	key := latencyKey{l.Table, l.Margin, l.Percent, l.Hold, l.MaxAge}
	if known := b.latencies[key]; known != nil {
		l, s.Latency = known, known
	} else if !b.measurements(l, field(v, "table"), at.child("table")) {
		return
	}
	b.latencies[key] = l
	for i := range l.Networks {
		if m := &l.Networks[i]; !m.Prefix.IsValid() {
			b.needsGeo(field(v, "table"), at.child("table"), "a table by "+strings.SplitN(m.Name(), ":", 2)[0])
			break
		}
	}
}

// A latencyKey tells apart what services go by: those with the same one share it.
type latencyKey struct {
	table        string
	margin       time.Duration
	percent      int
	hold, maxAge time.Duration
}

// measurements reads the log of l; false if there is none.
func (b *builder) measurements(l *Latency, n *yamlNode, at *yamlPath) bool {
	content, err := b.files.get(l.Table)
	if err != nil {
		b.errorf(n, at, "", "%s", err)
		return false
	}
	r := newReport(path.Join(path.Dir(b.file), path.Clean(l.Table)), content)
	log := measurementLog{report: r, latency: l, zone: b.zone, now: b.now, at: make(map[string]int)}
	log.read(string(content))
	b.problems = append(b.problems, r.finish()...)
	l.Measured = make([]bool, len(b.zone.Regions))
	for i := range l.Networks {
		l.mark(l.Networks[i].RTT)
		for k := range l.Networks[i].Later {
			l.mark(l.Networks[i].Later[k].RTT)
		}
	}
	return true
}

func (l *Latency) mark(rtt []time.Duration) {
	for region, d := range rtt {
		l.Measured[region] = l.Measured[region] || d > 0
	}
}

// measured takes a measurement, and moves to another region if that has been faster for long enough.
func (l *Latency) measured(n *MeasuredNetwork, rtt []time.Duration, at time.Time) {
	old := at.Sub(n.At) > l.MaxAge
	n.RTT, n.At = rtt, at
	best := fastest(rtt)
	switch {
	case n.Region < 0:
		n.Region, n.Since = best, at
		return
	case old || rtt[n.Region] == 0:
		// Nothing is known of the way to the region that was chosen, or was for too long.
		if best != n.Region {
			n.Region, n.Since = best, at
			n.Moves++
		}
		n.Candidate = -1
		return
	case !l.better(rtt[best], rtt[n.Region]):
		n.Candidate = -1
		return
	case n.Candidate < 0:
		n.CandidateSince = at
	}
	// Of several that have been faster all the time the fastest is chosen in the end.
	if n.Candidate = best; at.Sub(n.CandidateSince) >= l.Hold {
		n.Region, n.Since, n.Candidate = best, at, -1
		n.Moves++
	}
}

// better tells whether a way is faster than the one that is chosen by both margins.
func (l *Latency) better(rtt, chosen time.Duration) bool {
	return chosen-rtt >= l.Margin && (chosen-rtt)*100 >= chosen*time.Duration(l.Percent)
}

// fastest is the region with the least time; -1 if none is known. Of equal ones it is the first.
func fastest(rtt []time.Duration) int {
	best := -1
	for region, d := range rtt {
		if d > 0 && (best < 0 || d < rtt[best]) {
			best = region
		}
	}
	return best
}
