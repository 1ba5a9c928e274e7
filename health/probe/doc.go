// Package probe asks endpoints whether they work: it holds the checkers and their schedule, and it is the only code
// that dials endpoints.
//
// A Prober is given the whole set of targets, probes each once per interval (start to start, with up to 10 % of jitter
// either way, spread over the interval) whether or not anybody queries, moves a rise/fall counter per target and hands
// an Observation to its Sink after each probe. A new connection is made for each probe. Whatever the peer does, a probe
// costs at most the timeout of its check.
//
// Run owns one scheduler goroutine and one goroutine for each probe in flight, and returns when none is left; an idle
// target is a struct of some 200 octets in a heap. At most MaxInFlight probes are in flight. What finds no free slot
// starts late and the lag is recorded; targets whose last probe timed out hold at most three quarters of the slots, so
// that a dead network does not delay the living. Probes of one target never overlap, and their starts are never closer
// than nine tenths of the interval. All methods may be called from any goroutine.
//
// It refuses: to follow redirects; to decompress; to read more than MaxHeader and MaxBody octets of an answer; to reuse
// a connection or a TLS session; to count a shortage of its own node (file descriptors, ports, memory) as a failure of
// the target: such a probe is counted and logged, but observed by nobody, so that the last evidence grows old as it
// should.
package probe
