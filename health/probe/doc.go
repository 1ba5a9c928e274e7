// Package probe asks endpoints whether they work: it holds the checkers and their schedule, and it is the only code
// that dials endpoints.
//
// A Prober is given the whole set of targets, probes each once per interval (start to start, with up to 10 % of jitter
// either way, spread over the interval) whether or not anybody queries, moves a rise/fall counter per target and hands
// an Observation to its Sink after each probe. A new connection is made for each probe. Whatever the peer does, a probe
// costs at most the timeout of its check.
//
// Targets whose check is of type push are not dialled: Report takes what they say of themselves, at once and without
// rise and fall, and the schedule turns them to Unknown when the lease of the last report ends. Named targets are looked
// up at most twice a minute, in the time of their probe.
//
// Run owns one scheduler goroutine and one goroutine for each probe in flight, and returns when none is left; an idle
// target is a struct of some 300 octets in a heap. At most MaxInFlight probes are in flight. What finds no free slot
// starts late and the lag is recorded; targets whose last probe failed late hold at most three quarters of the slots, so
// that a dead network does not delay the living. Probes of one target never overlap, and their starts are never closer
// than nine tenths of the interval. All methods may be called from any goroutine.
//
// It refuses: to connect to link-local addresses and metadata services unless Options.Allow has them, and to this node's
// own admin port (fence.go); to run programs unless Options.AllowExec is set, since it cannot see what they dial; to
// follow redirects; to decompress; to read more than MaxHeader and MaxBody octets of an answer; to reuse a connection or
// a TLS session; to count as a failure of the target what its own node lacks (descriptors, ports, memory) or is not
// permitted (icmp): such a probe is counted and logged, but is no evidence, so that the last evidence grows old as it
// should.
package probe
