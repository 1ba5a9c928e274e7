// Package answer turns plans into an immutable Snapshot of wire-ready answers, and a Snapshot and a question into a reply.
//
// Compile shares with the previous Snapshot all that did not change: a verdict that moves recompiles the services of its
// pool and nothing else. Append is the query path: it takes no lock, allocates nothing beyond the reply and loads the
// Snapshot once; the one shared counter it touches is the ticket of the name that it answers. What changes without a new
// Snapshot are the TTLs, which fall as time passes: see ttlRule.
//
// The package keeps no clock, opens no socket and knows nothing of CoreDNS.
package answer
