package table

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

const (
	// unheardFor is how long a node that has never been heard in this run counts as one that is about to be: nodes of a cluster that
	// starts as a whole come up one after the other.
	unheardFor = 3 * HeardFor
	// maxLostNamed bounds the nodes that a reason names.
	maxLostNamed = 3
)

// lost says in words that none of the nodes that probe an endpoint of the pool is heard, if that takes the pool out by the pool's
// on_vantages_lost; else it is empty. A vantage that is heard and abstains is not lost: its own trouble moves nothing.
func (t *Table) lost(p *config.Pool, pt *poolTable, now time.Time) string {
	if p.OnVantagesLost != config.SilenceDown || t.e.Isolated || t.e.without.Without(health.GuardLost) {
		// Who is cut off cannot tell who else is lost.
		return ""
	}
	at, names := t.silence(pt)
	if at.IsZero() || now.Before(at) {
		return ""
	}
	who := strings.Join(names[:min(len(names), maxLostNamed)], ", ")
	if more := len(names) - maxLostNamed; more > 0 {
		who += fmt.Sprintf(" and %d more", more)
	}
	return "none of its vantages is heard: " + who
}

// lostAt is when lost could take the pool out if nothing more is heard; zero for never.
func (t *Table) lostAt(p *config.Pool, pt *poolTable) time.Time {
	if p.OnVantagesLost != config.SilenceDown {
		return time.Time{}
	}
	at, _ := t.silence(pt)
	return at
}

// silence is when the last of the nodes that probe an endpoint of the pool ceases to count as heard if it says nothing more, and
// their names; zero while this node is one of them, and where nobody is to probe.
func (t *Table) silence(pt *poolTable) (at time.Time, names []string) {
	if t.e.voters == nil {
		return time.Time{}, nil
	}
	for _, id := range pt.targets {
		use := t.targets[id]
		if use.mine {
			return time.Time{}, nil
		}
		for _, name := range use.vantages {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	for _, name := range names {
		until := t.e.began.Add(unheardFor)
		if heard, ok := t.e.heardAt[name]; ok {
			until = heard.Add(HeardFor)
		}
		if until.After(at) {
			at = until
		}
	}
	slices.Sort(names)
	return at, names
}

// AwaitLoss marks the pools that are due to be out for want of a vantage, or to be judged anew.
func (t *Table) AwaitLoss(now time.Time) {
	for zi, z := range t.Model.Zones {
		for pi, p := range z.Pools {
			if p.OnVantagesLost != config.SilenceDown {
				continue
			}
			ref := Ref{zi, pi}
			t.moves(ref)
			if view := t.zones[zi].pools[pi].view; view != nil && len(view.Endpoints) > 0 && (t.lost(p, &t.zones[zi].pools[pi], now) != "") != view.Endpoints[0].Lost {
				t.dirty[ref] = true
			}
		}
	}
}
