package config

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFeed(t *testing.T) {
	n, problems := ParseNode("node.yaml", []byte("feed:\n  http: \"192.0.2.1:8444\"\n  xds: \"192.0.2.1:8445\"\n  agent: \"127.0.0.1:8446\"\n  tls: {cert: c, key: k, client_ca: ca}\n  rate: 5\n"))
	require.NotNil(t, n, "%s", problems)
	require.Equal(t, &Feed{
		HTTP: "192.0.2.1:8444", XDS: "192.0.2.1:8445", Agent: "127.0.0.1:8446", TLS: &AdminTLS{Cert: "c", Key: "k", ClientCA: "ca"}, Connections: 4096, PerClient: 256, Rate: 5,
	}, n.Feed)
	require.Equal(t, []string{"192.0.2.1:8444", "192.0.2.1:8445", "127.0.0.1:8446"}, n.Feed.Listens())
	require.Equal(t, `http "192.0.2.1:8444", xds "192.0.2.1:8445", agent "127.0.0.1:8446", tls (cert c, key k, client_ca "ca", roles []), connections 4096, per_client 256, rate 5`, n.Feed.String())
	require.Equal(t, "none", DefaultNode().Feed.String())
	for _, clear := range []string{"127.0.0.1:1", "[::1]:65535", "localhost:8444"} {
		n, problems = ParseNode("node.yaml", fmt.Appendf(nil, "feed: {http: %q, connections: 1, per_client: 100000}\n", clear))
		require.NotNil(t, n, "%s", problems)
		require.Nil(t, n.Feed.TLS)
	}
}

func TestFeedRejects(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"nowhere", "feed: {rate: 1}\n", "error: feed: no address to listen at"},
		{"in clear", "feed:\n  http: \"192.0.2.1:8444\"\n", ":2:9: error: feed.http: nothing is served in clear but on a loopback address: the key tls is missing"},
		{"everywhere in clear", "feed:\n  xds: \"0.0.0.0:8444\"\n", "error: feed.xds: nothing is served in clear"},
		{"a name in clear", "feed:\n  xds: \"loopback.example:8444\"\n", "error: feed.xds: nothing is served in clear"},
		{"an agent for others", "feed:\n  agent: \"192.0.2.1:1\"\n  tls: {cert: c, key: k}\n", "error: feed.agent: agent checks know no TLS"},
		{"one address twice", "feed: {http: \"127.0.0.1:1\", xds: \"127.0.0.1:1\"}\n", "error: feed.xds: feed.http listens at 127.0.0.1:1 too"},
		{"no key", "feed:\n  http: \"127.0.0.1:1\"\n  tls: {cert: c}\n", `the key "key" is missing`},
		{"no connections", "feed: {http: \"127.0.0.1:1\", connections: 0}\n", "0 is out of range"},
		{"too many connections", "feed: {http: \"127.0.0.1:1\", connections: 100001}\n", "100001 is out of range"},
		{"none for a client", "feed: {http: \"127.0.0.1:1\", per_client: 0}\n", "0 is out of range"},
		{"too many for a client", "feed: {http: \"127.0.0.1:1\", per_client: 100001}\n", "100001 is out of range"},
		{"no requests", "feed: {http: \"127.0.0.1:1\", rate: 0}\n", "0 is out of range"},
		{"too many requests", "feed: {http: \"127.0.0.1:1\", rate: 100001}\n", "100001 is out of range"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, problems := ParseNode("node.yaml", []byte(tt.text))
			require.Nil(t, n)
			require.Contains(t, problems.String(), tt.want)
		})
	}
}
