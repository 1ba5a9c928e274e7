package fairlead

import (
	"context"
	"testing"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/pkg/dnstest"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// opaqueWriter is a wrapper of some plugin that is not known here.
type opaqueWriter struct{ dns.ResponseWriter }

// TestBothPaths compares the reply as octets with the reply as a message.
func TestBothPaths(t *testing.T) {
	h := newTestHandler(t)
	for _, name := range []string{
		"www.example.org.", "WWW.example.org.", "both.example.org.", "example.org.", "nope.example.org.", "inner.example.org.",
		"large.example.org.", "x.apps.example.org.", "away.example.org.",
	} {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeNS, dns.TypeSOA, dns.TypeANY, dns.TypeAXFR} {
			for _, edns := range []bool{false, true} {
				q := new(dns.Msg).SetQuestion(name, qtype)
				if edns {
					q.SetEdns0(1232, true)
				}
				wire, msg := newWireRecorder(false), newWireRecorder(false)
				_, err := h.ServeDNS(context.Background(), wire, q)
				require.NoError(t, err)
				require.Nil(t, wire.msg)
				_, err = h.ServeDNS(context.Background(), &opaqueWriter{msg}, q)
				require.NoError(t, err)
				require.NotNil(t, msg.msg)
				require.Equal(t, wire.reply(t).String(), msg.reply(t).String())
			}
		}
	}
}

func TestPeel(t *testing.T) {
	q := new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)
	base := newWireRecorder(false)
	var tracked dns.ResponseWriter
	spy := plugin.HandlerFunc(func(_ context.Context, w dns.ResponseWriter, _ *dns.Msg) (int, error) {
		tracked = w
		return 0, nil
	})
	_, err := plugin.NextOrFailure("test", spy, context.Background(), base, q)
	require.NoError(t, err)
	for _, tt := range []struct {
		name string
		w    dns.ResponseWriter
		wire bool
	}{
		{"the connection", base, true},
		{"scrubber", request.NewScrubWriter(q, base), true},
		{"tracker", tracked, true},
		{"tracker in scrubber", request.NewScrubWriter(q, tracked), true},
		{"the log's recorder wants the message", dnstest.NewRecorder(base), false},
		{"unknown", &opaqueWriter{base}, false},
		{"unknown inside", request.NewScrubWriter(q, &opaqueWriter{base}), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, wire := peel(tt.w)
			require.Equal(t, tt.wire, wire)
		})
	}
}

// TestRealConnection makes sure that the type of miekg/dns's own writer is still known by its name.
func TestRealConnection(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		kind := make(chan writerKind, 1)
		addr := listenDNS(t, network, dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
			kind <- kindOf(w)
			_ = w.WriteMsg(new(dns.Msg).SetReply(r))
		}))
		_, _, err := (&dns.Client{Net: network}).Exchange(new(dns.Msg).SetQuestion("example.org.", dns.TypeA), addr)
		require.NoError(t, err)
		require.Equal(t, plain, <-kind)
	}
}

// TestOverSockets asks a handler behind real sockets, TCP and UDP.
func TestOverSockets(t *testing.T) {
	h := newTestHandler(t)
	serve := dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		_, _ = h.ServeDNS(context.Background(), request.NewScrubWriter(r, w), r)
	})
	for network, answers := range map[string]int{"udp": 0, "tcp": 60} {
		addr := listenDNS(t, network, serve)
		m, _, err := (&dns.Client{Net: network}).Exchange(new(dns.Msg).SetQuestion("large.example.org.", dns.TypeA), addr)
		require.NoError(t, err)
		require.Len(t, m.Answer, answers, network)
		require.Equal(t, network == "udp", m.Truncated)
	}
}

func listenDNS(t *testing.T, network string, h dns.Handler) string {
	t.Helper()
	started := make(chan struct{})
	s := &dns.Server{Addr: "127.0.0.1:0", Net: network, Handler: h, NotifyStartedFunc: func() { close(started) }}
	go func() { _ = s.ListenAndServe() }()
	<-started
	t.Cleanup(func() { _ = s.Shutdown() })
	if network == "tcp" {
		return s.Listener.Addr().String()
	}
	return s.PacketConn.LocalAddr().String()
}
