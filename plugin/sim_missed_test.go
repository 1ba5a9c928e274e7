package fairlead

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

const (
	// missedAfter is when what nobody answers any more stands on every node's list: two rounds, and the second in which a node looks.
	missedAfter = 3 * time.Second
	// missedCalm is for how long the cluster must have been well: what a node that was cut off answered has been heard of by then.
	missedCalm = 15 * time.Second
)

// wildcardOf are the names that stand for others in what nodes print, by a name that caches ask for.
var wildcardOf = map[string]string{"any.wild.example.org.": "*.wild.example.org.", "x.cells.example.org.": "cells.example.org."}

// missed holds what nodes leave out against what is in the caches: while the cluster is well, what a cache holds and nobody answers any more
// stands on every node's list, with no instant before the cache forgets it, unless the node says that it does not know all. The caller holds sim.mu.
func (c *simCaches) missed(now time.Time, by *simNode, left []departure.Departure) {
	if c.sim.calmFor() < missedCalm || c.sim.without != 0 {
		return
	}
	clear, why := by.engine.Clear()
	if why != "" {
		return
	}
	for h, list := range c.held {
		if last := c.answered[h]; now.Sub(last) < missedAfter {
			continue
		}
		for i := range list {
			a := &list[i]
			if now.Sub(a.written) < missedAfter {
				// It was answered between two looks: an endpoint of a new file until its first probe ended.
				continue
			}
			if a.process != a.node.process.Load() || !a.expires.After(now.Add(time.Second)) || !a.expires.After(clear) || listed(left, h, a.expires) {
				continue
			}
			if len(c.sim.faults) < 20 {
				c.sim.faults = append(c.sim.faults, fmt.Sprintf("at %s: %s does not list %s %s, which %s wrote at %s, nobody answers since %s, and a cache holds until %s",
					elapsed(now), by.name, h.Owner, h.RData, a.node.name, elapsed(a.written), elapsed(c.answered[h]), elapsed(a.expires)))
			}
			break
		}
	}
}

// listed tells whether a node's list has a holding that a cache forgets at an instant, with no earlier one beside it but of what it says to be
// answered again elsewhere.
func listed(left []departure.Departure, h ledger.Holding, expires time.Time) bool {
	for i := range left {
		d := &left[i]
		if d.RData == h.RData && (d.Owner == "" || d.Owner == h.Owner) && (!d.Bound.Known || !d.Bound.SafeAt.Before(expires) || len(d.Again) > 0) {
			return true
		}
	}
	return false
}

// noteAnswered notes what each node answers now. The caller holds sim.mu.
func (c *simCaches) noteAnswered(now time.Time) {
	for _, n := range c.sim.nodes {
		if !n.runs {
			continue
		}
		if s := n.current.Load(); s != nil {
			s.Holdings(func(h ledger.Holding, _ string, _, _ int) {
				c.answered[h] = now
			})
		}
	}
}

// simOwner is the owner name that nodes print for one that was asked for.
func simOwner(asked string) string {
	name := dns.CanonicalName(asked)
	if w, ok := wildcardOf[name]; ok {
		return w
	}
	return name
}

// TestLeftElsewhere: what two nodes answered for a moment, by a version of the file that the third one never had, is on its list too, by name,
// and is forgotten at the same instant.
func TestLeftElsewhere(t *testing.T) {
	root := simRoot(t)
	synctest.Test(t, func(t *testing.T) {
		s := calmSim(t, 17, root)
		s.caches.questions = simQuestions
		f := newSimFile()
		s.layFile(f, s.nodes...)
		s.wait(80 * time.Second)
		other := f
		other.endpoints[0].address = "192.0.2.23"
		s.layFile(other, s.nodes[:2]...)
		s.wait(10 * time.Second)
		require.NotEmpty(t, s.caches.of("192.0.2.23"))
		s.layFile(f, s.nodes[:2]...)
		s.wait(4 * time.Second)
		for _, n := range s.nodes {
			d := n.departed("192.0.2.23")
			require.True(t, d.Bound.Known, "%s: %+v", n.name, d)
			require.Equal(t, "eu/a", d.Label.Name())
			require.Contains(t, d.Services, "www.example.org.")
			_, why := n.engine.Clear()
			require.Empty(t, why)
		}
		first, third := s.nodes[0].departed("192.0.2.23"), s.nodes[2].departed("192.0.2.23")
		require.InDelta(t, 0, third.Bound.SafeAt.Sub(first.Bound.SafeAt).Seconds(), 1)
		require.InDelta(t, 0, third.Since.Sub(first.Since).Seconds(), 1)
		// Nodes that name it to one another do not keep it alive.
		s.wait(11*time.Minute + 30*time.Second)
		for _, n := range s.nodes {
			require.Nil(t, n.departed("192.0.2.23"), n.name)
		}
		require.Empty(t, s.end())
	})
}

// TestLeftUnheard: an order that was extended on a node which nobody heard ended on the others, which answered again for some seconds what that
// node had known to be forgotten. Its list has the later instant once it hears them (TestSimBounds, seed 54037).
func TestLeftUnheard(t *testing.T) {
	root := simRoot(t)
	synctest.Test(t, func(t *testing.T) {
		s := calmSim(t, 17, root)
		s.caches.questions = simQuestions
		s.layFile(newSimFile(), s.nodes...)
		s.wait(30 * time.Second)
		n3 := s.nodes[2]
		o := s.drain(s.nodes[0], simEndpoint, 2*time.Minute)
		s.wait(100 * time.Second)
		was := n3.departed("192.0.2.1")
		require.True(t, was.Bound.Final)
		s.partition([]*simNode{n3}, s.nodes[:2])
		require.True(t, s.extend(n3, o, time.Hour))
		s.wait(25 * time.Second)
		require.NotEmpty(t, s.caches.of("192.0.2.1"))
		s.healNet()
		s.wait(3 * time.Second)
		var last time.Time
		for _, a := range s.caches.of("192.0.2.1") {
			last = ledger.Later(last, a.expires)
		}
		require.True(t, last.After(was.Bound.SafeAt.Add(10*time.Second)))
		for _, n := range s.nodes {
			d := n.departed("192.0.2.1")
			require.True(t, d.Bound.Known, "%s: %+v", n.name, d)
			require.False(t, d.Bound.Final, n.name)
			require.False(t, d.Bound.SafeAt.Before(last), "%s: forgotten at %s, held until %s", n.name, elapsed(d.Bound.SafeAt), elapsed(last))
		}
		require.Empty(t, s.end())
	})
}

// hostNameOf is the host name of an endpoint of an incident that left one service, which SRV records of that lead to; empty for one that left all.
func hostNameOf(e *ledger.IncidentEndpoint, zone string) string {
	if e.Service == "" {
		return ""
	}
	pool, endpoint, _ := strings.Cut(e.Name, "/")
	return endpoint + "." + pool + "." + zone
}

// incidents holds what a node prints of incidents against what is in the caches: what is forgotten of an endpoint under one name, or under all, no
// cache holds after that instant, unless a node answered it after its word. The caller holds sim.mu.
func (c *simCaches) incidents(by *simNode) {
	for _, i := range by.engine.Incidents() {
		if !i.Forgotten() {
			continue
		}
		for k := range i.Endpoints {
			e := &i.Endpoints[k]
			if !e.Removed && !e.ReturnedAt.IsZero() && !e.ReturnedAt.After(i.ForgottenAt) {
				// It had come back when the rest was forgotten.
				continue
			}
			for h, list := range c.held {
				// One that has other addresses keeps its host name.
				host := h.RData == hostNameOf(e, i.Zone) && !c.answered[h].After(i.ForgottenAt)
				if e.Service != "" && h.Owner != e.Service || !slices.Contains(e.Addresses, h.RData) && !host {
					continue
				}
				for n := range list {
					a := &list[n]
					c.checked++
					if a.written.Before(i.OpenedAt) && a.expires.After(i.ForgottenAt) && len(c.sim.faults) < 20 {
						c.sim.faults = append(c.sim.faults, fmt.Sprintf("at %s: %s has incident %q as forgotten at %s; %s wrote %s %s at %s, which lives until %s", elapsed(time.Now()), by.name,
							i.Title, elapsed(i.ForgottenAt), a.node.name, h.Owner, h.RData, elapsed(a.written), elapsed(a.expires)))
					}
				}
			}
		}
	}
}
