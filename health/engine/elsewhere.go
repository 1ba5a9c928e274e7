package engine

import (
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

const (
	// elsewhereShownFor is how long what is answered elsewhere is shown once the older answers are forgotten.
	elsewhereShownFor = 5 * time.Minute
	// elsewhereHeard is how much later than it is heard to serve the same files a node can have ceased to answer by the older ones.
	elsewhereHeard = 2 * time.Second
)

// movedNames are names of a service that are answered with other addresses since a file was taken up, while those that they had are answered
// for other names: cells with another home, and a name that was the wildcard's.
type movedNames struct {
	zone, service string
	// what they are, in words, and why.
	what, why    string
	since, until time.Time
	ttl          time.Duration
}

// moveNames notes the names that are answered otherwise than by the older configuration, where no address left the answers for that.
func (e *Engine) moveNames(old *config.Model, now time.Time) (left []Left) {
	zones := make(map[string]*config.Zone, len(e.cur.Model.Zones))
	for _, z := range e.cur.Model.Zones {
		zones[z.Name] = z
	}
	for _, was := range config.Replaced(old.Zones, e.cur.Model.Zones) {
		is := zones[was.Name]
		if is == nil {
			continue
		}
		services := make(map[string]*config.Service, len(was.Services))
		for _, svc := range was.Services {
			services[svc.Name] = svc
		}
		for _, svc := range is.Services {
			m := movedNames{zone: was.Name, service: svc.Name, since: now}
			before := services[svc.Name]
			if before != nil {
				m.what, m.why = "cells", "they have another home"
				if !cellsMoved(was, before, is, svc) {
					continue
				}
			} else if before = wildcardOf(services, svc.Name); before != nil {
				m.what, m.why = "answers of "+strings.TrimSuffix(before.Name, "."), "the name has a service of its own"
			} else {
				continue
			}
			m.ttl = min(time.Duration(before.TTL.Max)*time.Second, e.issued.greatest.told)
			m.hold(now, e.opts.Transit)
			e.moved = append(e.moved, m)
			left = append(left, Left{Label: ledger.Label{Zone: was.Name}, Owner: svc.Name, RData: m.what, Service: svc.Name, Why: m.why, Expires: m.until})
		}
	}
	return left
}

// wildcardOf is the service, by name, whose wildcard answered a name that had none of its own: the nearest; nil for none.
func wildcardOf(services map[string]*config.Service, name string) *config.Service {
	for {
		_, parent, ok := strings.Cut(name, ".")
		if !ok {
			return nil
		}
		if svc := services["*."+parent]; svc != nil {
			return svc
		}
		name = parent
	}
}

// hold has caches hold answers of now.
func (m *movedNames) hold(now time.Time, transit time.Duration) {
	m.until = ledger.Later(m.until, now.Add(ledger.Slow(m.ttl)+transit))
}

// cellsMoved tells whether a cell has another home than before that has none of the addresses which it had.
func cellsMoved(was *config.Zone, before *config.Service, is *config.Zone, after *config.Service) bool {
	if before.Cells == nil || after.Cells == nil {
		return false
	}
	// Cells are many, and pools few.
	same := make(map[[2]*config.Pool]bool)
	for cell := range min(before.Cells.Shards, after.Cells.Shards) {
		homes := [2]*config.Pool{homeOf(was, before.Cells, cell), homeOf(is, after.Cells, cell)}
		if _, known := same[homes]; !known {
			same[homes] = sameHome(homes[0], homes[1])
		}
		if !same[homes] {
			return true
		}
	}
	return false
}

// homeOf is the pool at which a cell is at home; nil for none.
func homeOf(z *config.Zone, c *config.Cells, cell int) *config.Pool {
	for _, r := range c.Home {
		if r.First <= cell && cell <= r.Last {
			return z.Pools[r.Pool]
		}
	}
	return nil
}

// sameHome tells whether two pools, nil for none, have one name, or an endpoint of one has something that one of the other has.
func sameHome(a, b *config.Pool) bool {
	if a == nil || b == nil {
		return a == b
	}
	has := make(map[string]bool)
	for _, e := range a.Endpoints {
		for _, r := range e.RData() {
			has[r] = true
		}
	}
	return a.Name == b.Name || slices.ContainsFunc(b.Endpoints, func(e *config.Endpoint) bool {
		return slices.ContainsFunc(e.RData(), func(r string) bool { return has[r] })
	})
}

// movedAway are the departures of names that moved. While a node serves other files, or is not heard, it may answer by the older ones.
func (e *Engine) movedAway(configured []string, now time.Time) (list []Departure) {
	e.moved = slices.DeleteFunc(e.moved, func(m movedNames) bool { return now.Sub(m.until) > elsewhereShownFor })
	if len(e.moved) == 0 {
		return nil
	}
	var unknown []ledger.Silent
	confirmed := []string{e.opts.Node}
	if e.cluster != nil {
		for _, name := range e.othersFiles(configured, now) {
			unknown = append(unknown, ledger.Silent{Node: name, Why: "serves other files", Answering: true})
		}
		for _, name := range configured {
			p := e.cluster.peers[name]
			switch {
			case name == e.cluster.self || p == nil:
			case !p.fresh:
				unknown = append(unknown, ledger.Silent{Node: name, Why: "not heard since", Since: p.direct})
			default:
				confirmed = append(confirmed, name)
			}
		}
	}
	for i := range e.moved {
		m := &e.moved[i]
		d := Departure{Label: ledger.Label{Zone: m.zone}, RData: m.what, Moved: true, Services: []string{m.service}, Service: m.service, Since: m.since}
		if len(unknown) > 0 {
			m.hold(now.Add(elsewhereHeard), e.opts.Transit)
			d.Bound = ledger.Bound{Unknown: unknown, Lower: m.until}
		} else {
			d.Bound = ledger.Bound{Known: true, Final: now.After(m.until), SafeAt: m.until, Quiet: m.since}
			for _, name := range confirmed {
				d.Bound.Confirmed = append(d.Bound.Confirmed, ledger.Confirmation{Node: name, Quiet: m.since, Until: m.until, Given: now})
			}
		}
		list = append(list, d)
	}
	return list
}
