// Package fairlead is the CoreDNS plugin `fairlead`: it answers the zones of its zone files with addresses that follow
// health.
//
// setup only reads the directive. Everything that has a port, a lock, a file or a goroutine lives in one runtime per
// process, because CoreDNS starts a new instance before it stops the old one and says nothing to an instance whose start
// failed: see steward. A query loads the current snapshot once, takes no lock and allocates nothing of its own.
//
// The package never dials an endpoint and never decides about health: health/engine does, and publishes here.
package fairlead
