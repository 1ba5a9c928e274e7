package fairlead

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
	"github.com/fairlead-dns/fairlead/integration/suite"
)

// underRace are the scenarios that the race detector sees too, one of each kind; a minute would not do for all of them.
var underRace = []string{"az_outage", "disk_full", "key_rotation", "partition_drains", "rolling_restart"}

// TestSimScenarios plays the files of testdata/sim on whole clusters. Each line is an instant, a verb and its arguments; what
// stands behind -> is wanted. The invariants hold at every second besides.
func TestSimScenarios(t *testing.T) {
	paths, err := filepath.Glob("testdata/sim/*.txt")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(paths), 12)
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		t.Run(name, func(t *testing.T) {
			if !slices.Contains(underRace, name) {
				suite.Large(t)
			}
			t.Parallel()
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			root := simRoot(t)
			synctest.Test(t, func(t *testing.T) { playSim(t, path, string(text), root) })
		})
	}
}

func playSim(t *testing.T, path, text, root string) {
	size := 3
	if _, n, ok := strings.Cut(text, "# nodes "); ok {
		size = int(n[0] - '0')
	}
	s := newSim(t, 1, size, root)
	for line := range strings.Lines(text) {
		if edit, ok := strings.CutPrefix(strings.TrimSpace(line), "# replace "); ok {
			was, is, _ := strings.Cut(edit, " => ")
			s.edit(was, is)
		}
	}
	s.net.SetLink(gossiptest.Link{Delay: time.Millisecond, Jitter: time.Millisecond})
	began := time.Now()
	line := 0
	for row := range strings.Lines(text) {
		line++
		row, want, asks := strings.Cut(strings.TrimSpace(row), " -> ")
		words := strings.Fields(row)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		at, err := time.ParseDuration(words[0])
		require.NoError(t, err, "%s:%d", path, line)
		if left := time.Until(began.Add(at)); left > 0 {
			s.wait(left)
		}
		got := s.act(words[1], words[2:])
		if asks && got != want {
			s.fault("%s:%d: %s -> %s, want %s", path, line, row, got, want)
		} else if !asks && got != "" {
			s.fault("%s:%d: %s: %s", path, line, row, got)
		}
	}
	for _, f := range s.end() {
		t.Error(f)
	}
}

// act does one thing; the answer to a question is what it returns, else what went wrong.
func (s *sim) act(verb string, args []string) string {
	nodes := func() (list []*simNode) {
		for _, name := range strings.Split(args[0], ",") {
			if name == "all" {
				return s.nodes
			}
			list = append(list, s.node(name))
		}
		return list
	}
	switch verb {
	case "start":
		for _, n := range nodes() {
			s.up(n)
		}
	case "stop", "kill", "wipe":
		for _, n := range nodes() {
			switch verb {
			case "stop":
				s.down(n, n.stop)
			case "kill":
				s.down(n, n.kill)
			default:
				n.wipe()
			}
		}
	case "break", "mend":
		for _, name := range args {
			if az, ok := strings.CutPrefix(name, "az:"); ok {
				s.az(az, verb == "break")
			} else {
				s.set(s.target(name), verb == "break")
			}
		}
	case "flap":
		period, _ := time.ParseDuration(args[1])
		times, _ := strconv.Atoi(args[2])
		for i := range times {
			s.set(s.target(args[0]), i%2 == 0)
			s.wait(period)
		}
		s.set(s.target(args[0]), false)
	default:
		return s.actMore(verb, args, nodes)
	}
	return ""
}

func (s *sim) actMore(verb string, args []string, nodes func() []*simNode) string {
	switch verb {
	case "partition":
		var groups [][]*simNode
		for _, g := range args {
			var list []*simNode
			for _, name := range strings.Split(g, ",") {
				list = append(list, s.node(name))
			}
			groups = append(groups, list)
		}
		s.partition(groups...)
	case "cut":
		s.net.Cut(s.node(args[0]).addr, s.node(args[1]).addr)
		s.trouble(troubleNet)
	case "loss":
		percent, _ := strconv.Atoi(args[0])
		s.net.SetLink(gossiptest.Link{Loss: float64(percent) / 100, Delay: 5 * time.Millisecond, Jitter: 50 * time.Millisecond})
		s.trouble(troubleNet)
	case "heal":
		s.healNet()
	case "blind", "see":
		for _, n := range nodes() {
			s.setBlind(n, verb == "blind")
		}
	case "freeze", "unfreeze":
		s.setFreeze(nodes()[0], verb == "freeze")
	case "fulldisk", "freedisk":
		s.fullDisk(nodes()[0], verb == "fulldisk")
	case "skew":
		d, _ := time.ParseDuration(args[1])
		nodes()[0].skew(d)
	case "waive":
		return errorText(nodes()[0].engine.Waive(nil, args[1:]...))
	case "key":
		return s.key(nodes()[0], args[1], args[2])
	default:
		return s.ask(verb, args, nodes)
	}
	return ""
}

// ask gives orders and answers questions.
func (s *sim) ask(verb string, args []string, nodes func() []*simNode) string {
	switch verb {
	case "drain":
		d, _ := time.ParseDuration(args[2])
		o := s.drain(nodes()[0], s.scope(args[1]), d)
		switch {
		case o == nil:
			return "refused"
		case o.acked.IsZero():
			return "here alone"
		}
		return "acknowledged"
	case "force", "extend", "resume":
		return s.change(verb, nodes()[0], args[1:])
	case "undrain":
		i, _ := strconv.Atoi(args[1])
		s.undrain(nodes()[0], s.orders[i-1])
	case "intents":
		var states []string
		for _, i := range nodes()[0].engine.Intents() {
			word := strings.TrimPrefix(i.Scope.Path(), "example.org/")
			if i.Suspended != nil {
				word += " suspended by " + i.Suspended.Rule
			}
			states = append(states, word)
		}
		return strings.Join(states, ", ")
	case "state":
		var words []string
		for _, n := range nodes() {
			words = append(words, s.state(n, args[1]))
		}
		return strings.Join(slices.Compact(words), ", ")
	case "heard":
		return fmt.Sprint(nodes()[0].engine.Cluster().Heard)
	case "shut":
		return nodes()[0].engine.Shut()
	case "agree":
		d, _ := time.ParseDuration(args[0])
		s.await(d)
	default:
		return "unknown verb"
	}
	return ""
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// target is the target behind POOL/ENDPOINT.
func (s *sim) target(name string) health.TargetID {
	k := 0
	for _, p := range s.zone.Pools {
		for _, e := range p.Endpoints {
			if p.Name+"/"+e.Name == name {
				return s.targets[k]
			}
			k++
		}
	}
	panic("no endpoint " + name)
}

// scope is that of az:NAME or POOL/ENDPOINT.
func (s *sim) scope(name string) health.Scope {
	if az, ok := strings.CutPrefix(name, "az:"); ok {
		return health.Scope{Kind: health.ScopeAZ, Name: az}
	}
	pool, endpoint, _ := strings.Cut(name, "/")
	return health.Scope{Kind: health.ScopeEndpoint, Zone: "example.org.", Pool: pool, Endpoint: endpoint}
}

// state is what a node shows of an endpoint.
func (s *sim) state(n *simNode, name string) string {
	for pi, p := range s.zone.Pools {
		for i, e := range p.Endpoints {
			if p.Name+"/"+e.Name == name {
				v := n.current.Load().View.Zones[0].Pools[pi].Endpoints[i]
				if v.Stale {
					return v.Shown().String() + " stale"
				}
				return v.Shown().String()
			}
		}
	}
	return "none"
}

// key changes the keyring of all nodes from one of them.
func (s *sim) key(n *simNode, verb, name string) string {
	key := sha256.Sum256([]byte(name))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	failed, err := n.engine.ChangeKeyring(ctx, cluster.KeyringOrder{Verb: verb, Key: key[:]})
	var b bytes.Buffer
	for name, err := range failed {
		fmt.Fprintf(&b, "%s: %v; ", name, err)
	}
	return b.String() + errorText(err)
}

// TestSimTwoClusters: two clusters that are pointed at each other, with the same keys, do not merge, and their drains stay apart.
func TestSimTwoClusters(t *testing.T) {
	root := simRoot(t)
	synctest.Test(t, func(t *testing.T) {
		one, two := newSim(t, 1, 3, filepath.Join(root, "one")), newSim(t, 1, 3, filepath.Join(root, "two"))
		two.net, two.cluster = one.net, "other"
		for i, n := range two.nodes {
			a := n.addr.Addr().As4()
			a[2] = 1
			n.addr = addrOf(a)
			one.seeds, two.seeds = append(one.seeds, n.addr.String()), append(two.seeds, one.nodes[i].addr.String())
		}
		one.startAll()
		two.startAll()
		one.await(20 * time.Second)
		two.await(20 * time.Second)
		require.NotNil(t, one.drain(one.node("n1"), simAZ, time.Hour))
		one.wait(time.Minute)
		two.wait(time.Second)
		require.Len(t, one.node("n2").engine.Intents(), 1)
		require.Empty(t, two.node("n2").engine.Intents())
		require.Equal(t, 3, two.node("n1").engine.Cluster().Heard)
		require.Empty(t, one.end())
		require.Empty(t, two.end())
	})
}
