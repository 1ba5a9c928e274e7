package integration

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/integration/suite"
)

const discoveryZone = `zone: example.org
nameservers: [ns1.example.net]
regions: {eu: {azs: [eu-a, eu-b]}}
checks:
  open: {type: tcp, port: %d, interval: 200ms, timeout: 150ms, fall: 2, rise: 1}
pools:
  web: {region: eu, check: open, settle: %s, from: [{cluster: eu-1, service: shop/web, az: eu-a}]}
services:
  www: {tiers: [{web: 1}], ttl: {max: 5s, min: 1s}, answers: all}
`

const discoveryCorefile = `example.org:PORT {
	bind 127.0.0.1
	fairlead {
		zones DIR/zones
		node DIR/node.yaml
		state DIR/state
	}
}
`

// manifest creates what a file of deploy/kubernetes has.
func (c *controlPlane) manifest(name string) {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "deploy", "kubernetes", name))
	require.NoError(c.t, err)
	c.documents(string(text))
}

// documents creates the objects of a text.
func (c *controlPlane) documents(text string) {
	c.t.Helper()
	for doc := range strings.SplitSeq(text, "\n---\n") {
		b, err := yaml.YAMLToJSON([]byte(doc))
		require.NoError(c.t, err)
		var o struct {
			APIVersion, Kind string
			Metadata         struct{ Namespace string }
		}
		require.NoError(c.t, json.Unmarshal(b, &o))
		c.create(o.APIVersion, o.Metadata.Namespace, strings.ToLower(o.Kind)+"s", string(b))
	}
}

// allow gives the reader what the role as shipped allows.
func (c *controlPlane) allow() {
	c.t.Helper()
	c.manifest("reader.yaml")
	c.create("rbac.authorization.k8s.io/v1", "", "clusterrolebindings", `{"metadata":{"name":"reader"},
		"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"fairlead-reader"},"subjects":[{"kind":"User","name":"fairlead"}]}`)
}

// answers are the addresses of www, sorted.
func (p *process) answers() (out []string) {
	m, _, err := ask("udp", p.dns, "www.example.org.", dns.TypeA)
	if err != nil {
		return []string{err.Error()}
	}
	for _, rr := range m.Answer {
		if a, ok := rr.(*dns.A); ok {
			out = append(out, a.A.String())
		}
	}
	slices.Sort(out)
	return out
}

// awaitAnswers waits until www has just these addresses.
func (p *process) awaitAnswers(want ...string) {
	p.t.Helper()
	var got []string
	defer func() {
		if p.t.Failed() {
			p.t.Logf("want %v, got %v", want, got)
		}
	}()
	await(p.t, "the answer "+strings.Join(want, " "), func() bool {
		select {
		case <-p.exited:
			p.t.Fatal("it ended")
		default:
		}
		got = p.answers()
		return slices.Equal(got, want)
	})
}

// openPorts opens a port on loopback addresses: 127.0.0.N.
func openPorts(t *testing.T, port int, last ...int) {
	t.Helper()
	for _, n := range last {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.%d:%d", n, port))
		require.NoError(t, err)
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				conn.Close()
			}
		}()
	}
}

// startDiscovering starts a node over a zone that takes endpoints from eu-1. The node file says whether it reads c.
func startDiscovering(t *testing.T, checkPort int, settle, node string) *process {
	t.Helper()
	dir := t.TempDir()
	p := &process{bin: binary(t, false), dir: dir, socket: filepath.Join(dir, "state", "admin.sock"), dns: fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t))}
	for _, d := range []string{"zones", "state"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	p.writeZone("example.org.yaml", fmt.Sprintf(discoveryZone, checkPort, settle))
	p.replace(filepath.Join(dir, "node.yaml"), node)
	p.writeCorefile(discoveryCorefile)
	return start(t, p, "serve", "-conf", filepath.Join(dir, "Corefile"))
}

// nodeFile has a node read c.
func (c *controlPlane) nodeFile() string {
	return fmt.Sprintf("kubernetes: {clusters: {eu-1: {kubeconfig: %s}}}\n", c.path("kubeconfig"))
}

// anew stops p and starts it on the same directories.
func (p *process) anew(t *testing.T) *process {
	p.stop()
	next := &process{bin: p.bin, dir: p.dir, socket: p.socket, dns: p.dns}
	return start(t, next, "serve", "-conf", filepath.Join(p.dir, "Corefile"))
}

// said waits until the node has told of an event.
func (p *process) said(kind string) {
	p.t.Helper()
	await(p.t, "the event "+kind, func() bool {
		text, _ := os.ReadFile(filepath.Join(p.dir, "state", "events.jsonl"))
		return strings.Contains(string(text), `"`+kind+`"`)
	})
}

// TestKubeFailureTable drives the real binary through the failure table of the Kubernetes source.
func TestKubeFailureTable(t *testing.T) {
	c := startControlPlane(t)
	port := suite.FreePort(t)
	openPorts(t, port, 11, 12, 13)
	c.namespace("shop")
	web := c.service("shop", "web", "127.0.0.11")
	p := startDiscovering(t, port, "5m", c.nodeFile())

	// Without a role it is said what is missing; with it the Service's address is probed and answered.
	p.said("discovery.stale")
	require.Contains(t, p.output(), `User \"fairlead\" cannot get resource`)
	c.allow()
	p.awaitAnswers("127.0.0.11")

	// Another address: the old one leaves once the new one is up. One that never comes up takes nothing away before `settle`.
	c.status(web, "127.0.0.12")
	p.awaitAnswers("127.0.0.12")
	c.status(web, "127.0.0.99")
	p.said("discovery.replaced")
	await(t, "the new address beside the old one", func() bool {
		s := p.status()
		return s != nil && len(s.Zones) == 1 && len(s.Zones[0].Pools[0].Endpoints) == 2
	})
	require.Equal(t, []string{"127.0.0.12"}, p.answers())

	// The status is emptied: the last address stays.
	c.status(web, "127.0.0.12")
	p.awaitAnswers("127.0.0.12")
	c.status(web)
	p.said("discovery.kept")
	require.Equal(t, []string{"127.0.0.12"}, p.answers())

	// The API is gone, over a restart of the node, too.
	c.kill(&c.api)
	p = p.anew(t)
	p.awaitAnswers("127.0.0.12")
	c.startAPI()
	c.status(web, "127.0.0.13")
	p.awaitAnswers("127.0.0.13")

	// The object is deleted: it is the pool's last endpoint.
	c.do("DELETE", web, "")
	p.said("discovery.held")
	require.Equal(t, []string{"127.0.0.13"}, p.answers())

	// Another cluster stands behind the URL: nothing is taken.
	c.kill(&c.api)
	c.kill(&c.etcd)
	c.startEtcd()
	c.startAPI()
	c.namespace("shop")
	c.allow()
	c.service("shop", "web", "127.0.0.11")
	p.said("discovery.stranger")
	require.Equal(t, []string{"127.0.0.13"}, p.answers())
	out, code := run(t, p.bin, "discovery", "--server=unix:"+p.socket)
	require.Zero(t, code, out)
	require.Contains(t, out, "another cluster stands behind the URL")
	order := func(words ...string) {
		out, code := run(t, p.bin, append([]string{"discovery", "--reason", "test", "--server=unix:" + p.socket}, words...)...)
		require.Zero(t, code, out)
	}
	order("adopt", "eu-1")
	p.awaitAnswers("127.0.0.11")

	// What is held leaves once somebody lets go.
	c.do("DELETE", "/api/v1/namespaces/shop/services/web", "")
	held := func() int {
		s := p.status()
		if s == nil || len(s.Discovery) != 1 {
			return -1
		}
		return s.Discovery[0].Held
	}
	await(t, "the last endpoint to be held", func() bool { return held() == 1 })
	order("accept", "eu-1")
	await(t, "it to leave", func() bool {
		s := p.status()
		return held() == 0 && len(s.Zones[0].Pools[0].Endpoints) == 0
	})
}

// startTogether starts two nodes of one cluster, with what else their node files have.
func (c *controlPlane) startTogether(port int, more ...string) (nodes []*process) {
	t := c.t
	t.Helper()
	ring := make([]byte, 32)
	_, _ = rand.Read(ring)
	require.NoError(t, config.WriteKeyring(c.path("keyring"), [][]byte{ring}))
	ports, roster := []int{suite.FreePort(t), suite.FreePort(t)}, ""
	for i := range ports {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(t, err)
		require.NoError(t, config.WriteIdentity(c.path(fmt.Sprintf("n%d.key", i+1)), private))
		roster += fmt.Sprintf("    - {name: n%d, address: \"127.0.0.1:%d\", public_key: %q}\n", i+1, ports[i], base64.StdEncoding.EncodeToString(public))
	}
	for i, more := range more {
		nodes = append(nodes, startDiscovering(t, port, "5m", fmt.Sprintf("name: n%d\ncluster:\n  name: test\n  nodes:\n%s  gossip: {listen: \"127.0.0.1:%d\", identity: %s, keyring: %s}\n%s",
			i+1, roster, ports[i], c.path(fmt.Sprintf("n%d.key", i+1)), c.path("keyring"), more)))
	}
	return nodes
}

// agreeOn waits until two nodes answer an address, with the same configuration.
func agreeOn(t *testing.T, nodes []*process, want string) {
	t.Helper()
	for _, p := range nodes {
		p.awaitAnswers(want)
	}
	await(t, "one configuration", func() bool {
		a, b := nodes[0].status(), nodes[1].status()
		return a != nil && b != nil && a.ConfigHash == b.ConfigHash
	})
}

// TestKubeOtherNode: a node that reads no cluster answers what another one read, with the same configuration, and keeps it.
func TestKubeOtherNode(t *testing.T) {
	c := startControlPlane(t)
	port := suite.FreePort(t)
	openPorts(t, port, 11, 12)
	c.namespace("shop")
	c.allow()
	web := c.service("shop", "web", "127.0.0.11")
	nodes := c.startTogether(port, c.nodeFile(), "")
	both := func(want string) {
		t.Helper()
		agreeOn(t, nodes, want)
	}
	both("127.0.0.11")
	c.status(web, "127.0.0.12")
	both("127.0.0.12")
	kept, err := os.ReadFile(filepath.Join(nodes[1].dir, "state", "discovered", "eu-1.json"))
	require.NoError(t, err)
	require.Contains(t, string(kept), "127.0.0.12", "it answers this without the other one, too")

	// The node that reads loses its state while the cluster does not say any more what it gave: the other one kept it.
	c.status(web)
	nodes[0].said("discovery.kept")
	both("127.0.0.12")
	nodes[0].stop()
	require.NoError(t, os.RemoveAll(filepath.Join(nodes[0].dir, "state")))
	require.NoError(t, os.Mkdir(filepath.Join(nodes[0].dir, "state"), 0o755))
	nodes[0] = nodes[0].anew(t)
	both("127.0.0.12")

	// An order that is given on the node that reads nothing is carried out by the other one.
	c.do("DELETE", web, "")
	nodes[0].said("discovery.held")
	out, code := run(t, nodes[1].bin, "discovery", "accept", "eu-1", "--reason", "test", "--server=unix:"+nodes[1].socket)
	require.Zero(t, code, out)
	for _, p := range nodes {
		await(t, "it to leave", func() bool {
			s := p.status()
			return s != nil && len(s.Zones) == 1 && len(s.Zones[0].Pools[0].Endpoints) == 0
		})
	}
}

// restart has etcd begin with a store, a directory, and the API server over it.
func (c *controlPlane) restart(store string) {
	c.t.Helper()
	c.kill(&c.api)
	c.kill(&c.etcd)
	c.startStore(store)
	c.startAPI()
}

// TestKubeRestored: a cluster that is restored from a backup says less than it did, with the UID that it had: what it gave stays, until somebody
// adopts it.
func TestKubeRestored(t *testing.T) {
	c := startControlPlane(t)
	port := suite.FreePort(t)
	openPorts(t, port, 11, 12)
	c.namespace("shop")
	c.allow()
	web := c.service("shop", "web", "127.0.0.11")
	p := startDiscovering(t, port, "5m", c.nodeFile())
	p.awaitAnswers("127.0.0.11")
	c.kill(&c.api)
	c.kill(&c.etcd)
	require.NoError(t, os.CopyFS(c.path("backup"), os.DirFS(c.store)))
	c.startStore(c.store)
	c.startAPI()
	c.status(web, "127.0.0.12")
	p.awaitAnswers("127.0.0.12")
	c.restart(c.path("backup"))
	require.Contains(t, c.do("GET", web, ""), "127.0.0.11")
	p.said("discovery.rewound")
	require.Equal(t, []string{"127.0.0.12"}, p.answers())
	out, code := run(t, p.bin, "discovery", "--server=unix:"+p.socket)
	require.Zero(t, code, out)
	require.Contains(t, out, "earlier state")
	out, code = run(t, p.bin, "discovery", "adopt", "eu-1", "--reason", "restored", "--server=unix:"+p.socket)
	require.Zero(t, code, out)
	p.awaitAnswers("127.0.0.11")
}

// An apiWire forwards connections to a port until it is cut.
type apiWire struct {
	l  net.Listener
	mu sync.Mutex // guards the rest
	on []net.Conn
}

func newAPIWire(t *testing.T, port int) *apiWire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &apiWire{l: l}
	t.Cleanup(w.cut)
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				near.Close()
				continue
			}
			w.mu.Lock()
			w.on = append(w.on, near, far)
			w.mu.Unlock()
			go func() { _, _ = io.Copy(far, near) }()
			go func() { _, _ = io.Copy(near, far) }()
		}
	}()
	return w
}

// cut ends all connections, and refuses others.
func (w *apiWire) cut() {
	w.l.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.on {
		c.Close()
	}
}

// TestKubeTwoReaders: two nodes that read one cluster have one configuration; one whose way to the API is cut answers what the other one reads,
// and says since when it does not read itself.
func TestKubeTwoReaders(t *testing.T) {
	c := startControlPlane(t)
	port := suite.FreePort(t)
	openPorts(t, port, 11, 12, 13)
	c.namespace("shop")
	c.allow()
	web := c.service("shop", "web", "127.0.0.11")
	way := newAPIWire(t, c.port)
	kubeconfig, err := os.ReadFile(c.path("kubeconfig"))
	require.NoError(t, err)
	c.write("wired", strings.Replace(string(kubeconfig), fmt.Sprintf("127.0.0.1:%d", c.port), way.l.Addr().String(), 1))
	nodes := c.startTogether(port, fmt.Sprintf("kubernetes: {clusters: {eu-1: {kubeconfig: %s}}}\n", c.path("wired")), c.nodeFile())
	agreeOn(t, nodes, "127.0.0.11")
	c.status(web, "127.0.0.12")
	agreeOn(t, nodes, "127.0.0.12")
	way.cut()
	nodes[0].said("discovery.stale")
	out, _ := run(t, nodes[0].bin, "status", "--server=unix:"+nodes[0].socket)
	require.Contains(t, out, "eu-1 not read since")
	c.status(web, "127.0.0.13")
	agreeOn(t, nodes, "127.0.0.13")
	events, _ := os.ReadFile(filepath.Join(nodes[1].dir, "state", "events.jsonl"))
	require.NotContains(t, string(events), "discovery.stale")
}
