package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A measurementLog is being read: lines `at INSTANT`, each followed by lines `NETWORK REGION=TIME ...`.
type measurementLog struct {
	report  *report
	latency *Latency
	zone    *Zone
	// now is when the log is read; zero counts every measurement.
	now time.Time
	// at are the networks by name.
	at map[string]int
}

// A measuredInstant is what the log says of one instant. first is the number of the first of its lines, which follow `at INSTANT`.
type measuredInstant struct {
	at    time.Time
	first int
	lines string
}

const measurementHelp = "lines are `at 2026-11-30T00:00:00Z`, then `192.0.2.0/24 REGION=12ms REGION=80ms`"

// read takes the measurements in the order of their instants: one that was written by a clock ahead counts once its instant has come, and hides
// nothing that was measured before.
func (l *measurementLog) read(text string) {
	instants := l.instants(text)
	slices.SortStableFunc(instants, func(a, b measuredInstant) int { return a.at.Compare(b.at) })
	for _, m := range instants {
		number, measured := m.first, false
		for line := range strings.Lines(m.lines) {
			words := measurementWords(line)
			if len(words) > 0 && words[0] != "at" {
				if msg := l.line(words, m.at); msg != "" {
					l.report.at(number, 1, Error, "", msg, measurementHelp)
				}
				measured = true
			}
			number++
		}
		switch {
		case !measured:
		case l.ahead(m.at):
			l.latency.Ahead = append(l.latency.Ahead, m.at)
		default:
			l.latency.Latest = m.at
		}
	}
}

// instants are those of the log, in its order; what stands before the first one has the zero instant.
func (l *measurementLog) instants(text string) []measuredInstant {
	all := []measuredInstant{{first: 1}}
	var last time.Time
	number, offset, begin, warned, ahead := 0, 0, 0, false, false
	for line := range strings.Lines(text) {
		if number++; number > maxMeasurements {
			l.report.at(number, 1, Error, "", fmt.Sprintf("more than %d lines", maxMeasurements), measurementHelp)
			break
		}
		offset += len(line)
		words := measurementWords(line)
		if len(words) == 0 || words[0] != "at" {
			continue
		}
		at, msg := instantOf(words[1:])
		if msg != "" {
			l.report.at(number, 1, Error, "", msg, measurementHelp)
			continue
		}
		all[len(all)-1].lines = text[begin : offset-len(line)]
		all, begin = append(all, measuredInstant{at: at, first: number + 1}), offset
		switch {
		case l.ahead(at) && !ahead:
			ahead = true
			l.report.at(number, 1, Warning, "", fmt.Sprintf("%s is %s ahead of this machine's clock: its measurements do not count before",
				words[1], at.Sub(l.now).Round(time.Second)), "the clock of who wrote it may be wrong, or this one; more such lines may follow")
		case l.ahead(at):
		case at.Before(last) && !warned:
			warned = true
			l.report.at(number, 1, Warning, "", fmt.Sprintf("%s is before the instant of earlier lines: measurements count in the order of their instants", words[1]),
				"a clock was wrong that wrote it, or them; more such lines may follow")
		case at.After(last):
			last = at
		}
	}
	all[len(all)-1].lines = text[begin:offset]
	return all
}

// ahead tells whether measurements of an instant do not count yet.
func (l *measurementLog) ahead(at time.Time) bool { return !l.now.IsZero() && isAhead(at, l.now) }

// measurementWords are those of a line, without its comment.
func measurementWords(line string) []string {
	line, _, _ = strings.Cut(line, "#")
	return strings.Fields(line)
}

// instantOf reads what follows `at`; msg is what is wrong with it.
func instantOf(words []string) (at time.Time, msg string) {
	if len(words) != 1 {
		return at, "want at INSTANT"
	}
	at, err := time.Parse(time.RFC3339, words[0])
	if err != nil {
		return at, fmt.Sprintf("%q is no instant as in 2026-11-30T00:00:00Z", shorten(words[0]))
	}
	return at, ""
}

// line takes a measurement of an instant; it returns what is wrong with it.
func (l *measurementLog) line(words []string, at time.Time) string {
	if at.IsZero() {
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
	n := &l.latency.Networks[k]
	if l.ahead(at) {
		later := *n
		if len(n.Later) > 0 {
			later = n.Later[len(n.Later)-1]
		}
		later.Later = nil
		l.latency.measured(&later, rtt, at)
		n.Later = append(n.Later, later)
		return ""
	}
	l.latency.measured(n, rtt, at)
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
