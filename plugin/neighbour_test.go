package fairlead

import (
	"context"
	"testing"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/cache"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

var _ cache.ZoneBypasser = (*Handler)(nil)

// named is a plugin of that name.
type named string

func (n named) Name() string { return string(n) }

func (n named) ServeDNS(context.Context, dns.ResponseWriter, *dns.Msg) (int, error) { return 0, nil }

func TestNeighbours(t *testing.T) {
	require.NoError(t, checkNeighbours([]plugin.Handler{named("errors"), named("cache"), named("rewrite")}))
	require.ErrorContains(t, checkNeighbours([]plugin.Handler{named("errors"), named("dnssec")}), "breaks the bound")
}

// TestCacheLetsOurNamesPass: with cache in the block, each query takes a turn of its own.
func TestCacheLetsOurNamesPass(t *testing.T) {
	s := newSite(t)
	require.NoError(t, s.start(s.corefile("cache", "")))
	before := total(t, "fairlead_replies_total")
	for range 5 {
		require.Equal(t, "192.0.2.1", s.www())
	}
	require.EqualValues(t, before+5, total(t, "fairlead_replies_total"))
}

func TestRewriteWithoutTTLMayStay(t *testing.T) {
	s := newSite(t)
	require.NoError(t, s.start(s.corefile("rewrite name exact old.example.org www.example.org", "")))
}
