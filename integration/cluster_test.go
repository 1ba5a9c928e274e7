package integration

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const clusterZone = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [10.77.0.1]}]
regions: {eu: {azs: [eu-a, eu-b]}, us: {azs: [us-a, us-b]}}
checks: {ready: {type: http, port: 8080, path: /, interval: 1s, timeout: 500ms, fall: 2, rise: 2}}
pools:
  eu: {region: eu, check: ready, endpoints: [{name: a, addresses: [10.77.1.1], az: eu-a}, {name: b, addresses: [10.77.1.2], az: eu-b}]}
  us: {region: us, check: ready, endpoints: [{name: a, addresses: [10.77.1.3], az: us-a}, {name: b, addresses: [10.77.1.4], az: us-b}]}
services:
  www: {tiers: [{eu: 1, us: 1}], failback: {hold: 0s}, ttl: {max: 10s, min: 2s}}
`

// A clusterNode is one real node in a namespace of its own.
type clusterNode struct {
	*process
	i    int
	name string
	http *http.Client
}

// A realCluster is real nodes on a wire, and the endpoints that they watch.
type realCluster struct {
	t     testing.TB
	wire  *wire
	nodes []*clusterNode
	// broken endpoints close what comes.
	broken []atomic.Bool
	clusterPlan
}

// A clusterPlan is what the nodes of a cluster serve, and the regions that they stand in, in turns.
type clusterPlan struct {
	zone      string
	regions   []string
	endpoints int
	// The rest is for two clusters on one wire: what it is called, where its first node stands there, with which key it gossips, what more
	// stands in a node's file below admin, and below gossip, and which further files lie beside the zone's.
	cluster       string
	first         int
	on            *wire
	key           []byte
	admin, gossip func(i int) string
	beside        map[string][]byte
}

// newCluster starts nodes that watch four endpoints. keys are further ones of the node files' cluster section.
func newCluster(t *testing.T, size int, keys ...string) *realCluster {
	t.Helper()
	return newClusterOf(t, size, clusterPlan{zone: clusterZone, regions: []string{"eu", "us"}, endpoints: 4}, keys...)
}

// newClusterOf starts nodes that serve p.
func newClusterOf(t *testing.T, size int, p clusterPlan, keys ...string) *realCluster {
	t.Helper()
	c := &realCluster{t: t, wire: p.on, broken: make([]atomic.Bool, p.endpoints), clusterPlan: p}
	if p.on == nil {
		c.wire = newWire(t, size, p.endpoints)
	}
	for i := range c.broken {
		l, err := net.Listen("tcp", netEndpoint(i)+":8080")
		require.NoError(t, err)
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if c.broken[i].Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})}
		go func() { _ = server.Serve(l) }()
		t.Cleanup(func() { _ = server.Close() })
	}
	c.write(size, keys)
	// Before their directories go.
	t.Cleanup(func() {
		for _, n := range c.nodes {
			n.kill()
		}
	})
	for _, n := range c.nodes {
		n.start()
	}
	c.awaitCalm()
	for _, n := range c.nodes {
		none := 0.0
		req := api.NodeRequest{Actor: "test", Reason: "first start", MaxTTLSeconds: &none}
		require.Equal(t, http.StatusOK, n.call(http.MethodPost, api.MaxTTLPath, req, nil), n.name)
	}
	return c
}

// write makes the files of all nodes.
func (c *realCluster) write(size int, keys []string) {
	root := c.t.(*testing.T).TempDir()
	key := c.key
	if key == nil {
		key = make([]byte, 32)
		_, _ = rand.Read(key)
	}
	keyring := filepath.Join(root, "gossip.keys")
	require.NoError(c.t, config.WriteKeyring(keyring, [][]byte{key}))
	var roster strings.Builder
	for i := range size {
		i += c.first
		name := fmt.Sprintf("n%d", i+1)
		dir := filepath.Join(root, name)
		require.NoError(c.t, os.MkdirAll(filepath.Join(dir, "zones"), 0o755))
		require.NoError(c.t, os.MkdirAll(filepath.Join(dir, "state"), 0o755))
		public, private, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(c.t, err)
		require.NoError(c.t, config.WriteIdentity(filepath.Join(dir, "identity"), private))
		fmt.Fprintf(&roster, "    - {name: %s, address: \"%s:7946\", public_key: %q, region: %s, az: %s}\n", name, netNode(i),
			base64.StdEncoding.EncodeToString(public), c.regions[i%len(c.regions)], c.regions[i%len(c.regions)]+"-a")
		socket := filepath.Join(dir, "s")
		n := &clusterNode{i: i, name: name, process: &process{t: c.t, bin: os.Getenv(namespaceEnv), dir: dir, socket: socket, dns: netNode(i) + ":5300"}}
		n.http = &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}}}
		c.nodes = append(c.nodes, n)
	}
	more := func(f func(int) string, i int) string {
		if f == nil {
			return ""
		}
		return f(i)
	}
	for _, n := range c.nodes {
		i := n.i
		for name, content := range c.beside {
			n.replace(filepath.Join(n.dir, "zones", name), string(content))
		}
		n.writeZone("example.yaml", c.zone)
		n.replace(filepath.Join(n.dir, "node.yaml"), fmt.Sprintf("name: %s\nadmin: {socket: %q%s}\ncluster:\n  name: %s\n  nodes:\n%s  gossip: {listen: \"%s:7946\", identity: %q, keyring: %q%s}\n%s",
			n.name, n.socket, more(c.admin, i), cmp.Or(c.cluster, "test"), roster.String(), netNode(i), filepath.Join(n.dir, "identity"), keyring, more(c.gossip, i), strings.Join(keys, "")))
		n.replace(filepath.Join(n.dir, "Corefile"), fmt.Sprintf("%s:5300 {\n bind %s\n fairlead {\n zones %q\n node %q\n state %q\n }\n}\n", zoneOf(c.zone), netNode(i),
			filepath.Join(n.dir, "zones"), filepath.Join(n.dir, "node.yaml"), filepath.Join(n.dir, "state")))
	}
}

// zoneOf is the name of the zone of a file.
func zoneOf(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return strings.TrimPrefix(first, "zone: ")
}

// start starts the node's process in its namespace.
func (n *clusterNode) start() {
	n.exited = make(chan struct{})
	n.cmd = exec.Command("nsenter", append(enter(n.i)[1:], n.bin, "serve", "-conf", filepath.Join(n.dir, "Corefile"))...)
	n.cmd.Stdout, n.cmd.Stderr, n.cmd.Dir = n.process, n.process, n.dir
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(n.t, n.cmd.Start())
	exited, cmd := n.exited, n.cmd
	go func() { _ = cmd.Wait(); close(exited) }()
}

// kill ends it as kill -9 does. nsenter has become the node by then.
func (n *clusterNode) kill() {
	_ = n.cmd.Process.Kill()
	<-n.exited
}

// call calls the node's API; the status is 0 while it does not answer.
func (n *clusterNode) call(method, path string, in, out any) int {
	body, err := json.Marshal(in)
	require.NoError(n.t, err)
	req, err := http.NewRequest(method, "http://node"+path, bytes.NewReader(body))
	require.NoError(n.t, err)
	resp, err := n.http.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if out != nil && resp.StatusCode < 300 {
		require.NoError(n.t, json.NewDecoder(resp.Body).Decode(out))
	}
	return resp.StatusCode
}

// drain drains an endpoint of a pool and returns the intent, and the status.
func (n *clusterNode) drain(pool, endpoint string) (api.Intent, int) {
	var i api.Intent
	status := n.call(http.MethodPost, api.IntentsPath, api.IntentRequest{Kind: "drain", Scope: api.Scope{Kind: "endpoint", Name: "example.org/" + pool + "/" + endpoint},
		Actor: "test", Reason: "test", ForSeconds: 3600}, &i)
	return i, status
}

func (n *clusterNode) undrain(id string) int {
	return n.call(http.MethodDelete, api.IntentPath(id), api.EndRequest{Actor: "test"}, nil)
}

// view is what a node has decided and believes; nil while it does not answer.
func (n *clusterNode) view() (*api.Nodes, []string) {
	var nodes api.Nodes
	var intents api.Intents
	if n.call(http.MethodGet, api.NodesPath, nil, &nodes) != http.StatusOK || n.call(http.MethodGet, api.IntentsPath, nil, &intents) != http.StatusOK {
		return nil, nil
	}
	var ids []string
	for _, i := range intents.Intents {
		ids = append(ids, i.ID)
	}
	return &nodes, ids
}

// holds tells whether the node's answers can contain the address, from what it shows of its shares.
func (n *clusterNode) holds(address string) (holds, ok bool) {
	var s api.Status
	if n.call(http.MethodGet, api.StatusPath, nil, &s) != http.StatusOK || len(s.Zones) == 0 {
		return false, false
	}
	return slices.ContainsFunc(s.Zones[0].Services[0].Shares, func(x api.Share) bool { return x.Data == address }), true
}

// differ is what the nodes do not agree about; empty when they do.
func (c *realCluster) differ() string {
	var first *api.Node
	var ids []string
	for _, n := range c.nodes {
		nodes, intents := n.view()
		if nodes == nil {
			return n.name + " does not answer"
		}
		if nodes.Shut != "" || nodes.Heard != len(c.nodes) {
			return fmt.Sprintf("%s hears %d: %s", n.name, nodes.Heard, nodes.Shut)
		}
		self := &nodes.Nodes[slices.IndexFunc(nodes.Nodes, func(x api.Node) bool { return x.State == api.NodeSelf })]
		if first == nil {
			first, ids = self, intents
		}
		if self.PlanHash != first.PlanHash || !slices.Equal(ids, intents) {
			return fmt.Sprintf("%s: plans %s, intents %v; %s: plans %s, intents %v", first.Name, first.PlanHash, ids, n.name, self.PlanHash, intents)
		}
	}
	return ""
}

// awaitCalm waits until all nodes hear each other and every endpoint is up.
func (c *realCluster) awaitCalm() {
	c.t.Helper()
	await(c.t, "a calm cluster", func() bool {
		return c.differ() == "" && !slices.ContainsFunc(c.nodes, func(n *clusterNode) bool { s := n.status(); return s == nil || !s.Ready || !allUp(s) })
	})
}

// A watch asks every node 50 times a second and notes when an address was last in an answer, by node.
type watch struct {
	stop chan struct{}
	wg   sync.WaitGroup
	mu   sync.Mutex
	last map[string]map[string]time.Time // guarded by mu: by node and address
}

func (c *realCluster) watch() *watch {
	w := &watch{stop: make(chan struct{}), last: make(map[string]map[string]time.Time)}
	for _, n := range c.nodes {
		w.last[n.name] = make(map[string]time.Time)
		w.wg.Go(func() {
			client := &dns.Client{Timeout: time.Second}
			for {
				select {
				case <-w.stop:
					return
				case <-time.After(20 * time.Millisecond):
				}
				m, _, err := client.Exchange(new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA), n.dns)
				if err != nil {
					continue
				}
				for _, rr := range m.Answer {
					if a, ok := rr.(*dns.A); ok {
						w.mu.Lock()
						w.last[n.name][a.A.String()] = time.Now()
						w.mu.Unlock()
					}
				}
			}
		})
	}
	return w
}

func (w *watch) end() {
	close(w.stop)
	w.wg.Wait()
}

// since is how long after an instant any node last answered with the address.
func (w *watch) since(address string, at time.Time) (longest time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, last := range w.last {
		longest = max(longest, last[address].Sub(at))
	}
	return longest
}
