package departure

import (
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

const (
	// ElsewhereShownFor is how long what is answered elsewhere is shown once the older answers are forgotten.
	ElsewhereShownFor = 5 * time.Minute
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

// moveNames notes the names that are answered otherwise than by the older configuration, where no address left the answers for that. told is the
// greatest TTL that answers carried.
func (s *Set) moveNames(old, model *config.Model, told time.Duration, now time.Time) (left []Left) {
	zones := make(map[string]*config.Zone, len(model.Zones))
	for _, z := range model.Zones {
		zones[z.Name] = z
	}
	for _, was := range config.Replaced(old.Zones, model.Zones) {
		is := zones[was.Name]
		if is == nil {
			continue
		}
		for _, moved := range config.Moved(was, is) {
			m := movedNames{zone: was.Name, service: moved.Service, what: moved.What, shards: moved.Shards, since: now,
				ttl: min(time.Duration(moved.Before.TTL.Max)*time.Second, told)}
			m.hold(now, s.opts.Transit)
			s.moved = append(s.moved, m)
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
func (s *Set) movedAway(words Words, now time.Time) (list []Departure) {
	s.moved = slices.DeleteFunc(s.moved, func(m movedNames) bool { return now.Sub(m.until) > ElsewhereShownFor })
	if len(s.moved) == 0 {
		return nil
	}
	unknown, confirmed := words.Older()
	for i := range s.moved {
		m := &s.moved[i]
		d := Departure{Label: ledger.Label{Zone: m.zone}, RData: m.what, Moved: true, Shards: m.shards, Services: []string{m.service}, Service: m.service, Since: m.since}
		if len(unknown) > 0 {
			m.hold(now.Add(elsewhereHeard), s.opts.Transit)
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
