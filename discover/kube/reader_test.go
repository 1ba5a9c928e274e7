package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/discover"
)

// A reading is a Reader at work.
type reading struct {
	t *testing.T
	*Reader
	changed chan struct{}
}

// read starts a Reader for one selector per line.
func read(t *testing.T, a *api, resolve func(context.Context, string) ([]netip.Addr, error), from ...string) *reading {
	t.Helper()
	text := "zone: example.org\nnameservers: [ns1.example.net]\nregions: {eu: {azs: [eu-a]}}\npools:\n  web:\n    region: eu\n    from:\n"
	for _, f := range from {
		text += "      - {cluster: eu-1, " + f + "}\n"
	}
	z, problems := config.Parse("z.yaml", []byte(text+"services: {www: {tiers: [{web: 1}]}}\n"), config.ParseOptions{})
	require.NotNil(t, z, "%s", problems)
	r := &reading{t: t, changed: make(chan struct{}, 1)}
	cluster := a.cluster()
	cluster.Expose = []config.Expose{{Inside: netip.MustParsePrefix("10.9.0.0/24"), Outside: netip.MustParsePrefix("203.0.113.0/24")}}
	r.Reader = New(Options{Cluster: cluster, Resolve: resolve, Retry: 10 * time.Millisecond, Changed: func() {
		select {
		case r.changed <- struct{}{}:
		default:
		}
	}})
	r.Want(discover.Wants([]*config.Zone{z}, "eu-1"))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-done)
	})
	return r
}

// until waits for a report.
func (r *reading) until(what string, is func(Report) bool) Report {
	r.t.Helper()
	end := time.After(20 * time.Second)
	for {
		report := r.Report()
		if is(report) {
			return report
		}
		select {
		case <-r.changed:
		case <-end:
			require.FailNow(r.t, what, "%s", describe(report))
		}
	}
}

// describe is a report as text: one line for each part, then what is wrong.
func describe(report Report) string {
	var out []string
	for _, s := range report.Seen {
		line := "?"
		if s.Known {
			line = ""
		}
		for _, o := range s.Objects {
			line += o.Name + ":"
			for _, a := range o.Addresses {
				line += " " + a.RData()
				if a.Region != "" || a.AZ != "" {
					line += "(" + a.Region + "/" + a.AZ + ")"
				}
				if a.Port != 0 {
					line += fmt.Sprintf(":%d", a.Port)
				}
				if a.Ready != 0 {
					line += fmt.Sprintf("*%d", a.Ready)
				}
			}
			line += "; "
		}
		out = append(out, strings.TrimSuffix(line, "; "))
	}
	for _, p := range report.Failures {
		out = append(out, "! "+p.Err.Error())
	}
	for _, p := range report.Problems {
		out = append(out, "- "+p.Err.Error())
	}
	return strings.Join(out, "\n")
}

func (r *reading) awaits(want string) Report {
	r.t.Helper()
	return r.until(want, func(report Report) bool { return describe(report) == want })
}

const (
	lb  = `,"spec":{"type":"LoadBalancer","clusterIP":"10.0.0.1","ports":[{"name":"https","port":443}]},"status":{"loadBalancer":{"ingress":[%s]}}`
	web = `"labels":{"kubernetes.io/service-name":"web"}`
)

func TestService(t *testing.T) {
	a := newAPI(t)
	a.put("services", "shop/web", "", fmt.Sprintf(lb, `{"ip":"192.0.2.1"},{"ip":"10.9.0.7"},{"ip":"169.254.1.1"}`))
	a.put("services", "other/web", "", fmt.Sprintf(lb, `{"ip":"192.0.2.9"}`))
	r := read(t, a, nil, "service: shop/web")
	const bad = "\n- shop/web: 169.254.1.1 is no address for clients"
	report := r.awaits("shop/web: 192.0.2.1 203.0.113.7" + bad)
	assert.Equal(t, "one", report.UID)
	assert.Equal(t, "2", report.Revision)
	a.put("services", "shop/web", "", fmt.Sprintf(lb, `{"ip":"192.0.2.2"}`))
	r.awaits("shop/web: 192.0.2.2")
	a.put("services", "shop/web", `"annotations":{"fairlead.dev/addresses":"198.51.100.1, 10.9.0.1"}`, fmt.Sprintf(lb, `{"ip":"192.0.2.2"}`))
	r.awaits("shop/web: 10.9.0.1 198.51.100.1")
	a.put("services", "shop/web", "", fmt.Sprintf(lb, ``))
	r.awaits("shop/web:")
	a.put("services", "shop/web", `"annotations":{"fairlead.dev/ignore":"true"}`, fmt.Sprintf(lb, `{"ip":"192.0.2.2"}`))
	r.awaits("\n- names nothing")
	a.put("services", "shop/web", "", fmt.Sprintf(lb, `{"ip":"192.0.2.2"}`))
	r.awaits("shop/web: 192.0.2.2")
	a.remove("services", "shop/web")
	r.awaits("\n- names nothing")
}

// TestBackends: what is behind Services is read where it is needed, and only then.
func TestBackends(t *testing.T) {
	a := newAPI(t)
	a.put("services", "shop/web", "", `,"spec":{"type":"ClusterIP","clusterIP":"None"}`)
	a.put("services", "shop/lb", "", fmt.Sprintf(lb, `{"ip":"192.0.2.1"}`))
	a.put("services", "shop/np", "", `,"spec":{"type":"NodePort","clusterIP":"10.0.0.2","ports":[{"name":"http","port":80,"nodePort":30080},{"name":"https","port":443,"nodePort":30443}]}`)
	r := read(t, a, nil, "service: shop/web, port: http, weight: ready", "service: shop/lb, weight: ready", "service: shop/np", "service: shop/np, port: https")
	r.awaits("shop/lb: 192.0.2.1\nshop/np:\nshop/np:\nshop/web:")
	a.put("nodes", "/n1", `"labels":{"topology.kubernetes.io/region":"eu","topology.kubernetes.io/zone":"eu-a"}`,
		`,"status":{"addresses":[{"type":"InternalIP","address":"10.0.0.1"},{"type":"ExternalIP","address":"192.0.2.11"},{"type":"Hostname","address":"n1"}]}`)
	a.put("nodes", "/n2", "", `,"status":{"addresses":[{"type":"InternalIP","address":"10.9.0.2"}]}`)
	a.put("nodes", "/n3", `"labels":{"node.kubernetes.io/exclude-from-external-load-balancers":""}`, `,"status":{"addresses":[{"type":"InternalIP","address":"10.9.0.3"}]}`)
	a.put("endpointslices", "shop/web-1", web, `,"addressType":"IPv4","ports":[{"name":"http","port":8080}],"endpoints":[
		{"addresses":["10.9.0.5"],"zone":"eu-a","conditions":{"ready":true}},{"addresses":["10.9.0.6"],"conditions":{"ready":false}},
		{"addresses":["10.9.0.7"],"conditions":{"ready":false,"terminating":true}}]`)
	a.put("endpointslices", "shop/lb-1", `"labels":{"kubernetes.io/service-name":"lb"}`, `,"addressType":"IPv4","endpoints":[
		{"addresses":["10.9.1.5"],"conditions":{"ready":true}},{"addresses":["10.9.1.6"]},{"addresses":["10.9.1.7"],"conditions":{"ready":false}}]`)
	r.awaits("shop/lb: 192.0.2.1*2\nshop/np: 192.0.2.11(eu/eu-a):30080 203.0.113.2:30080\nshop/np: 192.0.2.11(eu/eu-a):30443 203.0.113.2:30443\n" +
		"shop/web: 203.0.113.5(/eu-a):8080*1 203.0.113.6:8080*1")
}

// TestKinds has each of the other kinds.
func TestKinds(t *testing.T) {
	a := newAPI(t)
	a.put("ingresses", "shop/web", `"labels":{"app":"web"}`, `,"spec":{},"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}`)
	a.put("ingresses", "shop/api", `"labels":{"app":"web"}`, `,"spec":{},"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.2"}]}}`)
	a.put("ingresses", "shop/old", `"labels":{"app":"old"}`, `,"spec":{},"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.3"}]}}`)
	a.put("gateways", "edge/public", "", `,"spec":{"listeners":[{"name":"https"}]},"status":{"addresses":[{"type":"IPAddress","value":"192.0.2.4"}]}`)
	a.put("httproutes", "shop/web", "", `,"spec":{"parentRefs":[{"name":"public","namespace":"edge","sectionName":"https"}]},"status":{"parents":[
		{"parentRef":{"name":"public","namespace":"edge","sectionName":"https"},"conditions":[{"type":"Accepted","status":"True"}]},
		{"parentRef":{"name":"other","namespace":"edge"},"conditions":[{"type":"Accepted","status":"False"}]}]}`)
	a.put("dnsendpoints", "shop/web", "", `,"spec":{"endpoints":[{"dnsName":"a.example","recordType":"A","targets":["192.0.2.5"]},{"recordType":"TXT","targets":["x"]}]}`)
	a.put("serviceimports", "shop/web", "", `,"spec":{"type":"ClusterSetIP","ips":["192.0.2.6"],"ports":[{"port":80,"protocol":"TCP"}]}`)
	a.put("serviceimports", "shop/pods", "", `,"spec":{"type":"Headless"}`)
	a.put("endpointslices", "shop/pods-1", `"labels":{"multicluster.kubernetes.io/service-name":"pods"}`, `,"addressType":"IPv4","endpoints":[{"addresses":["192.0.2.7"]}]`)
	for _, tt := range []struct{ from, want string }{
		{`ingress: "*", selector: {app: web}`, "shop/api: 192.0.2.2; shop/web: 192.0.2.1"},
		{"gateway: edge/public, listener: https", "edge/public: 192.0.2.4"},
		{"gateway: edge/public, listener: tls", "edge/public:\n- edge/public: the Gateway has no listener tls"},
		{"httproute: shop/web", "shop/web: 192.0.2.4"},
		{"dnsendpoint: shop/web", "shop/web: 192.0.2.5"},
		{"serviceimport: shop/web", "shop/web: 192.0.2.6"},
		{"serviceimport: shop/pods", "shop/pods: 192.0.2.7"},
	} {
		t.Run(tt.from, func(t *testing.T) { read(t, a, nil, tt.from).awaits(tt.want) })
	}
}

// TestFailures: what cannot be read is said, and changes nothing; a cluster with another identity is not taken.
func TestFailures(t *testing.T) {
	a := newAPI(t)
	a.put("services", "shop/web", "", fmt.Sprintf(lb, `{"ip":"192.0.2.1"}`))
	r := read(t, a, nil, "service: shop/web")
	r.awaits("shop/web: 192.0.2.1")

	a.set(func() { a.refuse["services"] = 403 })
	a.cut()
	r.until("403", func(p Report) bool {
		return describe(p) == "shop/web: 192.0.2.1\n! list services in shop: 403 as the test says" && !p.Failures[0].Since.IsZero()
	})
	a.set(func() { a.refuse["services"] = 0 })
	r.awaits("shop/web: 192.0.2.1")

	a.set(func() { a.refuse["kube-system"] = 403 })
	a.cut()
	r.awaits("shop/web: 192.0.2.1\n! get the namespace kube-system: 403 as the test says")
	a.set(func() { a.refuse["kube-system"] = 0 })
	r.awaits("shop/web: 192.0.2.1")

	// Changes of a time that is forgotten by the API are listed anew.
	a.cut()
	a.put("services", "shop/web", "", fmt.Sprintf(lb, `{"ip":"192.0.2.3"}`))
	a.set(func() { a.expired = a.revision })
	r.awaits("shop/web: 192.0.2.3")

	a.set(func() { a.uid, a.objects["services"] = "two", nil })
	a.cut()
	p := r.until("stranger", func(p Report) bool { return p.Stranger() != nil })
	assert.Equal(t, StrangerError{Kept: "one", Found: "two"}, *p.Stranger())
	assert.True(t, strings.HasPrefix(describe(p), "shop/web: 192.0.2.3\n! another cluster stands behind the URL"))
	r.Adopt()
	a.set(func() { a.expired = a.revision + 1 })
	r.until("adopted", func(p Report) bool { return p.UID == "two" && p.Stranger() == nil })
}

// TestRewound: an API that was restored from a backup has another past: everything is listed anew, and the report is of the earlier revision.
func TestRewound(t *testing.T) {
	a := newAPI(t)
	a.put("services", "shop/web", "", fmt.Sprintf(lb, `{"ip":"192.0.2.1"}`))
	r := read(t, a, nil, "service: shop/web")
	r.awaits("shop/web: 192.0.2.1")
	backup := a.objects["services"]["shop/web"]
	for range 5 {
		a.put("services", "shop/web", "", fmt.Sprintf(lb, `{"ip":"192.0.2.2"}`))
	}
	require.Equal(t, "6", r.until("the last revision", func(p Report) bool { return p.Revision == "6" }).Revision)
	a.set(func() { a.revision, a.log, a.objects["services"] = 1, nil, map[string]string{"shop/web": backup} })
	a.cut()
	require.Equal(t, "1", r.awaits("shop/web: 192.0.2.1").Revision)
	assert.Equal(t, "one", r.Report().UID)
	assert.True(t, r.Report().Rewound)
	r.Trust()
	assert.False(t, r.Report().Rewound)

	// An API that has come past the last revision meanwhile is known by an object that is older than it was.
	a.put("services", "shop/web", "", fmt.Sprintf(lb, `{"ip":"192.0.2.3"}`))
	r.awaits("shop/web: 192.0.2.3")
	a.set(func() { a.revision, a.log, a.objects["services"] = 9, nil, map[string]string{"shop/web": backup} })
	a.cut()
	r.awaits("shop/web: 192.0.2.1")
	assert.True(t, r.Report().Rewound)
}

// TestMissing: an API without the kind is said, and read once it has it.
func TestMissing(t *testing.T) {
	a := newAPI(t)
	a.set(func() { a.refuse["gateways"] = 404 })
	r := read(t, a, nil, "gateway: edge/public, listener: https")
	r.awaits("?\n! list gateways.gateway.networking.k8s.io in edge: the cluster knows no such kind: its CRD is not installed (404)")
	a.put("gateways", "edge/public", "", `,"spec":{"listeners":[{"name":"https"}]},"status":{"addresses":[{"type":"IPAddress","value":"192.0.2.1"}]}`)
	a.set(func() { a.refuse["gateways"] = 0 })
	r.awaits("edge/public: 192.0.2.1")
}

// TestHostNames: the addresses of a load balancer's name are kept while the lookup fails.
func TestHostNames(t *testing.T) {
	a := newAPI(t)
	a.put("services", "shop/web", "", fmt.Sprintf(lb, `{"hostname":"lb.example.net"}`))
	var fails atomic.Bool
	fails.Store(true)
	r := read(t, a, func(_ context.Context, name string) ([]netip.Addr, error) {
		if fails.Load() {
			return nil, errors.New("no such host")
		}
		assert.Equal(t, "lb.example.net.", name)
		return []netip.Addr{netip.MustParseAddr("192.0.2.8"), netip.MustParseAddr("192.0.2.7")}, nil
	}, "service: shop/web")
	r.until("no lookup", func(p Report) bool {
		return strings.Contains(describe(p), "- shop/web: host name lb.example.net.: no such host")
	})
	assert.False(t, r.Report().Seen[0].Known)
	read(t, a, nil, "service: shop/web, hostname: target").awaits("shop/web: lb.example.net.")
	fails.Store(false)
	r.resolveOne(t.Context(), "lb.example.net.")
	r.awaits("shop/web: 192.0.2.7 192.0.2.8")
	fails.Store(true)
	r.resolveOne(t.Context(), "lb.example.net.")
	r.awaits("shop/web: 192.0.2.7 192.0.2.8\n- shop/web: host name lb.example.net.: no such host")
}

// TestLook: one look at a cluster says what a reader will be told, with the verb and the resource that is missing.
func TestLook(t *testing.T) {
	a := newAPI(t)
	a.put("services", "shop/web", "", fmt.Sprintf(lb, `{"ip":"192.0.2.1"}`))
	a.set(func() { a.refuse["ingresses"], a.refuse["gateways"] = http.StatusForbidden, http.StatusNotFound })
	look := func(o Options, lines ...string) string {
		text := "zone: example.org\nnameservers: [ns1.example.net]\nregions: {eu: {azs: [eu-a]}}\npools:\n"
		for i, line := range lines {
			text += fmt.Sprintf("  p%d: {region: eu, from: [{cluster: eu-1, %s}]}\n", i, line)
		}
		z, problems := config.Parse("z.yaml", []byte(text+"services: {www: {tiers: [{p0: 1}]}}\n"), config.ParseOptions{})
		require.NotNil(t, z, "%s", problems)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		return describe(Look(ctx, o, discover.Wants([]*config.Zone{z}, "eu-1")))
	}
	o := Options{Cluster: a.cluster()}
	assert.Equal(t, "shop/web: 192.0.2.1", look(o, "service: shop/web"))
	assert.Equal(t, "\n- names nothing", look(o, "service: shop/none"))
	assert.Equal(t, "?\nshop/web: 192.0.2.1\n! list ingresses.networking.k8s.io in shop: 403 as the test says", look(o, "ingress: shop/web", "service: shop/web"))
	assert.Contains(t, look(o, "gateway: shop/web"), "! list gateways.gateway.networking.k8s.io in shop: the cluster knows no such kind: its CRD is not installed (404)")

	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(kubeconfig, []byte(`{"apiVersion":"v1","kind":"Config","current-context":"x","contexts":[{"name":"x","context":{"cluster":"x","user":"x"}}],
"clusters":[{"name":"x","cluster":{"server":"https://127.0.0.1:1"}}],"users":[{"name":"x","user":{"exec":{"apiVersion":"client.authentication.k8s.io/v1","command":"no-such-plugin","interactiveMode":"Never"}}}]}`), 0o600))
	o.Cluster = &config.KubeCluster{Name: "eu-1", Kubeconfig: kubeconfig}
	assert.Contains(t, look(o, "service: shop/web"), "asks the exec plugin no-such-plugin for credentials, and it is not on this host")
	require.NoError(t, os.WriteFile(kubeconfig, []byte("clusters: {"), 0o600))
	assert.Contains(t, look(o, "service: shop/web"), "! ")
}
