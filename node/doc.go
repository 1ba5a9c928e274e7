// Package node is the one runtime of a process: the engine, the prober, the watch over the zone files, what reads clusters, the admin API and
// the metrics, put together. It has every goroutine but those of sockets for DNS, and everything that is on disk.
//
// A process has one Node, which outlives the instances of CoreDNS. Start returns once the first snapshot is served; Stop ends all of it. What
// answers queries calls Enter and Terms, which take no lock. The package knows nothing of CoreDNS, and decides nothing about health.
package node
