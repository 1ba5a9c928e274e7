// Package feed gives what is answered to those who can listen: over HTTP, one question at a time or as a stream of changes, by xDS, and as
// HAProxy's agent checks (docs/two-speed.md).
//
// Everything comes from the Snapshot that DNS is answered from, by the same functions. What goes out is stamped in the ledger as a reply is, with
// the TTL that a reply would carry as how long it may be kept: whatever is said of caches holds of those who listen, whether or not they are ever
// heard of again. Acknowledgements make known more than that, and never less.
//
// A Server owns its listeners and their goroutines; a Hub may be told of snapshots from any goroutine. The package judges nothing, keeps nothing
// on disk, and takes no orders.
package feed
