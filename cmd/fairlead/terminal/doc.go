// Package terminal is how commands show things to people: tables that fit, marks that need no colour, and what figures and instants look like.
// It asks no node and decides nothing.
package terminal
