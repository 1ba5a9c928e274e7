package admin

import (
	"context"
	"net"
)

type peerKey struct{}

// withPeer keeps in ctx where c comes from.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	from := c.RemoteAddr().String()
	if u, ok := c.(*net.UnixConn); ok {
		from = unixPeer(u)
	}
	return context.WithValue(ctx, peerKey{}, from)
}

// peerOf is where the connection of a request came from: of a unix socket, which process of which user; over TCP, from which
// address, and what the login was.
func peerOf(ctx context.Context) string {
	from, _ := ctx.Value(peerKey{}).(string)
	if l := loginOf(ctx); l.how != "" {
		from += " " + l.how
	}
	return from
}
