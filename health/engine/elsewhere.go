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
	for _, was := range config.Replaced(old.Zones, e.cur.model.Zones) {
		at := slices.IndexFunc(e.cur.model.Zones, func(z *config.Zone) bool { return z.Name == was.Name })
		if at < 0 {
			continue
		}
		is := e.cur.model.Zones[at]
		for _, svc := range is.Services {
			m := movedNames{zone: was.Name, service: svc.Name, since: now}
			before := slices.IndexFunc(was.Services, func(s *config.Service) bool { return s.Name == svc.Name })
			switch by := before; {
			case by >= 0 && cellsMoved(was, was.Services[by], is, svc):
				m.what, m.why = "cells", "they have another home"
			case by < 0:
				if before = wildcardOf(was, svc.Name); before < 0 {
					continue
				}
				m.what, m.why = "answers of "+strings.TrimSuffix(was.Services[before].Name, "."), "the name has a service of its own"
			default:
				continue
			}
			m.ttl = min(time.Duration(was.Services[before].TTL.Max)*time.Second, e.issued.greatest.told)
			m.hold(now, e.opts.Transit)
			e.moved = append(e.moved, m)
			left = append(left, Left{Label: ledger.Label{Zone: was.Name}, Owner: svc.Name, RData: m.what, Service: svc.Name, Why: m.why, Expires: m.until})
		}
	}
	return left
}

// wildcardOf is the service whose wildcard answered a name that had none of its own; -1 for none.
func wildcardOf(z *config.Zone, name string) (best int) {
	best = -1
	for i, svc := range z.Services {
		under, wildcard := strings.CutPrefix(svc.Name, "*")
		if wildcard && strings.HasSuffix(name, under) && (best < 0 || len(svc.Name) > len(z.Services[best].Name)) {
			best = i
		}
	}
	return best
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
	home := func(z *config.Zone, c *config.Cells, cell int) (name string, rdata []string) {
		for _, r := range c.Home {
			if r.First <= cell && cell <= r.Last {
				for _, e := range z.Pools[r.Pool].Endpoints {
					rdata = append(rdata, e.RData()...)
				}
				return z.Pools[r.Pool].Name, rdata
			}
		}
		return "", nil
	}
	for cell := range min(before.Cells.Shards, after.Cells.Shards) {
		oldName, had := home(was, before.Cells, cell)
		newName, has := home(is, after.Cells, cell)
		if oldName != newName && !slices.ContainsFunc(had, func(r string) bool { return slices.Contains(has, r) }) {
			return true
		}
	}
	return false
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
