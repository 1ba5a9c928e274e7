package engine

import (
	"slices"
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
	// what they are, in words.
	what string
	// shards are those that moved; nil for others.
	shards       config.Shards
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
		for _, moved := range config.Moved(was, is) {
			m := movedNames{zone: was.Name, service: moved.Service, what: moved.What, shards: moved.Shards, since: now,
				ttl: min(time.Duration(moved.Before.TTL.Max)*time.Second, e.issued.greatest.told)}
			m.hold(now, e.opts.Transit)
			e.moved = append(e.moved, m)
			left = append(left, Left{Label: ledger.Label{Zone: was.Name}, Owner: m.service, RData: m.what, Service: m.service, Why: moved.Why, Expires: m.until})
		}
	}
	return left
}

// hold has caches hold answers of now.
func (m *movedNames) hold(now time.Time, transit time.Duration) {
	m.until = ledger.Later(m.until, now.Add(ledger.Slow(m.ttl)+transit))
}

// movedAway are the departures of names that moved.
func (e *Engine) movedAway(configured []string, now time.Time) (list []Departure) {
	e.moved = slices.DeleteFunc(e.moved, func(m movedNames) bool { return now.Sub(m.until) > elsewhereShownFor })
	if len(e.moved) == 0 {
		return nil
	}
	unknown, confirmed := e.older(configured, now)
	for i := range e.moved {
		m := &e.moved[i]
		d := Departure{Label: ledger.Label{Zone: m.zone}, RData: m.what, Moved: true, Shards: m.shards, Services: []string{m.service}, Service: m.service, Since: m.since}
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

// older are the nodes that may answer by older files, since they serve others or are not heard, and those that do not. One that an operator
// has declared stopped answers nothing.
func (e *Engine) older(configured []string, now time.Time) (unknown []ledger.Silent, confirmed []string) {
	if e.cluster == nil {
		return nil, []string{e.opts.Node}
	}
	for _, name := range e.othersFiles(configured, now) {
		unknown = append(unknown, ledger.Silent{Node: name, Why: "serves other files", Answering: true})
	}
	for _, name := range configured {
		p := e.cluster.peers[name]
		switch {
		case name == e.cluster.self || p != nil && p.fresh:
			confirmed = append(confirmed, name)
		case !e.cluster.stopped[name].IsZero():
		case p == nil || p.at.IsZero():
			unknown = append(unknown, ledger.Silent{Node: name, Why: "never heard"})
		default:
			unknown = append(unknown, ledger.Silent{Node: name, Why: "not heard since", Since: p.direct})
		}
	}
	return unknown, confirmed
}
