package fairlead

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/coredns/coredns/plugin/pkg/fall"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/engine"
	"github.com/fairlead-dns/fairlead/plugin/abuse"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/explain"
	"github.com/fairlead-dns/fairlead/plugin/secondary"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

const zoneText = `zone: example.org
soa: {mname: ns1.example.org, rname: hostmaster.example.org, negative_ttl: 10s}
serial: 7
nameservers:
  - {name: ns1.example.org, addresses: [192.0.2.53, "2001:db8::53"]}
  - {name: ns2.example.net}
ns_ttl: 1h
records:
  - {name: "@", type: TXT, data: "hello", ttl: 1h}
  - {name: static, type: A, data: [192.0.2.10, 192.0.2.11], ttl: 5m}
  - {name: alias, type: CNAME, data: www.example.org., ttl: 5m}
  - {name: away, type: CNAME, data: www.example.net., ttl: 5m}
  - {name: a.b.deep, type: A, data: 192.0.2.12, ttl: 5m}
regions: {eu: {azs: [eu-a]}}
pools:
  web:
    region: eu
    endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}]
  both:
    region: eu
    endpoints:
      - {name: one, addresses: [192.0.2.2, "2001:db8::2"], az: eu-a}
      - {name: two, addresses: [192.0.2.3, "2001:db8::3"], az: eu-a}
  large:
    region: eu
    endpoints:
ENDPOINTS
  edges:
    region: eu
    endpoints: [{name: one, target: edge.example.net, az: eu-a}]
  inner:
    region: eu
    endpoints: [{name: one, target: www.example.org, az: eu-a}]
services:
  www: {tiers: [{web: 1}], ttl: {max: 30s, min: 2s}}
  both: {tiers: [{both: 1}], ttl: {max: 30s, min: 2s}, answers: all}
  large: {tiers: [{large: 1}], ttl: {max: 30s, min: 2s}, answers: all}
  edge: {tiers: [{edges: 1}], ttl: {max: 30s, min: 2s}}
  inner: {tiers: [{inner: 1}], ttl: {max: 20s, min: 2s}}
  "*.apps": {tiers: [{web: 1}], ttl: {max: 30s, min: 2s}}
`

func testZone(t testing.TB) *config.Zone {
	t.Helper()
	var endpoints strings.Builder
	for i := range 60 {
		fmt.Fprintf(&endpoints, "      - {name: e%d, addresses: [198.51.100.%d], az: eu-a}\n", i, i+1)
	}
	text := strings.Replace(zoneText, "ENDPOINTS\n", endpoints.String(), 1)
	z, problems := config.Parse("example.yaml", []byte(text), config.ParseOptions{})
	require.NoError(t, problems.Err())
	return z
}

// allUp is the view in which every endpoint of z is up.
func allUp(z *config.Zone) *health.View {
	now := time.Now()
	zv := &health.ZoneView{Zone: z}
	for _, p := range z.Pools {
		pv := &health.PoolView{At: now, Calm: true}
		for range p.Endpoints {
			pv.Endpoints = append(pv.Endpoints, health.EndpointView{Verdict: health.Verdict{State: health.Up, Unmonitored: p.Check < 0, Since: now}})
		}
		zv.Pools = append(zv.Pools, pv)
	}
	return &health.View{Generation: 1, At: now, Model: config.NewModel([]*config.Zone{z}), Zones: []*health.ZoneView{zv}}
}

// newTestHandler serves example.org with everything up.
func newTestHandler(t testing.TB) *Handler {
	t.Helper()
	return handlerOf(testZone(t))
}

// newGenerousHandler is newTestHandler without a limit to how much larger than its query an answer is.
func newGenerousHandler(t testing.TB) *Handler {
	t.Helper()
	z := *testZone(t)
	z.Amplification = 0
	return handlerOf(&z)
}

func handlerOf(z *config.Zone) *Handler {
	n := &testBackend{compiler: answer.NewCompiler("n1", time.Now()), current: new(answer.Current)}
	n.current.Swap(n.compiler.Compile(nil, allUp(z)))
	h := &Handler{directive: &directive{origins: []string{"example.org."}, fall: fall.F{}}}
	h.serve(n)
	return h
}

// A testBackend serves what is swapped into current.
type testBackend struct {
	current *answer.Current
	// compiler is for explanations; engine says whether service names are shut, nil that they are not.
	compiler *answer.Compiler
	engine   *engine.Engine
}

func (n *testBackend) Enter(stripe uint32) answer.Lease { return n.current.Enter(stripe) }

func (n *testBackend) Terms() (steer.Locator, bool) {
	return nil, n.engine != nil && n.engine.Shut() != ""
}

func (n *testBackend) Explainer() (*explain.Explainer, error) {
	return &explain.Explainer{Compiler: n.compiler, Snapshot: n.current.Load(), Node: "n1"}, nil
}

func (n *testBackend) Guards() abuse.Guards { return abuse.Guards{} }

func (n *testBackend) Secondaries() *secondary.Zones { return nil }

func (n *testBackend) Ready() error { return nil }

// A wireRecorder stands for the connection: it takes octets or messages and keeps a copy.
type wireRecorder struct {
	dns.ResponseWriter
	remote  net.Addr
	written []byte
	msg     *dns.Msg
	writes  int
}

func newWireRecorder(tcp bool) *wireRecorder {
	ip := net.IPv4(192, 0, 2, 200)
	if tcp {
		return &wireRecorder{remote: &net.TCPAddr{IP: ip, Port: 4000}}
	}
	return &wireRecorder{remote: &net.UDPAddr{IP: ip, Port: 4000}}
}

func (w *wireRecorder) TakesWire()           {}
func (w *wireRecorder) RemoteAddr() net.Addr { return w.remote }
func (w *wireRecorder) LocalAddr() net.Addr  { return w.remote }

func (w *wireRecorder) Write(b []byte) (int, error) {
	w.writes++
	w.written = append(w.written[:0], b...)
	return len(b), nil
}

func (w *wireRecorder) WriteMsg(m *dns.Msg) error {
	w.msg = m
	b, err := m.Pack()
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// reply is what was written.
func (w *wireRecorder) reply(t testing.TB) *dns.Msg {
	t.Helper()
	require.Equal(t, 1, w.writes)
	m := new(dns.Msg)
	require.NoError(t, m.Unpack(w.written))
	return m
}

// text is a section in the form of a zone file, one blank between fields.
func text(rrs []dns.RR) []string {
	out := []string{}
	for _, rr := range rrs {
		if rr.Header().Rrtype != dns.TypeOPT {
			out = append(out, strings.Join(strings.Fields(rr.String()), " "))
		}
	}
	return out
}
