// Package foreign reads the configuration of other systems that steer by DNS, and makes zone files of it: gdnsd, CoreDNS-GSLB, Route 53 and the
// Lua records of PowerDNS. What it cannot carry over it says, with file and line; it never drops anything in silence.
//
// It is pure but for the function that reads included files, holds nothing, and may be used by several goroutines at once. It refuses to run
// anything: Lua is read as data, and what is more than calls of known functions with constants is reported.
package foreign
