// Package zonedir is a directory of zone files and its versions: it polls, judges what changed, keeps the last good version of each file and the one
// before, and rolls back. A broken file changes nothing.
//
// A Dir belongs to one goroutine, but for Zones, Problems and Files, which any may call. It refuses to serve two files for one zone, a zone outside
// of its origins, and a version that drops too much.
package zonedir
