package integration

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// fleetZone is what fleet b serves; leadingZone leads to it, and has a page of its own for when it cannot.
const (
	fleetZone = `zone: b.example.net
nameservers: [{name: ns1.b.example.net, addresses: [10.77.0.4]}]
regions: {us: {azs: [us-a]}}
checks: {ready: {type: http, port: 8080, path: /, interval: 1s, timeout: 500ms, fall: 2, rise: 2}}
pools: {web: {region: us, check: ready, endpoints: [{name: a, addresses: [10.77.1.2], az: us-a}]}}
services: {www: {tiers: [{web: 1}], ttl: {max: 5s, min: 2s}}}
`
	leadingZone = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [10.77.0.1]}]
regions: {eu: {azs: [eu-a]}, us: {azs: [us-a]}}
checks:
  ready: {type: http, port: 8080, path: /, interval: 1s, timeout: 500ms, fall: 2, rise: 2}
  b: {type: fleet, urls: [https://10.77.0.4:8443, https://10.77.0.5:8443, https://10.77.0.6:8443], keys: [KEYS], bound: 20s,
    interval: 1s, timeout: 900ms, fall: 2, rise: 2, tls: {ca: fleet.pem, client_cert: fleet.pem, client_key: fleet.key}}
pools:
  b: {region: us, check: b, endpoints: [{name: b, target: www.b.example.net., az: us-a}]}
  own: {region: eu, check: ready, endpoints: [{name: a, addresses: [10.77.1.1], az: eu-a}]}
services:
  www: {tiers: [{b: 1}, {own: 1}], failback: {hold: 0s}, ttl: {max: 5s, min: 2s}}
`
)

// fleetResolvers are in front of both fleets.
var fleetResolvers = []resolver{
	{name: "unbound", asks: "www.example.org.", files: map[string]string{"unbound.conf": strings.NewReplacer("demo.fairlead.test", "example.org", "fairlead.test", "example.org",
		"local-zone: \"test.\" nodefault\n", "domain-insecure: \"example.net\"\n",
		"N1A@N1P", "10.77.0.1@5300", "N2A@N2P", "10.77.0.2@5300", "N3A@N3P", "10.77.0.3@5300").Replace(strings.Replace(unboundConf(""), "remote-control", `stub-zone:
	name: "b.example.net"
	stub-addr: 10.77.0.4@5300
	stub-addr: 10.77.0.5@5300
	stub-addr: 10.77.0.6@5300
remote-control`, 1))}, args: []string{"unbound", "-d", "-c", "DIR/unbound.conf"}},
	{name: "bind9", asks: "www.example.org.", files: map[string]string{"named.conf": `options {
	directory "DIR"; pid-file "DIR/named.pid"; session-keyfile "DIR/session.key"; listen-on port PORT { 127.0.0.1; }; listen-on-v6 { none; };
	dnssec-validation no; recursion yes; empty-zones-enable no;
};
controls { };
zone "example.org" { type forward; forward only; forwarders { 10.77.0.1 port 5300; 10.77.0.2 port 5300; 10.77.0.3 port 5300; }; };
zone "b.example.net" { type forward; forward only; forwarders { 10.77.0.4 port 5300; 10.77.0.5 port 5300; 10.77.0.6 port 5300; }; };
`}, args: []string{"named", "-f", "-c", "DIR/named.conf"}},
}

// A fleetWatch asks resolvers twenty times a second, and notes when each address was last in a reply of any.
type fleetWatch struct {
	stop chan struct{}
	wg   sync.WaitGroup
	mu   sync.Mutex
	last map[string]time.Time // guarded by mu
}

func watchFleets(servers []string) *fleetWatch {
	w := &fleetWatch{stop: make(chan struct{}), last: make(map[string]time.Time)}
	for _, server := range servers {
		w.wg.Go(func() {
			for {
				select {
				case <-w.stop:
					return
				case <-time.After(50 * time.Millisecond):
				}
				m, _, err := ask("udp", server, "www.example.org.", dns.TypeA)
				if err != nil {
					continue
				}
				for _, rr := range m.Answer {
					if a, ok := rr.(*dns.A); ok {
						w.mu.Lock()
						w.last[a.A.String()] = time.Now()
						w.mu.Unlock()
					}
				}
			}
		})
	}
	return w
}

// since is when an address was last seen.
func (w *fleetWatch) since(address string) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last[address]
}

// everywhere tells whether each resolver gives an address now.
func everywhere(servers []string, address string) bool {
	return !slices.ContainsFunc(servers, func(server string) bool {
		m, _, err := ask("udp", server, "www.example.org.", dns.TypeA)
		return err != nil || len(m.Answer) == 0 || !strings.HasSuffix(m.Answer[len(m.Answer)-1].String(), "\t"+address)
	})
}

// fleetCertificate is one for all nodes, and for whoever may ask them, in PEM.
func fleetCertificate(t *testing.T) (cert, key []byte) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "parent"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.ParseIP(netNode(3)), net.ParseIP(netNode(4)), net.ParseIP(netNode(5))}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// identities are the public keys of the nodes of a cluster, in base64.
func (c *realCluster) identities() (keys []string) {
	for _, n := range c.nodes {
		key, err := config.ReadIdentity(filepath.Join(n.dir, "identity"))
		require.NoError(c.t, err)
		keys = append(keys, base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey)))
	}
	return keys
}

// TestFleets runs two clusters of three nodes in namespaces, with one keyring and seeds that lead from each to the other: they never merge. One leads to
// the other; whatever becomes of that one, no resolver gives its address past the composed bound.
func TestFleets(t *testing.T) {
	if inNamespaces(t) {
		return
	}
	w := newWire(t, 6, 2)
	cert, private := fleetCertificate(t)
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(certFile, cert, 0o644))
	require.NoError(t, os.WriteFile(keyFile, private, 0o600))
	gossip := make([]byte, 32)
	_, err := rand.Read(gossip)
	require.NoError(t, err)
	crossed := func(first int) func(int) string {
		return func(int) string {
			return fmt.Sprintf(", seeds: [%q, %q]", netNode(first)+":7946", netNode(first+1)+":7946")
		}
	}
	b := newClusterOf(t, 3, clusterPlan{zone: fleetZone, regions: []string{"us"}, endpoints: 2, cluster: "b", first: 3, on: w, key: gossip, gossip: crossed(0),
		admin: func(i int) string {
			return fmt.Sprintf(", listen: \"%s:8443\", tls: {cert: %q, key: %q, client_ca: %q}", netNode(i), certFile, keyFile, certFile)
		}})
	zoneWith := func(keys []string) string {
		return strings.Replace(leadingZone, "KEYS", `"`+strings.Join(keys, `", "`)+`"`, 1)
	}
	a := newClusterOf(t, 3, clusterPlan{zone: zoneWith(b.identities()), regions: []string{"eu"}, cluster: "a", on: w, key: gossip, gossip: crossed(3),
		beside: map[string][]byte{"fleet.pem": cert, "fleet.key": private}})

	var s api.Status
	require.Equal(t, http.StatusOK, a.nodes[0].call(http.MethodGet, api.StatusPath, nil, &s))
	bound := time.Duration(s.Zones[0].Services[0].BoundSeconds * float64(time.Second))
	t.Logf("composed bound %v, of which 20s are the other fleet's", bound)
	require.Equal(t, "www.b.example.net.", s.Fleets[0].Service)
	require.Equal(t, "up", s.Fleets[0].State)
	var servers []string
	for i := range fleetResolvers {
		servers = append(servers, fleetResolvers[i].start(t, "127.0.0.1:1"))
	}
	there, here := netEndpoint(1), netEndpoint(0)
	await(t, "all resolvers lead to b", func() bool { return everywhere(servers, there) })

	apart := func() {
		t.Helper()
		for _, c := range []*realCluster{a, b} {
			nodes, _ := c.nodes[0].view()
			require.Equal(t, 3, nodes.Roster)
			require.Len(t, nodes.Nodes, 3)
		}
		_, ids := a.nodes[1].view()
		require.Empty(t, ids)
	}
	leaves := func(what string, end func()) {
		t.Helper()
		watch := watchFleets(servers)
		begin := time.Now()
		end()
		await(t, what+": all resolvers lead home", func() bool { return everywhere(servers, here) })
		// What one of them gave from a cache would be seen.
		for end := begin.Add(bound); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		}
		close(watch.stop)
		watch.wg.Wait()
		took := watch.since(there).Sub(begin)
		t.Logf("%s: the last answer with its address came %v after that (bound %v)", what, took.Round(10*time.Millisecond), bound)
		require.LessOrEqual(t, took, bound)
	}

	leaves("fleet b is killed whole", func() {
		for _, n := range b.nodes {
			n.kill()
		}
	})
	for _, n := range b.nodes {
		n.start()
	}
	await(t, "all resolvers lead to b again", func() bool { return everywhere(servers, there) })

	var order api.Intent
	leaves("fleet b is drained", func() {
		req := api.IntentRequest{Kind: "drain", Scope: api.Scope{Kind: "pool", Name: "b.example.net/web"}, Actor: "test", Reason: "test", ForSeconds: 3600, Override: []string{"never_empty"}}
		require.Less(t, b.nodes[0].call(http.MethodPost, api.IntentsPath, req, &order), 300)
	})
	apart()
	require.Equal(t, http.StatusOK, b.nodes[0].undrain(order.ID))
	await(t, "all resolvers lead to b again", func() bool { return everywhere(servers, there) })

	old := b.identities()
	leaves("fleet b has new keys", func() {
		for _, n := range b.nodes {
			n.kill()
			_, key, err := ed25519.GenerateKey(rand.Reader)
			require.NoError(t, err)
			require.NoError(t, os.Remove(filepath.Join(n.dir, "identity")))
			require.NoError(t, config.WriteIdentity(filepath.Join(n.dir, "identity"), key))
		}
		pairs := []string{}
		for i, key := range b.identities() {
			pairs = append(pairs, old[i], key)
		}
		for _, n := range b.nodes {
			text, err := os.ReadFile(filepath.Join(n.dir, "node.yaml"))
			require.NoError(t, err)
			n.replace(filepath.Join(n.dir, "node.yaml"), strings.NewReplacer(pairs...).Replace(string(text)))
			n.start()
		}
	})
	require.Equal(t, http.StatusOK, a.nodes[0].call(http.MethodGet, api.StatusPath, nil, &s))
	require.Contains(t, s.Fleets[0].Reason, "signed by none of the keys")
	for _, n := range a.nodes {
		n.writeZone("example.yaml", zoneWith(b.identities()))
	}
	await(t, "all resolvers lead to b with its new keys", func() bool { return everywhere(servers, there) })
	apart()
}
