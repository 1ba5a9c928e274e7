package fairlead

import (
	"net"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// TestExplainByTXT: an explanation is for whom the ACL admits; others get what stands at the name.
func TestExplainByTXT(t *testing.T) {
	h := newTestHandler(t)
	h.directive.explain = loopback()
	ask := func(client, name string) *dns.Msg {
		w := newWireRecorder(true)
		w.remote = &net.TCPAddr{IP: net.ParseIP(client), Port: 4000}
		_, err := h.ServeDNS(t.Context(), w, new(dns.Msg).SetQuestion(name, dns.TypeTXT))
		require.NoError(t, err)
		return w.reply(t)
	}
	m := ask("127.0.0.1", "_Explain.both.example.org.")
	require.Equal(t, dns.RcodeSuccess, m.Rcode)
	require.True(t, m.Authoritative)
	require.Equal(t, []string{
		`_Explain.both.example.org. 1 IN TXT "service: tier 1, ttl 30: nothing asks for less than ttl.max"`,
		`_Explain.both.example.org. 1 IN TXT "client 127.0.0.1 by address, class \"\""`,
		`_Explain.both.example.org. 1 IN TXT "A 192.0.2.2 50.0% both/one eu-a"`,
		`_Explain.both.example.org. 1 IN TXT "A 192.0.2.3 50.0% both/two eu-a"`,
		`_Explain.both.example.org. 1 IN TXT "AAAA 2001:db8::2 50.0% both/one eu-a"`,
		`_Explain.both.example.org. 1 IN TXT "AAAA 2001:db8::3 50.0% both/two eu-a"`,
	}, text(m.Answer))
	require.Equal(t, dns.RcodeNameError, ask("192.0.2.1", "_explain.both.example.org.").Rcode)
	require.Equal(t, dns.RcodeSuccess, ask("::1", "_explain.anything.apps.example.org.").Rcode)
	require.Equal(t, `_explain.nobody.example.org. 1 IN TXT "nxdomain"`, text(ask("127.9.9.9", "_explain.nobody.example.org.").Answer)[0])
}
