package departure

import (
	"fmt"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

const (
	// maxLeft bounds the holdings that are told by name of one configuration, maxLeftEvent those in its event.
	maxLeft      = 200
	maxLeftEvent = 20
	// keptTakings is for how many configurations it is kept what left by them.
	keptTakings = 8
)

// A Left is a holding that a configuration took out of the answers of this node.
type Left struct {
	ledger.Label
	// Owner and RData are the holding; Service is the service whose answers carried it, empty for a host name of an SRV target.
	Owner, RData, Service string
	// Why is the difference between the two files, in words.
	Why string
	// Expires is when what this node answered has expired in honest caches. Until its last answer has been written that is the latest instant
	// which it may be. Other nodes have files of their own: departures have the bound. Zero where nobody knows what an earlier process answered.
	Expires time.Time
	// key is the holding that left the book; zero for a record that is not in it.
	key ledger.Key
}

// A taking is what left by one configuration.
type taking struct {
	number uint64
	left   []Left
	more   int
}

// Taken is what came of a look at the files.
type Taken struct {
	// Served is set when the configuration, or a later one, was in force.
	Served bool
	// Left is what left the answers by it, at most 200; More is how many more did.
	Left []Left
	More int
}

// TakeUp keeps what left by the configuration whose first view is v, and tells of it: what the swap took out, the static records that no file has
// any more, and names that are answered elsewhere.
func (s *Set) TakeUp(old *config.Model, v *health.View, swap *ledger.Swap, records []Left, now time.Time) {
	s.takings.count++
	t := taking{number: s.takings.count}
	w := ledger.NewWhereabouts(v.Model, v)
	services := make(map[string]bool)
	for _, zv := range v.Zones {
		for _, svc := range zv.Zone.Services {
			services[svc.Name] = true
		}
	}
	for i := range swap.Left {
		d := &swap.Left[i]
		if !d.Gone {
			continue
		}
		if len(t.left) == maxLeft {
			t.more++
			continue
		}
		t.left = append(t.left, s.leftOf(d, w, services, now))
	}
	for _, record := range records {
		if len(t.left) == maxLeft {
			t.more++
			continue
		}
		t.left = append(t.left, record)
	}
	t.left = append(t.left, s.moveNames(old, v.Model, swap.Quiet, now)...)
	s.takings.last = append(s.takings.last[max(0, len(s.takings.last)+1-keptTakings):], t)
	data := map[string]any{"old": old.Hash.String(), "new": v.Model.Hash.String(), "zones": len(v.Model.Zones)}
	text := fmt.Sprintf("configuration %s takes the place of %s", v.Model.Hash, old.Hash)
	if old.Hash == v.Model.Hash {
		text = fmt.Sprintf("host names of the configuration %s have other addresses", old.Hash)
	}
	if n := len(t.left) + t.more; n > 0 {
		text += "; " + leftText(&t)
		data["left"] = n
		var names []string
		for _, l := range t.left[:min(len(t.left), maxLeftEvent)] {
			names = append(names, strings.TrimSuffix(l.Owner, ".")+" "+l.RData)
		}
		data["holdings"] = names
	}
	s.opts.Events.Add("config.taken_up", "zones", text, data)
}

// leftText is what left by a configuration, in one line.
func leftText(t *taking) string {
	var last time.Time
	known := true
	for i := range t.left {
		last = ledger.Later(last, t.left[i].Expires)
		known = known && !t.left[i].Expires.IsZero()
	}
	what := fmt.Sprintf("%s %s leaves the answers", strings.TrimSuffix(t.left[0].Owner, "."), t.left[0].RData)
	if n := len(t.left) + t.more - 1; n > 0 {
		what = fmt.Sprintf("%s %s and %d more leave the answers", strings.TrimSuffix(t.left[0].Owner, "."), t.left[0].RData, n)
	}
	if !known {
		return what + ", and until when caches hold that is not known"
	}
	return what + " and caches hold what this node gave until " + last.UTC().Format("15:04:05")
}

func (s *Set) leftOf(d *ledger.Departed, w *ledger.Whereabouts, services map[string]bool, now time.Time) Left {
	l := Left{Label: ledger.LabelOf(d.Zone, d.Pool, d.Endpoint), Owner: d.Owner, RData: d.RData, Service: d.Service, Expires: s.expiresOf(d, now), key: d.Holding.Key()}
	at, known := w.Find(l.Label)
	zone := w.Zone(d.Zone.Name) != nil
	switch {
	case !zone:
		l.Why = "the zone is not served any more"
	case d.Service != "" && !services[d.Service]:
		l.Why = "the service was removed"
	case d.Pool < 0:
		l.Why = "the address was removed"
	case !known:
		l.Why = "the endpoint was removed"
	case !w.HasRData(at, d.RData):
		l.Why = "the endpoint has other addresses"
	default:
		l.Why = "the new version does not answer it there"
	}
	return l
}

// expiresOf is when what this process and earlier ones answered of a holding that leaves now has expired.
func (s *Set) expiresOf(d *ledger.Departed, now time.Time) time.Time {
	if s.opts.Greatest.Unnamed() != "" {
		return time.Time{}
	}
	most := time.Duration(0)
	for _, svc := range d.Zone.Services {
		if d.Service == "" || svc.Name == d.Service {
			most = max(most, time.Duration(svc.TTL.Max)*time.Second)
		}
	}
	last := ledger.Later(s.opts.Ledger.Until(d.Slot), now.Add(ledger.Slow(min(most, s.opts.Greatest.Told()))))
	return ledger.Later(last, s.book.Earlier()).Add(s.opts.Transit)
}

// Takings counts the configurations that were taken up.
func (s *Set) Takings() uint64 { return s.takings.count }

// Since is what left by the configurations after the one with this number.
func (s *Set) Since(number uint64) (left []Left, more int) {
	for _, one := range s.takings.last {
		if one.number > number {
			left, more = append(left, one.left...), more+one.more
		}
	}
	return left, more
}

// Written gives what left the instants at which it expires by what was really answered, as far as that is known; leaving is set while last answers
// with it are being written.
func (s *Set) Written(left []Left, now time.Time) (leaving bool) {
	for i := range left {
		l := &left[i]
		if l.key == (ledger.Key{}) || l.Expires.IsZero() {
			continue
		}
		switch w := s.book.Word(l.key, now); w.Verb {
		case ledger.Leaving:
			leaving = true
		case ledger.Out:
			// What was never answered has expired.
			l.Expires, l.key = ledger.Later(now, ledger.Later(w.Until, s.book.Earlier()).Add(s.opts.Transit)), ledger.Key{}
		}
	}
	return leaving
}

// takings are the configurations that were taken up last.
type takings struct {
	count uint64
	last  []taking
}
