// Package vantage is this node as one that probes: what it dials for the tables in force, what its prober reported since the last fold, and
// whether it is late by itself or blind.
//
// A Vantage belongs to the goroutine of its tables, but for Observe, which leaves its argument in a mailbox with one slot per target. It
// dials nothing and judges nothing; it makes no goroutine.
package vantage
