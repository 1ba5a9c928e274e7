// Package ledger keeps how long caches may still hold what this node answered, and puts together what all nodes say of that into the
// one instant after which no honest cache holds it any more: the bound (docs/design.md section 8).
//
// Only what is answered counts. A Holding is an owner name and RDATA that an answer to that name carried; health, orders, files and
// restarts are labels for people. A Ledger is what queries write to: each Worker has one writer at a time, which stamps after its write
// returned, with one store for each holding, without a lock and without an atomic that two of them share. A Book is what the engine's
// goroutine owns: which holdings have left the answers, when the last answer that carried one was written, and until when that lives.
// Compose is pure.
//
// The package refuses to guess. An answer that is under way has no end until it has been written, however long that takes; a node that
// has not named a holding makes its bound unknown; and what another process answered before this one started counts as answered at the
// moment of the start, with the greatest TTL that it may have given.
package ledger
