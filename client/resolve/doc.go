// Package resolve finds the endpoints of services that Fairlead steers, without the caches of DNS: it listens to a node's feed over HTTP
// (docs/two-speed.md), and so learns of a drain or a death in milliseconds.
//
// A Resolver is asked as a net.Resolver is, and dials as a net.Dialer does; a Transport is an http.RoundTripper that chooses an endpoint for each
// request, by the weights that DNS answers by, keeps the connections to what is in service, and closes those to what has left once they are idle.
//
// The last word stands: who loses its node asks the next one, and goes on with what it was told meanwhile, after its expiry too unless
// Options.AfterExpiry bounds that. What was put to use is acknowledged, so that the node knows who goes by what: once no request is under way that
// chose by an earlier word and has not been sent. Names that nobody asks for are forgotten: after a day, or half a minute where no node knows them.
//
// Everything is safe for concurrent use. A Resolver has goroutines of its own until Close.
package resolve
