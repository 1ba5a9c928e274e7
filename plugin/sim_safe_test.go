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

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/admin"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// simSafe is how many random histories a run of the tests holds `safe` against; FAIRLEAD_SAFE is another number, FAIRLEAD_SEED the first.
const simSafe = 3

// safeScopes are what every node is asked about every second.
var safeScopes = []health.Scope{
	simAZ, simEndpoint, {Kind: health.ScopeAZ, Name: "us-b"}, {Kind: health.ScopePool, Zone: "example.org.", Pool: "us"}, {Kind: health.ScopeRegion, Name: "eu"},
}

// A safeJudge holds what nodes say of whether something is safe to switch off against honest caches: no node says yes while a cache holds
// an answer of before the word that the yes rests on, whether the node knows the address or not.
type safeJudge struct {
	sim *sim
	// laid are the models that each node had, with when it had them last.
	laid map[*simNode]map[*config.Model]time.Time
	// said counts the answers; asked has every yes looked at once more by who is told.
	said map[string]int
}

func newSafeJudge(s *sim) *safeJudge {
	return &safeJudge{sim: s, laid: make(map[*simNode]map[*config.Model]time.Time), said: make(map[string]int)}
}

// wait lets time pass and asks every node once a second.
func (j *safeJudge) wait(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		j.sim.wait(min(time.Second, time.Until(end)))
		now := time.Now()
		for _, n := range j.sim.nodes {
			if !n.runs {
				continue
			}
			if j.laid[n] == nil {
				j.laid[n] = make(map[*config.Model]time.Time)
			}
			j.laid[n][n.model()] = now
			if s := n.current.Load(); s != nil {
				j.laid[n][s.View.Model] = now
			}
		}
		for _, n := range j.sim.nodes {
			for _, scope := range safeScopes {
				if n.runs {
					j.ask(n, scope)
				}
			}
		}
	}
}

// simSafely is a node as the admin API sees it.
func simSafely(n *simNode) admin.Node {
	self := &simAdmin{sim: n}
	return admin.Node{Self: self, Assumptions: self, Orders: n.engine, Members: n.engine, Memory: n.engine, Gone: n.engine.Gone()}
}

// A simAdmin is as much of a node as the answer to "is it safe" asks for.
type simAdmin struct {
	admin.Self
	admin.Assumptions
	sim *simNode
}

func (a *simAdmin) Name() string               { return a.sim.name }
func (a *simAdmin) Snapshot() *answer.Snapshot { return a.sim.current.Load() }
func (a *simAdmin) Caches() config.Caches {
	return config.Caches{Transit: simTransit, Clamp: time.Minute}
}

// ask asks a node about a scope.
func (j *safeJudge) ask(n *simNode, scope health.Scope) *api.Safe {
	known, err := n.engine.Safety(scope)
	if err != nil || len(known.Items) == 0 {
		return nil
	}
	out := admin.NewSafe(simSafely(n), scope, &known)
	s := j.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	j.said[out.Answer]++
	if out.Answer != api.SafeYes {
		if len(out.Why) == 0 {
			s.faults = append(s.faults, fmt.Sprintf("at %s: %s says %q of %s without a reason", elapsed(time.Now()), n.name, out.Answer, scope))
		}
		return out
	}
	for h, list := range s.caches.held {
		for i := range list {
			a := &list[i]
			if !a.expires.After(known.At) || !j.behind(n, scope, a, h.RData) || a.written.After(j.word(&known, h.RData, a.node.name)) {
				continue
			}
			if len(s.faults) < 20 {
				s.faults = append(s.faults, fmt.Sprintf("at %s: %s says that %s is safe (%s), and a cache holds %s under %s until %s, which %s wrote at %s",
					elapsed(known.At), n.name, scope, out.Text, h.RData, h.Owner, elapsed(a.expires), a.node.name, elapsed(a.written)))
			}
		}
	}
	return out
}

// behind tells whether an answer in a cache leads to what a scope names: by the file of the node that gave it, at that time, unless the
// address has been given to something else since.
func (j *safeJudge) behind(n *simNode, scope health.Scope, a *cached, rdata string) bool {
	if in, out := standsIn(n.current.Load().View.Model, scope, rdata); out && !in {
		return false
	}
	for m, last := range j.laid[a.node] {
		if last.After(a.written.Add(-10*time.Second)) && last.Before(a.written.Add(10*time.Second)) {
			if in, _ := standsIn(m, scope, rdata); in {
				return true
			}
		}
	}
	return false
}

// standsIn tells whether a model has an address within a scope, and whether it has it anywhere else.
func standsIn(m *config.Model, scope health.Scope, rdata string) (in, out bool) {
	i := &health.Intent{Scope: scope}
	for _, z := range m.Zones {
		for _, p := range z.Pools {
			for _, e := range p.Endpoints {
				if e.V4.String() == rdata {
					named := judge.ByName(z, p, e, i)
					in, out = in || named, out || !named
				}
			}
		}
	}
	return in, out
}

// word is the instant up to which a yes speaks of a node's answers with an address: that after which the node gave its word. Of what the
// node does not know, it speaks of all.
func (j *safeJudge) word(known *departure.Safety, rdata, node string) time.Time {
	for i := range known.Items {
		if known.Items[i].RData != rdata {
			continue
		}
		for _, w := range known.Items[i].Bound.Confirmed {
			if w.Node == node {
				return w.Given
			}
		}
	}
	return known.At
}

// TestSimSafe: whatever happens to nodes, network, disks, files and endpoints, nobody says yes while an honest cache holds it.
func TestSimSafe(t *testing.T) {
	suite.Large(t)
	first := fromEnv("FAIRLEAD_SEED", 1)
	var yes atomic.Int64
	t.Run("seeds", func(t *testing.T) {
		for i := range fromEnv("FAIRLEAD_SAFE", simSafe) {
			seed := first + i
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				said, faults := playSafe(t, seed, 0)
				yes.Add(int64(said[api.SafeYes]))
				for _, f := range faults {
					t.Errorf("FAIRLEAD_SEED=%d FAIRLEAD_SAFE=1: %s", seed, f)
				}
				t.Logf("seed %d: %v", seed, said)
			})
		}
	})
	require.Positive(t, yes.Load(), "nobody ever said yes")
}

// safeLength is how long a history lasts.
const safeLength = 300 * time.Second

// playSafe plays one history without some rules; drains go on for long enough to end in a yes.
func playSafe(t *testing.T, seed uint64, without health.Guards) (said map[string]int, faults []string) {
	root := simRoot(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, seed, simSize(seed), root)
		s.without = without
		s.caches = newCaches(s)
		if seed%3 == 0 {
			s.isolateAfter = 20 * time.Second
		}
		w := newFiler(&wreck{sim: s, r: rand.New(rand.NewPCG(seed, 16))})
		s.boundOnly, s.caches.questions = true, simQuestions
		s.model = w.file.model(s)
		w.net.SetLink(gossiptest.Link{Delay: time.Millisecond, Jitter: time.Millisecond})
		w.startAll()
		j := newSafeJudge(s)
		j.wait(15 * time.Second)
		for end := time.Now().Add(safeLength); time.Now().Before(end); {
			if n := w.any(func(n *simNode) bool { return n.answers() }); n != nil && w.r.IntN(2) == 0 {
				s.drain(n, safeScopes[w.r.IntN(len(safeScopes))], time.Duration(30+w.r.IntN(90))*time.Second, "never_empty", "keep_regions")
			} else {
				w.step()
			}
			j.wait(time.Duration(5+w.r.IntN(20)) * time.Second)
		}
		w.mend()
		j.wait(10 * time.Second)
		said, faults = j.said, s.end()
	})
	return said, faults
}

// TestSimSafeGuards: without one of the rules that it rests on, somebody says yes too early. Random histories do not notice the other rules
// here within 60 seeds: a yes wants calm, and those are noticed by the bound itself (TestSimBoundGuards).
func TestSimSafeGuards(t *testing.T) {
	suite.Large(t)
	for _, tt := range []struct {
		name  string
		guard health.Guards
	}{
		{"TTLs that were given", health.GuardStamp},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(maxGuardSeeds) {
				_, faults := playSafe(t, seed+1, tt.guard)
				if at := slices.IndexFunc(faults, func(f string) bool { return strings.Contains(f, "is safe (") }); at >= 0 {
					t.Logf("noticed with seed %d: %s", seed+1, faults[at])
					return
				}
			}
			t.Errorf("not noticed in %d histories", maxGuardSeeds)
		})
	}
}

// TestSafe: what is answered is not safe; what is drained is at the instant that was told before, on every node; a standby that nobody ever
// answered too; and a node that is silent takes its word with it.
func TestSafe(t *testing.T) {
	root := simRoot(t)
	synctest.Test(t, func(t *testing.T) {
		s := calmSim(t, 5, root)
		s.wait(30 * time.Second)
		j := newSafeJudge(s)
		for _, n := range s.nodes {
			out := j.ask(n, simAZ)
			require.Equal(t, api.SafeNo, out.Answer)
			require.Contains(t, out.Text, "example.org/eu/a is not drained")
			require.Contains(t, out.Text, "192.0.2.1 is answered for ")
		}
		order := s.drain(s.nodes[0], simAZ, time.Hour)
		s.wait(3 * time.Second)
		last := time.Time{}
		for _, n := range s.nodes {
			out := j.ask(n, simAZ)
			require.Equal(t, api.SafeNotBefore, out.Answer, out.Text)
			last = latest(last, *out.NotBefore)
			require.NotNil(t, out.DrainEndsAt)
			require.Len(t, out.Lines, 3)
		}
		j.wait(time.Until(last) + 3*time.Second)
		for _, n := range s.nodes {
			out := j.ask(n, simAZ)
			require.Equal(t, api.SafeYes, out.Answer, out.Text)
			require.False(t, out.ForgottenAt.After(last))
		}
		j.silent(t)
		s.undrain(s.nodes[1], order)
		s.wait(2 * time.Second)
		require.Equal(t, api.SafeNo, j.ask(s.nodes[2], simAZ).Answer)
		require.Empty(t, s.end())
	})
}

// silent cuts the third node off, which cannot be asked any more.
func (j *safeJudge) silent(t *testing.T) {
	s := j.sim
	s.partition(s.nodes[:2], s.nodes[2:])
	j.wait(12 * time.Second)
	out := j.ask(s.nodes[0], simAZ)
	require.Equal(t, api.SafeUnknown, out.Answer, out.Text)
	require.Equal(t, "n3", out.Why[0].Node)
	s.healNet()
	j.wait(15 * time.Second)
	require.Equal(t, api.SafeYes, j.ask(s.nodes[0], simAZ).Answer)
}

// TestSafeStandby: a standby that is drained before it ever had its turn is safe within seconds, and says why not until then.
func TestSafeStandby(t *testing.T) {
	root := simRoot(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 9, 3, root)
		s.use(strings.NewReplacer("www: {tiers: [{eu: 1, us: 1}]", "www: {tiers: [{eu: 1}, {us: 1}]", "safe: {tiers: [{eu: 1, us: 1}]", "safe: {tiers: [{eu: 1}, {us: 1}]").Replace(simZone))
		s.caches = newCaches(s)
		s.caches.stalls = 0
		s.net.SetLink(gossiptest.Link{Delay: time.Millisecond, Jitter: time.Millisecond})
		s.startAll()
		// What was answered before the starts may be in caches until then.
		s.wait(50 * time.Second)
		j := newSafeJudge(s)
		pool := health.Scope{Kind: health.ScopePool, Zone: "example.org.", Pool: "us"}
		require.Equal(t, api.SafeNo, j.ask(s.nodes[1], pool).Answer, "it may have its turn any moment")
		s.drain(s.nodes[0], pool, time.Hour, "keep_regions", "never_empty")
		s.wait(time.Second)
		require.Equal(t, api.SafeUnknown, j.ask(s.nodes[1], pool).Answer, "nobody has been asked yet")
		j.wait(4 * time.Second)
		out := j.ask(s.nodes[1], pool)
		require.Equal(t, api.SafeYes, out.Answer, out.Text)
		require.Empty(t, s.end())
	})
}
