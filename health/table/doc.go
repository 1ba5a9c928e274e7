// Package table judges a model: which target stands behind which endpoint, what is known of each, and the view of every pool that follows.
//
// A Table is pure: it makes no goroutine, reads no clock and no disk, and what it gives out is never written again. It belongs to one
// goroutine. The Evidence that the tables of one engine share is written by that goroutine alone, and its observations are read by anybody.
package table
