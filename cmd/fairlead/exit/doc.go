// Package exit is how commands end: the codes, errors with hints, mistakes in a command line and what was likely meant.
package exit
