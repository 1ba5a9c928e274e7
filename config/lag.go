package config

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// LagUnit is what the number of a check of type lag counts.
type LagUnit uint8

// The units.
const (
	LagSeconds LagUnit = iota
	LagOctets
)

// String is the word for the unit, as in the file.
func (u LagUnit) String() string {
	if u == LagOctets {
		return "bytes"
	}
	return "seconds"
}

// A LagCheck is set for checks of type lag: how far what an endpoint stands for is behind its source is read from Source, or printed by
// Check.Exec, or reported (Check.Push).
type LagCheck struct {
	// Source has {address} unfilled; nil for the other two.
	Source *HitCounter
	Unit   LagUnit
	// Age is how much older the number may be than the probe that read it.
	Age time.Duration
}

// staleIntervals is for how many intervals a measurement of a lag counts, beside the time that a probe may take.
const staleIntervals = 3

// LagFresh is for how long after its instant a measurement by c counts; later the lag is not known.
func (c *Check) LagFresh() time.Duration {
	if c.Push != nil {
		return c.Push.Lease + c.Lag.Age
	}
	return staleIntervals*c.Interval + c.Timeout + c.Lag.Age
}

// An RPO is how much written data a move of a service may lose; none where Max is 0.
type RPO struct {
	// Max is in seconds or in octets.
	Max  float64
	Unit LagUnit
	// Report lets health enter a pool that is further behind than that, and reports it.
	Report bool
}

// On tells whether there is one.
func (r *RPO) On() bool { return r.Max > 0 }

// Text is the limit in words.
func (r *RPO) Text() string { return LagText(r.Max, r.Unit) }

// LagText is a lag in words: "4.2 s", "12 MiB".
func LagText(value float64, unit LagUnit) string {
	if unit == LagSeconds {
		return strconv.FormatFloat(float64(int64(value*10+0.999999))/10, 'f', -1, 64) + " s"
	}
	for i, name := range []string{"GiB", "MiB", "KiB"} {
		if size := float64(int64(1) << (10 * (3 - i))); value >= size {
			return strconv.FormatFloat(float64(int64(value/size*10+0.999999))/10, 'f', -1, 64) + " " + name
		}
	}
	return strconv.FormatInt(int64(value+0.999999), 10) + " octets"
}

// defaultPrometheusAge is Prometheus' own default of its scrape interval.
const defaultPrometheusAge = time.Minute

func (b *builder) lagCheck(c *Check, k, n *yamlNode, at *yamlPath) {
	c.Lag = &LagCheck{}
	if stringOf(field(n, "unit")) == "bytes" {
		c.Lag.Unit = LagOctets
	}
	source, command, lease := field(n, "source"), field(n, "command"), field(n, "lease")
	given := 0
	for _, v := range []*yamlNode{source, command, lease} {
		if v != nil {
			given++
		}
	}
	if given != 1 {
		b.errorf(k, at, "", "a lag check needs one of source, command and lease")
	}
	otherwise := time.Duration(0)
	switch {
	case source != nil:
		if c.Lag.Source = b.hitCounter(source, at.child("source")); c.Lag.Source == nil {
			break
		}
		if c.Lag.Source.Query != "" {
			otherwise = defaultPrometheusAge
		}
		text := c.Lag.Source.URL + c.Lag.Source.Query + c.Lag.Source.Path
		if strings.Contains(text, "{endpoint}") || strings.Contains(text, "{az}") {
			b.errorf(source, at.child("source"), "", "a check knows the address that it is about, as {address}, and neither {endpoint} nor {az}")
		}
	case command != nil:
		c.Exec = b.execCheck(n, at)
	case lease != nil:
		c.Push = &PushCheck{Lease: durationOf(lease, defaultLease)}
		for _, only := range []string{"interval", "timeout", "fall", "rise", "address", "port"} {
			if v := field(n, only); v != nil {
				b.errorf(v, at.child(only), "", "the key %q does not apply to a lag that is reported", only)
			}
		}
	}
	c.Lag.Age = durationOf(field(n, "age"), otherwise)
}

// For fills the placeholder in.
func (l *LagCheck) For(host string) *HitCounter {
	if strings.Contains(host, ":") {
		// As it stands before a port.
		host = "[" + host + "]"
	}
	fill := strings.NewReplacer("{address}", strings.TrimSuffix(host, ".")).Replace
	return &HitCounter{URL: fill(l.Source.URL), Query: fill(l.Source.Query), Path: fill(l.Source.Path)}
}

// poolLag reads which check says how far the pool is behind, and refuses such a check where one is wanted that is up or down.
func (b *builder) poolLag(p *Pool, n *yamlNode, at *yamlPath) {
	isLag := func(check int) bool { return check >= 0 && b.zone.Checks[check].Type == CheckLag }
	refuse := func(v *yamlNode, at *yamlPath, check int) {
		for _, leaf := range b.leavesOf(check) {
			if isLag(leaf) {
				b.errorf(v, at, "name it as `lag`", "the check %q is of type lag: it says how far data is behind, and not what is up", b.zone.Checks[leaf].Name)
			}
		}
	}
	if v := field(n, "lag"); v != nil {
		p.Lag = b.refer(v, at.child("lag"), "check", b.checks)
		if p.HasLag = isLag(p.Lag); p.Lag >= 0 && !p.HasLag {
			b.errorf(v, at.child("lag"), "", "the check %q is not of type lag", b.zone.Checks[p.Lag].Name)
		}
	}
	if p.Check >= 0 {
		refuse(field(n, "check"), at.child("check"), p.Check)
	}
	for i, need := range p.Needs {
		refuse(field(n, "needs"), at.at("needs", i), need)
	}
	if p.Gate.ByCheck && p.Gate.Check >= 0 {
		refuse(field(n, "gate"), at.child("gate"), p.Gate.Check)
	}
}

// leavesOf are the checks behind a check, which may be part of a cycle that is reported elsewhere.
func (b *builder) leavesOf(check int) []int {
	if b.hasErrors() {
		return nil
	}
	return b.zone.Leaves(check)
}

// rpo reads how much a move of the service may lose.
func (b *builder) rpo(s *Service, n *yamlNode, at *yamlPath) {
	v, on := field(n, "rpo"), field(n, "on_rpo")
	if v == nil {
		if on != nil {
			b.errorf(on, at.child("on_rpo"), "", "on_rpo without an rpo")
		}
		return
	}
	s.RPO.Max, s.RPO.Unit, _ = parseLoss(stringOf(v))
	s.RPO.Report = stringOf(on) == "enter_and_report"
	b.rpoOrders(s, v, at.child("rpo"))
	measured := false
	for _, i := range s.Pools {
		p := b.zone.Pools[i]
		switch {
		case !p.HasLag:
		case b.zone.Checks[p.Lag].Lag.Unit != s.RPO.Unit:
			b.errorf(v, at.child("rpo"), "", "the lag of the pool %q is in %s, the rpo in %s", p.Name, b.zone.Checks[p.Lag].Lag.Unit, s.RPO.Unit)
			measured = true
		default:
			measured = measured || p.KeepsData()
		}
	}
	if !measured {
		b.errorf(v, at.child("rpo"), "give a stateful pool a `lag`", "an rpo, and none of the service's pools that keep data says how far it is behind")
	}
	for t, tier := range s.Tiers {
		for _, share := range tier {
			if p := b.zone.Pools[share.Pool]; t > 0 && p.KeepsData() && !p.HasLag {
				b.node(v, Warning, at.child("rpo").String(), fmt.Sprintf("the pool %q keeps data and has no `lag`: the rpo does not hold for it", p.Name), "")
			}
		}
	}
}

var sizeText = regexp.MustCompile(`^([1-9][0-9]{0,14})(B|KiB|MiB|GiB)$`)

// parseLoss reads a duration, or a number of octets with its unit.
func parseLoss(text string) (value float64, unit LagUnit, ok bool) {
	if d, ok := ParseDuration(text); ok {
		return d.Seconds(), LagSeconds, d > 0
	}
	m := sizeText.FindStringSubmatch(text)
	if m == nil {
		return 0, 0, false
	}
	n, _ := strconv.ParseFloat(m[1], 64)
	return n * map[string]float64{"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[m[2]], LagOctets, true
}

// maxLoss and minLoss bound an rpo that is a time: less cannot be measured by probes.
const (
	minLoss = 100 * time.Millisecond
	maxLoss = 30 * 24 * time.Hour
)

func lossShape() *shape {
	return text("a duration, or octets as in 16MiB", func(s string) error {
		value, unit, ok := parseLoss(s)
		switch {
		case !ok:
			return errors.New("want a duration, as in 30s, or octets, as in 512KiB, 16MiB or 1GiB")
		case unit == LagSeconds && (value < minLoss.Seconds() || value > maxLoss.Seconds()):
			return fmt.Errorf("%s is out of range, want %s to %s", s, DurationText(minLoss), DurationText(maxLoss))
		}
		return nil
	})
}

// rpoOrders refuses an rpo where the order of the pools that keep data is not one for all clients: then a pool is the source for some of them and
// behind for others, and one lag cannot say so.
func (b *builder) rpoOrders(s *Service, v *yamlNode, at *yamlPath) {
	if s.Cells != nil {
		b.errorf(v, at, "give the shards of each home a service of their own", "an rpo does not go with cells: each pool is the source of its own shards")
	}
	for _, rule := range s.Clients {
		for _, tier := range rule.Tiers {
			for _, share := range tier {
				if p := b.zone.Pools[share.Pool]; p.KeepsData() {
					b.errorf(v, at, "", "an rpo does not go with a client rule that has an order of its own for the pool %q, which keeps data", p.Name)
					return
				}
			}
		}
	}
}
