package fairlead

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// simChecks are versions of the check of simZone, the first of them its own: each kind of edit that there is.
var simChecks = []string{
	"type: tcp, port: 80, interval: 5s, timeout: 1s, fall: 2, rise: 2",
	"type: tcp, port: 80, interval: 5s, timeout: 2s, fall: 2, rise: 2",
	"type: tcp, port: 80, interval: 5s, timeout: 1s, fall: 3, rise: 2",
	"type: tcp, port: 80, interval: 5s, timeout: 1s, fall: 2, rise: 3",
	"type: tcp, port: 80, interval: 3s, timeout: 1s, fall: 2, rise: 2",
	"type: tcp, port: 81, interval: 5s, timeout: 1s, fall: 2, rise: 2",
	"type: tcp, port: 80, interval: 5s, timeout: 1s, fall: 2, rise: 2, quorum: 60%",
	"type: tcp, port: 80, interval: 5s, timeout: 1s, fall: 2, rise: 2, flap: {transitions: 9, window: 1m, hold: 10s}",
	"type: http, port: 80, path: /ready, interval: 5s, timeout: 1s, fall: 2, rise: 2",
	"type: http, port: 80, path: /live, headers: {A: b}, interval: 5s, timeout: 1s, fall: 2, rise: 2",
	"type: http, port: 80, path: /live, expect: {body: ok}, interval: 5s, timeout: 1s, fall: 2, rise: 2",
}

// model is what stands in the node's file.
func (n *simNode) model() *config.Model {
	switch {
	case n.file != nil:
		return n.file
	case n.edited == 0:
		return n.sim.model
	}
	text := strings.Replace(n.sim.text, simChecks[0], simChecks[n.edited], 1)
	z, problems := config.Parse("zone.yaml", []byte(text), config.ParseOptions{})
	require.NoError(n.sim.t, problems.Err())
	return config.NewModel([]*config.Zone{z})
}

// editOn gives the node another version of the file.
func (s *sim) editOn(n *simNode, version int) {
	if n.edited == version {
		return
	}
	n.edited = version
	if n.runs {
		n.engine.SetModel(n.model())
	}
}

// editSome gives some of the nodes, or all of them, another version.
func (w *wreck) editSome() {
	version, all := w.r.IntN(len(simChecks)), w.r.IntN(2) == 0
	for _, n := range w.nodes {
		if all || w.r.IntN(2) == 0 {
			w.editOn(n, version)
		}
	}
}

// idOf is the name under which the world knows a target, whatever the nodes take for its identity.
func (s *sim) idOf(t health.Target) health.TargetID {
	if id, ok := s.byHost[t.Host]; ok {
		return id
	}
	return t.ID
}

// startWithin is for how long a node may answer what is dead from its start on: the first phases of its probes, and a round.
const startWithin = 2500 * time.Millisecond

// deadAnswer looks at an address that the node answers: nobody answers a member that a quorum sees fail for longer than the bound says,
// unless a rule or a person wants it.
func (s *sim) deadAnswer(n *simNode, service int, address string) {
	s.mu.Lock()
	id := s.byHost[address]
	broken, moved := s.broken[id], s.moved[id]
	s.mu.Unlock()
	if !broken || time.Since(moved) < lately || time.Since(n.since) < startWithin || s.calmFor() < lately {
		return
	}
	plan := n.current.Load().Plan(s.zone, service)
	if plan.Source != steer.FromTier && plan.Source != steer.FromPending || plan.Kept > 0 {
		return
	}
	view := n.current.Load().View
	for _, m := range plan.Sets[steer.V4] {
		if e := view.Zones[0].Pools[m.Pool].Endpoints[m.Endpoint]; e.Forced == health.Up && view.Model.Zones[0].Pools[m.Pool].Endpoints[m.Endpoint].V4.String() == address {
			return
		}
	}
	s.fault("%s: %s is answered with %s, which has been dead for %s (%s)", n.name, s.zone.Services[service].Name, address, time.Since(moved).Round(time.Second), plan.Source)
}

// coldStart starts all nodes anew without anything on their disks, while the first tier of api is dead, and looks ten times a second. It
// returns for how long after the start the dead tier was answered.
func (s *sim) coldStart() (dead time.Duration) {
	s.set(s.targets[0], true)
	s.set(s.targets[1], true)
	s.wait(time.Minute)
	for _, n := range s.nodes {
		n.kill()
		n.wipe()
	}
	for _, n := range s.nodes {
		n.start()
	}
	s.eased = time.Now()
	begin := time.Now()
	for time.Since(begin) < 20*time.Second {
		s.wait(100 * time.Millisecond)
		for _, n := range s.nodes {
			if !n.answers() {
				continue
			}
			rcode, address := n.ask("api.example.org.")
			if rcode == dns.RcodeSuccess && (address == "192.0.2.1" || address == "192.0.2.2") {
				dead = time.Since(begin)
			}
		}
	}
	return dead
}

// TestColdStartOfCluster: three nodes that know nothing leave a dead first tier at once, also where the other nodes are all that tells a
// vantage whether it sees: nobody is heard yet when the first probes fail.
func TestColdStartOfCluster(t *testing.T) {
	for _, peersAlone := range []bool{false, true} {
		root := simRoot(t)
		synctest.Test(t, func(t *testing.T) {
			s := calmSim(t, 5, root)
			s.peersAlone = peersAlone
			s.wait(20 * time.Second)
			require.LessOrEqual(t, s.coldStart(), startWithin)
			require.Empty(t, s.end())
		})
	}
}
