// Package departure follows what leaves the answers of this node until no honest cache holds it: each departure from the swap that lacks it to the
// instant at which it is final, what left by one configuration and why, names that are answered elsewhere, and whether anybody can still be sent
// to a part of the world.
//
// It never says what a node does: the words of the nodes come in by the interface Words, and what this node answers from its ledger's book. A Set
// belongs to one goroutine, that of the book, but for Shown; it waits for nothing and makes no goroutine.
package departure
