package fairlead

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
	"github.com/fairlead-dns/fairlead/integration/suite"
)

// simSteady is how many random histories of edits, renames, starts, orders and returns a run of the tests goes through; FAIRLEAD_STEADY is
// another number, FAIRLEAD_SEED the first.
const simSteady = 3

// steadyLength is how long a history lasts, in the bubble's time.
const steadyLength = 15 * time.Minute

// A steadyEntry is one endpoint: its name, and the places of its pool and its AZ in a steadyFile. Its addresses say who it is, and stay.
type steadyEntry struct {
	name     string
	pool, az int
	// dropped is set while the file has nothing of it.
	dropped bool
}

// A steadyFile is a zone file whose names move while its addresses stay: two endpoints in each of three pools, every other endpoint with an
// IPv6 address too. api has a tier for each pool, and www the first two pools side by side.
type steadyFile struct {
	endpoints [6]steadyEntry
	pools     [3]string
	azs       [2]string
	// renames makes new names.
	renames int
}

func newSteadyFile() steadyFile {
	f := steadyFile{pools: [3]string{"one", "two", "three"}, azs: [2]string{"a", "b"}}
	for i := range f.endpoints {
		f.endpoints[i] = steadyEntry{name: fmt.Sprintf("e%d", i), pool: i / 2, az: i % 2}
	}
	return f
}

// steadyV4 and steadyV6 are the addresses of endpoint i; the odd ones have IPv4 alone.
func steadyV4(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}) }

func steadyV6(i int) netip.Addr {
	if i%2 == 1 {
		return netip.Addr{}
	}
	return netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i+1))
}

// text is the file with a version of the check.
func (f *steadyFile) text(check int) string {
	var pools strings.Builder
	for p, name := range f.pools {
		var list []string
		for i, e := range f.endpoints {
			if e.pool != p || e.dropped {
				continue
			}
			addresses := steadyV4(i).String()
			if v6 := steadyV6(i); v6.IsValid() {
				addresses += `, "` + v6.String() + `"`
			}
			list = append(list, fmt.Sprintf("{name: %s, addresses: [%s], az: %s}", e.name, addresses, f.azs[e.az]))
		}
		fmt.Fprintf(&pools, "  %s: {region: eu, check: ready, endpoints: [%s]}\n", name, strings.Join(list, ", "))
	}
	return fmt.Sprintf(`zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [%s, %s]}}
checks: {ready: {%s}}
pools:
%sservices:
  api: {tiers: [{%[5]s: 1}, {%[6]s: 1}, {%[7]s: 1}], failback: {hold: 5s}}
  www: {tiers: [{%[5]s: 1, %[6]s: 1}], failback: {hold: 5s}}
`, f.azs[0], f.azs[1], simChecks[check], pools.String(), f.pools[0], f.pools[1], f.pools[2])
}

func (f *steadyFile) model(t *testing.T, check int) *config.Model {
	z, problems := config.Parse("zone.yaml", []byte(f.text(check)), config.ParseOptions{})
	require.NoError(t, problems.Err(), f.text(check))
	return config.NewModel([]*config.Zone{z})
}

// A steady is a history in which what the operators and the world do is random, and the cluster is whole but for nodes that start anew.
type steady struct {
	*sim
	r    *rand.Rand
	file steadyFile
	// checks are the versions of the check on the nodes.
	checks map[*simNode]int
	// steadied is when the files of the nodes were last made alike or different.
	steadied time.Time
	// bound are the addresses that each drain took out when it was accepted, said is when that was.
	bound map[*simOrder][]netip.Addr
	said  map[*simOrder]time.Time
	// causes are when something happened that may move a service, and nothing else has happened since an older one.
	causes []time.Time
	tracks map[*simNode]*tierTrack
	// apart is since when nodes have been in different tiers of api; zero while they are in one.
	apart time.Time
}

// newSteady makes a cluster that follows the file, of which no node runs yet.
func newSteady(t *testing.T, seed uint64, size int, root string) *steady {
	h := &steady{sim: newSim(t, seed, size, root), r: rand.New(rand.NewPCG(seed, 21)), file: newSteadyFile(), checks: make(map[*simNode]int),
		bound: make(map[*simOrder][]netip.Addr), said: make(map[*simOrder]time.Time), tracks: make(map[*simNode]*tierTrack)}
	h.boundOnly, h.peersAlone = true, seed%3 == 0
	h.use(h.file.text(0))
	h.targets, h.byHost = nil, make(map[string]health.TargetID)
	for i := range h.file.endpoints {
		for f, a := range []netip.Addr{steadyV4(i), steadyV6(i)} {
			if a.IsValid() {
				id := health.TargetID{byte(i + 1), byte(f + 1)}
				h.targets, h.byHost[a.String()] = append(h.targets, id), id
			}
		}
	}
	h.net.SetLink(gossiptest.Link{Delay: time.Millisecond, Jitter: time.Millisecond})
	return h
}

// breakEndpoint breaks or mends all addresses of endpoint i.
func (h *steady) breakEndpoint(i int, broken bool) {
	for _, a := range []netip.Addr{steadyV4(i), steadyV6(i)} {
		if a.IsValid() {
			h.set(h.byHost[a.String()], broken)
		}
	}
}

// breakTier breaks or mends all that stands in a pool.
func (h *steady) breakTier(pool int, broken bool) {
	for i, e := range h.file.endpoints {
		if e.pool == pool {
			h.breakEndpoint(i, broken)
		}
	}
}

// cause notes that something may move a service now.
func (h *steady) cause() { h.causes = append(h.causes, time.Now()) }

// step does one random thing.
func (h *steady) step() {
	what := h.r.IntN(15)
	h.logger.Info("step", "what", what)
	switch what {
	case 0, 1:
		h.cause()
		h.set(h.targets[h.r.IntN(len(h.targets))], h.r.IntN(2) == 0)
	case 2:
		h.cause()
		h.breakEndpoint(h.r.IntN(len(h.file.endpoints)), h.r.IntN(2) == 0)
	case 3, 4, 5:
		h.cause()
		h.breakTier(h.r.IntN(3), h.r.IntN(2) == 0)
	case 6, 7:
		h.editSome()
	case 8:
		h.rename()
	case 9:
		h.moves()
	case 10, 11:
		h.order()
	case 12:
		h.restart()
	case 13:
		if h.r.IntN(3) == 0 {
			h.coldStart()
		}
	case 14:
		h.drops()
	}
}

// drops takes an endpoint out of the files, and back some time later.
func (h *steady) drops() {
	i := h.r.IntN(len(h.file.endpoints))
	if len(h.inPool(h.file.endpoints[i].pool)) < 2 {
		return
	}
	h.cause()
	h.file.endpoints[i].dropped = true
	h.spread()
	h.pass(time.Duration(1+h.r.IntN(60)) * time.Second)
	h.cause()
	h.file.endpoints[i].dropped = false
	h.spread()
}

// editSome gives some of the nodes, or all of them, another version of the check.
func (h *steady) editSome() {
	version, all := h.r.IntN(len(simChecks)), h.r.IntN(2) == 0
	for _, n := range h.nodes {
		if all || h.r.IntN(2) == 0 {
			h.checks[n] = version
		}
	}
	h.spread()
}

// rename gives an endpoint, a pool or an AZ another name.
func (h *steady) rename() {
	h.file.renames++
	name := fmt.Sprintf("r%d", h.file.renames)
	switch h.r.IntN(3) {
	case 0:
		h.file.endpoints[h.r.IntN(len(h.file.endpoints))].name = name
	case 1:
		h.file.pools[h.r.IntN(3)] = name
	default:
		h.file.azs[h.r.IntN(2)] = name
	}
	h.spread()
}

// moves has an endpoint stand in another pool, or in the other AZ.
func (h *steady) moves() {
	e := &h.file.endpoints[h.r.IntN(len(h.file.endpoints))]
	if h.r.IntN(2) == 0 {
		e.az = 1 - e.az
	} else if left := slices.IndexFunc(h.file.endpoints[:], func(o steadyEntry) bool { return o.pool == e.pool && o != *e }); left >= 0 {
		h.cause()
		e.pool = (e.pool + 1) % 3
	}
	h.spread()
}

// spread lays the files on the nodes, one after the other.
func (h *steady) spread() {
	for _, n := range h.nodes {
		n.file = h.file.model(h.t, h.checks[n])
		h.steadied = time.Now()
		if n.runs {
			n.engine.SetModel(n.file)
		}
		if h.r.IntN(3) == 0 {
			h.pass(time.Duration(h.r.IntN(6)) * time.Second)
		}
	}
	h.steadied = time.Now()
}

// order drains something by the names that stand in the file, or ends a drain.
func (h *steady) order() {
	answering := slices.DeleteFunc(slices.Clone(h.nodes), func(n *simNode) bool { return !n.answers() })
	if len(answering) == 0 {
		return
	}
	h.cause()
	n := answering[h.r.IntN(len(answering))]
	if len(h.orders) > 0 && h.r.IntN(2) == 0 {
		h.undrain(n, h.orders[h.r.IntN(len(h.orders))])
		return
	}
	e := h.file.endpoints[h.r.IntN(len(h.file.endpoints))]
	scope := health.Scope{Kind: health.ScopeEndpoint, Zone: "example.org.", Pool: h.file.pools[e.pool], Endpoint: e.name}
	switch h.r.IntN(4) {
	case 0:
		scope = health.Scope{Kind: health.ScopePool, Zone: "example.org.", Pool: h.file.pools[e.pool]}
	case 1:
		scope = health.Scope{Kind: health.ScopeAZ, Name: h.file.azs[e.az]}
	}
	o := h.drain(n, scope, time.Duration(1+h.r.IntN(6))*time.Minute, "never_empty")
	if o == nil {
		return
	}
	h.said[o] = time.Now()
	for i, other := range h.file.endpoints {
		if scope.Endpoint == other.name && e.pool == other.pool || scope.Kind == health.ScopePool && other.pool == e.pool ||
			scope.Kind == health.ScopeAZ && other.az == e.az {
			h.bound[o] = append(h.bound[o], steadyV4(i))
			if v6 := steadyV6(i); v6.IsValid() {
				h.bound[o] = append(h.bound[o], v6)
			}
		}
	}
}

// restart ends a node in one way or the other and starts it some time later.
func (h *steady) restart() {
	n := h.nodes[h.r.IntN(len(h.nodes))]
	if h.r.IntN(2) == 0 {
		n.stop()
	} else {
		n.kill()
	}
	delete(h.tracks, n)
	h.pass(time.Duration(h.r.IntN(20)) * time.Second)
	h.cause()
	n.start()
	h.pass(10 * time.Second)
}

// coldStart starts all nodes anew with nothing on their disks, whatever is dead: orders are lost with the disks.
func (h *steady) coldStart() {
	for _, n := range h.nodes {
		n.kill()
		n.wipe()
	}
	clear(h.tracks)
	clear(h.bound)
	h.orders, h.causes = nil, nil
	h.pass(30 * time.Second)
	h.cause()
	for _, n := range h.nodes {
		n.start()
	}
}

// settle mends the world and ends all orders: everything that can answer does, on every node.
func (h *steady) settle() {
	for i := range h.file.endpoints {
		h.breakEndpoint(i, false)
	}
	h.cause()
	for _, n := range h.nodes {
		h.checks[n] = 0
	}
	h.spread()
	for _, o := range h.orders {
		h.undrain(h.nodes[0], o)
	}
	h.pass(2 * time.Minute)
	for _, n := range h.nodes {
		if a, b := h.nodes[0].current.Load().PlanHash(), n.current.Load().PlanHash(); a != b {
			h.fault("%s and %s decide otherwise in peace: %s", h.nodes[0].name, n.name, planDiff(h.nodes[0], n))
		}
		if got := h.answered(n, 0); len(got) != 3 && len(got) != len(h.inPool(0)) {
			h.fault("%s: api is answered with %v in peace", n.name, got)
		}
		if got, want := len(h.answered(n, 1)), len(h.inPool(0))+len(h.inPool(1)); got != want {
			h.fault("%s: www is answered with %d addresses in peace, want %d", n.name, got, want)
		}
	}
}

// playSteady plays one history without some rules.
func playSteady(t *testing.T, seed uint64, without health.Guards) (faults []string) {
	root := simRoot(t)
	synctest.Test(t, func(t *testing.T) {
		h := newSteady(t, seed, 3, root)
		h.without = without
		h.startAll()
		h.cause()
		h.pass(20 * time.Second)
		for end := time.Now().Add(steadyLength); time.Now().Before(end); {
			h.step()
			h.pass(time.Duration(1+h.r.IntN(40)) * time.Second)
		}
		h.settle()
		faults = h.end()
	})
	return faults
}

// TestSimSteady: no edit of a check on some nodes or on all, no rename, move, order, start or return, in any order, sends anybody to what is
// known to be dead or drained, moves a service more often than it has causes, or leaves nodes apart for longer than a second.
func TestSimSteady(t *testing.T) {
	suite.Large(t)
	first := fromEnv("FAIRLEAD_SEED", 1)
	for i := range fromEnv("FAIRLEAD_STEADY", simSteady) {
		seed := first + i
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			for _, f := range playSteady(t, seed, 0) {
				t.Errorf("FAIRLEAD_SEED=%d FAIRLEAD_STEADY=1: %s", seed, f)
			}
		})
	}
}
