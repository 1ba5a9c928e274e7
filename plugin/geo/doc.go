// Package geo tells where on the internet an address is, from databases in MaxMind's format (GeoLite2, GeoIP2, DB-IP and
// the like): continent, country, subdivisions, coordinates and the autonomous system.
//
// A Set is some files as they were at one moment: read into memory, verified, never changed. Databases holds the Set in
// force and swaps in the next one when a file changes; a file that is broken or gone changes nothing. Locate is safe for
// concurrent use, takes no lock, does not block, and does not allocate once a network has been asked for. Everything else
// is for the goroutines that own the Databases.
//
// Files are read and not mapped: one that is truncated in place would end the process with SIGBUS. So a database costs its
// size in memory, twice while it is replaced.
//
// The package chooses nothing: who is sent where is the business of plugin/steer, whose Location has the fields of Place.
package geo
