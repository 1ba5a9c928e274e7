// Package config turns zone files and the node file into immutable values that the rest of Fairlead reads.
//
// A zone file is parsed strictly: every problem in it is reported at once, each with file, line, column and YAML path, and
// a file with an error changes nothing at run time. A parsed zone is frozen: no field of a *Zone, or of anything it points
// to, is written after Parse returned it, so any goroutine may read it without a lock.
//
// The package dials nothing, decides nothing about health and starts no goroutine. It knows YAML; nobody else does.
package config
