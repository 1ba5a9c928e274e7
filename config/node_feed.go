package config

import (
	"fmt"
	"net"
	"net/netip"
)

// The edges of what a Feed bounds.
const (
	maxFeedConns, defaultFeedConns         = 100_000, 4096
	maxFeedPerClient, defaultFeedPerClient = 100_000, 256
	maxFeedRate, defaultFeedRate           = 100_000, 1000
)

// A Feed is how programs that are no resolvers learn what is answered: docs/two-speed.md.
type Feed struct {
	// HTTP, XDS and Agent are host:port; empty means nowhere.
	HTTP, XDS, Agent string
	// TLS is nil where nothing listens but on loopback addresses: then nobody has to say who it is. Else a token, or a certificate that
	// TLS.ClientCA signed, is needed. TLS.Roles is empty: whoever may log in may listen.
	TLS *AdminTLS
	// Connections is how many there are at once at each address, PerClient how many one client has, Rate how many requests a second: an
	// IPv4 address or an IPv6 /64.
	Connections, PerClient, Rate int
}

// Listens are the addresses at which the feed listens.
func (f *Feed) Listens() (out []string) {
	for _, at := range []string{f.HTTP, f.XDS, f.Agent} {
		if at != "" {
			out = append(out, at)
		}
	}
	return out
}

// String says all of it, in one order.
func (f *Feed) String() string {
	if f == nil {
		return "none"
	}
	return fmt.Sprintf("http %q, xds %q, agent %q, tls (%s), connections %d, per_client %d, rate %d", f.HTTP, f.XDS, f.Agent, f.TLS, f.Connections, f.PerClient, f.Rate)
}

func feedShape() *shape {
	return object(
		optional("http", text("host:port, as in 192.0.2.1:8444", hostPort)).or("nowhere").
			says("HTTP: `/resolve`, `/resolve/watch`, `/dns-query`. In clear on a loopback address alone; elsewhere it needs `tls`."),
		optional("xds", text("host:port, as in 192.0.2.1:8445", hostPort)).or("nowhere").
			says("xDS (ADS) for gRPC and Envoy. In clear on a loopback address alone; elsewhere it needs `tls`."),
		optional("agent", text("a loopback address with a port, as in 127.0.0.1:8446", hostPort)).or("nowhere").
			says("Agent checks of an HAProxy beside the node. They know no TLS: a loopback address alone."),
		optional("tls", object(
			required("cert", text("a path", lineText)).says("The certificate in PEM. It is read again when it changes."),
			required("key", text("a path", lineText)).says("Its key, which others must not be able to read."),
			optional("client_ca", text("a path", lineText)).or("none is a login").says("Who has a certificate that this CA signed needs no token."),
		)).or("none").says("With it everybody needs a token, of any role, or a certificate."),
		optional("connections", integer(1, maxFeedConns)).or(defaultFeedConns).says("How many there are at once at each address; an eighth of the limit of open files at most."),
		optional("per_client", integer(1, maxFeedPerClient)).or(defaultFeedPerClient).says("How many one IPv4 address or IPv6 /64 has at each address."),
		optional("rate", integer(1, maxFeedRate)).or(defaultFeedRate).says("How many requests a second one IPv4 address or IPv6 /64 has answered over HTTP."),
	)
}

// feed reads the key feed, which may be missing.
func (n *Node) feed(r *report, at *yamlNode) {
	if at == nil {
		return
	}
	f := &Feed{
		HTTP: stringOf(field(at, "http")), XDS: stringOf(field(at, "xds")), Agent: stringOf(field(at, "agent")),
		Connections: intOf(field(at, "connections"), defaultFeedConns), PerClient: intOf(field(at, "per_client"), defaultFeedPerClient),
		Rate: intOf(field(at, "rate"), defaultFeedRate),
	}
	n.Feed = f
	tls := field(at, "tls")
	if tls != nil {
		f.TLS = &AdminTLS{Cert: stringOf(field(tls, "cert")), Key: stringOf(field(tls, "key")), ClientCA: stringOf(field(tls, "client_ca"))}
	}
	if len(f.Listens()) == 0 {
		r.node(at, Error, "feed", "no address to listen at", "set feed.http, feed.xds or feed.agent")
	}
	seen := make(map[string]string)
	for _, key := range []string{"http", "xds", "agent"} {
		node := field(at, key)
		listen := stringOf(node)
		if listen == "" {
			continue
		}
		path := "feed." + key
		switch loopback := loopbackHost(listen); {
		case key == "agent" && !loopback:
			r.node(node, Error, path, "agent checks know no TLS: want a loopback address", "let a node run beside each HAProxy, and agent-addr 127.0.0.1")
		case !loopback && tls == nil:
			r.node(node, Error, path, "nothing is served in clear but on a loopback address: the key tls is missing", "tls: {cert: FILE, key: FILE}")
		}
		if other := seen[listen]; other != "" {
			r.node(node, Error, path, fmt.Sprintf("feed.%s listens at %s too", other, listen), "")
		}
		seen[listen] = key
	}
}

// loopbackHost tells whether host:port is reached from this host alone. A name may mean another address tomorrow, but for localhost.
func loopbackHost(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}
