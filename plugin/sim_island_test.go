package fairlead

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// simIslands is how many random histories of cut regions a run of the tests goes through; FAIRLEAD_ISLANDS is another number, FAIRLEAD_SEED
// the first.
const simIslands = 6

// islandLength is how long each one lasts.
const islandLength = 300 * time.Second

// islandZone has three regions, and every way in which a service keeps data: nowhere, in a pool with a standby elsewhere, in one pool alone, in
// cells with a failover and without.
const islandZone = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a, eu-b]}, us: {azs: [us-a, us-b]}, ap: {azs: [ap-a]}}
checks: {ready: {type: tcp, port: 80, interval: 5s, timeout: 1s, fall: 2, rise: 2}}
pools:
  eu: {region: eu, check: ready, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}, {name: b, addresses: [192.0.2.2], az: eu-b}]}
  us: {region: us, check: ready, endpoints: [{name: a, addresses: [192.0.2.11], az: us-a}, {name: b, addresses: [192.0.2.12], az: us-b}]}
  ap: {region: ap, check: ready, endpoints: [{name: a, addresses: [192.0.2.21], az: ap-a}]}
  eu-db: {region: eu, check: ready, stateful: true, endpoints: [{name: a, addresses: [192.0.2.3], az: eu-a}]}
  us-db: {region: us, check: ready, stateful: true, endpoints: [{name: a, addresses: [192.0.2.13], az: us-a}]}
  ap-db: {region: ap, check: ready, stateful: true, endpoints: [{name: a, addresses: [192.0.2.23], az: ap-a}]}
services:
  www: {tiers: [{eu: 1, us: 1, ap: 1}], island: {region: own}, failback: {hold: 5s}, ttl: {max: 20s, min: 2s}}
  db: {tiers: [{eu-db: 1}, {us-db: 1}], island: {region: own}, failback: {hold: 5s}, ttl: {max: 20s, min: 2s}}
  home: {tiers: [{ap-db: 1}], island: {region: own}, failback: {hold: 5s}, ttl: {mode: horizon}}
  plain: {tiers: [{eu: 1}, {us: 1}], failback: {hold: 5s}, ttl: {mode: horizon}}
  cells: {tiers: [{eu: 1, us: 1}], island: {region: own}, cells: {shards: 3, home: {eu: "0", us: "1", ap: "2"}, failover: {eu: [us]}}, ttl: {max: 20s, min: 2s}}
`

// islandData are the names that have one home: services whose pool keeps data, and shards.
var islandData = []string{"db.example.org.", "home.example.org.", "0.cells.example.org.", "1.cells.example.org.", "2.cells.example.org."}

const (
	// islandNotices is how long after a cut an answer may still be the old one: until the silence counts, and a look at it.
	islandNotices = health.HeardFor + 2*time.Second
	// islandDetects is how long after an endpoint went, or its region was cut off, it may still be answered on an island: two failed
	// probes at the slowest, a timeout, and the cut itself.
	islandDetects = islandNotices + 15*time.Second
	// islandSettles is for how long nodes that are no islands may lead elsewhere: a hold, which pools that came back at one instant may begin in
	// another order on each node.
	islandSettles = islandNotices + agreeWithin + 45*time.Second
)

// An islander plays histories in which whole regions are cut off, and judges what is answered.
type islander struct {
	*wreck
	// cut is the region that is cut off; empty for none. moved is when that changed last.
	cut   string
	moved time.Time
	// unsure is when a node was last blind, or its verdicts stood still by an order: what it believes may be as old.
	unsure time.Time
	// apart is since when two nodes have given a name two homes, by name.
	apart map[string]time.Time
	// verdicts are those of islands a second ago, and alone is since when each node has been one.
	verdicts map[*simNode]string
	alone    map[*simNode]time.Time
	// answered counts answers of islands, reached those that their clients could reach, yielded names that were left to others.
	answered, reached, yielded int
}

func newIslander(s *sim, r *rand.Rand) *islander {
	i := &islander{wreck: &wreck{sim: s, r: r}, apart: make(map[string]time.Time), verdicts: make(map[*simNode]string), alone: make(map[*simNode]time.Time)}
	s.each = i.judge
	return i
}

// cutRegion cuts a region off from the others, gossip and probes alike; an empty one ends that.
func (w *islander) cutRegion(region string) {
	w.cut, w.moved = region, time.Now()
	w.net.Heal()
	w.mu.Lock()
	w.wrongly = nil
	w.mu.Unlock()
	if region == "" {
		w.healNet()
		return
	}
	var in, out []*simNode
	for i, n := range w.nodes {
		var lost []health.TargetID
		for k, id := range w.targets {
			if (w.regionOf(k) == region) != (w.regions[i] == region) {
				lost = append(lost, id)
			}
		}
		if w.wrong(n.name, lost...); w.regions[i] == region {
			in = append(in, n)
		} else {
			out = append(out, n)
		}
	}
	w.partition(in, out)
}

// regionOf is that of target k.
func (w *islander) regionOf(k int) string {
	for _, p := range w.zone.Pools {
		if k < len(p.Endpoints) {
			return w.zone.Regions[p.Region].Name
		}
		k -= len(p.Endpoints)
	}
	panic("no such target")
}

// step does one random thing.
func (w *islander) step() {
	w.count++
	regions := []string{"eu", "us", "ap"}
	switch w.r.IntN(12) {
	case 0, 1, 2:
		if w.cut != "" && w.r.IntN(2) == 0 {
			w.cutRegion("")
		} else {
			w.cutRegion(regions[w.r.IntN(3)])
		}
	case 3, 4, 5:
		w.set(w.targets[w.r.IntN(len(w.targets))], w.r.IntN(2) == 0)
	case 6: // a region dies, or comes back
		region, broken := regions[w.r.IntN(3)], w.r.IntN(2) == 0
		for k, id := range w.targets {
			if w.regionOf(k) == region {
				w.set(id, broken)
			}
		}
	case 7, 8:
		w.bounce()
	case 9:
		if n := w.any(func(n *simNode) bool { return n.answers() }); n != nil {
			w.drain(n, health.Scope{Kind: health.ScopeAZ, Name: []string{"eu-a", "us-b", "ap-a"}[w.r.IntN(3)]}, time.Duration(1+w.r.IntN(3))*time.Minute)
		}
	case 10:
		if n := w.any(func(n *simNode) bool { return n.answers() }); n != nil {
			w.setFreeze(n, !n.engine.Frozen().On)
		}
	case 11:
		if n := w.any(runs); n != nil {
			w.setBlind(n, w.r.IntN(4) == 0)
		}
	}
}

// judge looks at what all nodes answer.
func (w *islander) judge() {
	if len(w.blinded()) > 0 || w.frozen() {
		w.unsure = time.Now()
	}
	homes := make(map[string]map[string][]*simNode)
	for _, n := range w.nodes {
		if !n.answers() || n.current.Load() == nil {
			delete(w.alone, n)
			delete(w.verdicts, n)
			continue
		}
		w.still(n)
		for _, name := range islandData {
			_, address := n.ask(name)
			if address == "" {
				continue
			}
			if homes[name] == nil {
				homes[name] = make(map[string][]*simNode)
			}
			pool := w.poolOf(address)
			homes[name][pool] = append(homes[name][pool], n)
		}
		w.www(n)
	}
	for _, name := range islandData {
		w.homes(name, homes[name])
	}
}

// isIsland tells whether a node answers as one.
func isIsland(n *simNode) bool { return n.current.Load().View.Islanders() > 0 }

// poolOf is whose address it is.
func (w *islander) poolOf(address string) string {
	for _, p := range w.zone.Pools {
		for _, e := range p.Endpoints {
			if e.V4.String() == address {
				return p.Name
			}
		}
	}
	return address
}

// homes: a name never has two of them by what an island answers, and nowhere for longer than a cut takes to be noticed.
func (w *islander) homes(name string, pools map[string][]*simNode) {
	if len(pools) < 2 {
		delete(w.apart, name)
		return
	}
	var text []string
	islands := false
	for pool, nodes := range pools {
		var names []string
		for _, n := range nodes {
			names = append(names, n.name)
			islands = islands || isIsland(n)
		}
		text = append(text, pool+" on "+strings.Join(names, " "))
	}
	slices.Sort(text)
	since, known := w.apart[name]
	if !known {
		since = time.Now()
		w.apart[name] = since
	}
	switch {
	case islands:
		w.fault("%s has two homes, one on an island: %s", name, strings.Join(text, ", "))
	case time.Since(since) > islandSettles && time.Since(w.unsure) > islandSettles:
		w.fault("%s has had two homes for %s: %s", name, time.Since(since), strings.Join(text, ", "))
	}
}

// blinded are the nodes whose probes all fail, and frozen tells whether some node's verdicts stand still: what they believe may be old.
func (w *islander) blinded() (names []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, blind := range w.blind {
		if blind {
			names = append(names, name)
		}
	}
	return names
}

func (w *islander) frozen() bool {
	return slices.ContainsFunc(w.nodes, func(n *simNode) bool { return n.runs && n.engine.Frozen().On })
}

// still: on an island no verdict moves but a first one.
func (w *islander) still(n *simNode) {
	v := n.current.Load().View
	if !v.Isolated {
		delete(w.alone, n)
		delete(w.verdicts, n)
		return
	}
	if _, known := w.alone[n]; !known {
		w.alone[n] = time.Now()
	}
	text := ""
	for pi, p := range v.Zones[0].Pools {
		for i, e := range p.Endpoints {
			if !e.Verdict.Pending() {
				text += fmt.Sprintf("%d/%d %t ", pi, i, e.Verdict.InService())
			}
		}
	}
	if was, known := w.verdicts[n]; known && was != text && len(was) == len(text) {
		w.fault("%s: verdicts moved while isolated: %s became %s", n.name, was, text)
	}
	w.verdicts[n] = text
}

// www: an island answers clients of its region with what they reach, as soon as it can know, where its region has anybody whom the cluster
// believed in.
func (w *islander) www(n *simNode) {
	if !isIsland(n) {
		return
	}
	snap := n.current.Load()
	plan, view := snap.Plan(w.zone, 0), snap.View.Zones[0]
	own := w.regions[slices.Index(w.nodes, n)]
	if snap.Plan(w.zone, 1).Source == steer.FromYielded {
		w.yielded++
	}
	settled := time.Since(w.alone[n]) > islandDetects && time.Since(w.moved) > islandDetects && time.Since(n.since) > islandDetects && time.Since(w.unsure) > islandDetects
	k, wellHere, calm := 0, false, true
	for pi, p := range w.zone.Pools {
		for i := range p.Endpoints {
			id := w.targets[k]
			e := &view.Pools[pi].Endpoints[i]
			w.mu.Lock()
			moved, ever := w.sim.moved[id]
			w.mu.Unlock()
			calm = calm && (!ever || time.Since(moved) > islandDetects)
			drained := view.Drained(0, health.EndpointRef{Pool: pi, Endpoint: i})
			if slices.Contains(w.zone.Services[0].Pools, pi) && w.zone.Regions[p.Region].Name == own && e.InService() && !drained && w.works(n, id) {
				wellHere = true
			}
			k++
		}
	}
	for _, m := range plan.Sets[steer.V4] {
		e := w.zone.Pools[m.Pool].Endpoints[m.Endpoint]
		w.answered++
		reached := w.works(n, w.byHost[e.V4.String()])
		if reached {
			w.reached++
		}
		if region := w.zone.Regions[w.zone.Pools[m.Pool].Region].Name; settled && calm && wellHere && (!reached || region != own) {
			w.fault("%s: an island of %s for %s answers %s, which is of %s and reached: %t (%s)", n.name, own, time.Since(w.alone[n]), e.V4, region, reached, plan.Source)
		}
	}
}

// playIslands plays one history without some rules.
func playIslands(t *testing.T, seed uint64, without health.Guards) (w *islander, faults []string) {
	root := simRoot(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, seed, 5, root)
		s.use(islandZone)
		s.without, s.boundOnly, s.regions = without, true, []string{"eu", "eu", "us", "us", "ap"}
		if seed%4 == 1 {
			// Caches cost most of the time.
			s.caches = newCaches(s)
		}
		w = newIslander(s, rand.New(rand.NewPCG(seed, 24)))
		w.net.SetLink(gossiptest.Link{Delay: time.Millisecond, Jitter: time.Millisecond})
		w.startAll()
		w.wait(20 * time.Second)
		for end := time.Now().Add(islandLength); time.Now().Before(end); {
			w.step()
			w.wait(time.Duration(2+w.r.IntN(40)) * time.Second)
		}
		w.cutRegion("")
		w.mend()
		w.wait(20 * time.Second)
		faults = s.end()
	})
	return w, faults
}

// TestSimIslands: whatever is cut off from what, no service that keeps data and no shard has two homes by what an island answers, verdicts
// stand still there, clients of the island get what they reach, and no cache holds anything past a bound that any node printed.
func TestSimIslands(t *testing.T) {
	suite.Large(t)
	first := fromEnv("FAIRLEAD_SEED", 1)
	var answered, reached, yielded, checked atomic.Int64
	t.Run("seeds", func(t *testing.T) {
		for i := range fromEnv("FAIRLEAD_ISLANDS", simIslands) {
			seed := first + i
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				w, faults := playIslands(t, seed, 0)
				answered.Add(int64(w.answered))
				reached.Add(int64(w.reached))
				yielded.Add(int64(w.yielded))
				if w.caches != nil {
					checked.Add(int64(w.caches.checked))
				}
				for _, f := range faults {
					t.Errorf("FAIRLEAD_SEED=%d FAIRLEAD_ISLANDS=1: %s", seed, f)
				}
			})
		}
	})
	t.Logf("islands answered www with %d addresses, of which %d were reached, and yielded db %d times; %d times a cache was held against a bound",
		answered.Load(), reached.Load(), yielded.Load(), checked.Load())
	require.Positive(t, reached.Load())
	require.Positive(t, yielded.Load())
}

// TestSimIslandGuard: without the rule that an island answers what keeps data in its turn alone, a history notices.
func TestSimIslandGuard(t *testing.T) {
	suite.Large(t)
	for seed := range uint64(maxGuardSeeds) {
		if _, faults := playIslands(t, seed+1, health.GuardIsland); len(faults) > 0 {
			require.Contains(t, faults[0], "two homes")
			t.Logf("noticed with seed %d: %s", seed+1, faults[0])
			return
		}
	}
	t.Errorf("not noticed in %d histories", maxGuardSeeds)
}
