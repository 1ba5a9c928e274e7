package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
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

// tellLeft keeps what left by the configuration that was just taken up, and tells of it.
func (e *Engine) tellLeft(old *config.Model, swap *ledger.Swap, now time.Time) {
	t := taking{number: e.takings.count + 1}
	gone := e.gone.TakeUp(e.cur.Model, e.cur.standing, e.cluster.goneElsewhere(), now)
	e.takings.count++
	w := ledger.NewWhereabouts(e.cur.Model, e.view.Load())
	services := make(map[string]bool)
	for _, zv := range e.view.Load().Zones {
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
		t.left = append(t.left, e.leftOf(d, w, services, now))
	}
	for _, g := range gone {
		if len(t.left) == maxLeft {
			t.more++
			continue
		}
		t.left = append(t.left, Left{Label: ledger.Label{Zone: g.Zone}, Owner: g.Name, RData: g.RData, Why: "the static record was removed", Expires: g.Until})
	}
	t.left = append(t.left, e.moveNames(old, now)...)
	e.takings.last = append(e.takings.last[max(0, len(e.takings.last)+1-keptTakings):], t)
	data := map[string]any{"old": old.Hash.String(), "new": e.cur.Model.Hash.String(), "zones": len(e.cur.Model.Zones)}
	text := fmt.Sprintf("configuration %s takes the place of %s", e.cur.Model.Hash, old.Hash)
	if old.Hash == e.cur.Model.Hash {
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
	e.opts.Events.Add("config.taken_up", "zones", text, data)
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

func (e *Engine) leftOf(d *ledger.Departed, w *ledger.Whereabouts, services map[string]bool, now time.Time) Left {
	l := Left{Label: ledger.LabelOf(d.Zone, d.Pool, d.Endpoint), Owner: d.Owner, RData: d.RData, Service: d.Service, Expires: e.expiresOf(d, now), key: d.Holding.Key()}
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
func (e *Engine) expiresOf(d *ledger.Departed, now time.Time) time.Time {
	if e.issued.greatest.unnamed != "" {
		return time.Time{}
	}
	most := time.Duration(0)
	for _, svc := range d.Zone.Services {
		if d.Service == "" || svc.Name == d.Service {
			most = max(most, time.Duration(svc.TTL.Max)*time.Second)
		}
	}
	last := ledger.Later(e.opts.Ledger.Until(d.Slot), now.Add(ledger.Slow(min(most, e.issued.greatest.told))))
	return ledger.Later(last, e.issued.book.Earlier()).Add(e.opts.Transit)
}

const (
	// writtenWithin is how long a look at the files waits for the last answers with what left to be written, looking every writtenEvery.
	writtenWithin = time.Second
	writtenEvery  = 10 * time.Millisecond
)

// awaitWritten gives what left the instants at which it expires by what was really answered, once its last answers have been written.
func (e *Engine) awaitWritten(ctx context.Context, left []Left) ([]Left, error) {
	left = slices.Clone(left)
	end := time.NewTimer(writtenWithin)
	defer end.Stop()
	tick := time.NewTicker(writtenEvery)
	defer tick.Stop()
	for {
		var leaving bool
		err := e.loop.Do(func(now time.Time) error {
			for i := range left {
				l := &left[i]
				if l.key == (ledger.Key{}) || l.Expires.IsZero() {
					continue
				}
				switch w := e.issued.book.Word(l.key, now); w.Verb {
				case ledger.Leaving:
					leaving = true
				case ledger.Out:
					// What was never answered has expired.
					l.Expires, l.key = ledger.Later(now, ledger.Later(w.Until, e.issued.book.Earlier()).Add(e.opts.Transit)), ledger.Key{}
				}
			}
			return nil
		})
		if err != nil || !leaving {
			return left, err
		}
		select {
		case <-ctx.Done():
			return left, nil
		case <-end.C:
			return left, nil
		case <-tick.C:
		}
	}
}

// since is what left by the configurations after the one with this number.
func (t *takings) since(number uint64) (left []Left, more int) {
	for _, one := range t.last {
		if one.number > number {
			left, more = append(left, one.left...), more+one.more
		}
	}
	return left, more
}

// takings are the configurations that were taken up last. Owned by Run's goroutine.
type takings struct {
	count uint64
	last  []taking
}
