// Package ledger keeps how long caches may still hold what this node answered, and puts together what all nodes say of that
// into the one instant after which no honest cache holds an endpoint any more: the bound (DESIGN.md section 8, RELIABILITY.md
// section D).
//
// A Ledger is what queries write to: each Worker has one writer at a time, which stamps after its write returned, without a
// lock and without an atomic that two of them share. A Book is what the engine's goroutine owns: which endpoints have left
// the answers, when the last answer that could still name them was written, and until when it lives. Compose is pure.
//
// The package refuses to guess. An answer that is under way has no end until it has been written, however long that takes;
// a node that has not said that it left an endpoint makes the bound unknown; and what another process answered before this
// one started counts as answered at the moment of the start, with the longest TTL that it may have given.
package ledger
