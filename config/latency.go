package config

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Latency is what `order: fastest` chooses regions by: a log of measurements from networks of clients to regions. What is chosen follows from
// the log alone, so that every node that has the file chooses alike, also after a restart.
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
	log := measurementLog{report: r, latency: l, zone: b.zone, at: make(map[string]int)}
	log.read(string(content))
	b.problems = append(b.problems, r.finish()...)
	l.Measured = make([]bool, len(b.zone.Regions))
	for i := range l.Networks {
		for region, d := range l.Networks[i].RTT {
			l.Measured[region] = l.Measured[region] || d > 0
		}
	}
	return true
}

// A measurementLog is being read: lines `at INSTANT`, each followed by lines `NETWORK REGION=TIME ...`.
type measurementLog struct {
	report  *report
	latency *Latency
	zone    *Zone
	// at are the networks by name; now is the instant of the lines that follow.
	at  map[string]int
	now time.Time
}

func (l *measurementLog) read(text string) {
	number := 0
	for line := range strings.Lines(text) {
		if number++; number > maxMeasurements {
			l.report.at(number, 1, Error, "", fmt.Sprintf("more than %d lines", maxMeasurements), "")
			return
		}
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if msg := l.line(words); msg != "" {
			l.report.at(number, 1, Error, "", msg, "lines are `at 2026-11-30T00:00:00Z`, then `192.0.2.0/24 REGION=12ms REGION=80ms`")
		}
	}
}

// line takes one line; it returns what is wrong with it.
func (l *measurementLog) line(words []string) string {
	if words[0] == "at" {
		return l.instant(words[1:])
	}
	if l.now.IsZero() {
		return "a measurement before the first `at INSTANT`"
	}
	m := MeasuredNetwork{Candidate: -1, Region: -1}
	if msg := m.parse(words[0]); msg != "" {
		return msg
	}
	rtt := make([]time.Duration, len(l.zone.Regions))
	for _, w := range words[1:] {
		name, text, ok := strings.Cut(w, "=")
		region := slices.IndexFunc(l.zone.Regions, func(r Region) bool { return r.Name == name })
		d, err := time.ParseDuration(text)
		switch {
		case !ok || err != nil || d <= 0 || d > maxRTT:
			return fmt.Sprintf("%q: want REGION=TIME with a time up to 10s, as in eu-west=12.5ms", shorten(w))
		case region < 0:
			return fmt.Sprintf("unknown region %q", shorten(name))
		case rtt[region] != 0:
			return fmt.Sprintf("the region %q stands twice in the line", name)
		}
		rtt[region] = d
	}
	if len(words) == 1 {
		return "a network without a region"
	}
	k, known := l.at[m.Name()]
	if !known {
		if len(l.latency.Networks) == maxMeasured {
			return fmt.Sprintf("more than %d networks", maxMeasured)
		}
		k = len(l.latency.Networks)
		l.at[m.Name()] = k
		l.latency.Networks = append(l.latency.Networks, m)
	}
	l.latency.measured(&l.latency.Networks[k], rtt, l.now)
	return ""
}

func (l *measurementLog) instant(words []string) string {
	if len(words) != 1 {
		return "want at INSTANT"
	}
	at, err := time.Parse(time.RFC3339, words[0])
	switch {
	case err != nil:
		return fmt.Sprintf("%q is no instant as in 2026-11-30T00:00:00Z", shorten(words[0]))
	case at.Before(l.now):
		return fmt.Sprintf("%s is before the instant of earlier lines", words[0])
	}
	l.now = at
	return ""
}

// parse reads the name of a network; it returns what is wrong with it.
func (n *MeasuredNetwork) parse(text string) string {
	kind, value, ok := strings.Cut(text, ":")
	switch {
	case ok && kind == "asn":
		asn, err := strconv.ParseUint(value, 10, 32)
		if err != nil || asn == 0 {
			return fmt.Sprintf("%q is no number of an autonomous system", shorten(value))
		}
		n.ASN = uint32(asn)
	case ok && (kind == "country" || kind == "continent"):
		if len(value) != 2 || !upperASCII(value) {
			return fmt.Sprintf("%q is no code of a %s, as in EU", shorten(value), kind)
		}
		if n.Country = value; kind == "continent" {
			n.Country, n.Continent = "", value
		}
	default:
		p, err := netip.ParsePrefix(text)
		if err != nil || p != p.Masked() || p.Addr().Is4In6() {
			return fmt.Sprintf("%q: want a prefix as in 192.0.2.0/24, country:DE, continent:EU or asn:64500", shorten(text))
		}
		n.Prefix = p
	}
	return ""
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
