package integration

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// everyKind has a pool for each kind of objects; what clusters know from inside is reached under 127.0.0.0/24.
const everyKind = `zone: example.org
nameservers: [ns1.example.net]
regions: {eu: {azs: [eu-a, eu-b]}}
checks: {open: {type: tcp, port: %d, interval: 200ms, timeout: 150ms, fall: 2, rise: 1}}
pools:
  headless: {region: eu, check: open, from: [{cluster: eu-1, service: shop/headless}]}
  nodeport: {region: eu, check: open, from: [{cluster: eu-1, service: shop/nodeport}]}
  selected: {region: eu, check: open, from: [{cluster: eu-1, service: shop, selector: {app: web}, az: eu-a}]}
  ingress: {region: eu, check: open, from: [{cluster: eu-1, ingress: shop/web, az: eu-a}]}
  grpc: {region: eu, check: open, from: [{cluster: eu-1, grpcroute: shop/web, az: eu-a}]}
  tls: {region: eu, check: open, from: [{cluster: eu-1, tlsroute: shop/web, az: eu-b}]}
  import: {region: eu, check: open, from: [{cluster: eu-1, serviceimport: shop/web, az: eu-a}]}
  external: {region: eu, check: open, from: [{cluster: eu-1, dnsendpoint: shop/web, az: eu-a}]}
services:
  www: {tiers: [{headless: 1, nodeport: 1, selected: 1, ingress: 1, grpc: 1, tls: 1, import: 1, external: 1}], ttl: {max: 5s, min: 1s}}
`

// everyObject is what a cluster has, but for what controllers write.
const everyObject = `apiVersion: v1
kind: Service
metadata: {name: headless, namespace: shop}
spec: {clusterIP: None, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: nodeport, namespace: shop}
spec: {type: NodePort, ports: [{port: 80, nodePort: 30080}]}
---
apiVersion: v1
kind: Node
metadata: {name: one, labels: {topology.kubernetes.io/region: eu, topology.kubernetes.io/zone: eu-b}}
---
apiVersion: v1
kind: Node
metadata: {name: other, labels: {topology.kubernetes.io/zone: eu-a, node.kubernetes.io/exclude-from-external-load-balancers: ""}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: headless-1, namespace: shop, labels: {kubernetes.io/service-name: headless}}
addressType: IPv4
endpoints:
  - {addresses: [10.9.0.31], zone: eu-a, conditions: {ready: true}}
  - {addresses: [10.9.0.32], zone: eu-b, conditions: {ready: false}}
  - {addresses: [10.9.0.33], zone: eu-b, conditions: {ready: false, terminating: true}}
ports: [{port: 8080}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: web, namespace: shop}
spec: {parentRefs: [{name: public, namespace: edge}], rules: [{backendRefs: [{name: web, port: 80}]}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: TLSRoute
metadata: {name: web, namespace: shop}
spec: {hostnames: [web.example.org], parentRefs: [{name: public, namespace: edge}], rules: [{backendRefs: [{name: web, port: 443}]}]}
---
apiVersion: multicluster.x-k8s.io/v1alpha1
kind: ServiceImport
metadata: {name: web, namespace: shop}
spec: {type: ClusterSetIP, ips: [10.9.0.61], ports: [{port: 80}]}
---
apiVersion: externaldns.k8s.io/v1alpha1
kind: DNSEndpoint
metadata: {name: web, namespace: shop}
spec: {endpoints: [{dnsName: web.example.org, recordType: A, targets: [10.9.0.71]}, {dnsName: web.example.org, recordType: TXT, targets: [x]}]}
`

// TestKubeKinds: every kind of objects that a pool may take from, as real API servers have them, with the AZs of nodes and slices, 1:1 NAT, a
// kind in an older version of its API, and annotations.
func TestKubeKinds(t *testing.T) {
	c := startControlPlane(t)
	port := suite.FreePort(t)
	c.namespace("shop")
	c.allow()
	c.crds()
	c.edge("10.9.0.21")
	c.apply(everyObject)
	status := func(path, document string) { c.do("PATCH", path+"/status", `{"status":`+document+`}`) }
	for _, name := range []string{"one", "other"} {
		status("/api/v1/nodes/"+name, fmt.Sprintf(`{"addresses":[{"type":"Hostname","address":%q},{"type":"InternalIP","address":"10.9.0.4%d"}]}`, name, len(name)))
	}
	status("/apis/networking.k8s.io/v1/namespaces/shop/ingresses/web", `{"loadBalancer":{"ingress":[{"ip":"10.9.0.51"}]}}`)
	for _, kind := range []string{"grpcroutes", "tlsroutes"} {
		status("/apis/gateway.networking.k8s.io/v1/namespaces/shop/"+kind+"/web", `{"parents":[{"parentRef":{"name":"public","namespace":"edge"},"controllerName":"example.org/test",
			"conditions":[{"type":"Accepted","status":"True","reason":"Accepted","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}]}`)
	}
	c.service("shop", "a", "10.9.0.81")
	c.service("shop", "b", "10.9.0.82")
	c.service("shop", "ignored", "10.9.0.83")
	for _, patch := range [][2]string{
		{"a", `{"metadata":{"labels":{"app":"web"}}}`}, {"b", `{"metadata":{"labels":{"app":"web"},"annotations":{"fairlead.dev/addresses":"127.0.0.84"}}}`},
		{"ignored", `{"metadata":{"labels":{"app":"web"},"annotations":{"fairlead.dev/ignore":"true"}}}`},
	} {
		c.do("PATCH", "/api/v1/namespaces/shop/services/"+patch[0], patch[1])
	}
	node := fmt.Sprintf("kubernetes: {clusters: {eu-1: {kubeconfig: %s, expose: {10.9.0.0/24: 127.0.0.0/24}}}}\n", c.path("kubeconfig"))
	p := startDiscovering(t, port, "5m", node)
	p.replace(p.dir+"/zones/example.org.yaml", fmt.Sprintf(everyKind, port))
	want := map[string]string{
		"headless": "127.0.0.31@eu-a 127.0.0.32@eu-b", "nodeport": "127.0.0.43@eu-b", "selected": "127.0.0.81@ 127.0.0.84@", "ingress": "127.0.0.51@",
		"grpc": "127.0.0.21@", "tls": "127.0.0.21@", "import": "127.0.0.61@", "external": "127.0.0.71@",
	}
	var got map[string]string
	defer func() {
		if t.Failed() {
			t.Logf("got %v", got)
		}
	}()
	await(t, "what the cluster gives", func() bool {
		got = p.given()
		for pool, addresses := range want {
			if got[pool] != addresses {
				return false
			}
		}
		return true
	})
}

// given is what pools have from clusters: ADDRESS@AZ, where the cluster says the AZ.
func (p *process) given() map[string]string {
	text, err := exec.Command(p.bin, "get", "discovered", "-o", "json", "--server=unix:"+p.socket).Output()
	var doc api.Discovery
	if err != nil || json.Unmarshal(text, &doc) != nil {
		return nil
	}
	out := make(map[string]string)
	for _, c := range doc.Clusters {
		for _, e := range c.Endpoints {
			out[e.Pool] = strings.TrimSpace(out[e.Pool] + " " + e.Data + "@" + e.AZ)
		}
	}
	return out
}
