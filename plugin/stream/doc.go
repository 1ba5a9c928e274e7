// Package stream accepts the TCP connections of DNS within bounds, so that they leave descriptors, memory and processor time to
// probes, gossip and the admin listener.
//
// CoreDNS opens its TCP listeners itself, without a limit on connections and without a deadline for writes: a client that opens
// connections and never reads holds them for ever. Here a second listener joins the address (SO_REUSEPORT), and the kernel is told
// to give every connection to it. What it accepts is bounded in all and per client; whoever has been still for longest makes room;
// a write that makes no headway in time ends the connection. Where the kernel cannot be told, there is no second listener.
//
// A Listener and its connections are safe for concurrent use. The package knows no DNS.
package stream
