package fairlead

import (
	"context"
	"net"
	"testing"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/metrics"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// nullWriter is a connection that costs nothing.
type nullWriter struct {
	dns.ResponseWriter
	remote net.Addr
}

func (w *nullWriter) TakesWire()                  {}
func (w *nullWriter) RemoteAddr() net.Addr        { return w.remote }
func (w *nullWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w *nullWriter) WriteMsg(*dns.Msg) error     { return nil }

// A socketWriter sends what it gets to a socket that nobody reads.
type socketWriter struct {
	nullWriter
	conn *net.UDPConn
}

func (w *socketWriter) Write(b []byte) (int, error) {
	return w.conn.WriteToUDP(b, w.remote.(*net.UDPAddr))
}

func newSocketWriter(b *testing.B) *socketWriter {
	local := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
	from, err := net.ListenUDP("udp4", local)
	require.NoError(b, err)
	to, err := net.ListenUDP("udp4", local)
	require.NoError(b, err)
	b.Cleanup(func() { from.Close(); to.Close() })
	return &socketWriter{nullWriter{remote: to.LocalAddr()}, from}
}

func BenchmarkServeDNS(b *testing.B) {
	h := newTestHandler(b)
	base := &nullWriter{remote: &net.UDPAddr{IP: net.IPv4(192, 0, 2, 200), Port: 4000}}
	q := new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)
	ctx := context.Background()
	run := func(name string, w dns.ResponseWriter) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if code, err := h.ServeDNS(ctx, w, q); code != dns.RcodeSuccess || err != nil {
					b.Fatal(code, err)
				}
			}
		})
	}
	run("octets", base)
	// What a query passes with `prometheus` and `errors` in the block.
	run("octets/wrapped", wrapped(b, metrics.NewRecorder(request.NewScrubWriter(q, base)), q))
	run("message", &opaqueWriter{base})
	// With what the system takes for an answer.
	run("socket", newSocketWriter(b))
}

// wrapped is w as a handler gets it behind another plugin.
func wrapped(b *testing.B, w dns.ResponseWriter, q *dns.Msg) (inner dns.ResponseWriter) {
	spy := plugin.HandlerFunc(func(_ context.Context, w dns.ResponseWriter, _ *dns.Msg) (int, error) {
		inner = w
		return 0, nil
	})
	if _, err := plugin.NextOrFailure("bench", spy, context.Background(), w, q); err != nil {
		b.Fatal(err)
	}
	return inner
}

func BenchmarkServeDNSParallel(b *testing.B) {
	h := newTestHandler(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		w := &nullWriter{remote: &net.UDPAddr{IP: net.IPv4(192, 0, 2, 200), Port: 4000}}
		q := new(dns.Msg).SetQuestion("both.example.org.", dns.TypeAAAA)
		for pb.Next() {
			_, _ = h.ServeDNS(context.Background(), w, q)
		}
	})
}
