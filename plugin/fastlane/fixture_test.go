//go:build linux

package fastlane

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

const zoneText = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a, eu-b]}}
pools:
  web:
    region: eu
    az_weights: {eu-a: 40, eu-b: 60}
    endpoints:
      - {name: a, addresses: [192.0.2.1, "2001:db8::1"], az: eu-a}
      - {name: b, addresses: [192.0.2.2, "2001:db8::2"], az: eu-b}
services:
  www: {tiers: [{web: 1}]}
`

// A testNode serves zoneText with everything up.
type testNode struct {
	current  answer.Current
	compiler *answer.Compiler
	view     *health.View
	// held, if it is set, gets a value when a batch has begun, which then goes on once it has taken one.
	held atomic.Pointer[chan struct{}]
	// open, if it is not 0, is how often Terms says that the node answers, before it is shut.
	open, asked atomic.Int32
}

func newTestNode(t testing.TB) *testNode {
	t.Helper()
	z, problems := config.Parse("example.yaml", []byte(zoneText), config.ParseOptions{})
	require.NoError(t, problems.Err())
	now := time.Now()
	zv := &health.ZoneView{Zone: z}
	for _, p := range z.Pools {
		pv := &health.PoolView{At: now, Calm: true}
		for range p.Endpoints {
			pv.Endpoints = append(pv.Endpoints, health.EndpointView{Verdict: health.Verdict{State: health.Up, Unmonitored: true, Since: now}})
		}
		zv.Pools = append(zv.Pools, pv)
	}
	n := &testNode{
		compiler: answer.NewCompiler("n1", now),
		view:     &health.View{Generation: 1, At: now, Model: config.NewModel([]*config.Zone{z}), Zones: []*health.ZoneView{zv}},
	}
	n.swap()
	return n
}

// swap puts a snapshot in force; the channel closes when nobody uses the one before.
func (n *testNode) swap() <-chan struct{} {
	return n.current.Swap(n.compiler.Compile(nil, n.view))
}

func (n *testNode) Enter(stripe uint32) answer.Lease { return n.current.Enter(stripe) }

func (n *testNode) Terms() (steer.Locator, bool) {
	if c := n.held.Load(); c != nil {
		*c <- struct{}{}
		<-*c
	}
	open := n.open.Load()
	return nil, open > 0 && n.asked.Add(1) > open
}

// refuser stands for CoreDNS: it refuses everything, once it may.
type refuser struct{ may chan struct{} }

func (s refuser) ServeDNS(_ context.Context, w dns.ResponseWriter, r *dns.Msg) {
	if s.may != nil {
		<-s.may
	}
	_ = w.WriteMsg(new(dns.Msg).SetRcode(r, dns.RcodeRefused))
}

// newTestRuntime opens a lane of one socket beside one that nobody reads, and returns a client of it.
func newTestRuntime(t testing.TB, n *testNode, s Server) (*Runtime, *Route, net.Conn) {
	t.Helper()
	first, err := listen("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { first.Close() })
	address := first.LocalAddr().String()
	r := &Route{
		Address: "dns://" + address, Node: n, Server: s, Context: context.Background(),
		Blocks: []Block{{Zone: "example.org.", Counted: "errors"}},
	}
	rt := new(Runtime)
	require.NoError(t, rt.Attach(t, r, 1, 1))
	t.Cleanup(func() { rt.Release(t) })
	conn, err := net.Dial("udp", address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return rt, r, conn
}

func packed(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	b, err := m.Pack()
	require.NoError(t, err)
	return b
}

// receive waits for a reply.
func receive(t testing.TB, conn net.Conn) *dns.Msg {
	t.Helper()
	b := make([]byte, dns.MaxMsgSize)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
	n, err := conn.Read(b)
	require.NoError(t, err)
	m := new(dns.Msg)
	require.NoError(t, m.Unpack(b[:n]))
	return m
}

func send(t testing.TB, conn net.Conn, b []byte) {
	t.Helper()
	_, err := conn.Write(b)
	require.NoError(t, err)
}
