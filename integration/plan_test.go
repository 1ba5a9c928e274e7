package integration

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// planZone has its endpoints on addresses of loopback: EU1, EU2, US1, US2.
const planZone = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a]}, us: {azs: [us-a]}}
checks: {ready: {type: tcp, port: PORT, interval: 500ms, timeout: 400ms, fall: 2, rise: 1}}
pools:
  eu: {region: eu, check: ready, endpoints: [{name: a, addresses: [EU1], az: eu-a}, {name: b, addresses: [EU2], az: eu-a}]}
  us: {region: us, check: ready, endpoints: [{name: a, addresses: [US1], az: us-a}, {name: b, addresses: [US2], az: us-a}]}
  data: {region: us, check: ready, gate: manual, endpoints: [{name: a, addresses: [US1], az: us-a}]}
services:
  www: {tiers: [{eu: 100, us: 100}], failback: {hold: 0s}, ttl: {max: 2s, min: 1s}, safety: {keep_regions: 1, max_drained: 100%}}
  db: {tiers: [{data: 1}], ttl: {max: 2s, min: 1s}}
`

const planText = `plan: eu-out
zone: example.org
steps:
- {name: scale, hook: {url: "HOOK/scale", insecure: true, idempotent: true, undo: {url: "HOOK/unscale", insecure: true}}}
- {name: up, wait: {up: us, for: 1s}}
- {name: still, freeze: true}
- {name: open, ready: data}
- {name: move, shift: {from: eu, to: us, step: 50%, every: 1s}}
- {name: out, drain: {pool: eu}}
- {name: gone, verify: {bound: 60s}}
`

// A receiver is called by hooks, and acts once for each key.
type receiver struct {
	mu sync.Mutex
	// calls counts by path and key; both guarded by mu.
	calls map[string]int
	url   string
}

func newReceiver(t *testing.T, host string) *receiver {
	t.Helper()
	r := &receiver{calls: make(map[string]int)}
	l, err := net.Listen("tcp", host+":0")
	require.NoError(t, err)
	s := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.calls[req.URL.Path+" "+req.Header.Get("Idempotency-Key")]++
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	r.url = "http://" + l.Addr().String()
	return r
}

// acted are the keys with which a path was called, each once.
func (r *receiver) acted(path, id string) (keys []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for call := range r.calls {
		if key, ok := strings.CutPrefix(call, path+" "+id); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// newPlanCluster is three nodes on loopback with a plan.
func newPlanCluster(t *testing.T) (*realCluster, *receiver) {
	t.Helper()
	// Addresses that nobody else uses.
	net1 := fmt.Sprintf("127.79.%d", os.Getpid()%250)
	to := newReceiver(t, net1+".9")
	c := &realCluster{t: t}
	l, err := net.Listen("tcp", net1+".11:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	listeners := []net.Listener{l}
	for i := 12; i <= 14; i++ {
		l, err := net.Listen("tcp", fmt.Sprintf("%s.%d:%d", net1, i, port))
		require.NoError(t, err)
		listeners = append(listeners, l)
	}
	for _, l := range listeners {
		go (&http.Server{}).Serve(l) //nolint:errcheck // it ends with the listener
		t.Cleanup(func() { l.Close() })
	}
	zone := strings.NewReplacer("PORT", fmt.Sprint(port), "EU1", net1+".11", "EU2", net1+".12", "US1", net1+".13", "US2", net1+".14").Replace(planZone)
	root := t.TempDir()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	keyring := filepath.Join(root, "gossip.keys")
	require.NoError(t, config.WriteKeyring(keyring, [][]byte{key}))
	var roster strings.Builder
	bin := binary(t, false)
	for i := range 3 {
		name, dir, host := fmt.Sprintf("n%d", i+1), filepath.Join(root, fmt.Sprintf("n%d", i+1)), fmt.Sprintf("%s.%d", net1, i+1)
		for _, sub := range []string{"zones", "state", "plans.d"} {
			mkdir(t, filepath.Join(dir, sub))
		}
		public, private, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(t, err)
		require.NoError(t, config.WriteIdentity(filepath.Join(dir, "identity"), private))
		fmt.Fprintf(&roster, "    - {name: %s, address: \"%s:7946\", public_key: %q}\n", name, host, base64.StdEncoding.EncodeToString(public))
		n := &clusterNode{i: i, name: name, process: &process{t: t, bin: bin, dir: dir, socket: filepath.Join(dir, "s"), dns: host + ":5300"}}
		n.http = unixClient(n.socket)
		c.nodes = append(c.nodes, n)
	}
	for i, n := range c.nodes {
		host := fmt.Sprintf("%s.%d", net1, i+1)
		n.writeZone("example.yaml", zone)
		n.replace(filepath.Join(n.dir, "plans.d", "eu-out.yaml"), strings.ReplaceAll(planText, "HOOK", to.url))
		n.replace(filepath.Join(n.dir, "node.yaml"), fmt.Sprintf("name: %s\nadmin: {socket: %q}\nplans: {directory: %q}\ncluster:\n  name: test\n  nodes:\n%s  gossip: {listen: \"%s:7946\", identity: %q, keyring: %q}\n",
			n.name, n.socket, filepath.Join(n.dir, "plans.d"), roster.String(), host, filepath.Join(n.dir, "identity"), keyring))
		n.replace(filepath.Join(n.dir, "Corefile"), fmt.Sprintf("example.org:5300 {\n bind %s\n fairlead {\n zones %q\n node %q\n state %q\n }\n}\n", host,
			filepath.Join(n.dir, "zones"), filepath.Join(n.dir, "node.yaml"), filepath.Join(n.dir, "state")))
	}
	t.Cleanup(func() {
		for _, n := range c.nodes {
			n.kill()
		}
		if t.Failed() {
			for _, n := range c.nodes {
				out := n.output()
				t.Logf("output of %s:\n%s", n.name, out[max(0, len(out)-6000):])
			}
		}
	})
	for _, n := range c.nodes {
		n.begin()
	}
	c.awaitCalm()
	none := 0.0
	for _, n := range c.nodes {
		require.Equal(t, http.StatusOK, n.call(http.MethodPost, api.MaxTTLPath, api.NodeRequest{Actor: "test", Reason: "first start", MaxTTLSeconds: &none}, nil))
	}
	return c, to
}

// unixClient is a client of the node's API.
func unixClient(socket string) *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
}

// begin starts the node's process, in no namespace.
func (n *clusterNode) begin() {
	n.exited = make(chan struct{})
	n.cmd = exec.Command(n.bin, "serve", "-conf", filepath.Join(n.dir, "Corefile"))
	n.cmd.Stdout, n.cmd.Stderr, n.cmd.Dir = n.process, n.process, n.dir
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(n.t, n.cmd.Start())
	exited, cmd := n.exited, n.cmd
	go func() { _ = cmd.Wait(); close(exited) }()
}

// startPlan begins a run, on any node that lives.
func (c *realCluster) startPlan(t *testing.T, req api.PlanStartRequest) (u api.Run) {
	t.Helper()
	req.Actor, req.Reason = "ada", "test"
	i := 0
	await(t, "a run to begin", func() bool {
		i++
		return c.nodes[i%len(c.nodes)].call(http.MethodPost, api.PlanStartPath("eu-out"), req, &u) == http.StatusCreated
	})
	return u
}

// runOf is what any node that lives but one says of a run.
func (c *realCluster) runOf(id, but string) (u api.Run, ok bool) {
	for _, n := range c.nodes {
		if n.name != but && n.call(http.MethodGet, api.RunPath(id), nil, &u) == http.StatusOK {
			return u, true
		}
	}
	return u, false
}

func (c *realCluster) named(name string) *clusterNode {
	return c.nodes[slices.IndexFunc(c.nodes, func(n *clusterNode) bool { return n.name == name })]
}

// awaitRun waits until a run is in the status, on every node.
func (c *realCluster) awaitRun(t *testing.T, id, status string) (u api.Run) {
	t.Helper()
	for _, n := range c.nodes {
		await(t, fmt.Sprintf("%s to be %s on %s", id, status, n.name), func() bool {
			u = api.Run{}
			n.call(http.MethodGet, api.RunPath(id), nil, &u)
			return u.Status == status
		})
	}
	return u
}

// orders are the open orders of a run, by id, as every node has them.
func (c *realCluster) orders(t *testing.T, id string) (ids []string) {
	t.Helper()
	for _, n := range c.nodes {
		var list api.Intents
		require.Equal(t, http.StatusOK, n.call(http.MethodGet, api.IntentsPath, nil, &list))
		var here []string
		for _, i := range list.Intents {
			if strings.HasPrefix(i.ID, id+"-") {
				here = append(here, strings.TrimPrefix(i.ID, id+"-"))
			}
		}
		slices.Sort(here)
		if n != c.nodes[0] {
			require.Equal(t, ids, here, n.name)
		}
		ids = here
	}
	return ids
}

// awaitOther waits until another node than the one that was killed has gone on, or nothing is left to do; it says which.
func (c *realCluster) awaitOther(t *testing.T, id, killed string) (other bool) {
	t.Helper()
	await(t, "another node to go on", func() bool {
		u, ok := c.runOf(id, killed)
		other = ok && u.Owner != killed
		return other || ok && u.Status == "done"
	})
	return other
}

// done are the orders of a run all of whose steps are done: the freeze, the gate, both sides of the last part of the shift, the drain.
var done = []string{"3-1000", "4-1000", "5-1004", "5-1005", "6-1000"}

// TestPlanSurvivesItsExecutor kills the node that carries a run on, at every step, and has it come back at once, or only once another one has
// gone on: each effect is there once.
func TestPlanSurvivesItsExecutor(t *testing.T) {
	waits(t)
	c, to := newPlanCluster(t)
	r := mathrand.New(mathrand.NewPCG(1, 1))
	began := time.Now()
	wanted, at, took, tookOver := trials(1), make(map[string]int), 0, 0
	for runs := 0; took < wanted || runs == 0; runs++ {
		u := c.startPlan(t, api.PlanStartRequest{})
		id := u.ID
		for step := 0; step < len(u.Steps) && took < wanted; step++ {
			if wanted < len(u.Steps) && step%4 != 0 {
				continue
			}
			await(t, "a step to begin", func() bool {
				now, ok := c.runOf(id, "")
				if ok {
					u = now
				}
				return ok && (u.Current > step || u.Status == "done")
			})
			if u.Status == "done" {
				break
			}
			time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond) // the random moment
			victim := c.named(u.Owner)
			victim.kill()
			at[u.Steps[min(u.Current, len(u.Steps))-1].Name]++
			if took++; wanted > 1 && took%4 == 1 && c.awaitOther(t, id, victim.name) {
				tookOver++
			}
			victim.begin()
		}
		c.awaitRun(t, id, "done")
		require.Equal(t, done, c.orders(t, id), "run %d", runs)
		require.Equal(t, []string{"/scale/1"}, to.acted("/scale", id))
		await(t, "a node to abort it", func() bool {
			return c.nodes[runs%3].call(http.MethodPost, api.RunPath(id)+"/abort", api.RunRequest{Actor: "ada", Reason: "over"}, nil) == http.StatusOK
		})
		c.awaitRun(t, id, "aborted")
		require.Empty(t, c.orders(t, id))
		require.Len(t, to.acted("/unscale", id), 1)
	}
	t.Logf("%d kills in %s, by step %v; %d times another node went on", took, time.Since(began).Round(time.Second), at, tookOver)
}
